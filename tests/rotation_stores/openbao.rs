//! OpenBao, KV version 2 and 1.

use std::sync::Arc;

use keytrail::stores::writer;
use keytrail_rotation::failure::Outcome;
use keytrail_rotation::store::{Store, Version};
use reqwest::Method;
use serde_json::{Value, json};

use super::{RUN, config, preflight, race, read, write};
use crate::support::openbao::OpenBao;

/// The store of a server with a token, and the folder that the token lies in.
fn open(bao: &OpenBao, token: &str, namespace: Option<&str>) -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config("vault", &bao.address, folder.path(), token);
    config.namespace = namespace.map(str::to_owned);
    (writer("store", &[config], folder.path()).expect("a store"), folder)
}

fn secret() -> Value {
    json!({ "a": "planted-old", "b": "planted-sibling", "n": { "x": [1, 2.50] } })
}

fn changed(value: &str) -> Value {
    json!({ "a": value, "b": "planted-sibling", "n": { "x": [1, 2.50] } })
}

async fn server() -> OpenBao {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.mount("", "team/kv", 2).await;
    bao.mount("", "old", 1).await;
    bao
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_merged_at_the_version_that_was_read() {
    let bao = server().await;
    for (name, policy) in [
        (
            "patches",
            r#"path "+/data/*" { capabilities = ["read", "patch"] } path "team/*" { capabilities = ["read", "patch"] }"#,
        ),
        (
            "updates",
            r#"path "+/data/*" { capabilities = ["read", "update"] } path "team/*" { capabilities = ["read", "update"] }"#,
        ),
        ("all", r#"path "*" { capabilities = ["create", "read", "update", "patch"] }"#),
    ] {
        let (store, _folder) = open(&bao, &bao.token(name, policy).await, None);
        for mount in ["secret", "team/kv"] {
            let (path, below) = (format!("{mount}/shop/{name} é#1"), format!("shop/{name}%20%C3%A9%231"));
            bao.write(mount, &below, secret()).await;
            let (seen, value) = read(&*store, &path, "a").await.expect("it reads");
            assert_eq!((seen.0.as_str(), value.as_deref()), ("1", Some("planted-old")));
            assert_eq!(preflight(&*store, &path, &["a", "b"]).await, Vec::<String>::new());
            let made = write(&*store, &path, "a", "planted-new \"\u{0}é", &seen).await.expect("it writes");
            assert_eq!(made.0, "2");
            let now = bao.get(&format!("{mount}/data/{below}")).await;
            assert_eq!(now["data"]["data"], changed("planted-new \"\u{0}é"), "{name}");
            let run = &now["data"]["metadata"]["custom_metadata"]["keytrail_run"];
            assert_eq!(*run, if name == "all" { json!(RUN) } else { Value::Null });

            let late = write(&*store, &path, "a", "planted-late", &seen).await.expect_err("refused");
            assert_eq!(late.outcome, Outcome::Conflict, "{late:?}");
            let now = bao.get(&format!("{mount}/data/{below}")).await;
            assert_eq!(now["data"]["data"], changed("planted-new \"\u{0}é"), "{name}");
            assert_eq!(now["data"]["metadata"]["version"], 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_written_and_its_parent_is_not() {
    let bao = server().await;
    bao.write("secret", "db", secret()).await;
    bao.put("sys/namespaces/ops", json!({})).await;
    bao.mount("ops", "secret", 2).await;
    bao.request(Method::PUT, "ops", "secret/data/db", Some(json!({ "data": secret() }))).await;
    let (store, _folder) = open(&bao, &bao.root_token, Some("ops"));
    let seen = read(&*store, "secret/db", "a").await.expect("it reads").0;
    write(&*store, "secret/db", "a", "planted-new", &seen).await.expect("it writes");
    let now = bao.request(Method::GET, "ops", "secret/data/db", None).await;
    assert_eq!(now["data"]["data"], changed("planted-new"));
    assert_eq!(bao.get("secret/data/db").await["data"]["data"], secret());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_one_wins() {
    let bao = server().await;
    bao.write("secret", "db", secret()).await;
    let (one, _one) = open(&bao, &bao.root_token, None);
    let updates = r#"path "secret/data/*" { capabilities = ["read", "update"] }"#;
    let (other, _other) = open(&bao, &bao.token("updates", updates).await, None);
    race(&*one, &*other, "secret/db", "a").await;
    let now = bao.get("secret/data/db").await;
    assert_eq!(now["data"]["metadata"]["version"], 51);
    assert_eq!(now["data"]["data"]["b"], "planted-sibling");
    assert!(one.abilities().compares);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_made() {
    let bao = server().await;
    let (store, _folder) = open(&bao, &bao.root_token, None);
    bao.write("secret", "gone", secret()).await;
    let seen = read(&*store, "secret/gone", "a").await.expect("it reads").0;
    bao.delete("secret/data/gone").await;
    bao.write("secret", "few", secret()).await;
    bao.put("secret/metadata/few", json!({ "max_versions": 2 })).await;
    for (path, at, outcome) in [
        ("secret/gone", &seen, Outcome::Conflict),
        ("secret/none", &seen, Outcome::Conflict),
        ("secret/none", &Version("0".into()), Outcome::NotDone),
        ("nowhere/x", &seen, Outcome::NotDone),
        ("secret", &seen, Outcome::NotDone),
        ("secret/../sys/policies", &seen, Outcome::NotDone),
    ] {
        let refused = write(&*store, path, "a", "planted-new", at).await.expect_err("refused");
        assert_eq!(refused.outcome, outcome, "{path}: {refused:?}");
        assert_eq!(read(&*store, path, "a").await.expect_err("refused").outcome, Outcome::NotDone, "{path}");
        assert_eq!(preflight(&*store, path, &["a"]).await.len(), 1, "{path}");
    }
    let found = preflight(&*store, "secret/few", &["a", "n", "z"]).await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("n of secret/few is no text") && found[1].contains("has no key z"), "{found:?}");
    assert!(found[2].contains("keeps 2 version(s)"), "{found:?}");

    let audited = bao.audited().len();
    let policy = r#"path "secret/data/*" { capabilities = ["read"] } path "sys/capabilities-self" { capabilities = ["update"] }"#;
    let (reader, _reader) = open(&bao, &bao.token("reads", policy).await, None);
    let found = preflight(&*reader, "secret/few", &["a"]).await;
    assert!(found.len() == 1 && found[0].contains("neither patch nor update secret/data/few"), "{found:?}");
    let changes: Vec<String> =
        bao.audited().split_off(audited).into_iter().filter(|line| !line.starts_with("read ")).collect();
    let harmless = |line: &String| line.contains("sys/policies/acl/reads") || line.contains("auth/token/create");
    let changes: Vec<&String> = changes.iter().filter(|line| !harmless(line)).collect();
    assert_eq!(changes, ["update sys/capabilities-self"]);
    let few = Version("1".into());
    let refused = write(&*reader, "secret/few", "a", "planted-new", &few).await.expect_err("refused");
    assert_eq!(refused.outcome, Outcome::NotDone, "{refused:?}");
    assert_eq!(bao.get("secret/data/few").await["data"]["metadata"]["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_is_written_whole_and_compared() {
    let bao = server().await;
    bao.put("old/shop/db", secret()).await;
    let (store, _folder) = open(&bao, &bao.root_token, None);
    let (seen, value) = read(&*store, "old/shop/db", "a").await.expect("it reads");
    assert_eq!(value.as_deref(), Some("planted-old"));
    assert_eq!(read(&*store, "old/shop/db", "b").await.expect("it reads").0, seen);
    assert_eq!(preflight(&*store, "old/shop/db", &["a"]).await, Vec::<String>::new());
    let made = write(&*store, "old/shop/db", "a", "planted-new", &seen).await.expect("it writes");
    assert_eq!(bao.get("old/shop/db").await["data"], changed("planted-new"));
    assert_eq!(read(&*store, "old/shop/db", "a").await.expect("it reads").0, made);
    let late = write(&*store, "old/shop/db", "a", "planted-late", &seen).await.expect_err("refused");
    assert_eq!(late.outcome, Outcome::Conflict);
    assert_eq!(bao.get("old/shop/db").await["data"], changed("planted-new"));
    assert!(!store.abilities().compares);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_say_no_may_have_written() {
    let bao = server().await;
    bao.write("secret", "db", secret()).await;
    let (store, _folder) = open(&bao, &bao.root_token, None);
    let (fresh, _fresh) = open(&bao, &bao.root_token, None);
    let (stranger, _stranger) = open(&bao, "planted-token", None);
    let seen = read(&*store, "secret/db", "a").await.expect("it reads").0;
    let refused = write(&*stranger, "secret/db", "a", "planted-new", &seen).await.expect_err("refused");
    assert_eq!(refused.outcome, Outcome::NotDone, "{refused:?}");
    bao.put("sys/seal", json!({})).await;
    for store in [&store, &fresh] {
        let failed = write(&**store, "secret/db", "a", "planted-new", &seen).await.expect_err("sealed");
        assert_eq!((failed.outcome, failed.what.contains("sealed")), (Outcome::Unknown, true), "{failed:?}");
    }
    drop(bao);
    let failed = write(&*store, "secret/db", "a", "planted-new", &seen).await.expect_err("gone");
    assert_eq!(failed.outcome, Outcome::Unknown, "{failed:?}");
}
