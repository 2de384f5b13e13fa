use aws_lc_rs::hmac;
use serde_json::json;

use super::signature;
use crate::config::IncidentConfig;
use crate::incidents::testing::{World, answer, filed, incident};

#[tokio::test]
async fn an_incident_is_sent_with_its_signature() {
    let world = World::new([answer(204), answer(200)]).await;
    let url = format!("{}/hook", world.server.uri());
    let sink = world.open("webhook", |config| {
        config.url = Some(url);
        config.signing_key_env = Some("TOKEN".into());
    });
    let key = incident("A").key;
    sink.file(&incident("A"), None).await.expect("sent");
    sink.resolve(&filed("A", &key)).await.expect("sent");
    let requests = world.requests().await;
    let header = |at: usize, name: &str| requests[at].headers[name].to_str().expect("text").to_owned();
    assert_eq!(header(0, "idempotency-key"), format!("{key}-1-file"));
    assert_eq!(header(1, "idempotency-key"), format!("{key}-1-resolve"));
    let body = std::str::from_utf8(&requests[0].body).expect("text");
    let expected = signature(&hmac::Key::new(hmac::HMAC_SHA256, b"lantern-whisper"), body);
    assert_eq!(header(0, "x-keytrail-signature"), expected);
    let asked = world.asked().await;
    assert_eq!(
        asked[0].2,
        json!({
            "schema": "keytrail/incident/v1", "action": "file", "key": key, "fingerprint": key, "occurrence": 1,
            "estate": null, "rule": "leaked-current-value", "code": incident("A").code, "severity": "critical",
            "item": null, "summary": "leaked-current-value: Something is wrong with A.",
            "message": "Something is wrong with A.", "next": "rotate it", "location": "deploy/a b.yaml:7",
            "link": null, "evidence": [{"note": "it lies there", "at": "vault:secret/app#password"}],
            "more_evidence": 0,
        })
    );
    assert_eq!(
        asked[1].2,
        json!({
            "schema": "keytrail/incident/v1", "action": "resolve", "key": key, "fingerprint": key, "occurrence": 1,
            "estate": null, "rule": "leaked-current-value",
            "summary": "leaked-current-value: Something is wrong with A.",
        })
    );
}

#[test]
fn the_signature_is_the_one_that_everybody_computes() {
    // https://en.wikipedia.org/wiki/HMAC#Examples
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
    let expected = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    assert_eq!(signature(&key, "The quick brown fox jumps over the lazy dog"), expected);
}

#[tokio::test]
async fn an_address_that_others_could_read_along_is_refused() {
    let world = World::new([]).await;
    let open = |url: &str| {
        let change = |config: &mut IncidentConfig| config.url = Some(url.to_owned());
        world.try_open("webhook", change).err().expect("refused").what
    };
    for url in ["http://hooks.example.com/x", "ftp://127.0.0.1/x", "hooks"] {
        assert_eq!(open(url), "the address in url is no URL that starts with https://");
    }
}

#[tokio::test]
async fn what_fails_is_not_sent_again() {
    let world = World::new([answer(503)]).await;
    let sink = world.open("webhook", |config| config.url_env = Some("ADDRESS".into()));
    let failure = sink.file(&incident("A"), None).await.expect_err("unclear");
    assert!(!failure.certain, "{failure:?}");
    assert_eq!(world.requests().await.len(), 1);
}
