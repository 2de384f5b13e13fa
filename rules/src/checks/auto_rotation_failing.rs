use std::collections::BTreeMap;

use super::changes::{evidence, instant, location, notices, says, trace};
use super::{Context, about, count};
use crate::correlate::EventReport;
use crate::inventory::{Item, ItemId};
use crate::model::{EventKind, Finding, Outcome, Time};

rule! {
    /// The store's own rotation of a secret fails.
    ///
    /// Its last tries failed, and none succeeded since. The value grows old while the settings say that it is rotated.
    ///
    /// # How to fix
    /// Read the error in the store's log, mend what it names (a missing permission, a master password that was changed), and
    /// start the rotation by hand once.
    "auto-rotation-failing", "KT4013", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut failures: BTreeMap<&ItemId, (&Item, Vec<&EventReport>)> = BTreeMap::new();
    for (item, event) in notices(cx).filter(|(_, event)| event.kind == EventKind::AutoRotationFailed) {
        failures.entry(&item.id).or_insert((item, Vec::new())).1.push(event);
    }
    failures.into_values().filter_map(|(item, events)| judge(cx, item, events)).collect()
}

fn judge(cx: &Context<'_>, item: &Item, mut events: Vec<&EventReport>) -> Option<Finding> {
    let settled = settled(cx, item);
    events.retain(|event| settled.is_none_or(|time| event.time > time));
    events.sort_by_key(|event| event.time);
    let last = events.last()?;
    let tries = count(i64::try_from(events.len()).unwrap_or(i64::MAX), "time");
    let since = settled.map_or_else(String::new, |time| format!(" since {}", instant(time)));
    let message = format!(
        "The automatic rotation of secret '{}' failed {tries}{since}, last at {}, {}.",
        item.id,
        instant(last.time),
        says(last)
    );
    let line = location(&last.raw).or_else(|| item.location());
    Some(
        about(&RULE, item, message)
            .at(line)
            .evidence(events.iter().rev().take(50).map(|event| evidence(event)))
            .next(trace(&item.id)),
    )
}

/// When a machine last rotated the item, or was last told not to.
fn settled(cx: &Context<'_>, item: &Item) -> Option<Time> {
    let in_changes = cx.correlation.rotations_of(&item.id).iter().flat_map(|rotation| &rotation.events);
    let elsewhere = cx.correlation.notices.iter().filter(|event| event.item == item.id);
    let settles = |event: &&EventReport| {
        event.outcome == Outcome::Done && matches!(event.kind, EventKind::AutoRotated | EventKind::AutoRotationOff)
    };
    in_changes.chain(elsewhere).filter(settles).map(|event| event.time).max()
}
