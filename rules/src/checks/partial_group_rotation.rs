use super::Context;
use super::changes::{about_change, by, changes, instant, the_change};
use crate::correlate::{Flag, Rotation};
use crate::inventory::Item;
use crate::model::Finding;

rule! {
    /// Of secrets that hold one value, some were rotated and some were not.
    ///
    /// A `DATABASE_URL` has the password inside. Once the password changes and the URL does not, whoever loads the URL is
    /// turned away at its next connection.
    ///
    /// # How to fix
    /// Write the new value into the rest of the group.
    "partial-group-rotation", "KT4007", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    changes(cx, |rotation| rotation.flags.contains(&Flag::PartialGroup))
        .map(|(item, rotation)| {
            let left = left_behind(cx, item, rotation);
            let left = if left.is_empty() { "secrets that share its value".to_owned() } else { left.join(" and ") };
            let (at, by) = (instant(rotation.at), by(the_change(rotation)));
            let message = format!("Secret '{}' was changed at {at}{by}, and {left} did not change with it.", item.id);
            about_change(&RULE, item, rotation, message)
        })
        .collect()
}

/// The secrets that are made from it and that no change near this one is of.
fn left_behind(cx: &Context<'_>, item: &Item, rotation: &Rotation) -> Vec<String> {
    let is_made_from_it = |other: &&Item| other.derived_from.iter().any(|one| one.source == item.id);
    let changed = |other: &Item| {
        let near = |one: &Rotation| (one.at - rotation.at).abs() <= cx.policy.request_window;
        cx.correlation.rotations_of(&other.id).iter().any(|one| the_change(one).is_some() && near(one))
    };
    let group = cx.inventory.secrets().filter(is_made_from_it);
    group.filter(|other| !changed(other)).map(|other| format!("'{}'", other.id)).collect()
}
