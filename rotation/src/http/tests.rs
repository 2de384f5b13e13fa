use serde_json::{Value, json};
use std::collections::BTreeMap;
use wiremock::matchers::{any, header as sent, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::failure::Outcome;
use crate::state::Answer;

const VALUE: &str = "lantern-whisper";

fn context() -> Context {
    Context { timeout: Duration::from_secs(5), ..Context::new("kt-1-a") }
}

async fn answering(answer: ResponseTemplate) -> (MockServer, Http) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let http = Http::new(&context(), &address(&server.uri()).unwrap()).unwrap();
    (server, http)
}

#[tokio::test]
async fn each_status_says_what_is_known_of_the_request() {
    use Outcome::{Conflict, NotDone, Unknown};
    let meanings = [
        (307, NotDone),
        (400, NotDone),
        (401, NotDone),
        (403, NotDone),
        (404, NotDone),
        (408, Unknown),
        (409, Conflict),
        (412, Conflict),
        (425, Unknown),
        (429, Unknown),
        (500, Unknown),
        (503, Unknown),
    ];
    for (status, outcome) in meanings {
        let (_server, http) = answering(ResponseTemplate::new(status).set_body_string(VALUE)).await;
        let reply = http.send(http.request(Method::POST, &["x"])).await.unwrap();
        let failure = reply.accepted().err().unwrap();
        assert_eq!(failure.outcome, outcome, "{status}");
        assert!(failure.what.contains(&status.to_string()) && !format!("{failure:?}").contains(VALUE), "{failure:?}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let target = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).expect(0).mount(&target).await;
    let (_server, http) = answering(ResponseTemplate::new(302).insert_header("location", target.uri())).await;
    assert_eq!(http.send(http.request(Method::GET, &[])).await.unwrap().status, 302);
}

#[tokio::test]
async fn an_answer_that_is_too_large_too_late_or_no_json_may_have_been_done() {
    let (_server, http) = answering(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; (1 << 20) + 1])).await;
    let large = http.send(http.request(Method::POST, &[])).await.err().unwrap();
    assert_eq!(
        (large.outcome, large.what.as_str()),
        (Outcome::Unknown, "the answer of 127.0.0.1 is larger than 1 MiB")
    );
    let (server, _) = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(3600))).await;
    let hasty = Context { timeout: Duration::from_millis(50), ..context() };
    let http = Http::new(&hasty, &address(&server.uri()).unwrap()).unwrap();
    let late = http.send(http.request(Method::POST, &[])).await.err().unwrap();
    assert_eq!(late.outcome, Outcome::Unknown);
    let (_server, http) =
        answering(ResponseTemplate::new(200).set_body_string(format!("{{\"id\": \"{VALUE}\"}}"))).await;
    let reply = http.send(http.request(Method::POST, &[])).await.unwrap();
    let odd = reply.json::<BTreeMap<String, u64>>().unwrap_err();
    assert_eq!(odd.outcome, Outcome::Unknown);
    assert!(!format!("{odd:?}").contains(VALUE), "{odd:?}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_refuses_nothing() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = Http::new(&context(), &address(&format!("http://{free}")).unwrap()).unwrap();
    let failure = http.send(http.request(Method::POST, &[])).await.err().unwrap();
    assert_eq!(failure.outcome, Outcome::Unknown, "{failure:?}");
    assert!(failure.what.starts_with("cannot connect to 127.0.0.1: "), "{failure:?}");
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_may_have_been_done() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with_err(|_: &wiremock::Request| std::io::Error::other("closed")).mount(&server).await;
    let http = Http::new(&context(), &address(&server.uri()).unwrap()).unwrap();
    let failure = http.send(http.request(Method::POST, &[])).await.err().unwrap();
    assert_eq!(failure.outcome, Outcome::Unknown, "{failure:?}");
}

#[tokio::test]
async fn the_run_travels_along_and_segments_are_escaped() {
    let server = MockServer::start().await;
    let agent = context().user_agent();
    let right = Mock::given(method("DELETE")).and(path("/base/a%2Fb/c%20d")).and(sent("user-agent", agent.as_str()));
    right.respond_with(ResponseTemplate::new(204)).expect(1).mount(&server).await;
    let http = Http::new(&context(), &address(&format!("{}/base/", server.uri())).unwrap()).unwrap();
    assert!(http.send(http.request(Method::DELETE, &["a/b", "c d"])).await.unwrap().is_success());
}

#[test]
fn addresses_that_would_show_values_are_refused() {
    for good in ["https://grafana.example.com/base", "http://127.0.0.1:3000", "http://[::1]:3000", "http://localhost"] {
        assert!(address(good).is_ok(), "{good}");
    }
    let bad = [
        "grafana",
        "http://grafana.example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
    ];
    for bad in
        bad.into_iter().chain(["https://user@host", "https://:pass@host", "https://host/?q=1", "https://host/#f"])
    {
        assert!(address(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_header_with_a_value_hides_it() {
    let value = Secret::from(VALUE);
    let header = header("Bearer {value}", &value).unwrap();
    assert_eq!(header.to_str().unwrap(), format!("Bearer {VALUE}"));
    assert!(!format!("{header:?}").contains(VALUE));
    assert!(super::header("{value}", &Secret::from("two\nlines")).is_err());
}

fn verify(table: Value) -> Verify {
    serde_json::from_value(table).unwrap()
}

#[tokio::test]
async fn a_value_works_is_rejected_or_nothing_is_known() {
    let answers = [
        (200, Answer::Works),
        (401, Answer::Rejected),
        (403, Answer::Unknown),
        (301, Answer::Unknown),
        (429, Answer::Unknown),
        (500, Answer::Unknown),
    ];
    for (status, expected) in answers {
        let server = MockServer::start().await;
        let right = Mock::given(path("/me/")).and(sent("x-api-key", VALUE)).and(sent("version", "1"));
        right.respond_with(ResponseTemplate::new(status)).expect(1).mount(&server).await;
        let table =
            json!({"url": format!("{}/me/", server.uri()), "headers": {"X-Api-Key": "{value}", "version": "1"}});
        assert_eq!(verify(table).ask(&context(), &Secret::from(VALUE)).await, expected, "{status}");
    }
    let gone = verify(json!({"url": "http://127.0.0.1:1/"}));
    assert_eq!(gone.ask(&context(), &Secret::from(VALUE)).await, Answer::Unknown);
    assert_eq!(gone.ask(&context(), &Secret::from("two\nlines")).await, Answer::Unknown);
}

#[test]
fn a_probe_that_would_tell_nothing_is_refused() {
    let good = json!({"url": "https://api.example.com/me"});
    assert!(verify(good.clone()).validate().is_ok());
    let changes = [
        ("url", json!("http://api.example.com/me")),
        ("headers", json!({"authorization": "Bearer value"})),
        ("headers", json!({"no name": "{value}"})),
        ("headers", json!({"x": "{value}\n"})),
        ("rejected", json!([200, 401])),
    ];
    for (key, value) in changes {
        let mut table = good.clone();
        table[key] = value;
        assert!(verify(table.clone()).validate().is_err(), "{table}");
    }
}
