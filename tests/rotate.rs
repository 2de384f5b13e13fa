//! `keytrail scan --fix` and `keytrail rotate`, with the real binary on real systems.

mod estate;
mod kill;
mod login;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::{Reply, Server};
use crate::support::{Keytrail, tree};
use estate::{Estate, OLD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaked_is_rotated_everywhere_and_a_second_fix_has_nothing_to_do() {
    let estate = Estate::start("").await;
    estate.leak();
    let first = estate.keytrail(&["scan", "--fix", "--yes", "--fail-on", "never"]);
    assert_eq!(first.status, Some(0), "{}\n{}", first.stderr, first.stdout);
    let new = estate.consistent().await;
    assert_ne!(new, OLD);
    assert!(first.stderr.contains("rotated: the new value is in use"), "{}", first.stderr);
    estate.assert_siblings_are_untouched().await;
    assert_eq!(estate.ledger(), [("requested", 1), ("succeeded", 1)].map(|(status, n)| (status.to_owned(), n)));

    let versions = estate.versions().await;
    let second = estate.keytrail(&["scan", "--fix", "--yes", "--fail-on", "never"]);
    assert_eq!(second.status, Some(0), "{}", second.stderr);
    assert!(second.stderr.contains("nothing is due"), "{}", second.stderr);
    assert_eq!(estate.versions().await, versions);
    assert_eq!(estate.consistent().await, new);
    estate.assert_no_value_was_written(&[OLD, &new], &[&first, &second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_writes_nothing_and_makes_no_state() {
    let estate = Estate::start("").await;
    estate.leak();
    let before = estate.bao.audited();
    let files = estate.files();
    for args in [
        &["scan", "--fix", "--dry-run", "--fail-on", "never"][..],
        &["rotate", "DB_PASSWORD", "--dry-run"],
        &["rotate", "--resume", "--dry-run"],
    ] {
        let out = estate.keytrail(args);
        assert_eq!(out.status, Some(0), "{args:?}: {}\n{}", out.stderr, out.stdout);
    }
    assert_eq!(estate.files(), files);
    let after = estate.bao.audited();
    let new = &after[before.len()..];
    let writes = |line: &&String| {
        ["create", "update", "patch", "delete"].iter().any(|verb| line.starts_with(verb)) && line.contains("secret/")
    };
    assert_eq!(new.iter().find(writes), None, "{new:#?}");
    let shown = estate.keytrail(&["rotate", "DB_PASSWORD", "--dry-run"]).stdout;
    for effect in
        ["Read vault:secret/shop/db", "Make a new DB_PASSWORD", "Write vault:secret/shop/db", "Write env-file:.env"]
    {
        assert!(shown.contains(effect), "{effect}:\n{shown}");
    }
    let (store, file) = (shown.find("Write vault:").expect("a store"), shown.find("Write env-file:").expect("a file"));
    assert!(store < file, "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_rotated_where_nobody_can_be_asked() {
    let estate = Estate::start("").await;
    let out = estate.keytrail(&["rotate", "DB_PASSWORD"]);
    assert_eq!(out.status, Some(2));
    assert!(out.stderr.contains("add --yes"), "{}", out.stderr);
    assert_eq!(estate.consistent().await, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_fails_after_the_switch_takes_everything_back() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let health = Server::start(move |_| match counter.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::json("{}"),
        _ => Reply::Full(500, "", String::new()),
    })
    .await;
    let estate = Estate::start(&format!("verify = [{{ http = \"{}/health\", status = 200 }}]", health.address)).await;
    let out = estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]);
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    assert!(asked.load(Ordering::SeqCst) > 1, "{}", out.stderr);
    assert!(out.stderr.contains("rolled back"), "{}", out.stderr);
    assert_eq!(estate.consistent().await, OLD);
    estate.assert_siblings_are_untouched().await;
    assert_eq!(estate.ledger(), [("requested", 1), ("rolled-back", 1)].map(|(status, n)| (status.to_owned(), n)));
    assert!(estate.keytrail(&["rotate", "--list"]).stdout.contains("no rotation is under way"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_is_not_slept_through_and_another_run_ends_it() {
    let estate = Estate::with_grace("2s", "").await;
    let out = estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]);
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    assert!(out.stderr.contains("the old one still works"), "{}", out.stderr);
    let listed = estate.keytrail(&["rotate", "--list"]).stdout;
    assert!(listed.contains("DB_PASSWORD") && listed.contains("waits until"), "{listed}");
    let again = estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]);
    assert_eq!(again.status, Some(1), "one run at a time has a secret: {}", again.stderr);
    estate.resume_to_the_end().await;
    assert_eq!(estate.ledger(), [("requested", 1), ("succeeded", 1)].map(|(status, n)| (status.to_owned(), n)));
    assert_ne!(estate.consistent().await, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_writes_in_between_is_not_overwritten() {
    let estate = Estate::with_grace("1h", "").await;
    let out = estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]);
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    estate
        .bao
        .write("secret", "shop/db", json!({ "DB_PASSWORD": "set-by-hand-7", "DATABASE_URL": "x", "REGION": "eu" }))
        .await;
    let run = estate.keytrail(&["rotate", "--list"]).stdout.split(' ').next().expect("a run").to_owned();
    let back = estate.keytrail(&["rotate", "--rollback", &run]);
    assert_eq!(back.status, Some(1), "{}", back.stderr);
    assert_eq!(estate.in_vault("DB_PASSWORD").await, "set-by-hand-7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_is_rolled_back_on_request_while_the_old_value_works() {
    let estate = Estate::with_grace("1h", "").await;
    assert_eq!(estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]).status, Some(0));
    assert_ne!(estate.consistent().await, OLD);
    let run = estate.keytrail(&["rotate", "--list"]).stdout.split(' ').next().expect("a run").to_owned();
    let back = estate.keytrail(&["rotate", "--rollback", &run]);
    assert!(back.stderr.contains("rolled back"), "{}", back.stderr);
    assert_eq!(estate.consistent().await, OLD);
    let again = estate.keytrail(&["rotate", "--rollback", &run]);
    assert_eq!(again.status, Some(2), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_asked_for_and_kept() {
    let estate = Estate::start("approve = true").await;
    let without = estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]);
    assert_eq!(without.status, Some(1), "{}", without.stderr);
    assert!(without.stderr.contains("--approved-by NAME"), "{}", without.stderr);
    assert_eq!(estate.consistent().await, OLD);
    let with = estate.keytrail(&["rotate", "DB_PASSWORD", "--yes", "--approved-by", "ben"]);
    assert_eq!(with.status, Some(0), "{}", with.stderr);
    assert_ne!(estate.consistent().await, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dates_are_written_where_people_look_for_them() {
    let estate = Estate::start("").await;
    estate.append("record = { runbook = true, notes = \"docs/rotations.md\" }\n");
    estate.write(
        "docs/keys.md",
        "| Secret | Last rotated | Frequency |\n|---|---|---|\n| DB_PASSWORD | 2020-01-01 | 90 days |\n",
    );
    assert_eq!(estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]).status, Some(0));
    let table = estate.read("docs/keys.md");
    assert!(!table.contains("2020-01-01") && table.contains("| 90 days |"), "{table}");
    let notes = estate.read("docs/rotations.md");
    assert!(notes.contains("DB_PASSWORD") && notes.contains("kt-"), "{notes}");
}

/// A program that loads what the store holds, and says so in its log.
const APP: &str = r#"#!/bin/sh
read -r line
case "$line" in
*'"act":"load"'*)
    printf '{"time":"%s","event":"loaded","target":"DB_PASSWORD"}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >> app.jsonl
    echo '{"version":1,"ok":true,"mark":"1"}' ;;
