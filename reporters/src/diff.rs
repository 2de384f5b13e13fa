//! What is different between two JSON reports: `keytrail/diff/v1`.
//!
//! What an exception covers does not count, and baselines change nothing. `reporters/schemas/diff-v1.schema.json` describes
//! every field of the JSON form.

mod markdown;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::checks::Facet;
use keytrail_rules::history::{Changes, FindingChange, Found, FoundFinding, Looked, compare};
use keytrail_rules::model::{Severity, Time};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Error, earlier};
pub use markdown::markdown;

/// Version of the format. Readers refuse a newer one.
pub const SCHEMA: &str = "keytrail/diff/v1";

/// What is different between two reports.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Diff {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The earlier report.
    pub before: Side,
    /// The later report.
    pub after: Side,
    /// The findings and secrets that are different.
    pub changes: Changes,
    /// Findings that an exception covers wherever they are. They are in none of the lists.
    pub let_pass: u64,
    /// The exceptions that are different.
    pub exceptions: ExceptionChanges,
}

/// One of two reports.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Side {
    /// The instant that it is about.
    pub as_of: Time,
    /// Whether everything could be read.
    pub complete: bool,
    /// Findings that no exception covers.
    pub findings: u64,
    /// Secrets.
    pub secrets: u64,
}

/// The exceptions that are different.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ExceptionChanges {
    /// Those that hold, and did not.
    pub new: Vec<ExceptionChange>,
    /// Those that held, and do no more: they ran out, or are no longer there.
    pub ended: Vec<ExceptionChange>,
}

/// An exception that holds in one of two reports.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ExceptionChange {
    /// The rule.
    pub rule: String,
    /// The secret, as the config names it; none for every secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The first instant at which it no longer holds.
    pub expires: Time,
    /// Why.
    pub reason: String,
}

/// The parts of a report that are compared. Those that older versions do not write may be missing.
#[derive(Deserialize)]
struct Document {
    as_of: Time,
    facets: Option<Vec<String>>,
    #[serde(default)]
    disabled_rules: BTreeSet<String>,
    items: Vec<Item>,
    #[serde(default)]
    gaps: Vec<IgnoredAny>,
    findings: Vec<Finding>,
    #[serde(default)]
    exceptions: Vec<Exception>,
    changes: Option<Earlier>,
    summary: Summary,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct Finding {
    #[serde(flatten)]
    finding: FindingChange,
    exception: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(flatten)]
    exception: ExceptionChange,
    state: String,
}

/// What a report says of the scan before it.
#[derive(Deserialize)]
struct Earlier {
    #[serde(default)]
    regressed: Vec<Fingerprint>,
}

#[derive(Deserialize)]
struct Fingerprint {
    fingerprint: String,
}

#[derive(Deserialize)]
struct Summary {
    complete: bool,
}

/// A JSON report to compare: what it is called, and its bytes.
pub type Named<'a> = (&'a str, &'a [u8]);

/// What is different between two JSON reports, the earlier first.
///
/// # Errors
/// One is not JSON, not a Keytrail report, or a report of a newer version.
pub fn diff(before: Named<'_>, after: Named<'_>) -> Result<Diff, Error> {
    let before: Document = earlier::read(before.0, before.1)?;
    let after: Document = earlier::read(after.0, after.1)?;
    let looked = after.looked();
    let came_back: BTreeSet<String> = after.changes.iter().flat_map(Earlier::fingerprints).collect();
    let exceptions = exceptions(&before, &after);
    let (before, after) = (before.found(), after.found());
    let is_let_pass = |found: Option<&FoundFinding>| found.is_none_or(|found| found.excepted);
    let known: BTreeSet<&String> = before.0.findings.keys().chain(after.0.findings.keys()).collect();
    let let_pass =
        known.into_iter().filter(|id| [&before, &after].iter().all(|side| is_let_pass(side.0.findings.get(*id))));
    Ok(Diff {
        schema: SCHEMA,
        let_pass: let_pass.count() as u64,
        changes: compare(&before.0, &after.0, &looked, &|id| came_back.contains(id)),
        before: before.1,
        after: after.1,
        exceptions,
    })
}

