use serde_json::json;
use wiremock::matchers::{body_json, header, header_exists, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::failure::Outcome;
use crate::notify::Ending;
use crate::notify::testing::{given, news, tell};

#[tokio::test]
async fn the_body_is_signed_and_says_what_became_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let body = body_json(json!({
        "schema": "keytrail/rotation/v1",
        "run": "kt-1",
        "ending": "rolled-back",
        "items": ["DB_PASSWORD"],
        "summary": "a probe failed <b>",
        "next": "look at the API",
    }));
    let taken = Mock::given(method("POST")).and(body).and(header("Idempotency-Key", "kt-1-rolled-back"));
    let taken = taken.and(header_exists("X-Keytrail-Signature"));
    taken.respond_with(ResponseTemplate::new(204)).expect(1).mount(&server).await;
    let settings = json!({
        "url": given(&folder, "url", &format!("{}/hook?token=planted", server.uri())),
        "signing_key": given(&folder, "key", "planted-key"),
    });
    tell(&KIND, settings, &news(Ending::RolledBack)).await.unwrap();
    let request = server.received_requests().await.unwrap().swap_remove(0);
    let body = String::from_utf8(request.body.clone()).unwrap();
    let signed = signature(&hmac::Key::new(hmac::HMAC_SHA256, b"planted-key"), &body);
    assert_eq!(request.headers["X-Keytrail-Signature"], signed.as_str());
    assert!(request.headers["user-agent"].to_str().unwrap().ends_with("keytrail-run/kt-1"));
}

#[test]
fn a_signature_is_an_hmac() {
    // RFC 4231, test case 2.
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
    let digits = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(signature(&key, "what do ya want for nothing?"), format!("sha256={digits}"));
}

#[tokio::test]
async fn a_receiver_that_fails_may_have_taken_it_and_its_address_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    for (status, outcome) in [(503, Outcome::Unknown), (429, Outcome::Unknown), (404, Outcome::NotDone)] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        let url = format!("{}/hook/planted", server.uri());
        let failure =
            tell(&KIND, json!({ "url": given(&folder, "url", &url) }), &news(Ending::Stuck)).await.unwrap_err();
        assert_eq!(failure.outcome, outcome);
        assert!(!failure.what.contains("planted"), "{failure}");
    }
    let clear = json!({ "url": given(&folder, "url", "http://hooks.internal/planted") });
    let failure = tell(&KIND, clear, &news(Ending::Stuck)).await.unwrap_err();
    assert!(!failure.what.contains("planted"), "{failure}");
}
