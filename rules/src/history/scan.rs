//! A scan in a row of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Changes, Measures, Point};
use crate::model::{Severity, Time};
use crate::report::Report;

/// A scan that was recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Scan {
    /// The instant that it was about.
    pub as_of: Time,
    /// Version of the Keytrail that scanned.
    pub tool: String,
    /// The parts that ran.
    pub facets: Vec<String>,
    /// Whether everything could be read.
    pub complete: bool,
    /// Findings that no exception covered, by severity.
    pub findings: BTreeMap<Severity, u64>,
    /// The measures.
    pub measures: Measures,
    /// What was different from the scan before; none for the first.
    pub changes: Option<ChangeCounts>,
}

/// How many changes there were, by their kind. See [`Changes`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeCounts {
    /// See [`Changes::new`].
    pub new: u64,
    /// See [`Changes::regressed`].
    pub regressed: u64,
    /// See [`Changes::fixed`].
    pub fixed: u64,
    /// See [`Changes::unseen`].
    pub unseen: u64,
    /// See [`Changes::covered`].
    pub covered: u64,
    /// See [`Changes::uncovered`].
    pub uncovered: u64,
    /// See [`Changes::unchanged`].
    pub unchanged: u64,
}

impl Changes {
    /// How many there are.
    pub fn counts(&self) -> ChangeCounts {
        let lists = [&self.new, &self.regressed, &self.fixed, &self.unseen, &self.covered, &self.uncovered];
        let [new, regressed, fixed, unseen, covered, uncovered] = lists.map(|list| list.len() as u64);
        ChangeCounts { new, regressed, fixed, unseen, covered, uncovered, unchanged: self.unchanged }
    }
}

impl Scan {
    /// What is kept of a report. A baseline changes nothing of it.
    pub fn of(report: &Report, changes: Option<&Changes>) -> Self {
        let mut findings = BTreeMap::new();
        for finding in report.findings.iter().filter(|finding| finding.exception.is_none()) {
            *findings.entry(finding.severity).or_default() += 1;
        }
        Self {
            as_of: report.as_of,
            tool: report.tool.version.to_owned(),
            facets: report.facets.iter().map(|facet| facet.as_str().to_owned()).collect(),
            complete: report.summary.complete,
            findings,
            measures: report.summary.measures,
            changes: changes.map(Changes::counts),
        }
    }

    /// The scan among others.
    pub fn point(&self) -> Point {
        let Self { as_of, complete, findings, measures, .. } = self;
        Point { as_of: *as_of, complete: *complete, findings: findings.clone(), measures: *measures }
    }
}
