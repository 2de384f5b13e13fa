use keytrail_rules::checks::{RULES, Rule};
use keytrail_rules::model::{Finding, Location};
use keytrail_rules::report::{ItemStatus, Report};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::trails;
use crate::escape::is_deceptive;
use crate::formats::tests::render;
use crate::source::{Kind, Shown, SourceLine, lines_of, words};
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

/// The lines of a report as a file of the text would have them, with nothing but names to be shown.
fn with_lines(report: &Report, text: &str, options: Options) -> Options {
    let mut lines = crate::source::Lines::new();
    for (file, numbers) in lines_of(report) {
        for (number, findings) in numbers {
            let said = findings.iter().flat_map(|finding| words(finding, None)).collect();
            let shown = Some(Shown::new(text, &said, Kind::MayHold));
            lines.insert((file.to_owned(), number), SourceLine { hash: None, shown });
        }
    }
    Options { lines, verbose: true, ..options }
}

fn one_finding() -> Report {
    let mut report = samples::empty();
    let rule = Rule::find("secret-in-configmap").expect("a rule");
    let at = Location { file: "deploy/api.yaml".into(), line: 41, start_column: 3, end_column: 16 };
    let finding = Finding::new(rule, "x", "Secret 'SMTP_PASSWORD' is in the ConfigMap 'shop/mail'.").at(Some(at));
    report.findings = vec![finding.next("move it to a Secret, and rotate it")];
    report.apply_baseline(&Default::default());
    report
}

#[test]
fn a_finding_is_shown_with_its_line_and_without_the_value() {
    let report = one_finding();
    let options = with_lines(&report, "  SMTP_PASSWORD: hunter2", at_width(60));
    insta::assert_snapshot!(show(&report, &options), @"
high secret-in-configmap (KT1004): 1 finding
  A secret lies in plain configuration: a ConfigMap, a
  literal of a workload or compose file, a workflow
  variable.
  Secret 'SMTP_PASSWORD' is in the ConfigMap 'shop/mail'.
    --> deploy/api.yaml:41:3
     |
  41 |   SMTP_PASSWORD:…
     |   ^^^^^^^^^^^^^
     = next: move it to a Secret, and rotate it

Secrets   0
Findings  1: 1 high
Scope     read 0 sources
Evidence  complete
As of     2026-11-21T09:00:00Z, keytrail 0.1.0
");
}

#[test]
fn lines_are_for_those_who_ask() {
    let report = one_finding();
    let options = with_lines(&report, "  SMTP_PASSWORD: hunter2", at_width(60));
    assert!(!show(&report, &Options { verbose: false, ..options }).contains("-->"));
}

#[test]
fn links_lead_to_files_and_rules() {
    let report = one_finding();
    let links = Some("file://laptop/home/jo/a%20b/".to_owned());
    let shown = show(&report, &Options { links: links.clone(), ..at_width(160) });
    let link = |url: &str, text: &str| format!("\u{1b}]8;;{url}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\");
    assert!(shown.contains(&link("https://keytrail.dev/rules/KT1004", "KT1004")), "{shown:?}");
    let at = link("file://laptop/home/jo/a%20b/deploy/api.yaml", "deploy/api.yaml:41");
    assert!(shown.contains(&format!("  {at}  Secret")), "{shown:?}");
    let options = Options { links, ..with_lines(&report, "  SMTP_PASSWORD: x", at_width(160)) };
    let at = link("file://laptop/home/jo/a%20b/deploy/api.yaml", "deploy/api.yaml:41:3");
    assert!(show(&report, &options).contains(&at));
}

/// Text without our own links.
fn without_links(text: &str) -> String {
    let mut parts = text.split("\u{1b}]8;;");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once("\u{1b}\\").map_or(part, |(_, rest)| rest))
}

/// So many secrets and findings as a large company has.
fn large() -> Report {
    let mut report = samples::company();
    let (item, gap) = (report.items[0].clone(), report.gaps[0].clone());
    report.items = (0..10_000)
        .map(|at| {
            let mut item = item.clone();
            item.id =
                keytrail_rules::inventory::ItemId::of_key(&keytrail_rules::model::Key::new(&format!("KEY_{at}")), None);
            item
        })
        .collect();
    let overdue = Rule::find("overdue-rotation").expect("a rule");
    report.findings = (0..5_000)
        .flat_map(|at| {
            let rule = RULES[at % RULES.len()];
            let place = Location { line: at as u32 + 1, ..Location::of_file("docs/rotation.md") };
            let due = Finding::new(overdue, &format!("due {at}"), "It is overdue.").item(report.items[at].id.clone());
            [due, Finding::new(rule, &format!("{at}"), "It is wrong.").at(Some(place))]
        })
        .collect();
    report.gaps = vec![gap; 40];
    report.apply_baseline(&Default::default());
    report
}

#[test]
fn ten_thousand_secrets_fit_a_screen() {
    let report = large();
    for width in [None, Some(60), Some(80), Some(120), Some(200)] {
        let shown = show(&report, &Options { width, ..Options::default() });
        assert!(shown.lines().count() <= 50, "{width:?}: {} lines\n{shown}", shown.lines().count());
        assert!(shown.contains("--verbose shows all") && shown.contains("incomplete: 40 gaps"), "{shown}");
    }
    insta::assert_snapshot!(show(&report, &at_width(120)));
}

#[test]
fn a_long_report_is_whole_with_all_details() {
    let report = large();
    let shown = show(&report, &Options { verbose: true, ..Options::default() });
    assert_eq!(shown.matches("  overdue  KEY_").count(), 10_000);
}

#[test]
fn no_line_is_longer_than_the_terminal_and_no_word_is_lost() {
    let report = samples::company();
    let words = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
    for width in (60..=200).step_by(7) {
        let shown = show(&report, &at_width(width));
        assert!(shown.lines().all(|line| line.width() <= usize::from(width)), "{width}\n{shown}");
        let said = words(&shown);
        for finding in report.counting().filter(|finding| finding.item.is_none()) {
            assert!(said.contains(&words(&finding.message)), "{width}: {}", finding.message);
        }
        for item in &report.items {
            let is_shown = !matches!(item.status, ItemStatus::Ok | ItemStatus::Exempt | ItemStatus::Static);
            assert!(!is_shown || said.contains(item.id.as_str()), "{width}: {}", item.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lines_and_links_of_any_text_come_out_harmless(
        texts in proptest::collection::vec(crate::escape::tests::text(), 1..8),
        line in crate::escape::tests::text(),
        width in proptest::option::of(20..200_u16),
    ) {
        let report = samples::full_of(&texts);
        let links = Some("file:///a/".to_owned());
        let shown = show(&report, &with_lines(&report, &line, Options { width, links, ..Options::default() }));
        let plain = without_links(&shown);
        prop_assert!(!plain.contains(|c| is_deceptive(c) && c != '\n'), "{plain:?}");
    }
}
