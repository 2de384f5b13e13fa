use std::collections::BTreeSet;

use keytrail_rules::checks::RULES;
use keytrail_rules::controls::{ControlReport, ControlStatus};
use keytrail_rules::report::Report;
use serde_json::Value;

use super::{line, markup};
use crate::formats::tests::render;
use crate::{Options, samples};

fn document(report: &Report) -> Value {
    let document: Value = serde_json::from_str(&render("oscal", report, &Options::default())).expect("JSON");
    document["assessment-results"].clone()
}

fn list<'a>(document: &'a Value, name: &str) -> &'a [Value] {
    document["results"][0][name].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn a_believable_report() {
    let mut report = samples::company();
    report.findings.truncate(2);
    report.items.truncate(1);
    report.gaps.truncate(1);
    report.controls = vec![ControlReport {
        framework: "nist-800-53-r5".to_owned(),
        control: "IA-5f".to_owned(),
        title: "Authenticators are changed".to_owned(),
        status: ControlStatus::Findings,
        findings: 1,
        rules: Vec::new(),
    }];
    let mut document = document(&report);
    // These are of the whole report, and change with every field that one gains.
    let whole = "00000000-0000-5000-8000-000000000000";
    document["uuid"] = whole.into();
    document["results"][0]["uuid"] = whole.into();
    document["back-matter"]["resources"][0]["uuid"] = whole.into();
    document["import-ap"]["href"] = format!("#{whole}").into();
    document["results"][0]["reviewed-controls"]["control-selections"][0]["include-controls"]
        .as_array_mut()
        .expect("controls")
        .truncate(3);
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).expect("JSON"));
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| texts(one, found)),
        Value::Object(map) => map.values().for_each(|one| texts(one, found)),
        _ => {}
    }
}

#[test]
fn nothing_is_ever_satisfied() {
    for report in [samples::empty(), samples::company(), samples::everything(), samples::gaps_only()] {
        let mut found = Vec::new();
        texts(&document(&report), &mut found);
        assert!(!found.iter().any(|text| text == "satisfied"));
    }
}

#[test]
fn what_is_referred_to_is_there_once() {
    for report in [samples::everything(), samples::full_of(&samples::hostile_strings())] {
        let document = document(&report);
        let mut ids = BTreeSet::new();
        let items = document["results"][0]["local-definitions"]["inventory-items"].as_array().expect("items");
        let of_lists = ["observations", "risks", "findings"].iter().flat_map(|name| list(&document, name));
        for thing in of_lists.chain(items) {
            assert!(ids.insert(thing["uuid"].as_str().expect("an id").to_owned()), "{thing}");
        }
        let names = ["observation-uuid", "risk-uuid", "subject-uuid"];
        let mut stack = vec![&document];
        let mut references = 0;
        while let Some(value) = stack.pop() {
            match value {
                Value::Array(list) => stack.extend(list),
                Value::Object(map) => {
                    stack.extend(map.values());
                    for id in names.iter().filter_map(|name| map.get(*name)) {
                        assert!(ids.contains(id.as_str().expect("an id")), "{id}");
                        references += 1;
                    }
                }
                _ => {}
            }
        }
        assert!(references > 20);
    }
}

#[test]
fn every_finding_and_every_gap_is_an_observation() {
    let report = samples::company();
    let document = document(&report);
    let of = |kind: &str| list(&document, "observations").iter().filter(|one| one["types"][0] == kind).count();
    assert_eq!((of("finding"), of("coverage-gap")), (report.findings.len(), report.gaps.len()));
    assert_eq!(document["results"][0]["title"], "Keytrail scan, incomplete");
}

#[test]
fn what_exceptions_cover_is_a_deviation_and_no_failure() {
    let mut report = samples::everything();
    report.findings.retain(|finding| finding.rule == "overdue-rotation");
    for finding in &mut report.findings {
        finding.exception = Some("the vendor ends the service".to_owned());
    }
    let document = document(&report);
    let risk = &list(&document, "risks")[0];
    assert_eq!(risk["status"], "deviation-approved");
    let states: Vec<&Value> =
        risk["risk-log"]["entries"].as_array().expect("entries").iter().map(|one| &one["status-change"]).collect();
    assert_eq!(states, ["open", "deviation-approved", "deviation-approved"]);
    assert!(list(&document, "findings").iter().all(|finding| finding["target"]["status"]["reason"] == "other"));
}

#[test]
fn every_rule_with_a_direct_control_gives_a_finding_on_it() {
    let document = document(&samples::everything());
    let targets: BTreeSet<&str> =
        list(&document, "findings").iter().filter_map(|one| one["target"]["target-id"].as_str()).collect();
    assert!(targets.contains("ia-5_smt.f") && targets.contains("ia-5.7_smt"), "{targets:?}");
    assert_eq!(list(&document, "risks").len(), RULES.len());
}

#[test]
fn foreign_text_is_one_line_and_no_markup() {
    assert_eq!(line(" a\nb "), r"a\nb");
    assert_eq!(line("\t"), r"\t");
    assert_eq!(line("  "), "-");
    assert_eq!(markup("<script>_x_"), r"\<script\>\_x\_");
}
