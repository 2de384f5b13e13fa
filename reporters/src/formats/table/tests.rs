use keytrail_rules::report::{ItemStatus, Report};

use super::trails;
use crate::formats::tests::render;
use crate::{Options, samples};

fn show(report: &Report, options: &Options) -> String {
    render("table", report, options)
}

fn at_width(width: u16) -> Options {
    Options { width: Some(width), ..Options::default() }
}

#[test]
fn a_believable_report_in_a_pipe() {
    insta::assert_snapshot!(show(&samples::company(), &Options::default()));
}

#[test]
fn a_believable_report_at_80_columns() {
    let shown = show(&samples::company(), &at_width(80));
    assert!(shown.lines().all(|line| line.chars().count() <= 80));
    insta::assert_snapshot!(shown);
}

#[test]
fn a_believable_report_with_all_details() {
    insta::assert_snapshot!(show(&samples::company(), &Options { verbose: true, ..at_width(120) }));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let colored = show(&samples::company(), &Options { color: true, ..at_width(100) });
    insta::assert_snapshot!(colored.replace('\u{1b}', "␛"));
}

#[test]
fn what_trails_show_and_miss() {
    let mut report = samples::empty();
    report.rotations = vec![samples::trails::traced(), samples::trails::inconclusive(), samples::trails::silent()];
    report.trails = samples::trails::trails();
    insta::assert_snapshot!(show(&report, &Options::default()));
    insta::assert_snapshot!(show(&report, &at_width(70)));
}

#[test]
fn every_trail_with_its_coverage() {
    let mut report = samples::gaps_only();
    report.trails = samples::trails::trails();
    report.trails[2].covered.clear();
    report.trails[2].last = None;
    let shown = |width| String::from_utf8(trails(&report, &Options { width, ..Options::default() })).expect("UTF-8");
    insta::assert_snapshot!(shown(None));
    insta::assert_snapshot!(shown(Some(80)));
}

#[test]
fn an_empty_scan_says_so() {
    insta::assert_snapshot!(show(&samples::empty(), &Options::default()), @"
Nothing was scanned: there is no file and no store that Keytrail reads.

Secrets   0
Findings  0
Scope     read 0 sources
Evidence  complete
As of     2026-11-21T09:00:00Z, keytrail 0.1.0
");
}

#[test]
fn a_clean_scan_says_what_was_scanned() {
    let mut report = samples::company();
    report.findings.clear();
    report.gaps.clear();
    report.items.retain(|item| item.status == ItemStatus::Ok);
    report.apply_baseline(&Default::default());
    insta::assert_snapshot!(show(&report, &at_width(80)), @"
No findings.

Secrets   1: 1 ok
Findings  0
Scope     read 6 sources (2 kubernetes-manifest, 1 compose, 1 env-schema, 1
          runbook, 1 vault)
Evidence  complete
As of     2026-11-21T09:00:00Z, keytrail 0.1.0
");
}

#[test]
fn a_scan_that_read_nothing_is_not_clean() {
    insta::assert_snapshot!(show(&samples::gaps_only(), &at_width(80)), @"
Could not be read, so that this report is incomplete
  sealed  vault  the server is sealed  hint: unseal it
  malformed  deploy/.env:1  the file is binary, not text

No findings in what could be read.

Secrets   0
Findings  0
Scope     read 0 sources
Evidence  incomplete: 2 gaps
As of     2026-11-21T09:00:00Z, keytrail 0.1.0
");
}

#[test]
fn what_does_not_count_is_not_shown_but_counted() {
    let mut report = samples::company();
    report.gaps.clear();
    let known = report.findings.iter().map(|finding| finding.fingerprint.clone()).collect();
    report.apply_baseline(&known);
    insta::assert_snapshot!(show(&report, &Options::default()), @"
No findings that count.

Secrets   8: 1 overdue, 1 never-rotated, 1 event-due, 1 unknown-age, 1 due-soon, 1 exempt, 1 static, 1 ok
Findings  0; 1 excepted; 22 baselined
Scope     read 6 sources (2 kubernetes-manifest, 1 compose, 1 env-schema, 1 runbook, 1 vault)
Evidence  complete
As of     2026-11-21T09:00:00Z, keytrail 0.1.0
");
}

#[test]
fn a_finding_is_shown_once_and_none_is_lost() {
    let report = samples::company();
    let shown = show(&report, &Options { verbose: true, ..Options::default() });
    for finding in &report.findings {
        let as_row = format!("  {}  ", finding.item.as_ref().map(ToString::to_string).unwrap_or_default());
        assert!(shown.contains(&finding.message) || shown.contains(&as_row), "{}", finding.message);
    }
    assert_eq!(shown.matches("rotate DATABASE_PASSWORD@production").count(), 1);
}

#[test]
fn a_leaked_secret_is_shown_even_without_a_finding() {
    let mut report = samples::company();
    report.findings.clear();
    report.items[0].status = ItemStatus::Compromised;
    let shown = show(&report, &Options::default());
    assert!(shown.contains("  compromised  DATABASE_PASSWORD@production  "), "{shown}");
}

#[test]
fn one_long_name_does_not_widen_every_row() {
    let mut strings = vec!["short".to_owned(); 500];
    strings.push("x".repeat(1_000_000));
    let shown = show(&samples::full_of(&strings), &Options::default());
    assert!(shown.len() < 20_000_000, "{} bytes", shown.len());
}

#[test]
fn repeats_fold_after_ten() {
    let mut report = samples::company();
    let finding = report.findings[10].clone();
    report.findings = (0..50)
        .map(|at| {
            let mut one = finding.clone();
            one.message = format!("Repeat {at:02}.");
            one
        })
        .collect();
    report.apply_baseline(&Default::default());
    let shown = show(&report, &Options::default());
    assert_eq!(shown.matches("Repeat ").count(), 10);
    assert!(shown.contains("  and 40 more (all with --verbose)\n"), "{shown}");
    let shown = show(&report, &Options { verbose: true, ..Options::default() });
    assert_eq!(shown.matches("Repeat ").count(), 50);
}
