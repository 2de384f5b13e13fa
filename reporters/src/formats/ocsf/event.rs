//! Findings as events.

use std::collections::BTreeSet;

use keytrail_rules::checks::Rule;
use keytrail_rules::controls::Framework;
use keytrail_rules::history::FindingChange;
use keytrail_rules::model::{Evidence, Finding, Location, Severity};
use serde_json::{Map, Value, json};

use super::{Activity, Class, HOME, Scene, severity_id, text};

/// So many pieces of evidence go with a finding.
const MAX_EVIDENCE: usize = 100;

/// What every event has: the class, the activity, the time, the product.
pub(super) fn base(
    scene: &Scene<'_>,
    class: Class,
    activity: Activity,
    severity: u8,
    name: &str,
) -> Map<String, Value> {
    let (class_uid, activity_id) = (class as u32, activity as u32);
    let names = match activity {
        Activity::Create => "Create",
        Activity::Update => "Update",
        Activity::Close => "Close",
    };
    let event = json!({
        "activity_id": activity_id,
        "activity_name": names,
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": class.name(),
        "class_uid": class_uid,
        "metadata": {
            "product": { "name": "Keytrail", "vendor_name": "Keytrail", "version": scene.report.tool.version },
            "uid": scene.uid(&format!("{activity_id}\n{name}")),
            "version": "1.8.0",
        },
        "severity_id": severity,
        "time": scene.time,
        "type_name": format!("{}: {names}", class.name()),
        "type_uid": class_uid * 100 + activity_id,
    });
    match event {
        Value::Object(event) => event,
        _ => Map::new(),
    }
}

/// A finding of this scan.
pub(super) fn of_finding(scene: &Scene<'_>, finding: &Finding) -> Value {
    let class = Class::of(finding.rule);
    let activity = scene.activity(finding);
    let mut event = base(scene, class, activity, severity_id(finding.severity), &finding.fingerprint);
    event.insert("message".to_owned(), json!(text(&finding.message)));
    event.insert("finding_info".to_owned(), info(finding.rule, &finding.fingerprint, &finding.message));
    event.insert("status_id".to_owned(), json!(if finding.counts() { 1 } else { 3 }));
    if let Some(exception) = &finding.exception {
        event.insert("status_detail".to_owned(), json!(text(exception)));
    } else if finding.baselined {
        event.insert("status_detail".to_owned(), json!("the baseline has it already"));
    }
    if let Some(item) = &finding.item {
        event.insert("resources".to_owned(), json!([resource(scene, item.as_str())]));
    }
    match class {
        Class::Compliance => {
            event.insert("compliance".to_owned(), compliance(finding));
            add_details(&mut event, finding);
        }
        Class::Detection => {
            add_tags(&mut event, finding);
            add_details(&mut event, finding);
        }
        Class::DataSecurity => {
            add_tags(&mut event, finding);
            event.insert("data_security".to_owned(), data_security());
            if !finding.next.is_empty() {
                event.insert("comment".to_owned(), json!(text(&finding.next)));
            }
            if let Some(location) = &finding.location {
                event.insert("file".to_owned(), file(location));
            }
        }
    }
    Value::Object(event)
}

/// A finding of the scan before that is gone.
pub(super) fn closed(scene: &Scene<'_>, change: &FindingChange) -> Value {
    let class = Class::of(&change.rule);
    let mut event = base(scene, class, Activity::Close, severity_id(change.severity), &change.fingerprint);
    event.insert("message".to_owned(), json!(text(&change.message)));
    event.insert("finding_info".to_owned(), info(&change.rule, &change.fingerprint, &change.message));
    event.insert("status_id".to_owned(), json!(4));
    if let Some(item) = &change.item {
        event.insert("resources".to_owned(), json!([resource(scene, item)]));
    }
    match class {
        Class::Compliance => {
            let check = check(&change.rule, 1, change.severity);
            event.insert("compliance".to_owned(), json!({ "checks": [check], "status_id": 1 }));
        }
        Class::DataSecurity => drop(event.insert("data_security".to_owned(), data_security())),
        Class::Detection => {}
    }
    Value::Object(event)
}

