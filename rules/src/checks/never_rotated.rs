use super::overdue_rotation::{cadence, proof, since, with_status};
use super::{Context, about};
use crate::model::Finding;
use crate::report::ItemStatus;

rule! {
    /// A secret is past its cadence, and still has its first value.
    ///
    /// The whole history of its place was seen, and the value never changed. So nobody knows whether it *can* be
    /// rotated: who loads it, and what breaks. The value that was typed at set-up is often a default, too.
    ///
    /// # How to fix
    /// Rotate it for the first time, with its owner at hand.
    "never-rotated", "KT2005", Cadence, High, fixable
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    with_status(cx, ItemStatus::NeverRotated)
        .map(|(item, age)| {
            let message = format!(
                "Secret '{}' still has its first value, set {}; it is to be rotated {}.",
                item.id,
                since(age, cx),
                cadence(item)
            );
            about(&RULE, item, message).evidence([proof(item, age)]).next(format!("rotate {}", item.id))
        })
        .collect()
}
