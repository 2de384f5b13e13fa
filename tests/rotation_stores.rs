//! Stores are written on real servers: the new values and nothing else, never over what somebody else wrote.

mod kubernetes;
mod openbao;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use keytrail::config::{StoreAuth, StoreConfig};
use keytrail_rotation::context::Context;
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rotation::store::{Store, Version};
use keytrail_rules::model::{Location, Secret};

const RUN: &str = "kt-20261121t183000z-0f3a9c21";

fn context() -> Context {
    Context::new(RUN)
}

/// A store of that kind at an address, with a token in a file of the folder.
fn config(kind: &str, address: &str, folder: &Path, token: &str) -> StoreConfig {
    std::fs::write(folder.join("token"), token).expect("a file");
    StoreConfig {
        name: "store".into(),
        kind: kind.into(),
        location: Location::of_file("keytrail.toml"),
        root: folder.into(),
        address: Some(address.into()),
        mounts: Vec::new(),
        namespace: None,
        paths: Vec::new(),
        read_values: false,
        environment: None,
        auth: StoreAuth::TokenFile("token".into()),
        ca_file: None,
        timeout: Duration::from_secs(30),
        concurrency: 4,
    }
}

async fn preflight(store: &dyn Store, path: &str, keys: &[&str]) -> Vec<String> {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    store.preflight(&context(), path, &keys).await.expect("an answer")
}

async fn read(store: &dyn Store, path: &str, key: &str) -> Result<(Version, Option<String>), Failure> {
    let held = store.read(&context(), path, &[key.to_owned(), "none".to_owned()]).await?;
    assert!(!format!("{held:?}").contains("planted"), "{held:?}");
    assert!(held.values.len() < 2, "only what was asked for: {held:?}");
    Ok((held.version, held.values.get(key).map(|value| value.expose().to_owned())))
}

/// Writes a value under one key. What it fails with shows none.
async fn write(store: &dyn Store, path: &str, key: &str, value: &str, at: &Version) -> Result<Version, Failure> {
    let value = Secret::from(value);
    let result = store.write(&context(), path, &BTreeMap::from([(key.to_owned(), &value)]), at).await;
    assert!(!format!("{result:?}").contains("planted"), "{result:?}");
    result
}

/// Two writers at once, again and again: one wins each time, and the other is told so.
async fn race(one: &dyn Store, other: &dyn Store, path: &str, key: &str) {
    for round in 0..50 {
        let seen = read(one, path, key).await.expect("it reads").0;
        let values = [format!("planted-{round}-left"), format!("planted-{round}-right")];
        let (left, right) =
            tokio::join!(write(one, path, key, &values[0], &seen), write(other, path, key, &values[1], &seen));
        let (won, lost, value) = if left.is_ok() { (left, right, &values[0]) } else { (right, left, &values[1]) };
        assert_eq!(lost.expect_err("one loses").outcome, Outcome::Conflict, "round {round}");
        let (version, now) = read(one, path, key).await.expect("it reads");
        assert_eq!((won.expect("one wins"), value), (version, &now.expect("a value")), "round {round}");
    }
}
