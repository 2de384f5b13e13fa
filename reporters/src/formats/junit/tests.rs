use keytrail_rules::report::Report;

use crate::formats::tests::render;
use crate::{Options, samples};

fn junit(report: &Report) -> String {
    render("junit", report, &Options { prefix: "services/shop".to_owned(), ..Options::default() })
}

#[test]
fn a_company_is_a_test_run() {
    insta::assert_snapshot!(junit(&samples::company()));
}

#[test]
fn a_rule_that_ran_and_found_nothing_passes() {
    let mut report = samples::everything();
    report.findings.retain(|finding| finding.rule != "overdue-rotation");
    let passed = "<testcase classname=\"keytrail.cadence.overdue-rotation\" name=\"found nothing\" time=\"0\"/>";
    assert!(junit(&report).contains(passed));
    for rule in report.controls.iter_mut().flat_map(|control| &mut control.rules) {
        rule.ran = false;
    }
    assert!(!junit(&report).contains(passed));
}

#[test]
fn nothing_scanned_and_nothing_read_do_not_pass() {
    let empty = junit(&samples::empty());
    assert!(empty.contains("tests=\"1\"") && empty.contains("<skipped message=\"nothing was scanned\"/>"), "{empty}");
    let gaps = junit(&samples::gaps_only());
    assert!(gaps.contains("errors=\"2\"") && gaps.contains("<error message=\"'vault"), "{gaps}");
    assert!(!gaps.contains("everything in scope"));
}

#[test]
fn a_status_that_no_rule_speaks_of_is_no_pass() {
    let mut report = samples::company();
    report.findings.clear();
    let text = junit(&report);
    assert_eq!(text.matches("and no rule that ran says so").count(), 5, "{text}");
}
