use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::failure::Outcome;
use crate::ledger::Status;
use crate::ledger::entry::tests::row;
use crate::ledger::tree::Hash;

fn entry() -> Entry {
    Entry { seq: 0, prev: Hash::ZERO, row: row("kt-1", Status::Requested) }
}

fn settings(table: serde_json::Value) -> Settings {
    serde_json::from_value(table).unwrap()
}

async fn send(table: serde_json::Value) -> Result<(), Failure> {
    let sink = (KIND.open)(&settings(table))?;
    sink.take(&Context::new("kt-1"), &entry()).await
}

#[tokio::test]
async fn a_row_is_sent_with_its_signature() {
    let server = MockServer::start().await;
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "planted-signing-key\n").unwrap();
    Mock::given(method("POST"))
        .and(path("/hook"))
        .and(header("idempotency-key", entry().hash().to_string().as_str()))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let table = json!({ "url": format!("{}/hook", server.uri()), "signing_key": { "file": key.path() } });
    send(table).await.unwrap();
    let request = server.received_requests().await.unwrap().remove(0);
    let body = String::from_utf8(request.body).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"planted-signing-key");
    assert_eq!(request.headers["x-keytrail-signature"], signature(&key, &body));
    assert_eq!(request.headers["user-agent"].to_str().unwrap(), Context::new("kt-1").user_agent());
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["schema"], &body["hash"]), (&json!(SCHEMA), &json!(entry().hash())));
    assert_eq!(serde_json::from_value::<Entry>(body["entry"].clone()).unwrap(), entry());
}

#[tokio::test]
async fn only_a_success_is_one() {
    for (status, outcome) in
        [(302, Outcome::NotDone), (400, Outcome::NotDone), (429, Outcome::Unknown), (503, Outcome::Unknown)]
    {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).insert_header("location", "/elsewhere");
        Mock::given(method("POST")).respond_with(answer).expect(1).mount(&server).await;
        let refused = send(json!({ "url": server.uri() })).await.unwrap_err();
        assert_eq!(refused.outcome, outcome, "{status}: {refused}");
    }
    let refused = send(json!({ "url": "http://127.0.0.1:1/" })).await.unwrap_err();
    assert_eq!((refused.outcome, &*refused.what), (Outcome::Unknown, "127.0.0.1 cannot be reached"));
}

#[test]
fn tables_that_cannot_be_are_refused() {
    for table in [
        json!({}),
        json!({ "url": "http://example.com/" }),
        json!({ "url": "not a url" }),
        json!({ "url": "https://a.example/", "url_from": { "env": "X" } }),
        json!({ "url": "https://a.example/", "unknown": 1 }),
    ] {
        assert!((KIND.open)(&settings(table.clone())).is_err(), "{table}");
    }
}
