use serde_json::json;
use wiremock::matchers::{body_json, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::notify::testing::{given, news, tell};

#[tokio::test]
async fn a_message_calls_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let text = "*Rolled back*: DB_PASSWORD (kt-1)\na probe failed &lt;b&gt;\nNext: look at the API";
    let taken = Mock::given(path("/services/planted")).and(body_json(json!({ "text": text })));
    taken.respond_with(ResponseTemplate::new(200).set_body_string("ok")).expect(1).mount(&server).await;
    let url = given(&folder, "url", &format!("{}/services/planted", server.uri()));
    tell(&KIND, json!({ "url": url }), &news(Ending::RolledBack)).await.unwrap();
}

#[test]
fn a_message_is_short() {
    let news = News { summary: "é".repeat(10_000), ..news(Ending::Confirmed) };
    assert_eq!(text(&news).chars().count(), MAX_TEXT);
}
