//! Every rule fires on its one fixture and is silent on the other, in the real binary.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keytrail_rules::checks::RULES;

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
