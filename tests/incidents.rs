//! `keytrail scan --file-incidents` against a local server.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value as Json, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Keytrail, Outcome, tree};

const VALUE: &str = "whisper-lantern-42";

fn manifest(name: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  MAILER_TOKEN: {VALUE}\n")
}

/// A server that takes everything, as a webhook and as GitHub.
struct Receiver {
    server: MockServer,
    /// Requests that were looked at.
    seen: AtomicUsize,
}

impl Receiver {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let issue = json!({"number": 7, "state": "open", "state_reason": null, "body": null});
        let answer = |status| ResponseTemplate::new(status);
        for mock in [
            Mock::given(path("/hook")).respond_with(answer(204)),
            Mock::given(method("GET")).respond_with(answer(200).set_body_json(json!([]))),
            Mock::given(path("/repos/o/r/issues")).respond_with(answer(201).set_body_json(&issue)),
            Mock::given(path("/repos/o/r/issues/7")).respond_with(answer(200).set_body_json(&issue)),
        ] {
            mock.mount(&server).await;
        }
        Self { server, seen: AtomicUsize::new(0) }
    }

    fn address(&self) -> String {
        self.server.uri()
    }

    /// Method and body of what it was asked since the last time.
    async fn asked(&self) -> Vec<(String, Json)> {
        let requests = self.server.received_requests().await.expect("recorded");
        let seen = self.seen.swap(requests.len(), Ordering::SeqCst);
        let asked = requests.into_iter().skip(seen).map(|request| {
            assert!(!String::from_utf8_lossy(&request.body).contains(VALUE), "a value was sent");
            (request.method.to_string(), serde_json::from_slice(&request.body).unwrap_or_default())
        });
        asked.collect()
    }

    async fn actions(&self) -> Vec<String> {
        let action = |(_, body): (String, Json)| body["action"].as_str().unwrap_or("none").to_owned();
        self.asked().await.into_iter().map(action).collect()
    }
}

fn webhook(address: &str) -> String {
    format!("[[incident]]\nname = \"tickets\"\nkind = \"webhook\"\nurl = \"{address}/hook\"\n")
}

/// Two findings of severity high, a file without any, and a config.
fn estate(config: &str) -> tempfile::TempDir {
    let schema = "key: LOG_LEVEL\ndescription: How much is logged.\nrequired: false\ndefault: info\ntargets: local\nclassification: plain\n";
    let folder =
        tree([(".env.schema", schema), ("a.yaml", manifest("a").as_str()), ("b.yaml", manifest("b").as_str())]);
    fs::write(folder.path().join("keytrail.toml"), config).expect("a config");
    folder
}

