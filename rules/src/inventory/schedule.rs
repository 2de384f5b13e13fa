//! When a secret is due, and what that makes of it.

use super::{Inventory, Item, Sync};
use crate::cadence::{Cadence, Period, Trigger};
use crate::model::Time;
use crate::policy::Policy;
use crate::report::ItemStatus;

/// Sets the due date and the status of every secret.
pub(super) fn schedule(inventory: &mut Inventory, policy: &Policy, as_of: Time) {
    for item in inventory.items.values_mut().filter(|item| item.is_secret) {
        (item.status, item.due_at) = judge(item, policy, as_of);
    }
}

fn judge(item: &Item, policy: &Policy, as_of: Time) -> (ItemStatus, Option<Time>) {
    if item.has_only_stand_ins() {
        return (ItemStatus::Ok, None);
    }
    match &item.cadence {
        Some(Cadence::Every(period)) => by_calendar(item, *period, policy, as_of),
        Some(Cadence::On(triggers)) => (by_event(item, triggers), None),
        Some(Cadence::Static) => (ItemStatus::Static, None),
        None if item.has_unreadable_cadence() => (ItemStatus::UnknownAge, None),
        Some(Cadence::Managed { .. } | Cadence::Unrotated { .. }) | None => (ItemStatus::Ok, None),
    }
}

fn by_calendar(item: &Item, period: Period, policy: &Policy, as_of: Time) -> (ItemStatus, Option<Time>) {
    let Some(age) = &item.age else {
        return (ItemStatus::UnknownAge, None);
    };
    // Due no earlier than one period after the earliest, and no later than one after the latest possible change.
    let latest = period.after(age.not_after);
    let earliest = age.not_before.and_then(|time| period.after(time));
    let past = |time: Option<Time>| time.is_some_and(|time| time <= as_of);
    let soon = |time: Option<Time>| past(time.and_then(|time| policy.due_soon.before(time)));
    let status = match (past(earliest), past(latest)) {
        (_, true) if age.first_value => ItemStatus::NeverRotated,
        (_, true) => ItemStatus::Overdue,
        (true, false) => ItemStatus::UnknownAge,
        (false, false) if age.not_before.is_none() => ItemStatus::UnknownAge,
        (false, false) if soon(earliest) => ItemStatus::DueSoon,
        (false, false) => ItemStatus::Ok,
    };
    // What is overdue is so since the latest time that is possible; of what may be overdue no date is known.
    let due = match status {
        ItemStatus::Overdue | ItemStatus::NeverRotated => latest,
        ItemStatus::UnknownAge => None,
        _ => earliest.or(latest),
    };
    (status, due)
}

fn by_event(item: &Item, triggers: &[Trigger]) -> ItemStatus {
    let sync = |wanted: fn(Sync) -> bool| item.derived_from.iter().any(|derivation| wanted(derivation.sync));
    let follows_a_secret = triggers.iter().any(Trigger::is_of_a_secret);
    if sync(Sync::is_stale) {
        ItemStatus::EventDue
    } else if sync(|sync| sync == Sync::Unknown) || (follows_a_secret && item.derived_from.is_empty()) {
        ItemStatus::UnknownAge
    } else {
        ItemStatus::Ok
    }
}
