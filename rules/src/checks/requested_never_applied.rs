use super::Context;
use super::changes::{about_change, by, changes, instant, the_request, trails_of};
use crate::correlate::{Flag, Rotation, Verdict};
use crate::inventory::Item;
use crate::model::{EventKind, Finding, Role, Severity};

rule! {
    /// A rotation was asked for, and the store was never written.
    ///
    /// The store's trail is complete from the request to its deadline and shows no write. Whoever asked believes that the
    /// secret is new; it is not. Where the issuer was changed and the store was not, the store holds a value that no longer
    /// works: that is critical.
    ///
    /// # How to fix
    /// Carry the request out, or give it up in the ledger and ask anew.
    "requested-never-applied", "KT4002", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    changes(cx, |rotation| rotation.verdict == Verdict::RequestedNeverApplied)
        .map(|(item, rotation)| {
            let half = rotation.flags.contains(&Flag::HalfApplied);
            about_change(&RULE, item, rotation, describe(cx, item, rotation)).severity(if half {
                Severity::Critical
            } else {
                RULE.severity
            })
        })
        .collect()
}

fn describe(cx: &Context<'_>, item: &Item, rotation: &Rotation) -> String {
    let request = the_request(rotation);
    let asked = instant(request.map_or(rotation.at, |event| event.time));
    let mut message = format!(
        "Secret '{}' was to be rotated, as asked for at {asked}{}, and up to {} no write is in {}",
        item.id,
        by(request),
        instant(rotation.deadline),
        trails_of(cx, Role::Store)
    );
    for (flag, what) in [
        (Flag::Failed, "; a try failed"),
        (Flag::Throttled, "; a try was turned away for too many requests"),
        (Flag::HalfApplied, "; who honours it was changed, so that the store holds a value that no longer works"),
    ] {
        if rotation.flags.contains(&flag) {
            message += what;
        }
    }
    if rotation.events.iter().any(|event| event.kind == EventKind::Abandoned) {
        message += "; the request was given up";
    }
    message + "."
}
