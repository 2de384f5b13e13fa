use keytrail_rules::report::Report;
use serde_json::Value;

use crate::formats::tests::render;
use crate::{AwsAccount, Options, samples};

fn findings(report: &Report) -> Vec<Value> {
    let aws = AwsAccount::new("123456789012", "eu-central-1");
    let text = render("asff", report, &Options { aws, ..Options::default() });
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_believable_report() {
    let mut report = samples::company();
    report.findings.truncate(2);
    report.gaps.truncate(1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&findings(&report)).expect("JSON"));
}

#[test]
fn findings_belong_to_the_default_product_of_their_account() {
    for finding in findings(&samples::everything()) {
        assert_eq!(finding["ProductArn"], "arn:aws:securityhub:eu-central-1:123456789012:product/123456789012/default");
        assert_eq!(finding["AwsAccountId"], "123456789012");
    }
}

#[test]
fn what_does_not_count_is_archived_and_what_was_not_looked_at_is_left_out() {
    let report = samples::everything();
    let all = findings(&report);
    for (value, finding) in all.iter().zip(&report.findings) {
        assert_eq!(value["RecordState"], if finding.counts() { "ACTIVE" } else { "ARCHIVED" });
    }
    let changes = report.changes.as_ref().expect("changes");
    assert_eq!(all.len(), report.findings.len() + changes.fixed.len() + report.gaps.len());
    let fixed = &all[report.findings.len()];
    assert_eq!((&fixed["RecordState"], &fixed["Compliance"]["Status"]), (&"ARCHIVED".into(), &"PASSED".into()));
    assert!(all[report.findings.len() + 1..].iter().all(|one| one["Compliance"]["Status"] == "NOT_AVAILABLE"));
}

#[test]
fn limits_hold_and_nothing_is_blank() {
    for finding in findings(&samples::full_of(&samples::hostile_strings())) {
        let length = |name: &str| finding[name].as_str().expect("text").chars().count();
        assert!((1..=256).contains(&length("Title")) && (1..=1_024).contains(&length("Description")));
        assert!((1..=512).contains(&length("Id")));
        let mut stack = vec![&finding];
        while let Some(value) = stack.pop() {
            match value {
                Value::String(text) => assert!(!text.trim().is_empty(), "{finding}"),
                Value::Array(list) => stack.extend(list),
                Value::Object(map) => stack.extend(map.values()),
                _ => {}
            }
        }
        assert!(finding.to_string().len() < 240_000);
    }
}

#[test]
fn nothing_is_an_empty_list() {
    assert_eq!(render("asff", &samples::empty(), &Options::default()), "[]\n");
}
