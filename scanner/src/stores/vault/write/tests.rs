//! What answers mean, those of a server that fails among them. A real server is written in `tests/rotation_stores`.

use std::collections::BTreeMap;
use std::time::Duration;

use keytrail_rotation::context::Context;
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rotation::store::Version;
use keytrail_rules::model::Secret;
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::open;
use crate::config::{StoreAuth, StoreConfig};

/// A server with a KV version 2, which answers a patch of `secret/data/db` like that.
async fn server(patched: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let answers = [
        ("GET", "/v1/sys/health", json!({ "initialized": true, "sealed": false })),
        (
            "GET",
            "/v1/sys/internal/ui/mounts/secret/db",
            json!({ "data": { "type": "kv", "options": { "version": "2" }, "path": "secret/" } }),
        ),
        (
            "GET",
            "/v1/secret/data/db",
            json!({ "data": { "data": { "b": "planted-b" }, "metadata": { "version": 4 } } }),
        ),
        ("POST", "/v1/secret/data/db", json!({ "data": { "version": 5 } })),
    ];
    for (verb, at, body) in answers {
        let answer = ResponseTemplate::new(200).set_body_json(body);
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&server).await;
    }
    let agent = Context::new("kt-1").user_agent();
    let patch = Mock::given(method("PATCH")).and(path("/v1/secret/data/db")).and(header("User-Agent", agent.as_str()));
    patch.respond_with(patched).mount(&server).await;
    server
}

async fn write(server: &MockServer) -> Result<Version, Failure> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("token"), "planted-token").expect("a file");
    let store = open(&StoreConfig {
        root: folder.path().into(),
        auth: StoreAuth::TokenFile("token".into()),
        timeout: Duration::from_millis(300),
        ..super::super::tests::config(&server.uri())
    })
    .expect("a store");
    let value = Secret::from("planted-new");
    let values = BTreeMap::from([("a".to_owned(), &value)]);
    let result = store.write(&Context::new("kt-1"), "secret/db", &values, &Version("4".into())).await;
    assert!(!format!("{result:?}").contains("planted"), "{result:?}");
    result
}

async fn requests(server: &MockServer, verb: &str) -> Vec<Request> {
    let all = server.received_requests().await.expect("they are kept");
    all.into_iter().filter(|request| request.method.as_str() == verb && request.url.path().contains("/data/")).collect()
}

#[tokio::test]
async fn what_is_no_refusal_may_have_been_done_and_is_not_sent_again() {
    let says = |status: u16, words: &str| ResponseTemplate::new(status).set_body_json(json!({ "errors": [words] }));
    let quoting = "the value planted-new is bad";
    for (answer, outcome) in [
        (says(500, quoting), Outcome::Unknown),
        (says(429, quoting), Outcome::Unknown),
        (says(472, quoting), Outcome::Unknown),
        (says(503, "Vault is sealed"), Outcome::Unknown),
        (says(307, quoting).insert_header("Location", "http://127.0.0.1:1/planted"), Outcome::Unknown),
        (ResponseTemplate::new(200).set_body_string("planted-new <html>"), Outcome::Unknown),
        (ResponseTemplate::new(200).set_delay(Duration::from_secs(60)), Outcome::Unknown),
        (says(400, "check-and-set parameter did not match the current version"), Outcome::Conflict),
        (says(404, ""), Outcome::Conflict),
        (ResponseTemplate::new(404), Outcome::Conflict),
        (says(400, quoting), Outcome::NotDone),
        (says(413, quoting), Outcome::NotDone),
        (says(404, "no handler for route \"secret/data/db\""), Outcome::NotDone),
    ] {
        let server = server(answer).await;
        let failure = write(&server).await.expect_err("it fails");
        assert_eq!(failure.outcome, outcome, "{failure:?}");
        assert_eq!(
            (requests(&server, "PATCH").await.len(), requests(&server, "POST").await.len()),
            (1, 0),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn where_no_patch_is_known_the_whole_secret_is_written() {
    for status in [403, 405] {
        let server = server(ResponseTemplate::new(status)).await;
        assert_eq!(write(&server).await, Ok(Version("5".into())));
        let sent = requests(&server, "POST").await;
        let body: serde_json::Value = sent[0].body_json().expect("JSON");
        let data = json!({ "a": "planted-new", "b": "planted-b" });
        assert_eq!((sent.len(), body), (1, json!({ "options": { "cas": 4 }, "data": data })));
    }
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_used_and_one_login_is_enough() {
    let server = server(ResponseTemplate::new(200).set_body_json(json!({ "data": { "version": 5 } }))).await;
    assert!(server.received_requests().await.expect("they are kept").is_empty());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("token"), "planted-token").expect("a file");
    let config = StoreConfig {
        root: folder.path().into(),
        auth: StoreAuth::TokenFile("token".into()),
        ..super::super::tests::config(&server.uri())
    };
    let store = open(&config).expect("a store");
    for _ in 0..3 {
        let held = store.read(&Context::new("kt-1"), "secret/db", &["b".into()]).await.expect("it reads");
        assert_eq!(held.version.0, "4");
    }
    let asked = server.received_requests().await.expect("they are kept");
    assert_eq!(asked.iter().filter(|request| request.url.path().ends_with("/health")).count(), 1);
}
