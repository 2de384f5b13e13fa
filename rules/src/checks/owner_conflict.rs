use super::{Context, about_key, stated};
use crate::model::Finding;

rule! {
    /// Two sources name different owners for one secret.
    ///
    /// The first stands, in the order config, schema, runbook, store.
    ///
    /// # How to fix
    /// Correct the line that is wrong.
    "owner-conflict", "KT1008", Inventory, Low
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        .filter_map(|item| {
            let (owners, evidence) = stated(item, |declaration| {
                let owner = declaration.owner.as_ref()?;
                Some((owner.trim().to_lowercase(), format!("owner {owner}")))
            });
            (owners.len() > 1).then(|| {
                let stands = item.owner.as_deref().unwrap_or_default();
                about_key(&RULE, item, format!("Secret '{}' has {} owners; '{stands}' stands.", item.key, owners.len()))
                    .at(item.location_of(|declaration| declaration.owner.is_some()))
                    .evidence(evidence)
                    .next("make the lines agree")
            })
        })
        .collect()
}
