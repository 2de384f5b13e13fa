use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::failure::Outcome;

fn open(table: Value) -> Box<dyn Workload> {
    let Value::Object(table) = table else { panic!("a table") };
    (KIND.open)("edge", &Settings(table)).unwrap()
}

async fn load(workload: &dyn Workload) -> Result<Mark, Failure> {
    workload.load(&Context::new("kt-1"), &Values::new(), &Values::new()).await
}

async fn progress(workload: &dyn Workload, mark: &Mark) -> Progress {
    workload.progress(&Context::new("kt-1"), mark, &Values::new()).await.unwrap()
}

#[tokio::test]
async fn it_is_done_when_the_workload_tells_this_loading() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "planted").unwrap();
    let server = MockServer::start().await;
    let posted = Mock::given(method("POST")).and(path("/reload")).and(header("X-Token", "planted"));
    posted.respond_with(ResponseTemplate::new(202)).mount(&server).await;
    let workload = open(json!({
        "post": format!("{}/reload", server.uri()),
        "headers": { "X-Token": { "file": file } },
        "progress": { "get": format!("{}/state", server.uri()), "json": "loaded" },
    }));
    let mark = load(&*workload).await.unwrap();
    let body: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(body, json!({ "run": "kt-1", "consumer": "edge", "load": mark.0 }));
    assert_ne!(load(&*workload).await.unwrap(), mark, "each loading is another one");

    assert!(matches!(progress(&*workload, &mark).await, Progress::Waiting(_)), "404");
    let state = |loaded: &str| {
        let state = Mock::given(method("GET")).and(path("/state")).and(header("X-Token", "planted"));
        state.respond_with(ResponseTemplate::new(200).set_body_json(json!({ "loaded": loaded }))).up_to_n_times(1)
    };
    state("another").mount(&server).await;
    assert!(matches!(progress(&*workload, &mark).await, Progress::Waiting(_)));
    state(&mark.0).mount(&server).await;
    assert_eq!(progress(&*workload, &mark).await, Progress::Done);
}

#[tokio::test]
async fn what_it_answers_tells_whether_it_was_done() {
    for (status, outcome) in [(500, Outcome::Unknown), (403, Outcome::NotDone), (302, Outcome::NotDone)] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        assert_eq!(load(&*open(json!({ "post": server.uri() }))).await.unwrap_err().outcome, outcome, "{status}");
    }
}

#[tokio::test]
async fn while_nobody_is_there_it_is_waited_for_and_before_that_is_an_obstacle() {
    // Bound and not listened on: nobody else gets the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let workload = open(json!({ "post": url, "progress": { "get": url } }));
    assert!(matches!(progress(&*workload, &Mark("kt-1 x".to_owned())).await, Progress::Waiting(_)));
    assert_eq!(workload.preflight(&Context::new("kt-1")).await.unwrap().len(), 1);
}

#[test]
fn a_table_that_is_not_understood_is_refused() {
    for table in [
        json!({ "get": "http://127.0.0.1/" }),
        json!({ "post": "http://127.0.0.1/", "progress": { "get": "http://127.0.0.1/", "jsn": "x" } }),
        json!({ "post": "http://edge.internal/", "headers": { "X-Token": { "env": "TOKEN" } } }),
    ] {
        assert!((KIND.open)("edge", &Settings(table.as_object().unwrap().clone())).is_err(), "{table}");
    }
}
