use super::overdue_rotation::{cadence, proof, since, with_status};
use super::{Context, about, count, day, days_between};
use crate::model::Finding;
use crate::report::ItemStatus;

rule! {
    /// A secret is due soon.
    ///
    /// Its due date lies within `[policy] due_soon` (14 days unless the config says otherwise).
    ///
    /// # How to fix
    /// Rotate it before the day.
    "rotation-due-soon", "KT2006", Cadence, Low, fixable
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    with_status(cx, ItemStatus::DueSoon)
        .filter_map(|(item, age)| {
            let due = item.due_at?;
            let left = count(days_between(cx.snapshot.as_of, due), "day");
            let message = format!(
                "Secret '{}' is due on {}, in {left}: it was set {}, and is to be rotated {}.",
                item.id,
                day(due),
                since(age, cx),
                cadence(item)
            );
            let next = format!("rotate {} by {}", item.id, day(due));
            Some(about(&RULE, item, message).evidence([proof(item, age)]).next(next))
        })
        .collect()
}
