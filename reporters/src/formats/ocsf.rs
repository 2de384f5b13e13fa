//! OCSF 1.8.0 as lines of JSON, for SIEMs and data lakes.
//!
//! * Compliance Finding (2003): inventory, cadence and coverage of trails; the scan itself, with a check for each rule; gaps.
//! * Detection Finding (2004): what somebody did who should not have: silent rotations, trails that were changed.
//! * Data Security Finding (2006): leaks.
//!
//! # Guarantees
//! * `finding_info.uid` stays the same from scan to scan. The activity is `Create` for what is new, `Update` for what the scan
//!   before had too, `Close` for what is fixed; without an earlier scan all of it is `Create`. What this scan did not look
//!   at is neither updated nor closed.
//! * What an exception or the baseline covers is there, `Suppressed`.
//! * The first line is about the scan. It passes only where every rule looked and found nothing; with gaps it never does.
//!
//! The classes: <https://schema.ocsf.io/1.8.0/categories/findings>.

mod event;
mod scan;

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::checks::{Facet, Rule};
use keytrail_rules::history::FindingChange;
use keytrail_rules::model::{Finding, Severity};
use keytrail_rules::report::{ItemReport, Report};
use serde_json::Value;
use uuid::Uuid;

use super::Format;
use crate::{Error, Options, escape};

/// For SIEMs.
pub(super) static FORMAT: Format = Format {
    name: "ocsf",
    summary: "OCSF 1.8.0 as lines of JSON, for SIEMs",
    extension: "jsonl",
    is_text: true,
    render,
};

/// Longest text that is carried over, in characters.
const MAX_TEXT: usize = 1_024;

/// Where the rules are described.
const HOME: &str = "https://keytrail.dev";

fn render(report: &Report, _: &Options) -> Result<Vec<u8>, Error> {
    let scene = Scene::new(report);
    let mut lines = Vec::new();
    let mut add = |event: Value| -> Result<(), Error> {
        lines.extend_from_slice(escape::json(&serde_json::to_string(&event)?).as_bytes());
        lines.push(b'\n');
        Ok(())
    };
    add(scan::scan(&scene))?;
    for gap in &report.gaps {
        add(scan::gap(&scene, gap))?;
    }
    for finding in &report.findings {
        add(event::of_finding(&scene, finding))?;
    }
    for change in report.changes.iter().flat_map(|changes| &changes.fixed) {
        add(event::closed(&scene, change))?;
    }
    Ok(lines)
}

/// What every event is made from.
struct Scene<'a> {
    report: &'a Report,
    /// Milliseconds since 1970, the time of OCSF.
    time: i64,
    items: BTreeMap<&'a str, &'a ItemReport>,
    /// The fingerprints that the scan before had not; `None` without one.
    fresh: Option<BTreeSet<&'a str>>,
}

impl<'a> Scene<'a> {
    fn new(report: &'a Report) -> Self {
        let fingerprint = |change: &'a FindingChange| change.fingerprint.as_str();
        let fresh = |changes: &'a keytrail_rules::history::Changes| {
            changes.new.iter().chain(&changes.regressed).map(fingerprint).collect()
        };
        Self {
            report,
            time: report.as_of.timestamp_millis(),
            items: report.items.iter().map(|item| (item.id.as_str(), item)).collect(),
            fresh: report.changes.as_ref().map(fresh),
        }
    }

    fn activity(&self, finding: &Finding) -> Activity {
        match &self.fresh {
            Some(fresh) if !fresh.contains(finding.fingerprint.as_str()) => Activity::Update,
            _ => Activity::Create,
        }
    }

    /// The id of an event: another one for each scan.
    fn uid(&self, name: &str) -> String {
        let home = Uuid::new_v5(&Uuid::NAMESPACE_URL, HOME.as_bytes());
        Uuid::new_v5(&home, format!("event\n{}\n{name}", self.time).as_bytes()).to_string()
    }
}

/// What happens to a finding.
#[derive(Clone, Copy)]
enum Activity {
    Create = 1,
    Update = 2,
    Close = 3,
}

/// A class of findings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Compliance = 2003,
    Detection = 2004,
    DataSecurity = 2006,
}

impl Class {
    /// The class of a rule's findings.
    fn of(rule: &str) -> Self {
        match (rule, Rule::find(rule).map(|rule| rule.facet)) {
            ("silent-rotation" | "trail-tampered" | "deleted-out-of-band" | "unexpected-reader", _) => Self::Detection,
            (_, Some(Facet::Leaks)) => Self::DataSecurity,
            _ => Self::Compliance,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Compliance => "Compliance Finding",
            Self::Detection => "Detection Finding",
            Self::DataSecurity => "Data Security Finding",
        }
    }
}

fn severity_id(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// Text that is safe to show and not too long.
fn text(text: &str) -> String {
    escape::clip(&escape::terminal(text), MAX_TEXT).into_owned()
}

#[cfg(test)]
mod tests;
