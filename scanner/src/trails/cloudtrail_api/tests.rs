use std::time::{Duration, Instant};

use aws_sdk_cloudtrail::config::retry::RetryConfig;
use aws_sdk_cloudtrail::config::{Config, Credentials};
use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Event, Location};
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::trails::TrailConfig;

fn config() -> TrailConfig {
    TrailConfig {
        regions: vec!["eu-west-1".to_owned()],
        ..TrailConfig::new("aws", "cloudtrail-api", ".", Location::of_file("keytrail.toml"))
    }
}

fn time(text: &str) -> Time {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn client_of(server: &MockServer) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKEY", "made-up", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(server.uri());
    Client::from_conf(config.build())
}

/// The text of a record of one write.
fn written(number: u32) -> String {
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-a1B2c3";
    json!({
        "eventVersion": "1.11", "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        "eventTime": format!("2026-02-01T00:00:{number:02}Z"), "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "PutSecretValue", "awsRegion": "eu-west-1",
        "requestParameters": {"secretId": "prod/db", "clientRequestToken": format!("token-{number}")},
        "responseElements": {"arn": arn, "name": "prod/db"}, "eventID": format!("id-{number}"),
    })
    .to_string()
}

fn answer(records: &[String], next: Option<&str>) -> ResponseTemplate {
    let events: Vec<Value> =
        records.iter().map(|record| json!({"EventName": "x", "CloudTrailEvent": record})).collect();
    let mut body = json!({ "Events": events });
    if let Some(next) = next {
        body["NextToken"] = next.into();
    }
    ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1")
}

fn query(value: &str) -> Query {
    Query { key: LookupAttributeKey::ResourceName, value: value.to_owned() }
}

struct Given {
    events: Vec<Event>,
    same: usize,
    holes: Vec<Hole>,
    gaps: Vec<Gap>,
}

async fn ask(server: &MockServer, queries: &[Query]) -> Given {
    let config = config();
    let opening = Opening {
        config: &config,
        trail: 2,
        names: &Names::default(),
        as_of: time("2026-02-02T00:00:00Z"),
        key: &crate::trails::testing::KEY,
    };
    let pace = || Pace::every(Duration::ZERO);
    let (entries, gaps) = read(&opening, vec![("eu-west-1", client_of(server))], queries, pace).await;
    let mut given = Given { events: Vec::new(), same: 0, holes: Vec::new(), gaps };
    for entry in entries {
        match entry {
            Entry::Event(event) => given.events.push(*event),
            Entry::Hole(hole) => given.holes.push(hole),
            Entry::Same(..) => given.same += 1,
            Entry::Covered(covered) => panic!("the API proves nothing: {covered:?}"),
            Entry::Progress { .. } => {}
        }
    }
    given
}

fn tokens(given: &Given) -> Vec<&str> {
    given.events.iter().filter_map(|event| event.version.as_deref()).collect()
}

const TARGET: &str = "CloudTrail_20131101.LookupEvents";

/// What a query for a resource of that name sends.
fn asks(value: &str) -> Value {
    json!({"LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": value}], "MaxResults": 50})
}

#[tokio::test]
async fn pages_are_read_to_the_last_and_records_once() {
    let server = MockServer::start().await;
    let with_token = |value: &str, token: &str| {
        let mut body = asks(value);
        body["NextToken"] = token.into();
        body
    };
    let mock =
        |body: Value| Mock::given(method("POST")).and(header("x-amz-target", TARGET)).and(body_partial_json(body));
    // The first that fits answers.
    mock(with_token("prod/db", "2")).respond_with(answer(&[written(1)], None)).expect(1).mount(&server).await;
    mock(asks("prod/db")).respond_with(answer(&[written(3), written(2)], Some("2"))).expect(1).mount(&server).await;
    mock(asks("other")).respond_with(answer(&[written(3)], None)).expect(1).mount(&server).await;
    let given = ask(&server, &[query("prod/db"), query("other")]).await;
    assert_eq!(tokens(&given), ["token-1", "token-2", "token-3"]);
    assert_eq!((given.gaps.len(), given.holes.len(), given.same), (0, 0, 1));
    let raw = &given.events[0].raw;
    assert_eq!((&*raw.source, raw.length, raw.line), ("lookup-events:eu-west-1", written(1).len() as u64, 0));
    let body: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    let (from, to) = (time("2025-11-04T00:00:00Z").timestamp(), time("2026-02-02T00:00:00Z").timestamp());
    assert_eq!((body["StartTime"].as_f64(), body["EndTime"].as_f64()), (Some(from as f64), Some(to as f64)));
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_hole_of_ninety_days() {
    let refusals = [
        ("AccessDeniedException", GapReason::PermissionDenied),
        ("ExpiredTokenException", GapReason::Unauthenticated),
        ("ThrottlingException", GapReason::Unreachable),
        ("SomethingElse", GapReason::Unreachable),
    ];
    for (code, reason) in refusals {
        let server = MockServer::start().await;
        let body = json!({"__type": code, "message": "not to be quoted"}).to_string();
        let refusal = ResponseTemplate::new(400).set_body_raw(body, "application/x-amz-json-1.1");
        Mock::given(method("POST")).respond_with(refusal).expect(1).mount(&server).await;
        let given = ask(&server, &[query("a"), query("b")]).await;
        let [gap] = &given.gaps[..] else { panic!("{:?}", given.gaps) };
        assert_eq!(gap.reason, reason, "{code}");
        assert!(gap.hint.is_some() && !format!("{gap:?}").contains("quoted"));
        let span = (Some(time("2025-11-04T00:00:00Z")), Some(time("2026-02-02T00:00:00Z")));
        assert_eq!((given.holes[0].from, given.holes[0].to), span);
    }
}

#[tokio::test]
async fn answers_that_never_end_and_records_that_are_none() {
    let server = MockServer::start().await;
    let endless = answer(&[written(1), "{\"eventSource\":".to_owned()], Some("same"));
    Mock::given(method("POST")).respond_with(endless).expect(2).mount(&server).await;
    let given = ask(&server, &[query("a")]).await;
    assert_eq!(tokens(&given), ["token-1"]);
    let messages: Vec<_> = given.gaps.iter().map(|gap| gap.message.as_str()).collect();
    let expected = ["eu-west-1: a record is not valid JSON", "eu-west-1: the answers to a query never end"];
    assert_eq!(messages, expected);
}

#[test]
fn the_inventory_says_what_is_asked_for() {
    let places = ["aws-secrets-manager:prod/db", "aws-ssm:/app/db", "aws-iam:user/ci", "vault:secret/x#y"]
        .map(|text| Place::parse(text).unwrap());
    let all = queries(places.iter().chain(&places));
    let names: Vec<_> = all.iter().filter(|query| query.key == LookupAttributeKey::ResourceName).collect();
    assert_eq!(names, [&query("/app/db"), &query("ci"), &query("prod/db")]);
    assert_eq!(all.len(), CHANGES.len() + 3);
}

#[test]
fn no_more_than_two_requests_a_second() {
    let mut pace = Pace::of_aws();
    let start = Instant::now();
    let delays = [0, 0, 100, 3_000, 3_000].map(|at| pace.delay(start + Duration::from_millis(at)).as_millis());
    assert_eq!(delays, [0, 500, 900, 0, 500]);
}
