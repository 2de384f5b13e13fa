//! What a report measures.

use super::Measures;
use crate::cadence::Cadence;
use crate::correlate::Verdict;
use crate::leaks::Lifecycle;
use crate::report::{ItemReport, ItemStatus, Report};

impl Measures {
    /// What a report measures.
    pub fn of(report: &Report) -> Self {
        let with_cadence = || report.items.iter().filter(|item| is_due_by_calendar(item));
        let ages = with_cadence().filter_map(|item| item.age.as_ref()?.not_after);
        let is_judged = |verdict| !matches!(verdict, Verdict::Pending | Verdict::Inconclusive);
        let verdicts = || report.rotations.iter().map(|rotation| rotation.verdict);
        let is_open = |lifecycle| matches!(lifecycle, Lifecycle::Current | Lifecycle::Unmanaged);
        Self {
            secrets: count(report.items.iter()),
            with_cadence: count(with_cadence()),
            // The due date of what is not overdue is the earliest that is possible; what leaked is due at once.
            in_cadence: count(with_cadence().filter(|item| item.due_at.is_some_and(|due| due > report.as_of))),
            oldest_seconds: ages.min().map(|oldest| (report.as_of - oldest).num_seconds().max(0)),
            rotations: count(verdicts()),
            judged: count(verdicts().filter(|verdict| is_judged(*verdict))),
            silent: count(verdicts().filter(|verdict| *verdict == Verdict::Silent)),
            leaks: count(report.leaks.iter().filter(|leak| leak.accepted.is_none() && is_open(leak.lifecycle))),
        }
    }

    /// How many of a hundred secrets with a cadence are within it, rounded down; none where none has one.
    pub fn percent_in_cadence(&self) -> Option<u64> {
        self.in_cadence.saturating_mul(100).checked_div(self.with_cadence)
    }
}

fn count<T>(all: impl Iterator<Item = T>) -> u64 {
    all.count() as u64
}

/// Whether the calendar says when a secret is due. One that is ok and never due holds only stand-ins for a value.
fn is_due_by_calendar(item: &ItemReport) -> bool {
    let is_calendar = |text: &str| matches!(Cadence::parse(text), Some(Cadence::Every(_)));
    let holds_nothing = item.status == ItemStatus::Ok && item.due_at.is_none();
    item.cadence.as_deref().is_some_and(is_calendar) && !holds_nothing
}
