//! The text format of Prometheus 0.0.4, for the textfile collector of node_exporter.
//!
//! No sample has a timestamp: the collector skips files with one. The number of series grows with the secrets (three for
//! each, at most), the trails (one each) and the pairs of rule and severity that have findings; the rest are fewer than
//! fifty. Labels hold ids, owners and environments, nothing that changes with each scan.

mod family;

use keytrail_rules::history::Measures;
use keytrail_rules::model::{Severity, Time};
use keytrail_rules::report::{ItemReport, ItemStatus, Report};

use super::Format;
use crate::sheets::is_complete;
use crate::{Error, Options};
use family::Family;

/// Gauges to alert on: what is overdue, what was found, how old the evidence is.
pub(super) static FORMAT: Format = Format {
    name: "prometheus",
    summary: "gauges for the textfile collector of node_exporter",
    extension: "prom",
    is_text: true,
    render,
};

fn render(report: &Report, _: &Options) -> Result<Vec<u8>, Error> {
    let mut families = scan(report);
    families.extend(findings(report));
    families.extend(secrets(report));
    families.extend(trails(report));
    if report.summary.measures != Measures::default() {
        families.extend(measures(report));
    }
    Ok(families.into_iter().map(Family::into_text).collect::<String>().into_bytes())
}

fn scan(report: &Report) -> Vec<Family> {
    let mut success = Family::new(
        "keytrail_scan_success",
        "Whether everything in scope could be read: 1, or 0 where there is a gap.",
    );
    success.add(&[], f64::from(u8::from(is_complete(report))));
    let mut at = Family::new("keytrail_scan_timestamp_seconds", "The instant that the scan is about.");
    at.add(&[], seconds(report.as_of));
    let mut gaps = Family::new("keytrail_gaps", "Pieces of evidence that could not be had.");
    gaps.add(&[], report.gaps.len() as f64);
    let mut version = Family::new("keytrail_build_info", "The version that made the scan.");
    version.add(&[("version", report.tool.version)], 1.0);
    vec![success, at, gaps, version]
}

fn findings(report: &Report) -> Vec<Family> {
    let mut findings = Family::new(
        "keytrail_findings",
        "Findings that count, by severity and rule; a pair without findings has no sample.",
    );
    for finding in report.counting() {
        let labels = [("severity", finding.severity.as_str()), ("rule", finding.rule)];
        findings.count(&labels, 1);
    }
    let mut severities =
        Family::new("keytrail_findings_by_severity", "Findings that count, by severity; every severity has a sample.");
    for severity in Severity::ALL {
        let number = report.summary.findings.get(&severity).copied().unwrap_or_default();
        severities.count(&[("severity", severity.as_str())], number);
    }
    let mut passed = Family::new("keytrail_findings_let_pass", "Findings that do not count, by what lets them pass.");
    passed.count(&[("by", "exception")], report.summary.excepted);
    passed.count(&[("by", "baseline")], report.summary.baselined);
    vec![findings, severities, passed]
}

fn secrets(report: &Report) -> Vec<Family> {
    let mut statuses = Family::new("keytrail_secrets", "Secrets, by status; every status has a sample.");
    for status in ItemStatus::ALL {
        let number = report.summary.items.get(&status).copied().unwrap_or_default();
        statuses.count(&[("status", status.as_str())], number);
    }
    let mut last = Family::new(
        "keytrail_secret_last_rotation_timestamp_seconds",
        "When the current value was set; the earlier bound where only bounds are proven; no sample where nothing is.",
    );
    let mut due = Family::new(
        "keytrail_secret_due_timestamp_seconds",
        "When the secret is to be rotated; no sample without a calendar cadence or a known age.",
    );
    let mut known = Family::new("keytrail_secret_status", "The status of each secret: 1 for the one that it has.");
    for item in &report.items {
        let labels = labels(item);
        if let Some(time) = item.age.as_ref().and_then(|age| age.not_before) {
            last.earliest(&labels, seconds(time));
        }
        if let Some(time) = item.due_at {
            due.earliest(&labels, seconds(time));
        }
        let status = [labels.as_slice(), &[("status", item.status.as_str())]].concat();
        known.earliest(&status, 1.0);
    }
    vec![statuses, known, last, due]
}

fn labels(item: &ItemReport) -> Vec<(&'static str, &str)> {
    let environment = item.environment.as_ref().map_or("", |environment| environment.as_str());
    vec![
        ("secret", item.id.as_str()),
        ("environment", environment),
        ("owner", item.owner.as_deref().unwrap_or_default()),
    ]
}

fn trails(report: &Report) -> Vec<Family> {
    let mut last = Family::new(
        "keytrail_trail_last_event_timestamp_seconds",
        "The newest record of each trail; no sample for one without records.",
    );
    let mut holes = Family::new("keytrail_trail_holes", "Stretches of time of which records of a trail are missing.");
    for trail in &report.trails {
        let labels = [("trail", trail.name.as_str()), ("kind", trail.kind), ("role", trail.role.as_str())];
        if let Some(time) = trail.last {
            last.earliest(&labels, seconds(time));
        }
        holes.count(&labels, trail.holes.len() as u64);
    }
    vec![last, holes]
}

fn measures(report: &Report) -> Vec<Family> {
    let measures = &report.summary.measures;
    let one = |name, help, number: u64| {
        let mut family = Family::new(name, help);
        family.count(&[], number);
        family
    };
    let mut families = vec![
        one("keytrail_secrets_with_cadence", "Secrets that are to be rotated by the calendar.", measures.with_cadence),
        one("keytrail_secrets_in_cadence", "Of these, the ones proven to be within it.", measures.in_cadence),
        one("keytrail_rotations", "Changes that the trails show.", measures.rotations),
        one("keytrail_rotations_judged", "Of these, the ones that could be judged.", measures.judged),
        one("keytrail_rotations_silent", "Of these, the ones that nobody asked for.", measures.silent),
        one("keytrail_leaks", "Values that lie open and count.", measures.leaks),
    ];
    let mean = report.trends.as_ref().and_then(|trends| trends.mean_seconds_to_rotate);
    for (name, help, value) in [
        ("keytrail_oldest_secret_age_seconds", "The age of the oldest value with a cadence.", measures.oldest_seconds),
        ("keytrail_rotation_delay_mean_seconds", "How long a secret that is due waits for its rotation.", mean),
    ] {
        if let Some(value) = value {
            let mut family = Family::new(name, help);
            family.add(&[], value as f64);
            families.push(family);
        }
    }
    families
}

fn seconds(time: Time) -> f64 {
    time.timestamp_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
