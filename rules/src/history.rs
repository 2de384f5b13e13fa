//! What scans found one after the other: what is different from the one before, and which way it goes.
//!
//! What an exception covers does not count, in either of two scans: a finding that is new and excepted is none, and one
//! that an exception comes to cover is not fixed. Baselines change nothing here: they say what one run is to fail on.

mod compare;
mod measures;
mod scan;
mod trends;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Severity, Time};
pub use compare::{Found, FoundFinding, Looked, compare};
pub use scan::{ChangeCounts, Scan};
pub use trends::{MAX_POINTS, Span, next_span, thin, trends};

/// What is different between two scans.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Changes {
    /// The instant of the earlier scan.
    pub since: Time,
    /// Findings that the earlier scan had not, and none before it.
    pub new: Vec<FindingChange>,
    /// Findings that the earlier scan had not, but one before it: they were fixed, and are back.
    pub regressed: Vec<FindingChange>,
    /// Findings of the earlier scan that are gone.
    pub fixed: Vec<FindingChange>,
    /// Findings of the earlier scan that are not here because this one did not look, or could not: a part that did not
    /// run, a source that could not be read.
    pub unseen: Vec<FindingChange>,
    /// Findings of both that an exception covers now, and did not.
    pub covered: Vec<FindingChange>,
    /// Findings of both that an exception covered, and does no more.
    pub uncovered: Vec<FindingChange>,
    /// How many findings are in both, and count in both.
    pub unchanged: u64,
    /// Secrets whose judgement is another one, or that are new or gone, by id.
    pub items: Vec<StatusChange>,
}

/// A finding that is in one of two scans.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct FindingChange {
    /// The rule.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// The item that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// One sentence.
    pub message: String,
    /// See [`crate::model::Finding::fingerprint`].
    pub fingerprint: String,
}

/// A secret whose judgement is another one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct StatusChange {
    /// The item, by id.
    pub item: String,
    /// Its status in the earlier scan; none where it is new.
    pub before: Option<String>,
    /// Its status now; none where it is gone.
    pub after: Option<String>,
}

/// Which way it goes: some scans one after the other.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Trends {
    /// The scans, the oldest first; the last is this one. At most 400: of more, one for a day, then one for a week.
    pub points: Vec<Point>,
    /// Secrets that became due, were leaked, or were never rotated, and were rotated since, over all scans that are known.
    pub rotated: u64,
    /// How long that took on average, in seconds: from the instant at which it was due to that of the new value.
    pub mean_seconds_to_rotate: Option<i64>,
}

/// One scan in a row of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// When.
    pub as_of: Time,
    /// Whether everything could be read.
    pub complete: bool,
    /// Findings that no exception covered, by severity.
    pub findings: BTreeMap<Severity, u64>,
    /// The measures.
    pub measures: Measures,
}

/// What a scan measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// Secrets.
    pub secrets: u64,
    /// Secrets that are to be rotated by the calendar, without those that hold nothing but placeholders and references.
    pub with_cadence: u64,
    /// Of these, the ones that are proven to be within it and did not leak: counted from the earliest instant at which
    /// the value may have been set, they are due later than this scan. What an exception lets pass is not within it.
    pub in_cadence: u64,
    /// The age of the oldest value of those with a cadence, in seconds, by what is proven of it: it is at least as old.
    pub oldest_seconds: Option<i64>,
    /// Changes that the trails show.
    pub rotations: u64,
    /// Of these, the ones that could be judged: neither pending nor inconclusive.
    pub judged: u64,
    /// Of these, the silent ones.
    pub silent: u64,
    /// Values that lie open, are in use or nobody's, and are not accepted.
    pub leaks: u64,
}

#[cfg(test)]
mod tests;