*'"act":"progress"'*) echo '{"version":1,"ok":true,"progress":"done"}' ;;
*) echo '{"version":1,"ok":true,"obstacles":[]}' ;;
esac
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_rotations_are_traced() {
    let estate = Estate::start("").await;
    let [audit, _] = estate.bao.audit_logs();
    let config = estate.read("keytrail.toml").replace("consumers = []", "consumers = [\"command:app\"]");
    let trails = format!(
        "
[[workload]]
consumer = \"command:app\"
program = \"deploy/app\"

[[trail]]
name = \"vault-audit\"
kind = \"vault-audit\"
path = \"{}\"
covers = [2026-01-01, 2099-01-01]

[[trail]]
name = \"app\"
kind = \"json-log\"
path = \"app.jsonl\"
consumer = \"command:app\"
covers = [2026-01-01, 2099-01-01]
",
        audit.display()
    );
    estate.write("keytrail.toml", &(config + &trails));
    estate.write_program("deploy/app", APP);
    let out = estate.keytrail(&["rotate", "DB_PASSWORD", "--yes"]);
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    // What happened in the second of a scan is not yet part of it.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let trace = estate.keytrail(&["trace", "DB_PASSWORD"]);
        if trace.stdout.contains("traced") {
            break;
        }
        assert!(Instant::now() < end, "{}\n{}", trace.stdout, trace.stderr);
    }
}

#[test]
fn secrets_of_one_file_are_rotated_one_after_the_other() {
    let names = ["ALPHA_TOKEN", "BETA_TOKEN", "GAMMA_TOKEN"];
    let table = |name: &&str| {
        format!(
            "[[secret]]\nkey = \"{name}\"\nowner = \"data\"\ncadence = \"90 days\"\nconsumers = []\ngrace = \"0s\"\n\
             issuer = {{ kind = \"generate\" }}\n\n"
        )
    };
    let config: String = names.iter().map(table).collect();
    let env: String = names.iter().map(|name| format!("{name}={OLD}-{name}\n")).collect();
    let folder = tree([("keytrail.toml", config.as_str()), (".env", env.as_str())]);
    let args = [&["rotate"], names.as_slice(), &["--yes"]].concat();
    let out = Keytrail::new(folder.path()).args(args).run();
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    let text = std::fs::read_to_string(folder.path().join(".env")).expect("a file");
    let mut values: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.1)).collect();
    assert!(values.len() == 3 && !text.contains(OLD), "{}", out.stderr);
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 3);
}
