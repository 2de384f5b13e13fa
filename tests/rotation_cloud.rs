//! Rotations of what clouds keep and honour: AWS against its emulators, GitHub against a server that holds every request
//! against GitHub's published description of its API.

mod aws_iam;
mod aws_managed;
mod aws_secrets_manager;
mod aws_ssm;
mod github_actions;
mod github_server;

use std::collections::BTreeMap;
use std::path::Path;

use keytrail_rotation::aws::{Access, Login};
use keytrail_rotation::context::Context;
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rotation::issuers::{Issuer, IssuerKind};
use keytrail_rotation::settings::{Given, Settings};
use keytrail_rotation::store::{Store, Version};
use keytrail_rules::model::Secret;
use serde_json::{Value, json};

use crate::support::localemu::REGION;

/// Who an emulator knows as its owner.
fn login(folder: &Path) -> Login {
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::write(&path, "test\n").expect("a file");
        Given::File(path)
    };
    Login { access_key_id: file("id"), secret_access_key: file("key"), session_token: None }
}

fn access(address: &str, folder: &Path) -> Access {
    Access { region: Some(REGION.into()), endpoint: Some(address.into()), login: Some(login(folder)) }
}

/// An issuer at an emulator, with more of its table.
fn issuer(kind: &str, address: &str, folder: &Path, more: &Value) -> Box<dyn Issuer> {
    let Login { access_key_id, secret_access_key, .. } = login(folder);
    let mut table = json!({
        "region": REGION, "endpoint": address,
        "login": { "access_key_id": access_key_id, "secret_access_key": secret_access_key },
    });
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings = Settings(table.as_object().unwrap().clone());
    (IssuerKind::find(kind).expect("a kind").open)(&settings).unwrap_or_else(|failed| panic!("{}", failed.what))
}

fn run(name: &str) -> Context {
    Context::new(&format!("kt-20261121t183000z-{name}"))
}

async fn write(
    store: &dyn Store,
    context: &Context,
    path: &str,
    values: &[(&str, &str)],
    expected: &Version,
) -> Result<Version, Failure> {
    let secrets: Vec<(String, Secret)> =
        values.iter().map(|(key, value)| ((*key).to_owned(), Secret::from(*value))).collect();
    let map: BTreeMap<String, &Secret> = secrets.iter().map(|(key, value)| (key.clone(), value)).collect();
    let written = store.write(context, path, &map, expected).await;
    if let Err(failed) = &written {
        silent(failed, values);
    }
    written
}

async fn stage(store: &dyn Store, context: &Context, path: &str, values: &[(&str, &str)]) -> Result<(), Failure> {
    let secrets: Vec<(String, Secret)> =
        values.iter().map(|(key, value)| ((*key).to_owned(), Secret::from(*value))).collect();
    let map: BTreeMap<String, &Secret> = secrets.iter().map(|(key, value)| (key.clone(), value)).collect();
    store.stage(context, path, &map).await
}

/// The version of some keys, and their values.
async fn read(store: &dyn Store, path: &str, keys: &[&str]) -> (Version, Vec<String>) {
    let held = store.read(&run("read"), path, &owned(keys)).await.unwrap();
    (held.version, held.values.values().map(|value| value.expose().to_owned()).collect())
}

async fn obstacles(store: &dyn Store, path: &str, keys: &[&str]) -> String {
    store.preflight(&run("look"), path, &owned(keys)).await.unwrap().join("\n")
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn outcome<T: std::fmt::Debug>(result: Result<T, Failure>) -> Outcome {
    result.expect_err("a failure").outcome
}

/// A failure shows no value.
fn silent(failed: &Failure, values: &[(&str, &str)]) {
    let shown = format!("{failed:?}");
    assert!(values.iter().all(|(_, value)| !shown.contains(value)), "{shown}");
}
