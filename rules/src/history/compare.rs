//! What is different between two scans.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Changes, FindingChange, StatusChange};
use crate::checks::{Facet, Rule};
use crate::model::{Finding, Time};
use crate::report::{ItemStatus, Report};

/// What a scan found, as far as it is compared with another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The instant of the scan.
    pub as_of: Time,
    /// The findings, by fingerprint.
    pub findings: BTreeMap<String, FoundFinding>,
    /// The statuses of the items, by id.
    pub items: BTreeMap<String, String>,
}

/// A finding that is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundFinding {
    /// What is said of it.
    pub finding: FindingChange,
    /// Whether an exception covers it.
    pub excepted: bool,
}

/// What a scan looked at: what it did not look at is not gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Looked {
    /// Whether everything could be read.
    pub complete: bool,
    /// The parts that ran.
    pub facets: BTreeSet<Facet>,
    /// The rules that were switched off.
    pub disabled_rules: BTreeSet<String>,
}

impl Found {
    /// What a report found.
    pub fn of(report: &Report) -> Self {
        let findings = report.findings.iter().map(|finding| (finding.fingerprint.clone(), FoundFinding::of(finding)));
        let items = report.items.iter().map(|item| (item.id.to_string(), item.status.as_str().to_owned()));
        Self { as_of: report.as_of, findings: findings.collect(), items: items.collect() }
    }
}

impl FoundFinding {
    /// A finding of a report.
    pub fn of(finding: &Finding) -> Self {
        Self {
            finding: FindingChange {
                rule: finding.rule.to_owned(),
                severity: finding.severity,
                item: finding.item.as_ref().map(ToString::to_string),
                message: finding.message.clone(),
                fingerprint: finding.fingerprint.clone(),
            },
            excepted: finding.exception.is_some(),
        }
    }
}

impl Looked {
    /// What a report looked at.
    pub fn of(report: &Report) -> Self {
        Self {
            complete: report.summary.complete,
            facets: report.facets.iter().copied().collect(),
            disabled_rules: report.disabled_rules.iter().cloned().collect(),
        }
    }

    /// Whether a rule ran. One that this version does not have did not.
    pub fn ran(&self, rule: &str) -> bool {
        Rule::find(rule).is_some_and(|rule| self.facets.contains(&rule.facet)) && !self.disabled_rules.contains(rule)
    }

    /// Whether what a rule does not find is gone.
    pub fn is_gone(&self, rule: &str) -> bool {
        self.complete && self.ran(rule)
    }

    /// Whether another status of an item says that the item changed. Only the search for leaks tells what is
    /// compromised, and only the rules about cadences tell what an exception covers.
    pub fn tells(&self, before: &str, now: &str) -> bool {
        before != now
            && (before != ItemStatus::Compromised.as_str() || self.facets.contains(&Facet::Leaks))
            && (before != ItemStatus::Exempt.as_str() || self.facets.contains(&Facet::Cadence))
    }
}

/// What is different between two scans. `looked` says what the later one looked at; `came_back`, by fingerprint, which of
/// the findings that only it has were there before and gone in between.
///
/// Every finding is in one list, or counted as unchanged, or let pass by an exception wherever it is.
pub fn compare(before: &Found, now: &Found, looked: &Looked, came_back: &dyn Fn(&str) -> bool) -> Changes {
    let mut changes = Changes { since: before.as_of, ..Changes::default() };
    for (fingerprint, found) in &now.findings {
        let list = match (before.findings.get(fingerprint).map(|found| found.excepted), found.excepted) {
            (None | Some(true), true) => continue,
            (Some(false), false) => {
                changes.unchanged += 1;
                continue;
            }
            (None, false) if came_back(fingerprint) => &mut changes.regressed,
            (None, false) => &mut changes.new,
            (Some(true), false) => &mut changes.uncovered,
            (Some(false), true) => &mut changes.covered,
        };
        list.push(found.finding.clone());
    }
    let absent = before.findings.iter().filter(|(fingerprint, _)| !now.findings.contains_key(*fingerprint));
    for (_, found) in absent.filter(|(_, found)| !found.excepted) {
        let is_gone = looked.is_gone(&found.finding.rule);
        let list = if is_gone { &mut changes.fixed } else { &mut changes.unseen };
        list.push(found.finding.clone());
    }
    let Changes { new, regressed, fixed, unseen, covered, uncovered, .. } = &mut changes;
    for list in [new, regressed, fixed, unseen, covered, uncovered] {
        list.sort_by(|a, b| (Reverse(a.severity), a).cmp(&(Reverse(b.severity), b)));
    }
    changes.items = statuses(before, now, looked);
    changes
}

fn statuses(before: &Found, now: &Found, looked: &Looked) -> Vec<StatusChange> {
    let ids: BTreeSet<&String> = before.items.keys().chain(now.items.keys()).collect();
    let change = |id: &String| {
        let (before, after) = (before.items.get(id), now.items.get(id));
        let is_told = match (before, after) {
            (Some(before), Some(after)) => looked.tells(before, after),
            (Some(_), None) => looked.complete,
            (None, _) => true,
        };
        is_told.then(|| StatusChange { item: id.clone(), before: before.cloned(), after: after.cloned() })
    };
    ids.into_iter().filter_map(change).collect()
}
