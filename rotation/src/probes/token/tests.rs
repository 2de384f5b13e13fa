use serde_json::json;
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::credential::Credential;

const SECRET: &str = "planted value&=%/+é";

async fn mint(server: &MockServer, extra: serde_json::Value) -> Health {
    let mut table = json!({ "token": format!("{}/oauth/token", server.uri()), "client_id": "app:1", "item": "M2M" });
    for (key, value) in extra.as_object().unwrap() {
        table[key] = value.clone();
    }
    let probe = (KIND.open)(&Settings(table.as_object().unwrap().clone())).unwrap();
    let credential = Credential::of_value(SECRET.into());
    let values = Values::from([("M2M", &credential)]);
    probe.check(&Context::new("kt-1"), &Moment::Before, &values).await.unwrap()
}

async fn answers(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/oauth/token")).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn the_secret_goes_in_the_body_or_by_basic() {
    let server = MockServer::start().await;
    let token = ResponseTemplate::new(200).set_body_json(json!({ "access_token": "planted-token" }));
    let body = "grant_type=client_credentials&audience=https%3A%2F%2Fapi&client_id=app%3A1\
                &client_secret=planted%20value%26%3D%25%2F%2B%C3%A9";
    Mock::given(body_string(body)).respond_with(token.clone()).expect(1).mount(&server).await;
    let healthy = Health::Healthy("a token was minted".to_owned());
    assert_eq!(mint(&server, json!({ "audience": "https://api" })).await, healthy);

    let pair = BASE64_STANDARD.encode("app%3A1:planted%20value%26%3D%25%2F%2B%C3%A9");
    let basic = header("authorization", format!("Basic {pair}").as_str());
    let body = body_string("grant_type=client_credentials&scope=read");
    Mock::given(basic).and(body).respond_with(token).expect(1).mount(&server).await;
    assert_eq!(mint(&server, json!({ "style": "basic", "scope": "read" })).await, healthy);
}

#[tokio::test]
async fn only_a_refusal_of_the_client_is_unhealthy() {
    let error = |status, error: &str| ResponseTemplate::new(status).set_body_json(json!({ "error": error }));
    for (answer, is_refused) in [
        (error(401, "invalid_client"), true),
        (ResponseTemplate::new(401), true),
        (error(400, "invalid_client"), true),
        (error(400, "invalid_scope"), false),
        (ResponseTemplate::new(200).set_body_json(json!({ "access_token": "" })), false),
        (ResponseTemplate::new(200).set_body_string("<html>"), false),
        (ResponseTemplate::new(429), false),
        (ResponseTemplate::new(503), false),
    ] {
        let server = answers(answer).await;
        let health = mint(&server, json!({})).await;
        assert_eq!(matches!(health, Health::Unhealthy(_)), is_refused, "{health:?}");
        assert_eq!(matches!(health, Health::Unknown(_)), !is_refused, "{health:?}");
        assert!(!format!("{health:?}").contains("planted"));
    }
}

#[tokio::test]
async fn without_a_reply_or_a_value_nothing_is_known() {
    let server = MockServer::start().await;
    let address = server.uri();
    drop(server);
    let table = json!({ "token": address, "client_id": "app", "item": "M2M" });
    let probe = (KIND.open)(&Settings(table.as_object().unwrap().clone())).unwrap();
    let health = probe.check(&Context::new("kt-1"), &Moment::Before, &Values::new()).await.unwrap();
    assert_eq!(health, Health::Unknown("there is no value of M2M".to_owned()));
}
