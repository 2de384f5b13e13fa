//! Secrets of a real API server.

use std::sync::Arc;

use keytrail::config::StoreConfig;
use keytrail::stores::{StoreKind, writer};
use keytrail_rotation::failure::Outcome;
use keytrail_rotation::store::{Store, Version};
use reqwest::Method;
use serde_json::{Value, json};

use super::{RUN, config, preflight, race, read, write};
use crate::support::kubernetes::{Kubernetes, TOKEN};

const JSON: &str = "application/json";

/// `planted-old`, two bytes that are no text, `planted-sibling`.
const DATA: [(&str, &str); 3] = [("a", "cGxhbnRlZC1vbGQ="), ("bin", "/wA="), ("s", "cGxhbnRlZC1zaWJsaW5n")];

fn open(cluster: &Kubernetes, token: &str) -> (Arc<dyn Store>, StoreConfig, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = StoreConfig {
        ca_file: Some(cluster.ca_file()),
        ..config("kubernetes", &cluster.address, folder.path(), token)
    };
    let store = writer("store", std::slice::from_ref(&config), folder.path()).expect("a store");
    (store, config, folder)
}

async fn make(cluster: &Kubernetes, name: &str, more: &Value) {
    let mut body =
        json!({ "metadata": { "name": name, "labels": { "team": "payments" } }, "type": "example.com/x", "data": {} });
    for (key, value) in DATA {
        body["data"][key] = json!(value);
    }
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    let (status, answer) = cluster.request(Method::POST, "/api/v1/namespaces/full/secrets", JSON, &body).await;
    assert_eq!(status, 201, "{answer}");
}

