//! What is let pass, what the rules give evidence for, and what was read and what not.

use keytrail_rules::controls::{ControlReport, RuleEvidence};
use keytrail_rules::correlate::TrailReport;
use keytrail_rules::model::{Gap, Place};
use keytrail_rules::report::Report;

use super::rotations::record;
use super::{Cell, Column, Sheet, columns, line};

const EXCEPTIONS: &[Column] =
    columns![rule 24, secret 36, reason 48, approved_by 18, expires 20, state 10, covers 8, location 24];

/// The exceptions, those that end first at the front.
pub(super) fn exceptions(report: &Report) -> Sheet {
    let rows = report.exceptions.iter().map(|one| {
        vec![
            Cell::text(&one.rule),
            one.secret.as_deref().unwrap_or("every secret").into(),
            Cell::text(&one.reason),
            one.approved_by.as_ref().into(),
            Cell::Time(one.expires),
            Cell::text(one.state.as_str()),
            Cell::Number(one.covers),
            line(Some(&one.location)),
        ]
    });
    Sheet { name: "Exceptions", columns: EXCEPTIONS, rows: rows.collect() }
}

const CONTROLS: &[Column] = columns![
    framework 18, control 12, title 48, status 14, findings 10, rule 24, relation 12, rationale 48, rule_findings 14,
    rule_ran 10,
];

/// One row for every control and rule that gives evidence for it.
pub(super) fn controls(report: &Report) -> Sheet {
    let mut rows = Vec::new();
    for control in &report.controls {
        if control.rules.is_empty() {
            rows.push(control_row(control, None));
        }
        rows.extend(control.rules.iter().map(|rule| control_row(control, Some(rule))));
    }
    Sheet { name: "Controls", columns: CONTROLS, rows }
}

fn control_row(control: &ControlReport, rule: Option<&RuleEvidence>) -> Vec<Cell> {
    vec![
        Cell::text(&control.framework),
        Cell::text(&control.control),
        Cell::text(&control.title),
        Cell::text(control.status.as_str()),
        Cell::Number(control.findings),
        rule.map(|rule| &rule.rule).into(),
        rule.map(|rule| rule.relation.as_str()).into(),
        rule.map(|rule| &rule.rationale).into(),
        rule.map_or(Cell::Empty, |rule| Cell::Number(rule.findings)),
        rule.map_or(Cell::Empty, |rule| Cell::word(rule.ran)),
    ]
}

const SCOPE: &[Column] = columns![
    what 16, source 40, kind 20, held 10, from 20, to 20, state 18, message 64, next 40, location 28,
];

/// What was read with how much it held, the trails and their holes, and the gaps, which come first.
pub(super) fn scope(report: &Report) -> Sheet {
    let mut rows: Vec<Vec<Cell>> = report.gaps.iter().map(gap).collect();
    rows.extend(report.trails.iter().flat_map(trail));
    rows.extend(report.scope.iter().map(|one| {
        row(
            [Cell::text("source"), Cell::text(&one.source), Cell::text(&one.kind), Cell::Number(one.held)],
            [Cell::text("read")],
        )
    }));
    Sheet { name: "Scope", columns: SCOPE, rows }
}

/// A row from its first cells, the state and what follows it.
fn row<const N: usize>(first: [Cell; 4], state: [Cell; N]) -> Vec<Cell> {
    let mut row: Vec<Cell> = first.into_iter().chain([Cell::Empty, Cell::Empty]).chain(state).collect();
    row.resize(SCOPE.len(), Cell::Empty);
    row
}

fn gap(gap: &Gap) -> Vec<Cell> {
    let place = gap.place.as_ref().map(Place::as_str);
    row(
        [Cell::text("gap"), Cell::text(place.unwrap_or(&gap.source)), Cell::text(gap.reason.as_str()), Cell::Empty],
        [Cell::text("not read"), Cell::text(&gap.message), gap.hint.as_ref().into(), line(gap.location.as_ref())],
    )
}

fn trail(trail: &TrailReport) -> Vec<Vec<Cell>> {
    let name = || Cell::text(&trail.name);
    let between = |what: &str, held, from, to, state: &str, message: &str, location: Option<String>| {
        vec![
            Cell::text(what),
            name(),
            Cell::text(trail.kind),
            held,
            Cell::from(from),
            Cell::from(to),
            Cell::text(state),
            Cell::text(message),
            Cell::Empty,
            location.into(),
        ]
    };
    let read = format!("{}; {} events about secrets", trail.role.as_str(), trail.events);
    let mut rows = vec![between("trail", Cell::Number(trail.records), trail.first, trail.last, "read", &read, None)];
    rows.extend(trail.covered.iter().map(|one| {
        between("covered", Cell::Empty, Some(one.from), Some(one.to), "complete", one.proof.as_str(), None)
    }));
    rows.extend(trail.holes.iter().map(|hole| {
        let state = if hole.tampered { "tampered with" } else { "not complete" };
        between("hole", Cell::Empty, hole.from, hole.to, state, &hole.reason, hole.raw.as_ref().map(record))
    }));
    rows
}
