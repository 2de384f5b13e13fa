use super::event_due_rotation::proof;
use super::{Context, about};
use crate::cadence::Cadence;
use crate::inventory::{Derivation, Sync};
use crate::model::Finding;

rule! {
    /// A secret is made from another, and still holds its old value.
    ///
    /// The password inside a connection URL is compared with the password itself, by keyed fingerprint; where values
    /// may not be read, a source that was changed after a declared derivative proves it by the times. Whatever loads
    /// such a URL fails at its next login.
    ///
    /// # How to fix
    /// Build it anew from its source, and write it everywhere that it is copied to.
    "stale-derived-secret", "KT2009", Cadence, High, fixable
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        .filter_map(|item| {
            // Times alone are the business of event-due-rotation, where the cadence is an event.
            let by_event = matches!(item.cadence, Some(Cadence::On(_)));
            let counts = |one: &&Derivation| {
                one.sync == Sync::HoldsOldValue || (one.sync == Sync::SourceIsNewer && one.declared && !by_event)
            };
            let stale: Vec<&Derivation> = item.derived_from.iter().filter(counts).collect();
            let first = stale.first()?;
            Some(
                about(
                    &RULE,
                    item,
                    format!(
                        "Secret '{}' is made from '{}', and does not hold its current value.",
                        item.id, first.source
                    ),
                )
                .evidence(stale.iter().flat_map(|one| proof(cx, one)))
                .next(format!("build {} anew from '{}' and write it to all its places", item.id, first.source)),
            )
        })
        .collect()
}
