use std::time::Duration;

use keytrail_rules::model::GapReason;
use serde_json::{Value as Json, json};

use super::{body, key_of, marker};
use crate::config::IncidentConfig;
use crate::incidents::Sighted;
use crate::incidents::testing::{World, answer, filed, incident, now};

fn config(config: &mut IncidentConfig) {
    config.repository = Some("o/r".into());
    config.token_env = Some("TOKEN".into());
    config.labels = vec!["security".into()];
}

fn issue(number: u64, state: &str, reason: Option<&str>, body: &str) -> Json {
    json!({"number": number, "state": state, "state_reason": reason, "body": body})
}

fn created(number: u64) -> wiremock::ResponseTemplate {
    answer(201).set_body_json(issue(number, "open", None, ""))
}

#[tokio::test]
async fn an_issue_is_created() {
    let world = World::new([created(7)]).await;
    let sink = world.open("github-issue", config);
    assert_eq!(sink.file(&incident("A"), None).await.expect("filed"), "o/r#7");
    let requests = world.requests().await;
    let header = |name: &str| requests[0].headers[name].to_str().expect("text").to_owned();
    assert_eq!(header("accept"), "application/vnd.github+json");
    assert_eq!(header("x-github-api-version"), "2022-11-28");
    assert_eq!(header("authorization"), "Bearer lantern-whisper");
    assert!(header("user-agent").starts_with("keytrail/"));
    let [(method, path, body)] = &world.asked().await[..] else { panic!("one request") };
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/repos/o/r/issues"));
    assert_eq!(body["labels"], json!(["keytrail", "security"]));
    assert_eq!(body["title"], "leaked-current-value: Something is wrong with A.");
    let text = body["body"].as_str().expect("a body");
    assert_eq!(key_of(text), Some(incident("A").key.as_str()));
    assert!(text.contains("Next:     rotate it") && text.contains("vault:secret/app#password"), "{text}");
}

#[tokio::test]
async fn a_refusal_says_why() {
    let reason = json!({"message": "Validation Failed", "errors": [{"message": "title is too long"}]});
    for (status, reason, said, lost) in [
        (422, reason, "the server refused it (422): Validation Failed; title is too long", false),
        (401, json!({"message": "Bad credentials"}), "the server refused the credential: Bad credentials", true),
        (403, json!({"message": "Resource not accessible"}), "refused the request: Resource not accessible", true),
        (404, json!({"message": "Not Found"}), "the server does not know the address: Not Found", true),
        (410, json!({"message": "Issues are disabled for this repo"}), "Issues are disabled", true),
        (301, json!({"message": "Moved Permanently"}), "the server sends elsewhere (301)", true),
        (401, json!({"message": "lantern-whisper is no token"}), "the server refused the credential", true),
    ] {
        let world = World::new([answer(status).set_body_json(reason)]).await;
        let failure = world.open("github-issue", config).file(&incident("A"), None).await.expect_err("refused");
        assert!(failure.what.contains(said) && !failure.what.contains("lantern"), "{failure:?}");
        assert!(failure.certain && failure.lost == lost, "{failure:?}");
        assert_eq!(world.waits(), [0_u64; 0]);
    }
}

#[tokio::test]
async fn limits_are_waited_for() {
    let secondary = json!({"message": "You have exceeded a secondary rate limit."});
    let reset = (now().timestamp() + 100).to_string();
    let primary =
        answer(403).insert_header("x-ratelimit-remaining", "0").insert_header("x-ratelimit-reset", reset.as_str());
    for (limited, waits) in [
        (answer(403).insert_header("retry-after", "30"), 30),
        (answer(429).insert_header("retry-after", "1"), 1),
        (answer(403).set_body_json(secondary), 60),
        (answer(429), 60),
        (primary, 100),
    ] {
        let world = World::new([limited, created(7)]).await;
        let sink = world.open("github-issue", config);
        assert_eq!(sink.file(&incident("A"), None).await.expect("filed"), "o/r#7");
        assert_eq!(world.waits(), [waits]);
    }
    let world = World::new([answer(403).insert_header("retry-after", "3600")]).await;
    let failure = world.open("github-issue", config).file(&incident("A"), None).await.expect_err("refused");
    assert_eq!(failure.what, "the server takes no more requests for 3600 s");
    assert!(failure.certain && failure.lost && world.waits().is_empty());
}