async fn get(cluster: &Kubernetes, name: &str) -> Value {
    cluster.request(Method::GET, &format!("/api/v1/namespaces/full/secrets/{name}"), JSON, &Value::Null).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_patched_at_the_version_that_was_read() {
    let cluster = Kubernetes::start().await;
    let (store, _, _folder) = open(&cluster, TOKEN);
    make(&cluster, "db", &json!({})).await;
    let path = "full/secret/db";
    assert_eq!(preflight(&*store, path, &["a"]).await, Vec::<String>::new());
    let (seen, value) = read(&*store, path, "a").await.expect("it reads");
    assert_eq!(
        (value.as_deref(), Some(seen.0.as_str())),
        (Some("planted-old"), get(&cluster, "db").await["metadata"]["resourceVersion"].as_str())
    );
    let first = write(&*store, path, "a", "planted-new", &seen).await.expect("it writes");
    // A write of one key leaves those that earlier ones wrote.
    write(&*store, path, "s", "planted-second", &first).await.expect("it writes");
    let now = get(&cluster, "db").await;
    assert_eq!(now["data"], json!({ "a": "cGxhbnRlZC1uZXc=", "bin": "/wA=", "s": "cGxhbnRlZC1zZWNvbmQ=" }));
    assert_eq!((&now["type"], &now["metadata"]["labels"]["team"]), (&json!("example.com/x"), &json!("payments")));
    assert_eq!(now["metadata"]["annotations"]["keytrail.dev/run"], RUN);
    let managers = now["metadata"]["managedFields"].as_array().expect("managers");
    assert!(managers.iter().any(|manager| manager["manager"] == "keytrail"), "{managers:?}");

    let late = write(&*store, path, "a", "planted-late", &first).await.expect_err("refused");
    assert_eq!(late.outcome, Outcome::Conflict);
    assert_eq!(get(&cluster, "db").await["metadata"]["resourceVersion"], now["metadata"]["resourceVersion"]);
    let audit = std::fs::read_to_string(cluster.audit_log()).expect("an audit");
    assert!(audit.contains(&format!("keytrail-run/{RUN}")), "the audit has no run");

    let (other, _, _other) = open(&cluster, TOKEN);
    race(&*store, &*other, path, "a").await;
    assert_eq!(get(&cluster, "db").await["data"]["bin"], "/wA=");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_should_not_be_written_is_told() {
    let cluster = Kubernetes::start().await;
    let (store, config, _folder) = open(&cluster, TOKEN);
    let owner = json!({ "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "mail", "uid": "1", "controller": true });
    let operated = json!({ "reconcile.external-secrets.io/data-hash": "x" });
    make(&cluster, "fixed", &json!({ "immutable": true })).await;
    make(&cluster, "owned", &json!({ "metadata": { "name": "owned", "ownerReferences": [owner] } })).await;
    make(&cluster, "merged", &json!({ "metadata": { "name": "merged", "annotations": operated } })).await;
    make(&cluster, "good", &json!({})).await;
    for (path, key, why) in [
        ("full/secret/fixed", "a", "is immutable"),
        ("full/secret/owned", "a", "belongs to SealedSecret mail"),
        ("full/secret/merged", "a", "an ExternalSecret writes"),
        ("full/secret/good", "none", "has no key none"),
        ("full/secret/good", "bin", "bin of full/secret/good is no text"),
        ("full/secret/absent", "a", "is not there"),
        ("nowhere/secret/x", "a", "is not there"),
        ("full/configmap/x", "a", "no place of a Secret"),
    ] {
        let found = preflight(&*store, path, &[key]).await;
        assert!(found.len() == 1 && found[0].contains(why), "{path}: {found:?}");
    }
    let seen = read(&*store, "full/secret/fixed", "a").await.expect("it reads").0;
    let refused = write(&*store, "full/secret/fixed", "a", "planted-new", &seen).await.expect_err("refused");
    assert_eq!(refused.outcome, Outcome::NotDone, "{refused:?}");
    let gone = write(&*store, "full/secret/absent", "a", "planted-new", &seen).await.expect_err("refused");
    assert_eq!(gone.outcome, Outcome::Conflict, "{gone:?}");
    assert_eq!(get(&cluster, "absent").await["code"], 404, "a Secret that was deleted was made again");
    let blind = write(&*store, "full/secret/good", "a", "planted-new", &Version(String::new())).await;
    assert_eq!(blind.expect_err("refused").outcome, Outcome::NotDone);
    let before = get(&cluster, "good").await;
    preflight(&*store, "full/secret/good", &["a"]).await;
    assert_eq!(get(&cluster, "good").await, before, "a preflight writes nothing");

    let (stranger, _, _stranger) = open(&cluster, "planted-stranger");
    let refused = write(&*stranger, "full/secret/good", "a", "planted-new", &seen).await.expect_err("refused");
    assert_eq!(refused.outcome, Outcome::NotDone, "{refused:?}");
    assert_eq!(preflight(&*stranger, "full/secret/good", &["a"]).await.len(), 1);
    inventory(config).await;
    drop(cluster);
    let failed = write(&*store, "full/secret/good", "a", "planted-new", &seen).await.expect_err("gone");
    assert_eq!(failed.outcome, Outcome::Unknown, "{failed:?}");
}

/// What a scan reads: the same keys with and without values.
async fn inventory(config: StoreConfig) {
    let kind = StoreKind::find("kubernetes").expect("a kind");
    let key = keytrail_rules::model::FingerprintKey::new([1; 32]);
    let reader =
        keytrail::source::Reader { key: &key, generated: false, as_of: chrono::DateTime::UNIX_EPOCH, known: None };
    let mut seen = Vec::new();
    for read_values in [false, true] {
        let config = StoreConfig { read_values, mounts: vec!["full".into()], ..config.clone() };
        let facts = (kind.read)(&config, &reader).await;
        assert!(facts.gaps.is_empty() && !format!("{facts:?}").contains("planted"), "{facts:?}");
        assert_eq!(facts.scope[0].held, 12);
        let read = facts.copies.iter().filter(|copy| copy.value.fingerprint.is_some()).count();
        assert_eq!(read, if read_values { 8 } else { 0 }, "{facts:?}");
        seen.push(facts.copies.iter().map(|copy| copy.place.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].contains(&"store:full/secret/good#bin".to_owned()), "{seen:?}");
    let config = StoreConfig { mounts: vec!["full".into()], auth: keytrail::config::StoreAuth::Ambient, ..config };
    let refused = (kind.read)(&config, &reader).await;
    assert_eq!((refused.gaps.len(), refused.copies.len()), (1, 0), "{refused:?}");
}
