use serde_json::json;
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::credential::Credential;

fn open(table: Value) -> Box<dyn Probe> {
    let Value::Object(table) = table else { panic!("a table") };
    (KIND.open)(&Settings(table)).unwrap()
}

fn after() -> Moment {
    Moment::After { before: "status 200".to_owned(), since: chrono::Utc::now() }
}

async fn serves(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/health")).respond_with(answer).mount(&server).await;
    server
}

async fn check(probe: &dyn Probe, moment: Moment) -> Health {
    probe.check(&Context::new("kt-1"), &moment, &Values::new()).await.unwrap()
}

#[tokio::test]
async fn status_and_json_are_compared_and_nothing_of_the_answer_is_told() {
    let server = serves(ResponseTemplate::new(200).set_body_json(json!({ "db": { "state": "planted" } }))).await;
    let url = format!("{}/health", server.uri());
    for (table, health) in [
        (json!({ "http": url }), Health::Healthy("status 200".to_owned())),
        (json!({ "http": url, "status": [204, 200], "json": "db.state" }), Health::Healthy("status 200".to_owned())),
        (json!({ "http": url, "status": 204 }), Health::Unhealthy("127.0.0.1: it answers with status 200".to_owned())),
        (
            json!({ "http": url, "json": "db.state", "equals": "up" }),
            Health::Unhealthy("127.0.0.1: its db.state is another one".to_owned()),
        ),
        (json!({ "http": url, "json": "db.up" }), Health::Unhealthy("127.0.0.1: its answer has no db.up".to_owned())),
    ] {
        assert_eq!(check(&*open(table.clone()), Moment::Before).await, health, "{table}");
        assert_eq!(check(&*open(table), after()).await, health);
    }
}

#[tokio::test]
async fn nobody_there_is_unknown_before_and_unhealthy_after() {
    // Bound and not listened on: nobody else gets the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let probe = open(json!({ "http": format!("http://{}/health", socket.local_addr().unwrap()) }));
    assert!(matches!(check(&*probe, Moment::Before).await, Health::Unknown(_)));
    let health = check(&*probe, after()).await;
    assert!(matches!(health, Health::Unhealthy(_)), "{health:?}");
}

#[tokio::test]
async fn who_is_throttled_or_sent_elsewhere_learns_nothing_more() {
    let server = serves(ResponseTemplate::new(429)).await;
    let probe = open(json!({ "http": format!("{}/health", server.uri()) }));
    assert!(matches!(check(&*probe, after()).await, Health::Unknown(_)));
    let elsewhere = serves(ResponseTemplate::new(302).insert_header("location", server.uri())).await;
    let probe = open(json!({ "http": format!("{}/health", elsewhere.uri()) }));
    let health = check(&*probe, after()).await;
    assert!(matches!(health, Health::Unhealthy(_)), "{health:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "no redirect is followed");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unknown() {
    let server = serves(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let probe = open(json!({ "http": format!("{}/health", server.uri()) }));
    let context = Context { timeout: Duration::from_millis(50), ..Context::new("kt-1") };
    let health = probe.check(&context, &after(), &Values::new()).await.unwrap();
    assert!(matches!(health, Health::Unknown(_)), "{health:?}");
}

#[tokio::test]
async fn it_is_asked_again_until_it_is_healthy() {
    let server = MockServer::start().await;
    Mock::given(path("/health")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&server).await;
    Mock::given(path("/health")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let probe = open(json!({ "http": format!("{}/health", server.uri()), "within": "60s" }));
    assert_eq!(check(&*probe, after()).await, Health::Healthy("status 200".to_owned()));
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn values_stand_in_headers() {
    let server = MockServer::start().await;
    let expected = header("authorization", "Bearer planted-value");
    Mock::given(expected).respond_with(ResponseTemplate::new(204)).expect(1).mount(&server).await;
    let table = json!({ "http": server.uri(), "status": 204, "headers": { "Authorization": "Bearer {API_TOKEN}" } });
    let probe = open(table);
    let credential = Credential::of_value("planted-value".into());
    let values = Values::from([("API_TOKEN@production", &credential)]);
    let health = probe.check(&Context::new("kt-1"), &after(), &values).await.unwrap();
    assert_eq!(health, Health::Healthy("status 204".to_owned()));
    assert_eq!(check(&*probe, after()).await, Health::Unknown("there is no value of API_TOKEN".to_owned()));
}

#[test]
fn a_value_does_not_go_in_the_clear_to_another_machine() {
    let refused = |table: Value| (KIND.open)(&Settings(table.as_object().unwrap().clone())).is_err();
    assert!(refused(json!({ "http": "http://api.internal/", "headers": { "Authorization": "Bearer {TOKEN}" } })));
    assert!(!refused(json!({ "http": "http://api.internal/", "headers": { "Accept": "application/json" } })));
    assert!(refused(json!({ "http": "https://api.internal/", "headers": { "Authorization": "Bearer {TOKEN" } })));
    assert!(refused(json!({ "http": "https://api.internal/", "statsu": 200 })));
}