#[tokio::test]
async fn what_may_have_been_created_is_not_created_again() {
    let slow = answer(201).set_delay(Duration::from_secs(600));
    for (unclear, reason) in [(slow, GapReason::TimedOut), (answer(502), GapReason::Unreachable)] {
        let world = World::new([unclear]).await;
        let sink = world.open("github-issue", |it| {
            config(it);
            it.timeout = Duration::from_millis(200);
        });
        let failure = sink.file(&incident("A"), None).await.expect_err("unclear");
        assert!(!failure.certain && failure.reason == reason, "{failure:?}");
        assert_eq!(world.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn issues_are_looked_through() {
    let text = |subject: &str| format!("edited by hand\n{}\r\nafterwards", marker(&incident(subject).key));
    let mut first: Vec<Json> = (100..198).map(|number| issue(number, "open", None, "x")).collect();
    first.push(issue(9, "closed", Some("completed"), &text("A")));
    let mut pull = issue(8, "open", None, &text("C"));
    pull["pull_request"] = json!({});
    first.push(pull);
    let second = json!([
        issue(5, "open", None, &text("A")),
        issue(4, "closed", Some("not_planned"), &text("B")),
        issue(3, "closed", Some("completed"), &text("D")),
        {"number": 2, "state": "open", "state_reason": null, "body": null},
    ]);
    let since = json!([issue(6, "open", None, &text("C"))]);
    let list = |json: &Json| answer(200).set_body_json(json);
    let world = World::new([list(&Json::from(first)), list(&second), list(&since)]).await;
    let sink = world.open("github-issue", config);
    let find = async |subject: &str, since| sink.find(&incident(subject).key, since).await.expect("an answer");
    let sighted = |number: u64, is_resolved| Some(Sighted { reference: format!("o/r#{number}"), is_resolved });
    assert_eq!(find("A", None).await, sighted(5, false), "the open one");
    assert_eq!(find("B", None).await, sighted(4, false), "somebody decided");
    assert_eq!(find("D", None).await, sighted(3, true));
    assert_eq!(find("C", None).await, None, "a pull request is no issue");
    assert_eq!(find("C", Some(now())).await, sighted(6, false), "one without the label");
    let paths: Vec<String> = world.asked().await.into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(
        paths,
        [
            "/repos/o/r/issues?state=all&per_page=100&page=1&labels=keytrail",
            "/repos/o/r/issues?state=all&per_page=100&page=2&labels=keytrail",
            "/repos/o/r/issues?state=all&per_page=100&page=1&since=2026%2D09%2D20T14%3A13%3A20Z",
        ]
    );
}

#[tokio::test]
async fn an_issue_that_was_filed_is_closed_and_opened() {
    let done = || answer(200).set_body_json(issue(7, "open", None, ""));
    let world = World::new([done(), done(), answer(410), answer(404), answer(404), created(8)]).await;
    let sink = world.open("github-issue", config);
    sink.resolve(&filed("A", "old/place#7")).await.expect("closed");
    assert_eq!(sink.file(&incident("A"), Some("old/place#7")).await.expect("opened"), "old/place#7");
    sink.resolve(&filed("A", "o/r#7")).await.expect("one that is gone needs no closing");
    let hidden = sink.resolve(&filed("A", "o/r#7")).await.expect_err("it may be there, and not to be seen");
    assert!(hidden.certain && !hidden.lost, "{hidden:?}");
    assert_eq!(sink.file(&incident("A"), Some("o/r#7")).await.expect("created"), "o/r#8");
    let asked = world.asked().await;
    assert_eq!((asked[0].0.as_str(), asked[0].1.as_str()), ("PATCH", "/repos/old/place/issues/7"));
    assert_eq!(asked[0].2, json!({"state": "closed", "state_reason": "completed"}));
    assert_eq!(asked[1].2, json!({"state": "open"}));
}

#[test]
fn what_was_scanned_is_no_markup() {
    let other = marker(&"e".repeat(64));
    let mut hostile = incident("A");
    hostile.message = format!("```` @everyone <img src=x> {other}");
    hostile.next = "x".repeat(40_000);
    hostile.item = Some("y".repeat(40_000));
    let text = body(&hostile);
    assert!(text.chars().count() <= 65_536);
    assert!(text.contains("\n`````text\n") && text.contains("\n`````\n"), "the fence is longer than any inside");
    assert_eq!(key_of(&text), Some(hostile.key.as_str()));
    assert_eq!(key_of(&format!("What: {other}")), None);
}

#[test]
fn a_token_is_needed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = runtime.block_on(World::new([]));
    let open = |change: fn(&mut IncidentConfig)| {
        let opened = world.try_open("github-issue", |it| {
            config(it);
            change(it);
        });
        opened.err().expect("refused").what
    };
    assert_eq!(open(|it| it.token_env = Some("NOPE".into())), "the environment variable NOPE is not set");
    let missing = open(|it| (it.token_env, it.token_file) = (None, Some("/nonexistent".into())));
    assert!(missing.starts_with("the file /nonexistent cannot be used"), "{missing}");
}
