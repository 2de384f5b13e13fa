//! A report on some frameworks alone.

use std::collections::BTreeSet;

use super::{Framework, of_rule};
use crate::history::FindingChange;
use crate::report::Report;

/// Whether a rule has to do with one of the frameworks. With none, every rule has.
pub fn bears_on(rule: &str, frameworks: &[&Framework]) -> bool {
    frameworks.is_empty() || of_rule(rule).iter().any(|mapping| frameworks.contains(&mapping.framework))
}

impl Report {
    /// The report with the findings and the controls of some frameworks alone. It says which, and how many findings that
    /// count were left out. Secrets, gaps, trails and measures stay: they are what the rest is judged by.
    pub fn only(&self, frameworks: &[&Framework]) -> Report {
        let mut report = self.clone();
        let ids: BTreeSet<&str> = frameworks.iter().map(|framework| framework.id).collect();
        report.findings.retain(|finding| bears_on(finding.rule, frameworks));
        for finding in &mut report.findings {
            finding
                .controls
                .retain(|control| control.split(':').next().is_some_and(|framework| ids.contains(framework)));
        }
        report.controls.retain(|control| ids.contains(control.framework.as_str()));
        if let Some(changes) = &mut report.changes {
            let before = changes.unchanged;
            let lists = [&mut changes.new, &mut changes.regressed, &mut changes.fixed, &mut changes.unseen];
            for list in lists {
                list.retain(|change: &FindingChange| bears_on(&change.rule, frameworks));
            }
            let fresh = (changes.new.len() + changes.regressed.len()) as u64;
            changes.unchanged = before.min((report.findings.len() as u64).saturating_sub(fresh));
        }
        let (measures, all) = (self.summary.measures, self.counting().count());
        report.summarise();
        report.summary.measures = measures;
        report.summary.frameworks = frameworks.iter().map(|framework| framework.id.to_owned()).collect();
        report.summary.left_out = all.saturating_sub(report.counting().count()) as u64;
        report
    }
}
