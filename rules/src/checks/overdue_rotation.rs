use super::{Context, about};
use crate::checks::{count, day, days_between};
use crate::inventory::Item;
use crate::model::{Evidence, Finding, Time};
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
            let due =
                item.due_at.map_or_else(String::new, |due| format!(", due since {} ({})", day(due), late(due, cx)));
            about(
                &RULE,
                item,
                format!(
                    "Secret '{}' was set {}; its cadence is {}{due}.",
                    item.id,
                    since(age.exact(), age.not_after, cx),
                    cadence(item)
                ),
            )
            .evidence([Evidence::new(age.proof.clone(), None, item.copies.first().map(|copy| copy.place.clone()))])
            .next(format!("rotate {}", item.id))
        })
        .collect()
}

/// The secrets of a status whose age is known.
pub(super) fn with_status<'a>(
    cx: &'a Context<'_>,
    status: ItemStatus,
) -> impl Iterator<Item = (&'a Item, &'a crate::age::Age)> {
    cx.inventory.secrets().filter(move |item| item.status == status).filter_map(|item| Some((item, item.age.as_ref()?)))
}

/// `on 2026-01-01, 120 days ago`, or `by 2026-01-01, at least 120 days ago`.
pub(super) fn since(exact: Option<Time>, not_after: Time, cx: &Context<'_>) -> String {
    let days = count(days_between(not_after, cx.snapshot.as_of), "day");
    match exact {
        Some(time) => format!("on {}, {days} ago", day(time)),
        None => format!("by {}, at least {days} ago", day(not_after)),
    }
}

/// The cadence in words.
pub(super) fn cadence(item: &Item) -> String {
    item.cadence.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn late(due: Time, cx: &Context<'_>) -> String {
    format!("{} late", count(days_between(due, cx.snapshot.as_of), "day"))
}
