use std::collections::BTreeSet;

use super::Context;
use super::changes::{about_change, by, changes, instant, short, the_change, trails_of};
use crate::correlate::{Rotation, Verdict};
use crate::inventory::Item;
use crate::model::{EventKind, Finding, Outcome, Role};

rule! {
    /// A new value was asked for and written, and a consumer did not load it.
    ///
    /// The application's trail is complete up to the deadline and shows no use of the new value by every consumer that is
    /// known. So something still runs on the old one: the old one cannot be revoked, and the next restart may be the outage.
    ///
    /// # How to fix
    /// Restart or reload the consumer, see that it is let in with the new value, then revoke the old one.
    "applied-never-loaded", "KT4003", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    changes(cx, |rotation| rotation.verdict == Verdict::AppliedNeverLoaded)
        .map(|(item, rotation)| about_change(&RULE, item, rotation, describe(cx, item, rotation)))
        .collect()
}

fn describe(cx: &Context<'_>, item: &Item, rotation: &Rotation) -> String {
    let consumers = |kind: EventKind| -> BTreeSet<&str> {
        let events = rotation.events.iter().filter(|event| event.kind == kind && event.outcome == Outcome::Done);
        events.filter_map(|event| event.consumer.as_deref()).collect()
    };
    let loaded = consumers(EventKind::Loaded);
    let without: Vec<&str> = item.consumers().into_iter().filter(|one| !loaded.contains(one)).collect();
    let who = if without.is_empty() { "a consumer".to_owned() } else { without.join(" and ") };
    let refused: Vec<String> = consumers(EventKind::Refused).into_iter().map(short).collect();
    let refused = if refused.is_empty() { String::new() } else { format!("; {} was refused", refused.join(" and ")) };
    format!(
        "Secret '{}' was rotated at {}{}, and up to {} no load of it by {who} is in {}{refused}.",
        item.id,
        instant(rotation.at),
        by(the_change(rotation)),
        instant(rotation.deadline),
        trails_of(cx, Role::Application)
    )
}
