//! One row for every change that the trails show.

use keytrail_rules::correlate::{EventReport, Rotation, Silence, Trace};
use keytrail_rules::model::{Raw, Role};
use keytrail_rules::report::Report;

use super::{Cell, Column, Sheet, columns, instant};

const COLUMNS: &[Column] = columns![
    secret 36, at 20, verdict 18, silent 14, requested 14, requested_evidence 32, written 14, written_evidence 32,
    loaded 14, loaded_evidence 32, actors 20, runs 18, consumers 32, version 10, flags 24, missing 48, deadline 20, id 34,
];

/// The changes of a report, with their three traces and the records that hold these.
pub(super) fn rotations(report: &Report) -> Sheet {
    Sheet { name: "Rotations", columns: COLUMNS, rows: report.rotations.iter().map(row).collect() }
}

fn row(rotation: &Rotation) -> Vec<Cell> {
    let mut row = vec![
        Cell::text(rotation.item.as_str()),
        Cell::Time(rotation.at),
        Cell::text(rotation.verdict.as_str()),
        rotation.silent.map(silence).into(),
    ];
    for role in [Role::Ledger, Role::Store, Role::Application] {
        row.push(Cell::text(trace(rotation, role)));
        row.push(references(rotation, role));
    }
    let missing = rotation.missing.iter().map(|one| {
        let trail = one.trail.as_deref().unwrap_or("no trail");
        format!("{trail}: {} ({} to {})", one.reason, instant(one.from), instant(one.to))
    });
    row.extend([
        Cell::list(rotation.events.iter().filter_map(|event| event.actor.as_ref())),
        Cell::list(rotation.events.iter().filter_map(|event| event.run.as_ref())),
        Cell::list(rotation.events.iter().filter_map(|event| event.consumer.as_ref())),
        rotation.version.as_ref().into(),
        Cell::list(rotation.flags.iter().map(|flag| flag.as_str())),
        Cell::list(missing),
        Cell::Time(rotation.deadline),
        Cell::text(&rotation.id),
    ]);
    row
}

fn silence(silence: Silence) -> &'static str {
    match silence {
        Silence::NoRequest => "no-request",
        Silence::OutOfBand => "out-of-band",
        Silence::StateOnly => "state-only",
    }
}

/// What the trails of a role say of a change, as reports spell it.
pub(super) fn trace(rotation: &Rotation, role: Role) -> &'static str {
    let trace = match role {
        Role::Ledger => rotation.traces.ledger,
        Role::Store => rotation.traces.store,
        Role::Application => rotation.traces.application,
    };
    match trace {
        Trace::Present => "present",
        Trace::NotYet => "not-yet",
        Trace::Unknown => "unknown",
        Trace::Absent => "absent",
    }
}

/// The records of a role, each as `trail file:line`.
pub(super) fn references(rotation: &Rotation, role: Role) -> Cell {
    let of_role = rotation.events.iter().filter(|event| event.role == role);
    Cell::list(of_role.map(|event: &EventReport| format!("{} {}", event.trail, record(&event.raw))))
}

/// The file and line, or the byte where there are no lines.
pub(super) fn record(raw: &Raw) -> String {
    match raw.line {
        0 => format!("{}, byte {}", raw.source, raw.offset),
        line => format!("{}:{line}", raw.source),
    }
}
