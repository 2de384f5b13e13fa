use std::fs;
use std::path::Path;
use std::process::Command;

use keytrail_rules::checks::Rule;
use keytrail_rules::model::{Facts, Finding, Location, Snapshot};
use keytrail_rules::policy::Policy;
use keytrail_rules::report::Report;

use super::{Wanted, of_report};

fn git(folder: &Path, args: &[&str]) {
    let output = Command::new("git").arg("-C").arg(folder).args(args).output().expect("git starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A report with a finding at a line of each file.
fn report(places: &[(&str, u32)]) -> Report {
    let snapshot = Snapshot { as_of: Default::default(), facts: Facts::default(), sightings: Default::default() };
    let mut report = keytrail_rules::evaluate(&snapshot, &Policy::default(), &Default::default());
    let rule = Rule::find("no-owner").expect("a rule");
    let finding = |(file, line): &(&str, u32)| {
        let at = Location { line: *line, ..Location::of_file(file) };
        Finding::new(rule, file, "Secret 'API_TOKEN' has no owner.").at(Some(at))
    };
    report.findings = places.iter().map(finding).collect();
    report
}

const BOTH: Wanted = Wanted { hashes: true, shown: true };

#[test]
fn lines_are_hashed_where_git_tracks_the_file_and_shown_without_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).expect("written");
    write("tracked.env", "key: x\nAPI_TOKEN=planted-value\n");
    write("ignored.env", "API_TOKEN=planted-value\n");
    write("binary", "a\0b\n");
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["add", "tracked.env"]);
    std::os::unix::fs::symlink("tracked.env", folder.path().join("link.env")).expect("a link");
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("outside")).expect("a link");
    let places =
        [("tracked.env", 2), ("tracked.env", 9), ("ignored.env", 1), ("gone", 1), ("binary", 1), ("outside", 1)];
    let lines = of_report(&report(&places), folder.path(), BOTH);
    let hash = |file: &str, line| lines.get(&(file.to_owned(), line)).and_then(|line| line.hash.clone());
    assert!(hash("tracked.env", 2).is_some_and(|hash| hash.ends_with(":1")));
    assert_eq!((hash("tracked.env", 9), hash("ignored.env", 1), hash("outside", 1)), (None, None, None));
    let shown = |file: &str, line| lines.get(&(file.to_owned(), line)).and_then(|line| line.shown.clone());
    assert_eq!(shown("ignored.env", 1).map(|shown| shown.text()).as_deref(), Some("API_TOKEN=…"));
    assert!(!format!("{lines:?}").contains("planted"), "{lines:?}");
    assert_eq!(shown("binary", 1), None);
    assert!(of_report(&report(&places), folder.path(), Wanted::default()).is_empty());
}

#[test]
fn outside_of_a_repository_nothing_is_hashed() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.env"), "API_TOKEN=x\n").expect("written");
    let lines = of_report(&report(&[("a.env", 1)]), folder.path(), BOTH);
    assert!(lines.values().all(|line| line.hash.is_none()) && lines.len() == 1);
}
