use jsonschema::Validator;
use keytrail_rules::history::FindingChange;
use keytrail_rules::model::{Finding, Severity};
use keytrail_rules::report::{ItemStatus, Report};
use proptest::prelude::*;
use serde_json::Value;

use super::{Diff, diff, markdown};
use crate::escape::is_deceptive;
use crate::formats::{diff_json, diff_table};
use crate::{Format, Options, samples};

fn json(report: &Report) -> Vec<u8> {
    (Format::find("json").expect("json").render)(report, &Options::default()).expect("renders")
}

fn between(before: &Report, after: &Report) -> Diff {
    diff(("before.json", &json(before)), ("after.json", &json(after))).expect("a diff")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// The company, and itself a month later: something of each kind happened.
fn two_reports() -> (Report, Report) {
    let before = samples::company();
    let mut after = before.clone();
    after.as_of = samples::time("2026-12-21T09:00:00Z");
    after.gaps.clear();
    after.summary.complete = true;
    let was_there =
        |finding: &Finding, others: &Report| others.findings.iter().any(|one| one.fingerprint == finding.fingerprint);
    assert!(before.findings.iter().all(|finding| was_there(finding, &after)));
    let gone = after.findings.iter().position(|finding| finding.exception.is_none()).expect("one that counts");
    after.findings.remove(gone);
    let covered = after.findings.iter_mut().find(|finding| finding.exception.is_none()).expect("one that counts");
    covered.exception = Some("the vendor ends the service".into());
    let ended = before.findings.iter().find(|finding| finding.exception.is_some()).expect("an excepted one");
    let ended = after.findings.iter_mut().find(|finding| finding.fingerprint == ended.fingerprint).expect("the same");
    ended.exception = None;
    for (rule, subject, digits) in [("silent-rotation", "new", "e1"), ("no-owner", "back", "ba")] {
        let mut finding = samples::everything().findings.swap_remove(0);
        (finding.rule, finding.exception) = (rule, None);
        (finding.fingerprint, finding.message) = (format!("{digits:0<64}"), format!("It is {subject}."));
        finding.severity = if subject == "new" { Severity::Critical } else { Severity::Low };
        after.findings.push(finding);
    }
    after.items[0].status = ItemStatus::Overdue;
    after.items.pop();
    samples::history::add_everything(&mut after);
    let changes = after.changes.as_mut().expect("changes");
    changes.regressed[0].fingerprint = format!("{:0<64}", "ba");
    (before, after)
}

#[test]
fn a_believable_diff() {
    let (before, after) = two_reports();
    let diff = between(&before, &after);
    insta::assert_snapshot!("table", text(diff_table(&diff, &Options::default())));
    insta::assert_snapshot!("narrow", text(diff_table(&diff, &Options { width: Some(60), ..Options::default() })));
    insta::assert_snapshot!("json", text(diff_json(&diff).expect("renders")));
    insta::assert_snapshot!("markdown", text(markdown(&diff)));
    assert_eq!(diff.worst(), Some(Severity::Critical));
}

#[test]
fn a_part_that_did_not_run_and_a_gap_fix_nothing() {
    let before = samples::everything();
    let mut after = before.clone();
    (after.findings, after.gaps) = (Vec::new(), Vec::new());
    after.summary.complete = true;
    let fixed = between(&before, &after);
    let is_off = |finding: &FindingChange| after.disabled_rules.contains(&finding.rule);
    assert!(fixed.changes.unseen.iter().all(is_off) && !fixed.changes.unseen.is_empty());
    assert!(!fixed.changes.fixed.iter().any(is_off) && !fixed.changes.fixed.is_empty());
    after.facets.clear();
    let blind = between(&before, &after);
    assert_eq!(blind.changes.fixed, []);
    assert_eq!(blind.changes.unseen.len(), fixed.changes.fixed.len() + fixed.changes.unseen.len());
    let gaps = between(&before, &Report { findings: Vec::new(), ..before.clone() });
    assert!(!gaps.after.complete && gaps.changes.fixed.is_empty());
    for page in [diff_table(&gaps, &Options::default()), markdown(&gaps)] {
        assert!(text(page).contains("The later scan has gaps"));
    }
}

#[test]
fn a_report_of_an_older_version_will_do() {
    let mut document: Value = serde_json::from_slice(&json(&samples::company())).expect("JSON");
    let report = document.as_object_mut().expect("an object");
    for later in ["facets", "exceptions", "controls", "changes", "trends", "rotations", "trails", "readings", "leaks"] {
        report.remove(later);
    }
    let old = document.to_string();
    let diff = diff(("old", old.as_bytes()), ("new", &json(&samples::company()))).expect("a diff");
    assert!(diff.changes.new.is_empty() && diff.changes.fixed.is_empty() && diff.changes.unchanged > 0);
}

#[test]
fn refusals_name_the_file() {
    let good = json(&samples::company());
    let refused = |bytes: &[u8]| diff(("a.json", &good), ("b.json", bytes)).expect_err("refused").to_string();
    let sarif = (Format::find("sarif").expect("sarif").render)(&samples::company(), &Options::default());
    insta::assert_snapshot!(refused(&sarif.expect("renders")), @"read b.json: it is SARIF, no JSON report of Keytrail");
    insta::assert_snapshot!(refused(b"<html>"), @"read b.json: it is not JSON from line 1, column 1 on");
    insta::assert_snapshot!(refused(br#"{"schema": "keytrail/diff/v1"}"#), @"read b.json: its schema is `keytrail/diff/v1`, and this version reads `keytrail/report/v1`");
    insta::assert_snapshot!(refused(b"[]"), @"read b.json: it is JSON, but no Keytrail report (line 1, column 2)");
}

fn validator() -> Validator {
    let mut schema: Value = serde_json::from_str(include_str!("../../schemas/diff-v1.schema.json")).expect("JSON");
    let report: Value = serde_json::from_str(include_str!("../../schemas/report-v1.schema.json")).expect("JSON");
    // The two are published side by side, and say the same of what both have.
    for shared in ["time", "fingerprint", "severity", "findingChange", "statusChange", "changes"] {
        assert_eq!(schema["$defs"][shared], report["$defs"][shared], "{shared}");
    }
    schema["$id"] = Value::Null;
    schema.as_object_mut().expect("an object").remove("$id");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

#[test]
fn diffs_keep_to_the_schema() {
    let validator = validator();
    let hostile = samples::full_of(&samples::hostile_strings());
    let reports =
        [samples::empty(), samples::company(), samples::everything(), samples::gaps_only(), hostile, two_reports().1];
    for before in &reports {
        for after in &reports {
            let document: Value =
                serde_json::from_slice(&diff_json(&between(before, after)).expect("renders")).expect("JSON");
            let mistakes: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert_eq!(mistakes, Vec::<String>::new());
        }
    }
    let good: Value =
        serde_json::from_slice(&diff_json(&between(&reports[1], &reports[5])).expect("renders")).expect("JSON");
    for pointer in ["", "/before", "/changes", "/changes/new/0", "/exceptions", "/exceptions/new/0"] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).and_then(Value::as_object_mut).expect(pointer).insert("extra".into(), Value::Null);
        assert!(!validator.is_valid(&bad), "an unknown field in {pointer:?}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let mut strings = samples::hostile_strings();
    strings.push("@octocat https://example.com #1 **x** | `code` | <b>".into());
    let hostile = samples::full_of(&strings);
    let diff = between(&samples::empty(), &hostile);
    let pages = [diff_table(&diff, &Options::default()), diff_json(&diff).expect("renders"), markdown(&diff)];
    for page in pages.map(text) {
        assert!(!page.chars().any(|c| c != '\n' && is_deceptive(c)));
    }
    let page = text(markdown(&diff));
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let outside: String = line.replace("\\|", "").split('`').step_by(2).collect();
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        assert!(!outside.contains(['@', '<', '*', '[', '\\']), "{line}");
        assert!(matches!(outside.matches('|').count(), 4 | 5), "{line}");
    }
    assert!(page.len() < 65_536, "GitHub takes no longer comment");
}

/// Some findings of the company, some of them excepted.
fn any_report() -> impl Strategy<Value = Report> {
    let findings = samples::everything().findings;
    let count = findings.len();
    let picks = prop::collection::vec((any::<bool>(), any::<bool>()), count);
    (picks, any::<bool>()).prop_map(move |(picks, complete)| {
        let mut report = samples::company();
        let picked = findings.iter().zip(picks).filter(|(_, (is_in, _))| *is_in);
        report.findings = picked
            .map(|(finding, (_, excepted))| {
                let exception = excepted.then(|| "a reason".to_owned());
                Finding { exception, ..finding.clone() }
            })
            .collect();
        report.gaps.clear();
        report.summary.complete = complete;
        report
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_report_and_itself_are_the_same(report in any_report()) {
        let diff = between(&report, &report);
        prop_assert_eq!(diff.changes.counts(), keytrail_rules::history::ChangeCounts {
            unchanged: report.findings.iter().filter(|finding| finding.exception.is_none()).count() as u64,
            ..Default::default()
        });
        prop_assert!(diff.changes.items.is_empty() && diff.rising().next().is_none());
        prop_assert_eq!(diff.exceptions, super::ExceptionChanges::default());
    }

    #[test]
    fn every_finding_is_counted_once(before in any_report(), after in any_report()) {
        let there = between(&before, &after);
        let fingerprints = before.findings.iter().chain(&after.findings).map(|finding| &finding.fingerprint);
        let all = fingerprints.collect::<std::collections::BTreeSet<_>>().len() as u64;
        let counts = there.changes.counts();
        let listed = counts.new + counts.regressed + counts.fixed + counts.unseen + counts.covered + counts.uncovered;
        prop_assert_eq!(listed + counts.unchanged + there.let_pass, all);
        let back = between(&after, &before).changes.counts();
        prop_assert_eq!((counts.new, counts.covered, counts.unchanged), (back.fixed + back.unseen, back.uncovered, back.unchanged));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _read_or_refused = diff(("a", &bytes), ("b", &bytes));
    }
}
