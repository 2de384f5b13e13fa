use super::Context;
use super::changes::{about_change, by, changes, instant, the_change};
use crate::correlate::Flag;
use crate::model::Finding;

rule! {
    /// A rotation wrote the value that was there before.
    ///
    /// The store counts a new version, the ledger has a finished request, and whoever knew the value still does. Such a
    /// rotation does not make the secret any younger.
    ///
    /// # How to fix
    /// Rotate it to a new value; see where the rotation takes its value from.
    "no-op-rotation", "KT4005", Trails, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    changes(cx, |rotation| rotation.flags.contains(&Flag::NoOp))
        .map(|(item, rotation)| {
            let (at, by) = (instant(rotation.at), by(the_change(rotation)));
            let message = format!(
                "Secret '{}' was written at {at}{by} with the value that it had: nothing was rotated.",
                item.id
            );
            about_change(&RULE, item, rotation, message)
        })
        .collect()
}
