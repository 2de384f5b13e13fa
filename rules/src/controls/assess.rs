//! What a scan says on each control.

use std::collections::{BTreeMap, BTreeSet};

use super::need::Sight;
use super::{ControlReport, ControlStatus, FRAMEWORKS, Mapping, Relation, RuleEvidence, need_of, of_rule};
use crate::checks::RULES;
use crate::report::Report;

/// Every control that a rule has to do with, by framework and number. `runs` says which rules are on.
pub(crate) fn assess(report: &Report, runs: impl Fn(&str) -> bool) -> Vec<ControlReport> {
    let found: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    let looked: BTreeMap<&str, Option<Sight>> =
        RULES.iter().map(|rule| (rule.id, look(report, rule.id, &runs))).collect();
    let by_control = by_control();
    let mut controls = Vec::new();
    for framework in FRAMEWORKS {
        for control in framework.controls {
            let mappings = by_control.get(&(framework.id, control.id)).map(Vec::as_slice).unwrap_or_default();
            let direct = || mappings.iter().filter(|(_, one)| one.relation == Relation::Direct).map(|(rule, _)| *rule);
            let sight = |rule: &str| looked.get(rule).copied().flatten();
            let status = if direct().any(|rule| found.contains(rule)) {
                ControlStatus::Findings
            } else if direct().any(|rule| sight(rule) == Some(Sight::Seen))
                && direct().all(|rule| sight(rule).is_some())
            {
                ControlStatus::Evidence
            } else {
                ControlStatus::NotAssessed
            };
            let rules = mappings.iter().map(|(rule, mapping)| RuleEvidence {
                rule: (*rule).to_owned(),
                relation: mapping.relation,
                rationale: mapping.rationale.to_owned(),
                findings: 0,
                ran: sight(rule).is_some(),
            });
            controls.push(ControlReport {
                framework: framework.id.to_owned(),
                control: control.id.to_owned(),
                title: control.title.to_owned(),
                status,
                findings: 0,
                rules: rules.collect(),
            });
        }
    }
    controls
}

/// Counts the findings of each control anew.
pub(crate) fn recount(report: &mut Report) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| finding.counts()) {
        *counts.entry(finding.rule).or_default() += 1;
    }
    for control in &mut report.controls {
        for rule in &mut control.rules {
            rule.findings = counts.get(rule.rule.as_str()).copied().unwrap_or_default();
        }
        control.findings = control.rules.iter().map(|rule| rule.findings).sum();
    }
}

/// What a rule saw; `None` where it is off or could not see.
fn look(report: &Report, rule: &str, runs: &impl Fn(&str) -> bool) -> Option<Sight> {
    let need = need_of(rule).filter(|_| runs(rule))?;
    let is_hidden = report.gaps.iter().any(|gap| need.is_touched_by(gap, report));
    Some(need.sight(report)).filter(|sight| *sight != Sight::Blind && !is_hidden)
}

type Linked = (&'static str, &'static Mapping);

/// The rules of each control, by framework and control, in the order of the rules.
fn by_control() -> BTreeMap<(&'static str, &'static str), Vec<Linked>> {
    let mut by_control: BTreeMap<_, Vec<Linked>> = BTreeMap::new();
    for rule in RULES {
        for mapping in of_rule(rule.id) {
            by_control.entry((mapping.framework.id, mapping.control.id)).or_default().push((rule.id, mapping));
        }
    }
    by_control
}
