use serde_json::json;
use wiremock::matchers::{body_string, body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

fn open(server: &MockServer, extra: Value) -> Box<dyn Probe> {
    let mut table = json!({ "prometheus": server.uri(), "query": "up{job=\"a b\"}" });
    let Value::Object(extra) = extra else { panic!("a table") };
    table.as_object_mut().unwrap().extend(extra);
    (KIND.open)(&Settings(table.as_object().unwrap().clone())).unwrap()
}

/// A server that answers with these samples.
async fn gives(values: &[&str]) -> MockServer {
    let series: Vec<Value> = values.iter().map(|value| json!({ "metric": {}, "value": [1.5, value] })).collect();
    answers(json!({ "resultType": "vector", "result": series })).await
}

async fn answers(data: Value) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_json(json!({ "status": "success", "data": data }));
    Mock::given(method("POST")).and(path("/api/v1/query")).respond_with(answer).mount(&server).await;
    server
}

async fn check(probe: &dyn Probe, before: Option<&str>) -> Health {
    let after = |before: &str| Moment::After { before: before.to_owned(), since: Utc::now() };
    let moment = before.map_or(Moment::Before, after);
    probe.check(&Context::new("kt-1"), &moment, &Values::new()).await.unwrap()
}

#[tokio::test]
async fn the_largest_series_is_compared_with_before_and_with_the_bound() {
    let server = gives(&["0.25", "2", "NaN", "-1"]).await;
    let probe = open(&server, json!({ "max_increase": 0.5 }));
    assert_eq!(check(&*probe, None).await, Health::Healthy("2".to_owned()));
    assert_eq!(check(&*probe, Some("1.5")).await, Health::Healthy("2".to_owned()));
    let said = Health::Unhealthy("the query gives 2; before it gave 1".to_owned());
    assert_eq!(check(&*probe, Some("1")).await, said);
    assert!(matches!(check(&*probe, Some("what")).await, Health::Unknown(_)));
    let probe = open(&server, json!({ "max": 1.9 }));
    for before in [None, Some("2")] {
        assert_eq!(check(&*probe, before).await, Health::Unhealthy("the query gives 2, more than 1.9".to_owned()));
    }
}

#[tokio::test]
async fn no_data_is_not_well() {
    for data in [
        json!({ "resultType": "vector", "result": [] }),
        json!({ "resultType": "vector", "result": [{ "metric": {}, "value": [1, "NaN"] }] }),
        json!({ "resultType": "scalar", "result": [1, "NaN"] }),
        json!({ "resultType": "string", "result": [1, "0"] }),
        json!({ "resultType": "matrix", "result": [{ "metric": {}, "values": [[1, "0"]] }] }),
    ] {
        let server = answers(data.clone()).await;
        let health = check(&*open(&server, json!({ "max": 1 })), Some("0")).await;
        assert_eq!(health, Health::Unknown("the query gives no number".to_owned()), "{data}");
    }
    let broken = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).mount(&broken).await;
    assert!(matches!(check(&*open(&broken, json!({ "max": 1 })), Some("0")).await, Health::Unknown(_)));
    let scalar = answers(json!({ "resultType": "scalar", "result": [1, "+Inf"] })).await;
    assert!(matches!(check(&*open(&scalar, json!({ "max": 1 })), Some("0")).await, Health::Unhealthy(_)));
}

#[tokio::test]
async fn the_query_is_escaped_and_looks_no_further_back_than_the_switch() {
    let server = MockServer::start().await;
    let data = json!({ "status": "success", "data": { "resultType": "scalar", "result": [1, "0"] } });
    let answer = ResponseTemplate::new(200).set_body_json(data);
    let whole = body_string("query=rate%28x%5B600s%5D%29%20%2B%200");
    Mock::given(whole).respond_with(answer.clone()).expect(1).mount(&server).await;
    let probe = open(&server, json!({ "query": "rate(x[{window}]) + 0", "max": 1, "window": "10 min" }));
    assert_eq!(check(&*probe, None).await, Health::Healthy("0".to_owned()));
    let short = body_string_contains("5B1s");
    Mock::given(short).respond_with(answer).expect(1).mount(&server).await;
    let moment = Moment::After { before: "0".to_owned(), since: Utc::now() + chrono::TimeDelta::hours(1) };
    let health = probe.check(&Context::new("kt-1"), &moment, &Values::new()).await.unwrap();
    assert_eq!(health, Health::Healthy("0".to_owned()), "not even by a clock that goes wrong");
}

#[test]
fn a_query_needs_a_bound() {
    let table = json!({ "prometheus": "http://127.0.0.1:9090", "query": "up" });
    assert!((KIND.open)(&Settings(table.as_object().unwrap().clone())).is_err());
}
