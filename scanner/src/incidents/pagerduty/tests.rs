use keytrail_rules::model::{GapReason, Severity};
use serde_json::json;

use super::trigger;
use crate::config::IncidentConfig;
use crate::incidents::testing::{World, answer, filed, incident};

fn config(world: &World) -> impl FnOnce(&mut IncidentConfig) {
    let address = format!("{}/v2/enqueue", world.server.uri());
    move |config| {
        config.url = Some(address);
        config.routing_key_env = Some("TOKEN".into());
    }
}

#[tokio::test]
async fn an_alert_is_triggered_and_resolved_by_its_key() {
    let world = World::new([answer(202), answer(202)]).await;
    let sink = world.open("pagerduty", config(&world));
    let key = incident("A").key;
    assert_eq!(sink.file(&incident("A"), None).await.expect("filed"), key);
    sink.resolve(&filed("A", &key)).await.expect("resolved");
    let asked = world.asked().await;
    let (trigger, resolve) = (&asked[0].2, &asked[1].2);
    assert_eq!(asked[0].1, "/v2/enqueue");
    assert_eq!(trigger["payload"]["summary"], "leaked-current-value: Something is wrong with A.");
    assert_eq!(trigger["payload"]["severity"], "critical");
    assert_eq!(trigger["payload"]["source"], "deploy/a b.yaml:7");
    assert_eq!((&trigger["event_action"], &trigger["dedup_key"]), (&json!("trigger"), &json!(key)));
    assert_eq!(*resolve, json!({"event_action": "resolve", "dedup_key": key, "routing_key": "lantern-whisper"}));
}

#[tokio::test]
async fn an_event_is_sent_again_until_it_is_taken() {
    let world = World::new([answer(429), answer(500), answer(503), answer(202)]).await;
    world.open("pagerduty", config(&world)).file(&incident("A"), None).await.expect("filed");
    assert_eq!(world.waits(), [2, 8, 30]);
    let world = World::new([answer(500), answer(500), answer(500), answer(500), answer(500)]).await;
    let failure = world.open("pagerduty", config(&world)).file(&incident("A"), None).await.expect_err("failed");
    assert!(!failure.certain && failure.what == "the server failed (500)", "{failure:?}");
}

#[tokio::test]
async fn a_refusal_says_why() {
    let reason = json!({"status": "invalid event", "message": "Event object is invalid",
        "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"]});
    let world = World::new([answer(400).set_body_json(reason)]).await;
    let failure = world.open("pagerduty", config(&world)).file(&incident("A"), None).await.expect_err("refused");
    assert!(failure.what.contains("Event object is invalid; Length of 'routing_key' is incorrect"), "{failure:?}");
    assert!(failure.certain);

    let address = "http://127.0.0.1:1/v2/enqueue".to_owned();
    let sink = world.open("pagerduty", |it| {
        config(&world)(it);
        it.url = Some(address);
    });
    let failure = sink.file(&incident("A"), None).await.expect_err("nobody is there");
    assert!(failure.certain && failure.lost && failure.reason == GapReason::Unreachable, "{failure:?}");
    assert!(failure.what.starts_with("cannot connect to the server"), "{failure:?}");
}

#[test]
fn an_event_is_within_the_limits() {
    let mut long = incident("A");
    long.severity = Severity::Medium;
    long.message = "漢".repeat(2_000);
    let event = trigger(&long);
    assert_eq!(event["payload"]["severity"], "warning");
    assert!(event["payload"]["summary"].as_str().expect("text").chars().count() <= 1_024);
    assert!(event.to_string().len() < 512 << 10);
}
