use std::time::Duration;

use serde_json::Value as Json;

use super::message;
use crate::config::IncidentConfig;
use crate::incidents::EvidenceText;
use crate::incidents::testing::{World, answer, filed, incident};

fn config(config: &mut IncidentConfig) {
    config.url_env = Some("ADDRESS".into());
}

#[tokio::test]
async fn a_message_is_posted_and_another_when_it_is_over() {
    let world = World::new([answer(200).set_body_string("ok"), answer(200)]).await;
    let sink = world.open("slack", config);
    sink.file(&incident("A & <!channel>"), None).await.expect("posted");
    sink.resolve(&filed("A", "x")).await.expect("posted");
    let asked = world.asked().await;
    assert_eq!(asked[0].1, "/services/whisper");
    assert_eq!(asked[0].2["text"], "critical: leaked-current-value: Something is wrong with A &amp; &lt;!channel&gt;.");
    assert!(asked[0].2["blocks"][0]["text"]["text"].as_str().expect("text").contains("Next:     rotate it"));
    assert_eq!(asked[1].2["text"], "Resolved: leaked-current-value: Something is wrong with A.");
}

#[tokio::test]
async fn a_message_is_posted_once_at_most() {
    let world = World::new([answer(429).insert_header("retry-after", "3"), answer(200)]).await;
    world.open("slack", config).file(&incident("A"), None).await.expect("posted");
    assert_eq!(world.waits(), [3], "what was refused may be sent again");

    for unclear in [answer(500), answer(200).set_delay(Duration::from_secs(600))] {
        let world = World::new([unclear]).await;
        let sink = world.open("slack", |it| {
            config(it);
            it.timeout = Duration::from_millis(200);
        });
        let failure = sink.file(&incident("A"), None).await.expect_err("unclear");
        assert!(!failure.certain, "{failure:?}");
        assert_eq!(world.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_says_why_and_not_where() {
    let world = World::new([
        answer(404).set_body_string("no_service at /services/whisper"),
        answer(404).set_body_string("no_service"),
    ])
    .await;
    let sink = world.open("slack", config);
    let failure = sink.file(&incident("A"), None).await.expect_err("refused");
    assert!(!format!("{failure:?}").contains("whisper"), "{failure:?}");
    let failure = sink.file(&incident("A"), None).await.expect_err("refused");
    assert!(failure.what.ends_with(": no_service") && failure.certain, "{failure:?}");
}

#[test]
fn a_message_is_within_the_limits() {
    let mut long = incident("A");
    long.message = "<".repeat(2_000);
    long.link = Some("https://github.com/o/r/blob/abc/a#L1".into());
    let evidence = EvidenceText { note: "&".repeat(500), at: Some("é".repeat(500)) };
    long.evidence = vec![evidence; 40];
    let message = message(&long);
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50 && blocks.len() > 2);
    let text = |block: &Json| block["text"]["text"].as_str().expect("text").to_owned();
    assert!(blocks.iter().all(|block| text(block).chars().count() <= 3_000));
    assert!(!text(&blocks[1]).replace("&lt;", "").contains('<'), "no entity is cut");
    assert_eq!(text(&blocks[blocks.len() - 1]), "<https://github.com/o/r/blob/abc/a#L1|The line>");
}
