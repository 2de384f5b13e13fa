//! The totals: what to read first.

use keytrail_rules::history::Measures;
use keytrail_rules::model::Severity;
use keytrail_rules::report::{ItemStatus, Report};

use super::{Cell, Column, Sheet, columns};

const COLUMNS: &[Column] = columns![what 36, value 64];

/// The totals of a report, one a row.
pub(super) fn summary(report: &Report) -> Sheet {
    let summary = &report.summary;
    let mut rows = vec![
        row("Verdict", Cell::text(verdict(report))),
        row("Evidence", Cell::text(evidence(report))),
        row("As of (UTC)", Cell::Time(report.as_of)),
        row("Made by", Cell::text(format!("{} {}", report.tool.name, report.tool.version))),
        row("Secrets", Cell::number(report.items.len())),
    ];
    for status in ItemStatus::ALL {
        let number = summary.items.get(&status).copied().unwrap_or_default();
        rows.push(row(&format!("Secrets: {}", status.as_str()), Cell::Number(number)));
    }
    rows.push(row("Findings that count", Cell::number(report.counting().count())));
    for severity in Severity::ALL.iter().rev() {
        let number = summary.findings.get(severity).copied().unwrap_or_default();
        rows.push(row(&format!("Findings: {}", severity.as_str()), Cell::Number(number)));
    }
    rows.push(row("Findings that an exception covers", Cell::Number(summary.excepted)));
    rows.push(row("Findings in the baseline", Cell::Number(summary.baselined)));
    rows.push(row("Gaps", Cell::number(report.gaps.len())));
    rows.push(row("Sources read", Cell::number(report.scope.len())));
    rows.push(row("Changes of secrets in the trails", Cell::number(report.rotations.len())));
    if summary.measures != Measures::default() {
        rows.extend(measures(&summary.measures));
    }
    if let Some(changes) = &report.changes {
        rows.push(row("Compared with the scan of (UTC)", Cell::Time(changes.since)));
        rows.push(row("New findings", Cell::number(changes.new.len())));
        rows.push(row("Findings that are back", Cell::number(changes.regressed.len())));
        rows.push(row("Findings that are fixed", Cell::number(changes.fixed.len())));
        rows.push(row("Findings that nobody looked for again", Cell::number(changes.unseen.len())));
    }
    Sheet { name: "Summary", columns: COLUMNS, rows }
}

fn row(what: &str, value: Cell) -> Vec<Cell> {
    vec![Cell::text(what), value]
}

fn measures(measures: &Measures) -> Vec<Vec<Cell>> {
    vec![
        row("Secrets with a cadence", Cell::Number(measures.with_cadence)),
        row("Secrets proven to be within it", Cell::Number(measures.in_cadence)),
        row(
            "Oldest value in days",
            measures.oldest_seconds.map_or(Cell::Empty, |age| Cell::Number(u64::try_from(age / 86_400).unwrap_or(0))),
        ),
        row("Changes that could be judged", Cell::Number(measures.judged)),
        row("Silent changes", Cell::Number(measures.silent)),
        row("Leaks that count", Cell::Number(measures.leaks)),
    ]
}

/// What the scan found, in one sentence.
pub(crate) fn verdict(report: &Report) -> String {
    let number = report.counting().count();
    let findings = match number {
        0 => "No findings that count".to_owned(),
        1 => "1 finding counts".to_owned(),
        number => format!("{number} findings count"),
    };
    if is_complete(report) { format!("{findings}.") } else { format!("{findings}, in what could be read.") }
}

/// Whether everything could be read, in one sentence.
pub(crate) fn evidence(report: &Report) -> String {
    match report.gaps.len() {
        0 if report.summary.complete => "Complete: everything in scope could be read.".to_owned(),
        1 => "INCOMPLETE: one source could not be read.".to_owned(),
        number => format!("INCOMPLETE: {number} gaps; what could not be read may be wrong or right."),
    }
}

/// Whether everything could be read.
pub(crate) fn is_complete(report: &Report) -> bool {
    report.gaps.is_empty() && report.summary.complete
}
