use super::{Context, about};
use crate::age::Age;
use crate::checks::{count, day, days_between};
use crate::inventory::Item;
use crate::model::{Evidence, Finding};
use crate::report::ItemStatus;

rule! {
    /// A secret is past its rotation cadence.
    ///
    /// Its current value was set longer ago than its cadence allows, and something proves it: the versions of a store
    /// path, or what earlier scans saw. Where only a bound is known, the latest possible time counts, so that an
    /// overdue secret is always really overdue.
    ///
    /// # How to fix
    /// Rotate it. `keytrail scan --fix --dry-run` shows the plan.
    "overdue-rotation", "KT2004", Cadence, High, fixable
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    with_status(cx, ItemStatus::Overdue)
        .map(|(item, age)| {
            let late = item.due_at.map_or(0, |due| days_between(due, cx.snapshot.as_of));
            let message = format!(
                "Secret '{}' was set {}; it is to be rotated {}, and is {} late.",
                item.id,
                since(age, cx),
                cadence(item),
                count(late, "day")
            );
            about(&RULE, item, message).evidence([proof(item, age)]).next(format!("rotate {}", item.id))
        })
        .collect()
}

/// What an age rests on.
pub(super) fn proof(item: &Item, age: &Age) -> Evidence {
    Evidence::new(age.proof.clone(), None, item.copies.first().map(|copy| copy.place.clone()))
}

/// The secrets of a status whose age is known.
pub(super) fn with_status<'a>(cx: &'a Context<'_>, status: ItemStatus) -> impl Iterator<Item = (&'a Item, &'a Age)> {
    cx.inventory.secrets().filter(move |item| item.status == status).filter_map(|item| Some((item, item.age.as_ref()?)))
}

/// `on 2026-01-01, 120 days ago`, or `by 2026-01-01, at least 120 days ago`.
pub(super) fn since(age: &Age, cx: &Context<'_>) -> String {
    let days = count(days_between(age.not_after, cx.snapshot.as_of), "day");
    match age.exact() {
        Some(time) => format!("on {}, {days} ago", day(time)),
        None => format!("by {}, at least {days} ago", day(age.not_after)),
    }
}

/// The cadence in words.
pub(super) fn cadence(item: &Item) -> String {
    item.cadence.as_ref().map(ToString::to_string).unwrap_or_default()
}
