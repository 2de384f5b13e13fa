use super::{Context, about, copies};
use crate::inventory::Item;
use crate::model::{Evidence, Finding};
use crate::value::Shape;

rule! {
    /// A secret is in use that no schema, runbook or config declares.
    ///
    /// What is not in the inventory has no owner and no cadence, and nobody rotates it when a person leaves or a
    /// laptop is lost. It is found where secrets lie (stores, Kubernetes Secrets, `secrets.X` of a workflow, `.env`
    /// files) and under names that are those of secrets. A store's own metadata is no declaration, since nobody
    /// reviews it.
    ///
    /// # How to fix
    /// Add it to the `.env.schema` with its class and to the runbook with its owner and cadence, or as a `[[secret]]`
    /// of `keytrail.toml`; or delete it where it lies.
    "undeclared-secret", "KT1001", Inventory, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let undeclared = cx.inventory.secrets().filter(|item| !item.is_declared() && is_in_use(item));
    undeclared
        .map(|item| {
            let used = item
                .uses
                .iter()
                .map(|one| Evidence::new(format!("loaded by {}", one.consumer), Some(one.location.clone()), None));
            about(&RULE, item, format!("Secret '{}' is in use, but nothing declares it.", item.id))
                .evidence(copies(&item.copies))
                .evidence(used)
                .next(format!(
                    "declare {} in the .env.schema, a runbook or keytrail.toml, with owner and cadence",
                    item.key
                ))
        })
        .collect()
}

/// Whether something loads it, or a place holds more than nothing.
fn is_in_use(item: &Item) -> bool {
    !item.uses.is_empty() || item.copies.iter().any(|copy| copy.value.shape != Shape::Empty)
}
