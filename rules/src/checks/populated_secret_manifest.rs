use super::{Context, about_places, copies};
use crate::model::{CopyKind, Finding, SecretCopy};
use crate::value::is_secret_name;

rule! {
    /// The manifest of a Kubernetes Secret holds a real value.
    ///
    /// Base64 is no encryption: whoever can read the repository, now or in its history, has the value. Manifests may
    /// hold placeholders, sealed data or references to a store. User names and other guessable settings do not count.
    ///
    /// # How to fix
    /// Put a placeholder there, let a sealed secret or an operator bring the value, and rotate the value: it is in the
    /// history of the repository.
    "populated-secret-manifest", "KT1010", Inventory, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        .filter_map(|item| {
            let counts = |copy: &&SecretCopy| {
                let named = copy.key.as_ref().is_some_and(is_secret_name);
                copy.value.is_literal() && (named || copy.value.reveals.is_some() || !copy.value.guessable)
            };
            let populated: Vec<&SecretCopy> =
                item.copies_in(|kind| kind == CopyKind::KubernetesSecret).filter(counts).collect();
            let first = populated.first()?;
            Some(
                about_places(
                    &RULE,
                    item,
                    &populated,
                    format!("The manifest of {} holds the real value of secret '{}'.", first.place, item.id),
                )
                .at(first.location.clone())
                .evidence(copies(populated.iter().copied()))
                .next("replace the value by a placeholder, seal it or fill it from a store, and rotate it"),
            )
        })
        .collect()
}
