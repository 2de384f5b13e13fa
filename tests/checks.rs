//! Every rule fires on its one fixture and is silent on the other, in the real binary.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keytrail::config::StateConfig;
use keytrail::state::{State, ledger_key, seal_key};
use keytrail_rotation::job::{Job, Member, Mode as JobMode, Origin, Request};
use keytrail_rotation::journal::Journal;
use keytrail_rotation::journal::sql::SqlJournal;
use keytrail_rotation::ledger::{Row, Status};
use keytrail_rotation::settings::Settings;
use keytrail_rules::checks::RULES;
use keytrail_rules::model::Time;
use sqlx::Connection;

use crate::support::{Keytrail, copy_tree, repository};

/// When the fixtures are judged.
const AS_OF: &str = "2026-06-01";

/// Scans one side of a rule's fixture and gives the rule's findings.
fn findings(rule: &str, side: &str) -> Vec<serde_json::Value> {
    let folder = tempfile::tempdir().expect("a folder");
    copy_tree(&repository().join("fixtures/checks").join(rule).join(side), folder.path());
    if rule == "weak-key-file-mode" {
        // Git keeps no modes.
        set_modes(folder.path(), if side == "fires" { 0o640 } else { 0o600 });
    }
    if rule == "stuck-rotation" {
        // Nor a state.
        begin_a_rotation(folder.path(), if side == "fires" { "2026-05-31T21:00:00Z" } else { "2026-05-31T23:30:00Z" });
    }
    let out = Keytrail::new(folder.path()).args(["scan", "--format", "json", "--as-of", AS_OF]).run();
    let report = out.json();
    let gaps = report["gaps"].as_array().expect("gaps");
    assert!(gaps.is_empty(), "{rule}/{side}: {gaps:#?}");
    let all = report["findings"].as_array().expect("findings").clone();
    all.into_iter().filter(|finding| finding["rule"] == rule).collect()
}

fn set_modes(folder: &Path, mode: u32) {
    for entry in fs::read_dir(folder.join("deploy")).expect("a folder") {
        fs::set_permissions(entry.expect("an entry").path(), fs::Permissions::from_mode(mode)).expect("a mode");
    }
}

/// A rotation that is begun at an instant, and then killed.
fn begin_a_rotation(folder: &Path, at: &'static str) {
    let at: Time = at.parse().expect("a time");
    let request = Request { at, by: "ana".into(), approver: None, reason: "overdue".into() };
    let origin = Origin::Issued { kind: "generate".into(), settings: Settings::default() };
    let job = Job {
        run: "kt-20260531t210000z-0f3a9c21".into(),
        mode: JobMode::Orderly,
        members: vec![Member { item: "DB_PASSWORD".into(), origin }],
        writes: Vec::new(),
        consumers: Vec::new(),
        probes: Vec::new(),
        grace: 0,
        request: request.clone(),
    };
    let row = Row {
        run: job.run.clone(),
        at,
        status: Status::Requested,
        items: vec!["DB_PASSWORD".into()],
        by: request.by,
        approver: None,
        reason: request.reason,
        details: BTreeMap::new(),
    };
    let begin = async {
        let key = || seal_key(folder, None).expect("a key");
        let signer = ledger_key(folder).expect("a key");
        let made = State::journal(&StateConfig::default(), folder, key(), signer).await.expect("a journal");
        made.close().await.expect("an end");
        let url = format!("sqlite:{}", folder.join(".keytrail/state.db").display());
        let connection = sqlx::AnyConnection::connect(&url).await.expect("a database");
        let journal = SqlJournal::new(connection, key(), Arc::new(move || at));
        let items = ["DB_PASSWORD".to_owned()];
        let lease = journal.take(&items, "killed", Duration::from_secs(60)).await.expect("a lease");
        journal.begin(&lease, &job, &row).await.expect("a begin");
        journal.close().await.expect("an end");
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(begin);
}

#[test]
fn every_rule_fires() {
    let mut shown = String::new();
    for rule in RULES {
        let found = findings(rule.id, "fires");
        assert!(!found.is_empty(), "{} does not fire", rule.id);
        for finding in found {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let location = &finding["location"];
            let line = if location.is_null() {
                "-".to_owned()
            } else {
                format!("{}:{}", text(&location["file"]), location["line"])
            };
            writeln!(
                shown,
                "{} {line}\n    {}\n    > {}",
                text(&finding["severity"]),
                text(&finding["message"]),
                text(&finding["next"])
            )
            .expect("a string");
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn every_rule_is_silent_where_nothing_is_wrong() {
    for rule in RULES {
        let found = findings(rule.id, "silent");
        assert!(found.is_empty(), "{} fires: {found:#?}", rule.id);
    }
}