fn scan(folder: &Path, args: &[&str]) -> Outcome {
    Keytrail::new(folder).args([&["scan", "--file-incidents", "--fail-on", "never"], args].concat()).run()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_finding_is_filed_once_and_resolved_when_it_goes() {
    let server = Receiver::start().await;
    let folder = estate(&webhook(&server.address()));

    let preview = scan(folder.path(), &["--dry-run"]);
    assert_eq!(preview.stderr.matches("incident: would be filed with tickets: ").count(), 2, "{}", preview.stderr);
    assert!(server.asked().await.is_empty());

    let first = scan(folder.path(), &[]);
    assert_eq!((first.status, first.stderr.lines().count()), (Some(0), 2), "{}", first.stderr);
    assert!(first.stderr.starts_with("incident: filed with tickets: populated-secret-manifest: "), "{}", first.stderr);
    assert_eq!(server.actions().await, ["file", "file"]);

    let second = scan(folder.path(), &[]);
    assert_eq!((second.status, second.stderr.as_str()), (Some(0), ""));
    assert!(server.asked().await.is_empty());

    fs::remove_file(folder.path().join("a.yaml")).expect("mended");
    // What another part of the scan looks for is not gone because this one did not look.
    assert_eq!(scan(folder.path(), &["--only", "cadence"]).stderr, "");
    fs::write(folder.path().join(".env"), "NO_EQUALS_SIGN\n").expect("a gap");
    let with_gap = scan(folder.path(), &[]);
    assert_eq!(with_gap.stderr, "incident: nothing is resolved with tickets (1 may be over): the scan has gaps\n");
    fs::remove_file(folder.path().join(".env")).expect("no gap");
    assert!(server.asked().await.is_empty());

    let mut hidden = Vec::new();
    for file in [".env.schema", "b.yaml"] {
        let path = folder.path().join(file);
        hidden.push((path.clone(), fs::read(&path).expect("a file")));
        fs::remove_file(path).expect("nothing is left to read");
    }
    let of_nothing = scan(folder.path(), &[]);
    assert_eq!(
        of_nothing.stderr,
        "incident: nothing is resolved with tickets (2 may be over): the scan found no secret and no variable at all\n"
    );
    hidden.into_iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("a file"));
    assert!(server.asked().await.is_empty());

    let third = scan(folder.path(), &[]);
    assert!(third.stderr.starts_with("incident: resolved with tickets: "), "{}", third.stderr);
    assert_eq!(server.actions().await, ["resolve"]);
    assert_eq!(scan(folder.path(), &[]).stderr, "");

    fs::write(folder.path().join("a.yaml"), manifest("a")).expect("it is back");
    scan(folder.path(), &[]);
    let back = server.asked().await;
    assert_eq!((back.len(), &back[0].1["occurrence"]), (1, &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_are_filed_by_the_rules_and_the_severity_of_the_config() {
    let server = Receiver::start().await;
    let config = |rest: &str| {
        format!(
            "[[incident]]\nname = \"issues\"\nkind = \"github-issue\"\nrepository = \"o/r\"\ntoken_env = \"TOKEN\"\n{rest}"
        )
    };
    let folder = estate(&config("severity = \"critical\"\n"));
    let scan = || {
        let scan = Keytrail::new(folder.path()).args(["scan", "--file-incidents"]);
        scan.env("TOKEN", "t").env("GITHUB_API_URL", server.address()).run()
    };
    let configure = |rest: &str| fs::write(folder.path().join("keytrail.toml"), config(rest)).expect("a config");
    assert_eq!(scan().stderr, "", "nothing is critical");
    configure("rules = [\"overdue-rotation\"]\n");
    assert_eq!(scan().stderr, "", "nothing is overdue");
    fs::remove_file(folder.path().join("b.yaml")).expect("one less");
    configure("");
    let out = scan();
    assert_eq!(out.status, Some(1));
    assert!(
        out.stderr.starts_with("incident: filed with issues as o/r#7: populated-secret-manifest"),
        "{}",
        out.stderr
    );
    let methods: Vec<String> = server.asked().await.into_iter().map(|(method, _)| method).collect();
    assert_eq!(methods, ["GET", "POST"], "it looks first");
    // A stricter config is no reason to close what is there.
    configure("severity = \"critical\"\n");
    assert_eq!(scan().stderr, "");
    fs::remove_file(folder.path().join("a.yaml")).expect("mended");
    let out = scan();
    assert!(out.stderr.starts_with("incident: resolved with issues as o/r#7: "), "{}", out.stderr);
    let closed = server.asked().await;
    assert_eq!((closed[0].0.as_str(), &closed[0].1["state"]), ("PATCH", &json!("closed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_filed_is_said_and_filed_later() {
    let folder = estate(&webhook("http://127.0.0.1:1"));
    let out = scan(folder.path(), &["--format", "json"]);
    assert_eq!(out.status, Some(3), "{}", out.stderr);
    assert_ne!(out.json()["findings"], json!([]), "the report is written all the same");
    let said = "warning: tickets: 2 incidents were neither filed nor resolved: cannot connect to the server";
    assert!(out.stderr.starts_with(said), "{}", out.stderr);

    let server = Receiver::start().await;
    fs::write(folder.path().join("keytrail.toml"), webhook(&server.address())).expect("a config");
    assert_eq!(scan(folder.path(), &[]).status, Some(0));
    assert_eq!(server.actions().await, ["file", "file"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let none = estate("");
    let out = scan(none.path(), &[]);
    assert_eq!(out.status, Some(2));
    assert!(out.stderr.contains("no [[incident]]") && out.stderr.contains("hint: "), "{}", out.stderr);

    let folder = estate(&webhook("http://127.0.0.1:1"));
    let out = scan(folder.path(), &["--as-of", "2026-11-01"]);
    assert_eq!(out.status, Some(2));
    assert!(out.stderr.contains("--as-of") && out.stderr.contains("--record"), "{}", out.stderr);
    assert_eq!(scan(folder.path(), &["--as-of", "2026-11-01", "--dry-run"]).status, Some(0));
    let out = Keytrail::new(folder.path()).args(["scan", "--dry-run"]).run();
    assert_eq!(out.status, Some(2), "{}", out.stderr);
}
