//! The scan itself, and what it could not read.

use std::collections::BTreeMap;

use keytrail_rules::checks::RULES;
use keytrail_rules::model::Gap;
use serde_json::{Value, json};

use super::event::{base, check};
use super::{Activity, Class, Scene, text};

const PASS: u8 = 1;
const WARNING: u8 = 2;
const FAIL: u8 = 3;
const UNKNOWN: u8 = 0;

/// The scan, with a check for each rule. A rule passes where it looked and found nothing.
pub(super) fn scan(scene: &Scene<'_>) -> Value {
    let report = scene.report;
    let evidence = report.controls.iter().flat_map(|control| &control.rules);
    let ran: BTreeMap<&str, bool> = evidence.map(|rule| (rule.rule.as_str(), rule.ran)).collect();
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for finding in &report.findings {
        *found.entry(finding.rule).or_default() |= finding.counts();
    }
    let status = |rule: &str| match (found.get(rule), ran.get(rule)) {
        (Some(true), _) => FAIL,
        (Some(false), _) => WARNING,
        (None, Some(true)) => PASS,
        (None, _) => UNKNOWN,
    };
    let checks: Vec<Value> = RULES.iter().map(|rule| check(rule.id, status(rule.id), rule.severity)).collect();
    let worst = |wanted: u8| RULES.iter().any(|rule| status(rule.id) == wanted);
    let overall = match () {
        () if worst(FAIL) => FAIL,
        () if worst(WARNING) || !report.gaps.is_empty() => WARNING,
        () if worst(UNKNOWN) => UNKNOWN,
        () => PASS,
    };
    let message = format!(
        "Secrets: {}. Findings that count: {}. Gaps: {}.",
        report.items.len(),
        report.counting().count(),
        report.gaps.len()
    );
    let activity = if report.changes.is_some() { Activity::Update } else { Activity::Create };
    let mut event = base(scene, Class::Compliance, activity, 1, "scan");
    event.insert("compliance".to_owned(), json!({ "checks": checks, "status_id": overall }));
    event.insert(
        "finding_info".to_owned(),
        json!({ "desc": message, "title": "Keytrail scan", "uid": "keytrail/scan" }),
    );
    event.insert("message".to_owned(), json!(message));
    Value::Object(event)
}

/// What could not be read: nothing passes and nothing fails, it is not known.
pub(super) fn gap(scene: &Scene<'_>, gap: &Gap) -> Value {
    let place = gap.place.as_ref().map(keytrail_rules::model::Place::as_str).unwrap_or_default();
    let line = gap.location.as_ref().map(|location| location.line.to_string()).unwrap_or_default();
    let uid = format!("keytrail/gap/{}/{}/{place}/{line}", gap.source, gap.reason.as_str());
    let message = format!("'{}' could not be read ({}): {}.", gap.source, gap.reason.as_str(), gap.message);
    let mut event = base(scene, Class::Compliance, Activity::Create, 3, &format!("{uid}\n{}", gap.message));
    event.insert("compliance".to_owned(), json!({ "status_details": [gap.reason.as_str()], "status_id": UNKNOWN }));
    let title = "Evidence that could not be had";
    let info = json!({ "desc": text(&message), "title": title, "types": ["coverage-gap"], "uid": text(&uid) });
    event.insert("finding_info".to_owned(), info);
    event.insert("message".to_owned(), json!(text(&message)));
    if let Some(hint) = &gap.hint {
        event.insert("remediation".to_owned(), json!({ "desc": text(hint) }));
    }
    Value::Object(event)
}
