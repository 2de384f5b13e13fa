use std::collections::BTreeMap;

use keytrail_rules::report::Report;
use serde_json::Value;

use crate::formats::tests::render;
use crate::{Options, samples};

fn events(report: &Report) -> Vec<Value> {
    let text = render("ocsf", report, &Options::default());
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_believable_report() {
    let mut report = samples::company();
    report.findings.truncate(2);
    report.gaps.truncate(1);
    let mut events = events(&report);
    events[0]["compliance"]["checks"].as_array_mut().expect("checks").truncate(2);
    insta::assert_snapshot!(serde_json::to_string_pretty(&events).expect("JSON"));
}

#[test]
fn each_kind_of_finding_has_its_class() {
    let mut classes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in events(&samples::everything()) {
        let rule = event["finding_info"]["analytic"]["name"].as_str().unwrap_or("none");
        classes.entry(rule.to_owned()).or_default().push(event["class_uid"].as_u64().expect("a class"));
    }
    for (rule, class) in [
        ("overdue-rotation", 2003),
        ("trail-gap", 2003),
        ("silent-rotation", 2004),
        ("trail-tampered", 2004),
        ("leaked-current-value", 2006),
        ("none", 2003),
    ] {
        assert!(classes[rule].iter().all(|one| *one == class), "{rule}: {:?}", classes[rule]);
    }
}

#[test]
fn findings_are_opened_kept_and_closed_by_what_changed() {
    let mut report = samples::everything();
    let (new, kept) = (report.findings[0].fingerprint.clone(), report.findings[1].fingerprint.clone());
    let changes = report.changes.as_mut().expect("changes");
    changes.new[0].fingerprint.clone_from(&new);
    changes.fixed[0].fingerprint = "fixed".to_owned();
    changes.unseen[0].fingerprint = "unseen".to_owned();
    let events = events(&report);
    let activity =
        |uid: &str| events.iter().find(|one| one["finding_info"]["uid"] == uid).map(|one| &one["activity_id"]);
    assert_eq!(activity(&new), Some(&1.into()));
    assert_eq!(activity(&kept), Some(&2.into()));
    assert_eq!(activity("fixed"), Some(&3.into()));
    assert_eq!(activity("unseen"), None);
    for event in &events {
        let number = |name: &str| event[name].as_u64().expect("a number");
        assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
    }
}

#[test]
fn without_an_earlier_scan_everything_is_created() {
    assert!(events(&samples::company()).iter().all(|event| event["activity_id"] == 1));
}

#[test]
fn what_is_let_pass_is_suppressed() {
    let report = samples::company();
    for (event, finding) in events(&report).iter().skip(1 + report.gaps.len()).zip(&report.findings) {
        assert_eq!(event["status_id"], if finding.counts() { 1 } else { 3 });
    }
}

#[test]
fn a_scan_passes_only_where_every_rule_looked_and_found_nothing() {
    let overall = |report: &Report| events(report)[0]["compliance"]["status_id"].clone();
    assert_eq!(overall(&samples::empty()), 0);
    assert_eq!(overall(&samples::gaps_only()), 2);
    assert_eq!(overall(&samples::company()), 3);
    assert_eq!(events(&samples::gaps_only()).len(), 3);
}
