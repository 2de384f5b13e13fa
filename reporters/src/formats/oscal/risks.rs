//! One risk for a rule that found something, with the exceptions that the policy makes from it.

use std::collections::BTreeMap;

use keytrail_rules::checks::Rule;
use keytrail_rules::report::ExceptionReport;

use super::model::{LogEntry, ObservationRef, Prop, Risk, RiskLog};
use super::observations::Seen;
use super::{HOME, Scene, id, line, markup};

/// The risks, by rule.
pub(super) type Risks = Vec<(&'static str, Risk)>;

/// The risks of a report, in the order of the names of their rules.
pub(super) fn risks(scene: &Scene<'_>, seen: &Seen<'_>) -> Risks {
    let mut by_rule: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    for (at, finding) in scene.report.findings.iter().enumerate() {
        by_rule.entry(finding.rule).or_default().push(at);
    }
    by_rule.into_iter().map(|(rule, found)| (rule, risk(scene, seen, rule, &found))).collect()
}

fn risk(scene: &Scene<'_>, seen: &Seen<'_>, rule: &'static str, found: &[usize]) -> Risk {
    let is_covered = found.iter().all(|at| scene.report.findings[*at].exception.is_some());
    let summary = Rule::find(rule).map(Rule::summary).unwrap_or(rule);
    let entries: Vec<LogEntry> = scene
        .report
        .exceptions
        .iter()
        .enumerate()
        .filter(|(_, exception)| exception.rule == rule)
        .map(|(at, exception)| entry(scene, at, exception))
        .collect();
    let observations = found.iter().map(|at| ObservationRef { observation_uuid: seen.of_finding(*at).to_owned() });
    Risk {
        uuid: id("risk", rule),
        title: rule.to_owned(),
        description: markup(summary),
        statement: format!("Findings of the rule {rule}: {}.", found.len()),
        status: if is_covered { "deviation-approved" } else { "open" },
        risk_log: (!entries.is_empty()).then_some(RiskLog { entries }),
        related_observations: observations.collect(),
    }
}

/// An exception. When it was made is not known, so that it begins where it was seen; one that ran out began before its end.
fn entry(scene: &Scene<'_>, at: usize, exception: &ExceptionReport) -> LogEntry {
    let end = exception.expires.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let holds = exception.expires > scene.report.as_of;
    let prop = |name, value: &str| Prop { name, ns: HOME, value: line(value) };
    let mut props = vec![prop("state", exception.state.as_str()), prop("covers", &exception.covers.to_string())];
    props.extend(exception.secret.as_ref().map(|secret| prop("secret", secret)));
    props.extend(exception.approved_by.as_ref().map(|name| prop("approved-by", name)));
    LogEntry {
        uuid: id("exception", &format!("{at}\n{}", exception.rule)),
        title: "Exception",
        description: markup(&exception.reason),
        start: if holds { scene.as_of.clone() } else { end.clone() },
        end,
        props,
        status_change: if holds { "deviation-approved" } else { "open" },
    }
}
