//! Where a lane has no data.

use keytrail_rules::correlate::TrailReport;
use keytrail_rules::model::{Role, Time};

use super::ItemTrace;
use super::grid::LANES;

/// A stretch of time: its first instant, and the first after it.
pub(crate) type Stretch = (Time, Time);

/// The trails of a lane: those that hold something of the secret or are said to miss something of it; all of the role,
/// where none does, because nobody knows which of them would.
pub(super) fn trails<'a>(trace: &ItemTrace<'a>, role: Role) -> Vec<&'a TrailReport> {
    let events = trace.rotations.iter().flat_map(|rotation| &rotation.events).chain(trace.notices.iter().copied());
    let named: Vec<&str> = events
        .map(|event| event.trail.as_str())
        .chain(trace.readings.iter().map(|reading| reading.trail.as_str()))
        .chain(trace.rotations.iter().flat_map(|one| &one.missing).filter_map(|missing| missing.trail.as_deref()))
        .collect();
    let of_role = |trail: &&TrailReport| trail.role == role;
    let ours: Vec<&TrailReport> =
        trace.trails.iter().filter(of_role).filter(|trail| named.contains(&trail.name.as_str())).collect();
    if ours.is_empty() { trace.trails.iter().filter(of_role).collect() } else { ours }
}

/// The stretches of each lane, between two instants, that no trail of it covers, or of which a verdict says that
/// evidence is missing: oldest first, none touching another.
pub(crate) fn uncovered(trace: &ItemTrace<'_>, from: Time, to: Time) -> [Vec<Stretch>; 3] {
    LANES.map(|role| {
        let covered = trails(trace, role).into_iter().flat_map(|trail| &trail.covered);
        let mut without = complement(union(covered.map(|covered| (covered.from, covered.to)).collect()), from, to);
        let missing = trace.rotations.iter().flat_map(|rotation| &rotation.missing);
        let missing = missing.filter(|missing| missing.role == role);
        without.extend(missing.map(|missing| (missing.from.max(from), missing.to.min(to))));
        union(without)
    })
}

/// Stretches that touch become one; empty ones go.
pub(crate) fn union(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.retain(|(from, to)| from < to);
    stretches.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::new();
    for (from, to) in stretches {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// What lies between two instants and in none of the stretches, which are sorted and apart.
pub(crate) fn complement(stretches: Vec<Stretch>, from: Time, to: Time) -> Vec<Stretch> {
    let mut rest = Vec::new();
    let mut at = from;
    for (first, last) in stretches {
        rest.push((at, first.min(to)));
        at = at.max(last);
    }
    rest.push((at, to));
    union(rest)
}
