//! What the trails prove of an age: a rotation that left its three traces sets it, a change that is not proven does not.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{Age, is_record};
use crate::correlate::{Correlation, Flag, Rotation, Trace, TrailReport, Verdict};
use crate::inventory::Item;
use crate::model::{Role, Time, VersionValue};

/// How far the times of one write may be apart: a trail stamps the request, a store the version, each by its own clock.
const ONE_WRITE: TimeDelta = TimeDelta::minutes(5);

impl Age {
    /// What is known of the age of an item once its changes are judged. `known` is what stores and earlier scans prove:
    /// it stands where it disagrees, since a value that was there before a rotation did not come from it. A change that
    /// brought the same or an earlier value makes nothing younger; a failed or unproven one changes nothing.
    pub(crate) fn proven(known: Option<Self>, item: &Item, correlation: &Correlation) -> Option<Self> {
        let mut changes: Vec<&Rotation> =
            correlation.rotations_of(&item.id).iter().filter(|one| did_change(one)).collect();
        changes.sort_by_key(|one| (one.at, &one.id));
        let mut known = known;
        let mut repeats = Vec::new();
        for change in changes.into_iter().rev() {
            if change.flags.contains(&Flag::NoOp) {
                known =
                    known.map(|age| age.no_younger(change, "the trails show that the same value was written again"));
                repeats.push(change.at);
            } else if change.flags.contains(&Flag::Regression) {
                return known.map(|age| age.no_younger(change, "the trails show that an earlier value came back"));
            } else if change.verdict == Verdict::Traced {
                return Some(Self::set_by(known, item, change, &repeats, &correlation.trails));
            } else {
                return known;
            }
        }
        known
    }

    /// The age after a change that brought no new value: the value is older than what looked like its beginning.
    fn no_younger(self, change: &Rotation, why: &str) -> Self {
        if self.not_before.is_none_or(|time| (time - change.at).abs() > ONE_WRITE) {
            return self;
        }
        Self { not_before: None, first_value: false, proof: format!("{}; {why}", self.proof), ..self }
    }

    /// The age after a traced rotation that no other known change came after, but for those that repeat its value.
    fn set_by(known: Option<Self>, item: &Item, change: &Rotation, repeats: &[Time], trails: &[TrailReport]) -> Self {
        let proof = traces(change);
        let exact = |proof| Self { not_before: Some(change.at), not_after: change.at, first_value: false, proof };
        let Some(known) = known else {
            return exact(proof);
        };
        let set_later = known.not_before.is_some_and(|time| time - change.at > ONE_WRITE);
        let seen_before = change.at - known.not_after > ONE_WRITE;
        if set_later || seen_before {
            known
        } else if known.exact().is_some() {
            Self { first_value: false, proof: format!("{}; {proof}", known.proof), ..known }
        } else if may_have_changed_since(item, change, repeats, trails) {
            Self {
                not_before: Some(change.at),
                first_value: false,
                proof: format!("{}; {proof}", known.proof),
                ..known
            }
        } else {
            exact(proof)
        }
    }
}

/// Whether a value changed, be it in the store or past it.
fn did_change(rotation: &Rotation) -> bool {
    rotation.traces.store == Trace::Present || rotation.verdict == Verdict::Silent
}

/// Whether a store counts a later write whose values were not compared, and of which the trails do not say whose it was.
fn may_have_changed_since(item: &Item, change: &Rotation, repeats: &[Time], trails: &[TrailReport]) -> bool {
    let versions = item.copies.iter().filter(|copy| is_record(copy.kind)).flat_map(|copy| &copy.history.versions);
    let covered = |time: Time| {
        let stores = change.events.iter().filter(|event| event.role == Role::Store).map(|event| event.trail.as_str());
        let names: BTreeSet<&str> = stores.collect();
        trails.iter().any(|trail| names.contains(trail.name.as_str()) && trail.covers(change.at, time))
    };
    let repeated = |time: Time| repeats.iter().any(|repeat| (*repeat - time).abs() <= ONE_WRITE);
    let later = versions.filter(|one| one.value == VersionValue::Unread && one.created_at - change.at > ONE_WRITE);
    later.map(|one| one.created_at).any(|time| !repeated(time) && !covered(time))
}

/// `rotated on 2026-05-01: asked for in runs, written in vault-audit, loaded in app`.
fn traces(rotation: &Rotation) -> String {
    let trails = |role: Role| {
        let names: BTreeSet<&str> =
            rotation.events.iter().filter(|event| event.role == role).map(|event| event.trail.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(" and ")
    };
    format!(
        "rotated on {}: asked for in {}, written in {}, loaded in {}",
        rotation.at.format("%Y-%m-%d"),
        trails(Role::Ledger),
        trails(Role::Store),
        trails(Role::Application)
    )
}

#[cfg(test)]
mod tests;
