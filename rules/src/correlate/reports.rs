//! What is said of events, readers and trails.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::HashMap;

use chrono::TimeDelta;

use super::cells::Cells;
use super::coverage::later;
use super::gather::is_write;
use super::rotations::Matched;
use super::{EventReport, Reading, TrailReport};
use crate::model::{Covered, Event, EventKind};

/// An event as evidence about an item.
pub(super) fn report(cells: &Cells<'_>, item: u32, event: &Event) -> EventReport {
    let trail = &cells.setup.trails[event.trail];
    EventReport {
        item: cells.gathered.names.items()[item as usize].id.clone(),
        trail: trail.name.clone(),
        role: event.kind.role(),
        kind: event.kind,
        outcome: event.outcome,
        target: event.target.as_str().to_owned(),
        version: event.version.clone(),
        time: event.time,
        actor: event.actor.clone(),
        run: event.run.clone(),
        consumer: event.consumer.as_ref().or(trail.consumer.as_ref()).map(ToString::to_string),
        details: event.details.iter().cloned().collect(),
        raw: event.raw.clone(),
    }
}

/// What happened to an item and belongs to no change: that it was deleted or brought back, and that nobody asked for it;
/// that its own rotation fails or is off, and did not recover since.
pub(super) fn notices(cells: &Cells<'_>, matched: &Matched) -> Vec<EventReport> {
    let gathered = cells.gathered;
    let window = cells.setup.policy.request_window;
    let events: Vec<&Event> =
        gathered.of_item[matched.item as usize].iter().map(|at| &*gathered.kept[*at as usize].event).collect();
    let mut seen = std::collections::HashSet::new();
    let recovered = |event: &Event, kinds: &[EventKind]| {
        events.iter().any(|later| kinds.contains(&later.kind) && later.time > event.time)
    };
    let is_notice = |event: &Event| match event.kind {
        EventKind::Deleted | EventKind::Destroyed | EventKind::Restored => {
            let asked = matched.requests.iter().any(|request| {
                let reach = window + request.skew + cells.setup.trails[event.trail].skew.abs();
                (request.time - event.time).abs() <= reach || request.run.is_some() && request.run == event.run
            });
            !asked && !is_of_old_version(matched, event)
        }
        EventKind::AutoRotationFailed => !recovered(event, &[EventKind::AutoRotated]),
        EventKind::AutoRotationOff => !recovered(event, &[EventKind::AutoRotationOn]),
        _ => false,
    };
    events
        .iter()
        .filter(|event| is_notice(event))
        .filter(|event| {
            let kind = cells.setup.trails[event.trail].kind;
            seen.insert((kind, event.id.clone(), event.target.clone(), event.kind, event.version.clone()))
        })
        .map(|event| report(cells, matched.item, event))
        .collect()
}

/// Whether a newer version than that of the event was there before it.
fn is_of_old_version(matched: &Matched, event: &Event) -> bool {
    event.version.is_some()
        && matched.changes.iter().flat_map(|change| &change.anchors).any(|anchor| {
            anchor.version.is_some()
                && anchor.version != event.version
                && anchor.time <= later(event.time, anchor.skew)
                && matched
                    .changes
                    .iter()
                    .flat_map(|change| &change.anchors)
                    .any(|own| own.version == event.version && own.time < anchor.time)
        })
}

/// Who read what.
pub(super) fn readings(cells: &Cells<'_>) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    for (item, trail, actor, sum) in cells.gathered.reads.all() {
        readings.push(Reading {
            item: cells.gathered.names.items()[item as usize].id.clone(),
            actor: actor.to_owned(),
            trail: cells.setup.trails[trail as usize].name.clone(),
            count: sum.count,
            first: sum.first,
            last: sum.last,
            raw: sum.raw.clone(),
        });
    }
    readings.sort();
    readings
}

/// Stretches that one thing shows, those that meet as one: canaries show an hour after the other.
fn joined(covered: &[Covered]) -> Vec<Covered> {
    let mut sorted = covered.to_vec();
    sorted.sort_unstable_by_key(|one| (one.proof, one.from, one.to));
    let mut joined: Vec<Covered> = Vec::new();
    for one in sorted {
        match joined.last_mut() {
            Some(last) if last.proof == one.proof && one.from <= last.to => last.to = last.to.max(one.to),
            _ => joined.push(one),
        }
    }
    joined.sort_unstable();
    joined
}

/// What is known of the trails.
pub(super) fn trails(cells: &Cells<'_>) -> Vec<TrailReport> {
    let skews = skews(cells);
    let states = cells.setup.trails.iter().zip(&cells.gathered.trails);
    states
        .enumerate()
        .map(|(at, (trail, state))| {
            let covered = joined(&state.covered);
            let mut holes = state.holes.clone();
            holes.sort_unstable();
            holes.dedup();
            TrailReport {
                name: trail.name.clone(),
                declared_at: trail.declared_at.clone(),
                kind: trail.kind,
                role: trail.role,
                records: state.records,
                events: state.events,
                first: state.first,
                last: state.last,
                covered,
                holes,
                delay_seconds: trail.delay.num_seconds(),
                skew_milliseconds: skews.get(&at).copied(),
            }
        })
        .collect()
}

/// How far each trail's clock is from those of the others: the median over the versions that both tell of.
fn skews(cells: &Cells<'_>) -> HashMap<usize, i64> {
    let mut offsets: HashMap<usize, Vec<i64>> = HashMap::new();
    for events in &cells.gathered.of_item {
        let mut first: HashMap<&str, Vec<&Event>> = HashMap::new();
        for at in events {
            let event = &cells.gathered.kept[*at as usize].event;
            if let Some(version) = &event.version
                && (is_write(event.kind) || event.kind == EventKind::Encrypted)
            {
                let same = first.entry(version).or_default();
                if same.len() < 4 && same.iter().all(|other| other.trail != event.trail) {
                    same.push(event);
                }
            }
        }
        for same in first.values() {
            for one in same {
                for other in same.iter().filter(|other| other.trail != one.trail) {
                    let offset: TimeDelta = one.time - other.time;
                    offsets.entry(one.trail).or_default().push(offset.num_milliseconds());
                }
            }
        }
    }
    let median = |mut all: Vec<i64>| {
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    offsets.into_iter().map(|(trail, all)| (trail, median(all))).collect()
}
