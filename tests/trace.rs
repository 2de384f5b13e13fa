//! `keytrail trace` and `keytrail trails`, and what a scan remembers of its verdicts.

use std::fs;
use std::io::{BufRead, BufReader, Write};

use sqlx::{AnyConnection, Connection};

use crate::support::{Keytrail, Outcome, tree};

const CONFIG: &str = r#"
[[secret]]
key = "API_KEY"
owner = "platform"
cadence = "90 days"
copies = ["vault:secret/api#key"]
consumers = ["kubernetes:shop/deployment/api"]

[[secret]]
key = "OTHER_KEY"
owner = "platform"
cadence = "90 days"
copies = ["vault:secret/other#key"]

[[trail]]
name = "store"
kind = "json-log"
role = "store"
path = "store.jsonl"
covers = [2026-01-01, 2026-06-30]

[[trail]]
name = "api"
kind = "json-log"
role = "application"
path = "api.jsonl"
consumer = "kubernetes:shop/deployment/api"
covers = [2026-01-01, 2026-06-30]

[[trail]]
name = "runs"
kind = "workload-runs"
path = "runs.jsonl"
covers = [2026-01-01, 2026-06-30]
"#;

const STORE: &str = r#"{"ts":"2026-03-01T12:00:07Z","kind":"written","target":"vault:secret/api#key","actor":"rotator","version":"7","run":"run-17"}
{"ts":"2026-03-05T18:30:00Z","kind":"written","target":"vault:secret/api#key","actor":"mallory","version":"8"}
"#;

const RUNS: &str = r#"{"id":"run-17","requested_at":"2026-03-01T12:00:00Z","finished_at":"2026-03-01T12:10:00Z","status":"succeeded","requester":"jo@example.com","targets":["vault:secret/api#key"]}
"#;

const API: &str = r#"{"ts":"2026-03-01T12:00:41Z","kind":"loaded","target":"API_KEY","version":"7"}
{"ts":"2026-03-05T18:31:00Z","kind":"loaded","target":"API_KEY","version":"8"}
"#;

fn folder() -> tempfile::TempDir {
    tree([("keytrail.toml", CONFIG), ("store.jsonl", STORE), ("runs.jsonl", RUNS), ("api.jsonl", API)])
}

fn run(folder: &tempfile::TempDir, args: &[&str]) -> Outcome {
    Keytrail::new(folder.path()).args(args).run()
}

#[test]
fn a_secret_is_shown_with_its_traces_and_verdicts() {
    let folder = folder();
    let out = run(&folder, &["trace", "API_KEY", "--as-of", "2026-03-10"]);
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    insta::assert_snapshot!(out.stdout);
    assert_eq!(out.stdout, run(&folder, &["trace", "vault:secret/api#key", "--as-of", "2026-03-10"]).stdout);
    assert!(!folder.path().join(".keytrail").exists());

    let json =
        run(&folder, &["trace", "API_KEY", "--as-of", "2026-03-10", "--since", "2026-03-03", "-f", "json"]).json();
    assert_eq!(json["schema"], "keytrail/trace/v1");
    assert_eq!(json["rotations"].as_array().map(Vec::len), Some(1));
    let written = &json["rotations"][0]["events"][0];
    let raw = &written["raw"];
    let bytes = fs::read(folder.path().join(raw["source"].as_str().expect("a file"))).expect("its bytes");
    let at = |field: &str| usize::try_from(raw[field].as_u64().expect("a number")).expect("small");
    let record = &bytes[at("offset")..at("offset") + at("length")];
    assert!(String::from_utf8_lossy(record).contains("mallory"), "{json}");
    let digest: String = <sha2::Sha256 as sha2::Digest>::digest(record).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(raw["sha256"], digest);
}

#[test]
fn a_secret_that_nothing_happened_to_and_one_that_is_not_there() {
    let folder = folder();
    let out = run(&folder, &["trace", "other_key", "--as-of", "2026-03-10"]);
    assert!(out.stdout.contains("The trails show no change of it. They hold:"), "{}", out.stdout);
    assert!(out.stdout.contains("declared, not proven"), "{}", out.stdout);
    let out = run(&folder, &["trace", "API_KEI", "--as-of", "2026-03-10"]);
    assert_eq!(out.status, Some(2));
    assert!(out.stderr.contains("did you mean API_KEY"), "{}", out.stderr);
}