impl Diff {
    /// The findings that count now and did not: new, back, or no longer covered by an exception.
    pub fn rising(&self) -> impl Iterator<Item = &FindingChange> {
        let Changes { new, regressed, uncovered, .. } = &self.changes;
        new.iter().chain(regressed).chain(uncovered)
    }

    /// The severity of the worst that is new; see [`Diff::rising`].
    pub fn worst(&self) -> Option<Severity> {
        self.rising().map(|finding| finding.severity).max()
    }

    /// The lists of findings, each with its heading, the urgent first.
    pub(crate) fn sections(&self) -> [(&'static str, &[FindingChange]); 6] {
        let Changes { new, regressed, fixed, unseen, covered, uncovered, .. } = &self.changes;
        [
            ("New", new),
            ("Back", regressed),
            ("No longer covered by an exception", uncovered),
            ("Covered by an exception now", covered),
            ("Unseen: not looked for, or not readable", unseen),
            ("Fixed", fixed),
        ]
    }

    /// The totals in a line: `2 new, 1 fixed, 40 unchanged`.
    pub(crate) fn totals(&self) -> String {
        let Changes { new, regressed, fixed, unseen, covered, uncovered, unchanged, .. } = &self.changes;
        let parts = [
            (new.len() as u64, "new"),
            (regressed.len() as u64, "back"),
            (uncovered.len() as u64, "no longer excepted"),
            (fixed.len() as u64, "fixed"),
            (unseen.len() as u64, "unseen"),
            (covered.len() as u64, "excepted now"),
        ];
        let mut parts: Vec<String> =
            parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
        if parts.is_empty() {
            parts.push("nothing new, nothing fixed".to_owned());
        }
        parts.push(format!("{unchanged} unchanged"));
        parts.join(", ")
    }
}

impl Document {
    /// What the scan looked at: everything, where the report does not say.
    fn looked(&self) -> Looked {
        let ran = |facet: &Facet| self.facets.as_ref().is_none_or(|ran| ran.iter().any(|one| one == facet.as_str()));
        Looked {
            complete: self.is_complete(),
            facets: Facet::ALL.into_iter().filter(ran).collect(),
            disabled_rules: self.disabled_rules.clone(),
        }
    }

    fn is_complete(&self) -> bool {
        self.summary.complete && self.gaps.is_empty()
    }

    fn found(self) -> (Found, Side) {
        let complete = self.is_complete();
        let findings: BTreeMap<String, FoundFinding> = self
            .findings
            .into_iter()
            .map(|one| {
                let excepted = one.exception.is_some();
                (one.finding.fingerprint.clone(), FoundFinding { finding: one.finding, excepted })
            })
            .collect();
        let items: BTreeMap<String, String> = self.items.into_iter().map(|item| (item.id, item.status)).collect();
        let counting = findings.values().filter(|found| !found.excepted).count() as u64;
        let side = Side { as_of: self.as_of, complete, findings: counting, secrets: items.len() as u64 };
        (Found { as_of: self.as_of, findings, items }, side)
    }
}

impl Earlier {
    fn fingerprints(&self) -> impl Iterator<Item = String> {
        self.regressed.iter().map(|one| one.fingerprint.clone())
    }
}

/// The exceptions of which the rule and the secret are covered in one report only.
fn exceptions(before: &Document, after: &Document) -> ExceptionChanges {
    let holding = |document: &Document| -> BTreeSet<ExceptionChange> {
        let holds = document.exceptions.iter().filter(|one| one.state != "expired");
        holds.map(|one| one.exception.clone()).collect()
    };
    let (before, after) = (holding(before), holding(after));
    let only = |these: &BTreeSet<ExceptionChange>, others: &BTreeSet<ExceptionChange>| {
        let same = |a: &ExceptionChange, b: &ExceptionChange| (&a.rule, &a.secret) == (&b.rule, &b.secret);
        these.iter().filter(|one| !others.iter().any(|other| same(one, other))).cloned().collect()
    };
    ExceptionChanges { new: only(&after, &before), ended: only(&before, &after) }
}
