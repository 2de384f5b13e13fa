use super::Context;
use super::changes::{about_change, by, changes, instant, the_change};
use crate::correlate::Flag;
use crate::model::Finding;

rule! {
    /// A change brought back a value that was in use before.
    ///
    /// A rollback, or a backup that was restored. The old value was replaced for a reason, and everybody who ever had it can
    /// use it again; the secret is as old as that value.
    ///
    /// # How to fix
    /// Rotate it to a new value.
    "value-regression", "KT4006", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    changes(cx, |rotation| rotation.flags.contains(&Flag::Regression))
        .map(|(item, rotation)| {
            let (at, by) = (instant(rotation.at), by(the_change(rotation)));
            let message = format!("Secret '{}' was set back at {at}{by} to a value that it had before.", item.id);
            about_change(&RULE, item, rotation, message)
        })
        .collect()
}
