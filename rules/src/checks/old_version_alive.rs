use super::Context;
use super::changes::{about_change, by, changes, instant, the_change};
use crate::correlate::Flag;
use crate::model::Finding;

rule! {
    /// A secret was rotated, and its old value still works.
    ///
    /// Who honours the credential gave out a new one, the trails are complete since, and nothing shows that the old one was
    /// revoked. Whoever has the old value can still get in, so the rotation has not closed anything.
    ///
    /// # How to fix
    /// See that every consumer uses the new value, then revoke the old one where it is honoured.
    "old-version-alive", "KT4008", Trails, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    changes(cx, |rotation| rotation.flags.contains(&Flag::OldNotRevoked))
        .map(|(item, rotation)| {
            let (at, by) = (instant(rotation.at), by(the_change(rotation)));
            let message = format!("Secret '{}' was rotated at {at}{by}, and its old value was not revoked.", item.id);
            about_change(&RULE, item, rotation, message)
        })
        .collect()
}
