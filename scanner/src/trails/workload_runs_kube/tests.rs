use keytrail_rules::correlate::Names;
use keytrail_rules::model::Time;
use serde_json::json;
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::json::tests::config as usual;
use super::*;

const PATH: &str = "/apis/example.com/v1alpha1/namespaces/ops/workloadruns";

fn config(url: String) -> TrailConfig {
    TrailConfig {
        url: Some(url),
        resource: Some("workloadruns.example.com/v1alpha1".to_owned()),
        namespace: Some("ops".to_owned()),
        ..usual(&KIND)
    }
}

async fn answer(config: &TrailConfig) -> (Vec<Entry>, Vec<Gap>) {
    let names = Names::default();
    let opening =
        Opening { config, trail: 0, names: &names, as_of: Time::default(), key: &crate::trails::testing::KEY };
    read(&opening).await
}

fn object(number: u32, phase: &str) -> Value {
    json!({
        "apiVersion": "example.com/v1alpha1",
        "kind": "WorkloadRun",
        "metadata": {"name": format!("run-{number}"), "namespace": "ops", "managedFields": [{"manager": "x"}]},
        "spec": {"requestedAt": format!("2026-03-01T08:0{number}:00Z"), "requester": "ana", "reason": "due",
                 "targets": ["vault:secret/app#password"]},
        "status": {"phase": phase, "finishedAt": format!("2026-03-01T08:0{number}:30Z")},
    })
}

fn list(objects: &[Value], next: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "apiVersion": "example.com/v1alpha1", "kind": "WorkloadRunList",
        "metadata": {"resourceVersion": "7", "continue": next}, "items": objects,
    }))
}

#[tokio::test]
async fn every_page_of_objects_is_read() {
    let server = MockServer::start().await;
    let pages = Mock::given(method("GET")).and(path(PATH));
    pages
        .and(query_param_is_missing("continue"))
        .respond_with(list(&[object(2, "Succeeded")], "more"))
        .mount(&server)
        .await;
    let pages = Mock::given(method("GET")).and(path(PATH));
    pages.and(query_param("continue", "more")).respond_with(list(&[object(1, "Failed")], "")).mount(&server).await;
    let (entries, gaps) = answer(&config(server.uri())).await;
    assert_eq!(gaps, []);
    let events: Vec<String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Event(event) => Some(format!(
                "{} {} {} {}",
                event.time.format("%M:%S"),
                event.kind.as_str(),
                event.run.as_deref().unwrap_or_default(),
                event.target.as_str()
            )),
            _ => None,
        })
        .collect();
    let expected = [
        "01:00 requested run-1 vault:secret/app#password",
        "01:30 abandoned run-1 vault:secret/app#password",
        "02:00 requested run-2 vault:secret/app#password",
        "02:30 finished run-2 vault:secret/app#password",
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn what_the_server_refuses_is_a_gap() {
    let cases = [
        (401, GapReason::Unauthenticated),
        (403, GapReason::PermissionDenied),
        (404, GapReason::Unreachable),
        (500, GapReason::Unreachable),
    ];
    for (code, reason) in cases {
        let server = MockServer::start().await;
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "x", "message": "planted"});
        let refusal = ResponseTemplate::new(code).set_body_json(status);
        Mock::given(method("GET")).respond_with(refusal).mount(&server).await;
        let (entries, gaps) = answer(&config(server.uri())).await;
        assert_eq!((entries.len(), gaps.len()), (0, 1), "{code}");
        assert!(gaps[0].reason == reason && gaps[0].hint.is_some(), "{code}: {gaps:?}");
        assert!(!format!("{gaps:?}").contains("planted"), "{gaps:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_gap() {
    let (entries, gaps) = answer(&config("http://127.0.0.1:1/".to_owned())).await;
    assert_eq!((entries.len(), gaps.len()), (0, 1));
    assert_eq!(gaps[0].reason, GapReason::Unreachable);
}

#[test]
fn a_resource_is_a_plural_a_group_and_a_version() {
    let found = resource("workloadruns.ops.example.com/v1").expect("a resource");
    assert_eq!((&*found.plural, &*found.group, &*found.version), ("workloadruns", "ops.example.com", "v1"));
    for text in ["", "workloadruns", "workloadruns/v1", "a.b", ".b/v1", "a./v1", "a.b/", "a.b/v1/../..", "a.b c/v1"] {
        assert!(resource(text).is_none(), "{text}");
    }
}
