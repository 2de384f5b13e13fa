//! What changed since the scan before, in a line.

use super::Page;
use super::secrets::day;

impl Page<'_> {
    /// `since 2026-11-20: 2 new, 1 fixed; in cadence 61 % of 18, 55 % then`; nothing where no earlier scan is known.
    pub(super) fn changes(&self) -> Option<String> {
        let changes = self.report.changes.as_ref()?;
        let counts = changes.counts();
        let parts = [
            (counts.new, "new"),
            (counts.regressed, "back"),
            (counts.uncovered, "no longer excepted"),
            (counts.fixed, "fixed"),
            (counts.unseen, "unseen"),
            (counts.covered, "excepted now"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
        let parts = if parts.is_empty() { "nothing new, nothing fixed".to_owned() } else { parts.join(", ") };
        let trend = self.cadence().map(|text| format!("; {text}")).unwrap_or_default();
        Some(format!("since {}: {parts}{trend}", day(changes.since)))
    }

    /// `in cadence 61 % of 18, 55 % then`.
    fn cadence(&self) -> Option<String> {
        let points = self.report.trends.as_ref()?.points.as_slice();
        let [.., before, now] = points else { return None };
        let then = before.measures.percent_in_cadence()?;
        let percent = now.measures.percent_in_cadence()?;
        Some(format!("in cadence {percent} % of {}, {then} % then", now.measures.with_cadence))
    }
}
