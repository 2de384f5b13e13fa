use super::overdue_rotation::{cadence, since, with_status};
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
                "Secret '{}' is due on {}, in {left}: it was set {}, and its cadence is {}.",
                item.id,
                day(due),
                since(age.exact(), age.not_after, cx),
                cadence(item)
            );
            Some(about(&RULE, item, message).next(format!("rotate {} by {}", item.id, day(due))))
        })
        .collect()
}
