use serde_json::json;
use wiremock::matchers::{body_json, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::notify::testing::{given, news, tell};

/// What is told of an ending goes to `place` with these keys besides what is always there.
async fn sends(said: Ending, place: &str, severity: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let details = json!({ "run": "kt-1", "ending": ending(said), "items": ["DB_PASSWORD"], "next": "look at the API" });
    let mut body = json!({
        "routing_key": "planted-key",
        "payload": { "summary": "a probe failed <b>", "source": "keytrail", "custom_details": details },
    });
    if let Some(severity) = severity {
        body["payload"]["severity"] = severity.into();
        body["event_action"] = "trigger".into();
        body["dedup_key"] = "kt-1".into();
    }
    let taken = Mock::given(path(place)).and(body_json(body));
    taken.respond_with(ResponseTemplate::new(202)).expect(1).mount(&server).await;
    let settings = json!({ "url": server.uri(), "routing_key": given(&folder, "key", "planted-key") });
    tell(&KIND, settings, &news(said)).await.unwrap();
}

#[tokio::test]
async fn a_rotation_is_a_change_and_what_needs_a_person_one_alert() {
    sends(Ending::Confirmed, "/v2/change/enqueue", None).await;
    sends(Ending::RolledBack, "/v2/enqueue", Some("warning")).await;
    sends(Ending::Stuck, "/v2/enqueue", Some("error")).await;
}