#[test]
fn trails_are_listed_with_what_they_hold() {
    let folder = folder();
    let out = run(&folder, &["trails", "--as-of", "2026-03-10"]);
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    insta::assert_snapshot!(out.stdout);
    let json = run(&folder, &["trails", "--as-of", "2026-03-10", "-f", "json"]).json();
    assert_eq!(json[0]["covered"][0]["proof"], "declared");

    let without = tree([(".env.schema", "")]);
    let out = run(&without, &["trails"]);
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    assert!(out.stdout.contains("[[trail]]\nname = ") && out.stdout.contains("json-log"), "{}", out.stdout);
    // What is shown can be written.
    let shown = out.stdout.split("\n\n").find(|part| part.starts_with("[[trail]]")).expect("an example");
    fs::write(without.path().join("keytrail.toml"), shown).expect("a config");
    let out = run(&without, &["trails"]);
    assert_eq!(out.status, Some(3), "{}", out.stderr);
}

#[test]
fn a_scan_shows_what_is_not_traced() {
    let folder = folder();
    let args = ["scan", "--only", "trails", "--as-of", "2026-03-10", "--fail-on", "never"];
    let out = run(&folder, &args);
    assert!(out.stdout.contains("\nRotations 2: 1 silent, 1 traced\n"), "{}", out.stdout);
    let json = run(&folder, &[&args[..], &["-f", "json"]].concat()).json();
    assert_eq!(json["rotations"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["trails"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_verdict_that_changes_is_remembered_beside_the_old_one() {
    let folder = folder();
    let scan = |as_of: &str, more: &[&str]| {
        let args = [&["trace", "API_KEY", "-f", "json", "--as-of", as_of], more].concat();
        let json = run(&folder, &args).json();
        json["rotations"][0].clone()
    };
    // The application's record comes late.
    fs::write(folder.path().join("api.jsonl"), "").expect("a file");
    let missed = scan("2026-03-03", &["--record"]);
    assert_eq!(missed["verdict"], "applied-never-loaded", "{missed}");
    fs::write(folder.path().join("api.jsonl"), API).expect("a file");
    let found = scan("2026-03-04", &["--record"]);
    assert_eq!((&found["verdict"], &found["id"]), (&"traced".into(), &missed["id"]), "{found}");
    assert!(found["flags"].as_array().expect("flags").contains(&"reopened".into()), "{found}");
    scan("2026-03-05", &[]);

    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}/.keytrail/state.db", folder.path().display());
    let mut connection = AnyConnection::connect(&url).await.expect("a state");
    let select = "SELECT verdict FROM keytrail_verdicts ORDER BY number";
    let rows: Vec<(String,)> = sqlx::query_as(select).fetch_all(&mut connection).await.expect("rows");
    assert_eq!(rows, [("applied-never-loaded".to_owned(),), ("traced".to_owned(),)]);
}

#[test]
fn what_comes_while_trails_are_followed_is_shown_and_judged() {
    let folder = folder();
    let at = |seconds: i64| (chrono::Utc::now() - chrono::TimeDelta::seconds(seconds)).to_rfc3339();
    let mut following = std::process::Command::new(env!("CARGO_BIN_EXE_keytrail"))
        .args(["trails", "--follow"])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(following.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let mut until = |text: &str| lines.find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text}"));
    until("until you interrupt it");
    let mut store = fs::OpenOptions::new().append(true).open(folder.path().join("store.jsonl")).expect("a file");
    let record = |target: &str, version: u32| {
        let time = at(60);
        format!(r#"{{"ts":"{time}","kind":"written","target":"{target}","actor":"e\u001b[2J","version":"{version}"}}"#)
    };
    let (other, ours) = (record("vault:secret/nobody#key", 1), record("vault:secret/api#key", 9));
    writeln!(store, "{other}\n{ours}").expect("a line");
    let line = until(" written ");
    assert!(line.ends_with(r" store written v9 vault:secret/api#key by e\u{1b}[2J (store.jsonl:4)"), "{line}");
    assert!(until(" API_KEY is ").contains(": "), "a verdict");
    following.kill().expect("it is killed");
    following.wait().expect("it ends");
}
