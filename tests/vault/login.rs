//! Logging in, and servers that cannot serve.

use keytrail::config::{StoreAuth, StoreConfig};
use keytrail_rules::model::GapReason;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{copies, only_gap, read, store};
use crate::support::http::Gate;
use crate::support::openbao::{Listener, OpenBao};

#[tokio::test]
async fn a_server_that_cannot_serve_is_one_clear_gap() {
    let mut bao = OpenBao::launch(Listener::Plain).await;
    let folder = tempdir().expect("a folder");
    let told = async |config: &StoreConfig| {
        let facts = read(config).await;
        assert_eq!((facts.copies.len(), facts.scope[0].held), (0, 0));
        let (reason, message) = only_gap(&facts);
        format!("{reason:?}: {message}")
    };
    let config = store(&bao.address, "s.none", folder.path());
    assert_eq!(told(&config).await, "Sealed: the server is not initialised");
    bao.initialise().await;
    assert_eq!(told(&config).await, "Unauthenticated: the server refuses the token");
    let unset = StoreConfig { auth: StoreAuth::TokenEnv("KEYTRAIL_TEST_UNSET".into()), ..config.clone() };
    assert_eq!(told(&unset).await, "Unauthenticated: the environment variable KEYTRAIL_TEST_UNSET is not set");
    let none = StoreConfig { auth: StoreAuth::TokenFile("nope".into()), ..config.clone() };
    std::fs::write(folder.path().join("nope"), "").expect("a file");
    assert!(told(&none).await.ends_with("nope cannot be used: it is empty"));
    let tls = StoreConfig { address: Some(bao.address.replace("http:", "https:")), ..config.clone() };
    assert!(told(&tls).await.starts_with("Unreachable: TLS with the server failed"), "{}", told(&tls).await);
    bao.put("sys/seal", json!({})).await;
    assert_eq!(told(&store(&bao.address, &bao.root_token, folder.path())).await, "Sealed: the server is sealed");
    let address = bao.address.clone();
    drop(bao);
    let gone = told(&store(&address, "s.none", folder.path())).await;
    assert!(gone.starts_with("Unreachable: cannot connect to the server: "), "{gone}");
}

#[tokio::test]
async fn a_certificate_is_checked_against_the_authority() {
    let mut bao = OpenBao::launch(Listener::Tls).await;
    bao.initialise().await;
    bao.mount("", "secret", 2).await;
    bao.write("secret", "a", json!({ "k": "planted" })).await;
    let folder = tempdir().expect("a folder");
    let mut config = store(&bao.address, &bao.root_token, folder.path());
    let facts = read(&config).await;
    let (reason, message) = only_gap(&facts);
    assert!(
        reason == GapReason::Unreachable && message.starts_with("TLS with the server failed: invalid peer certificate")
    );
    config.ca_file = Some(bao.ca_file());
    assert_eq!(copies(&read(&config).await), "vault:secret/a#k vault-kv2 1:Live:a\n");
    config.address = Some(bao.address.replace("127.0.0.1", "localhost"));
    let facts = read(&config).await;
    assert!(only_gap(&facts).1.contains("not valid for name"), "{}", only_gap(&facts).1);
    config.address = Some(bao.address.replace("https:", "http:"));
    assert_eq!(only_gap(&read(&config).await).1, "the server speaks TLS");
}

#[tokio::test]
async fn approle_logs_in_and_leaves_no_token_behind() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.write("secret", "a", json!({ "k": "planted" })).await;
    bao.put("sys/policies/acl/scan", json!({ "policy": r#"path "secret/*" { capabilities = ["list", "read"] }"# }))
        .await;
    bao.put("sys/auth/machines/ci", json!({ "type": "approle" })).await;
    bao.put("auth/machines/ci/role/keytrail", json!({ "token_policies": "scan", "secret_id_num_uses": 2 })).await;
    let role = bao.get("auth/machines/ci/role/keytrail/role-id").await["data"]["role_id"].clone();
    let made = bao.put("auth/machines/ci/role/keytrail/secret-id", json!({})).await;
    let folder = tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret-id"), made["data"]["secret_id"].as_str().expect("an id"))
        .expect("a file");
    let auth = StoreAuth::AppRole {
        mount: "machines/ci/".into(),
        role_id: role.as_str().expect("an id").into(),
        secret_id_env: None,
        secret_id_file: Some("secret-id".into()),
    };
    let mut config = StoreConfig { auth, ..store(&bao.address, "", folder.path()) };
    let tokens = async || {
        let list = bao.request(Method::from_bytes(b"LIST").expect("a method"), "", "auth/token/accessors", None).await;
        list["data"]["keys"].as_array().map_or(0, Vec::len)
    };
    let before = tokens().await;
    let facts = read(&config).await;
    assert_eq!((copies(&facts).as_str(), facts.gaps.len()), ("vault:secret/a#k vault-kv2 1:Live:a\n", 0));
    assert_eq!(tokens().await, before);
    // The secret id may be used twice.
    read(&config).await;
    let facts = read(&config).await;
    assert_eq!(only_gap(&facts), (GapReason::Unauthenticated, "the AppRole login at auth/machines/ci was refused"));
    if let StoreAuth::AppRole { mount, .. } = &mut config.auth {
        *mount = "nowhere".into();
    }
    assert_eq!(only_gap(&read(&config).await).0, GapReason::Unauthenticated);
}

/// The token is revoked while the eleventh path is asked for, and before the server sees it.
#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_one_gap_and_what_was_read_stands() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    for n in 0..60 {
        bao.write("secret", &format!("p{n:02}"), json!({ "k": "planted" })).await;
    }
    let policy = r#"path "secret/*" { capabilities = ["list", "read"] }"#;
    let token = bao.token("scan", policy).await;
    let mut gate = Gate::before(&bao.address, "GET /v1/secret/metadata/p", 10).await;
    let folder = tempdir().expect("a folder");
    let config = store(&gate.address, &token, folder.path());
    let (facts, ()) = tokio::join!(read(&config), async {
        gate.closed().await;
        bao.put("auth/token/revoke", json!({ "token": token })).await;
        gate.open();
    });
    let (reason, message) = only_gap(&facts);
    let unread = 60 - facts.copies.len();
    assert_eq!(reason, GapReason::Unauthenticated);
    assert_eq!(message, format!("the server refuses the token; {unread} of 60 paths were not read"));
    // At most four paths were under way when the gate closed.
    assert!((7..=10).contains(&facts.copies.len()), "{}", facts.copies.len());
}

/// The server is sealed in the middle of a scan.
#[tokio::test]
async fn a_server_that_is_sealed_in_the_middle_is_one_gap() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    for n in 0..30 {
        bao.write("secret", &format!("p{n:02}"), json!({ "k": "planted" })).await;
    }
    let mut gate = Gate::before(&bao.address, "GET /v1/secret/metadata/p", 10).await;
    let folder = tempdir().expect("a folder");
    let config = store(&gate.address, &bao.root_token, folder.path());
    let (facts, _): (_, Value) = tokio::join!(read(&config), async {
        gate.closed().await;
        let sealed = bao.put("sys/seal", json!({})).await;
        gate.open();
        sealed
    });
    let (reason, message) = only_gap(&facts);
    assert_eq!(reason, GapReason::Sealed);
    assert!(
        message.starts_with("the server is sealed; 2") && message.ends_with(" of 30 paths were not read"),
        "{message}"
    );
}
