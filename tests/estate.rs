//! The bundled estate: every rule fires somewhere in it and is silent somewhere, and it shows the same for ever.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keytrail_rules::checks::{Facet, RULES};

use crate::support::{Keytrail, Outcome, copy_tree, repository};

/// A scan of a fresh copy, as a fresh clone has it.
fn scan(args: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    copy_tree(&repository().join("fixtures/estate"), folder.path());
    // Git keeps no modes but that of programs.
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(folder.path().join("deploy/keys/.vault-keys"), mode).expect("a mode");
    Keytrail::new(folder.path()).args([&["scan", "--as-of", "2026-11-01"], args].concat()).run()
}

#[test]
fn it_shows_the_same_as_ever() {
    let out = scan(&[]);
    assert_eq!((out.status, out.stderr.as_str()), (Some(1), ""));
    insta::assert_snapshot!(out.stdout);
}

#[test]
fn its_plan_is_the_same_as_ever() {
    let out = scan(&["--format", "json", "--output", "/dev/null", "--fix", "--dry-run"]);
    insta::assert_snapshot!(out.stdout);
}

#[test]
fn every_rule_about_what_is_there_fires_in_it() {
    let report = scan(&["--format", "json"]).json();
    let findings = report["findings"].as_array().expect("findings");
    let fires = |id: &str| findings.iter().any(|finding| finding["rule"] == id);
    // What can go wrong with trails is in fixtures/checks: of a company where all of it did, nobody would believe the rest.
    for rule in RULES.iter().filter(|rule| rule.facet != Facet::Trails) {
        assert!(fires(rule.id), "{} does not fire", rule.id);
    }
    assert!(fires("silent-rotation") && fires("requested-never-applied"));
    assert_eq!(report["gaps"], serde_json::json!([]));
}

#[test]
fn no_rule_fires_for_every_secret_of_it() {
    let report = scan(&["--format", "json"]).json();
    let items = report["items"].as_array().expect("items").len();
    let findings = report["findings"].as_array().expect("findings");
    for rule in RULES {
        let count = findings.iter().filter(|finding| finding["rule"] == rule.id).count();
        assert!(count < items / 2, "{} fires for {count} of {items} secrets", rule.id);
    }
}

#[test]
fn every_format_is_the_same_to_the_byte_in_every_run() {
    for format in ["table", "json", "sarif", "html"] {
        assert_eq!(scan(&["--format", format]).stdout, scan(&["--format", format]).stdout, "{format}");
    }
}

#[test]
fn a_scan_of_it_as_of_a_day_changes_nothing_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_tree(&repository().join("fixtures/estate"), folder.path());
    let listing = || {
        let mut files: Vec<_> = walkdir::WalkDir::new(folder.path())
            .into_iter()
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).expect("a file")))
            .collect();
        files.sort();
        files
    };
    let before = listing();
    let out = Keytrail::new(folder.path()).args(["scan", "--as-of", "2026-11-01"]).run();
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    assert_eq!(listing(), before);
}