fn info(rule: &str, fingerprint: &str, message: &str) -> Value {
    let known = Rule::find(rule);
    let title = known.map_or_else(|| text(rule), |rule| rule.summary().to_owned());
    json!({
        "analytic": {
            "name": text(rule),
            "type": "Rule",
            "type_id": 1,
            "uid": known.map_or_else(|| text(rule), |rule| rule.code.to_owned()),
        },
        "desc": text(message),
        "title": title,
        "types": [known.map_or("keytrail", |rule| rule.facet.as_str())],
        "uid": text(fingerprint),
    })
}

fn resource(scene: &Scene<'_>, id: &str) -> Value {
    let mut resource = json!({ "name": text(id), "type": "Secret", "uid": text(id) });
    if let Some(owner) = scene.items.get(id).and_then(|item| item.owner.as_ref()) {
        resource["owner"] = json!({ "name": text(owner) });
    }
    resource
}

fn compliance(finding: &Finding) -> Value {
    // What is let pass, and what only reminds, is no failure.
    let status = if finding.counts() && finding.severity > Severity::Low { 3 } else { 2 };
    json!({
        "checks": [check(finding.rule, status, finding.severity)],
        "control": finding.rule,
        "requirements": controls(finding),
        "standards": standards(finding),
        "status_id": status,
    })
}

/// A rule as a check.
pub(super) fn check(rule: &str, status: u8, severity: Severity) -> Value {
    let known = Rule::find(rule);
    json!({
        "desc": known.map_or_else(|| text(rule), |rule| rule.summary().to_owned()),
        "name": text(rule),
        "severity_id": severity_id(severity),
        "status_id": status,
        "uid": known.map_or_else(|| text(rule), |rule| rule.code.to_owned()),
    })
}

fn controls(finding: &Finding) -> Vec<String> {
    finding.controls.iter().map(|control| text(control)).collect()
}

fn standards(finding: &Finding) -> BTreeSet<String> {
    let framework = |control: &String| Framework::find(control.split(':').next().unwrap_or_default());
    let name = |framework: &Framework| format!("{} {}", framework.name, framework.version);
    finding.controls.iter().filter_map(framework).map(name).collect()
}

fn add_tags(event: &mut Map<String, Value>, finding: &Finding) {
    let controls = controls(finding);
    if let Some(info) = event.get_mut("finding_info").filter(|_| !controls.is_empty()) {
        info["tags"] = json!([{ "name": "controls", "values": controls }]);
    }
}

fn add_details(event: &mut Map<String, Value>, finding: &Finding) {
    if !finding.next.is_empty() {
        let references = Rule::find(finding.rule).map(|rule| format!("{HOME}/rules/{}", rule.code));
        let references: Vec<String> = references.into_iter().collect();
        event.insert("remediation".to_owned(), json!({ "desc": text(&finding.next), "references": references }));
    }
    let own = finding.location.iter().map(|location| evidence(&finding.message, Some(location), None));
    let noted = |one: &Evidence| {
        evidence(&one.note, one.location.as_ref(), one.place.as_ref().map(keytrail_rules::model::Place::as_str))
    };
    let all: Vec<Value> = own.chain(finding.evidence.iter().map(noted)).take(MAX_EVIDENCE).collect();
    if !all.is_empty() {
        event.insert("evidences".to_owned(), Value::Array(all));
    }
}

fn evidence(note: &str, location: Option<&Location>, place: Option<&str>) -> Value {
    let mut data = json!({ "note": text(note) });
    if let Some(place) = place {
        data["place"] = json!(text(place));
    }
    let mut evidence = json!({});
    if let Some(location) = location {
        data["line"] = json!(location.line);
        evidence["file"] = file(location);
    }
    evidence["data"] = data;
    evidence
}

fn file(location: &Location) -> Value {
    let name = location.file.rsplit('/').next().unwrap_or(&location.file);
    json!({ "name": text(name), "path": text(&location.file), "type_id": 1 })
}

/// A credential, found at rest, by a tool for developers.
fn data_security() -> Value {
    json!({ "category_id": 6, "confidentiality_id": 3, "data_lifecycle_state_id": 1, "detection_system_id": 11 })
}
