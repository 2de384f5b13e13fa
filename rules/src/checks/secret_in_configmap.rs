use super::{Context, about_places, copies};
use crate::model::{CopyKind, Finding, SecretCopy};
use crate::value::Shape;

rule! {
    /// A secret lies in plain configuration: a ConfigMap, a literal of a workload or compose file, a workflow variable.
    ///
    /// Everyone who may read configuration may read it; it is not encrypted at rest, and it shows up in `kubectl get`,
    /// in the pod's description and in audit logs. Placeholders and references (`${X}`) are no values.
    ///
    /// # How to fix
    /// Move it to a Secret (sealed, or filled by an operator from a store), load it with `secretKeyRef`, and rotate it.
    "secret-in-configmap", "KT1004", Inventory, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        .filter_map(|item| {
            let exposed = |copy: &&SecretCopy| match copy.value.shape {
                // A name alone is no proof: what is short, a path or a flag may be a setting of a similar name.
                Shape::Literal => {
                    item.is_declared()
                        || copy.value.reveals.is_some()
                        || (item.has_secret_name() && !copy.value.guessable)
                }
                // A workflow variable is never read, so there its name alone has to tell.
                Shape::Unread => copy.kind == CopyKind::GithubVariable && item.has_secret_name(),
                _ => false,
            };
            let exposed: Vec<&SecretCopy> = item.copies_in(CopyKind::is_plain_config).filter(exposed).collect();
            let first = exposed.first()?;
            Some(
                about_places(
                    &RULE,
                    item,
                    &exposed,
                    format!("Secret '{}' lies in plain configuration: {}.", item.id, first.place),
                )
                .at(first.location.clone())
                .evidence(copies(exposed.iter().copied()))
                .next(format!("move {} to a secret store, load it from there, and rotate it", item.key)),
            )
        })
        .collect()
}
