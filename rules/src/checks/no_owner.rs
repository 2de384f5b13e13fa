use super::{Context, about_key};
use crate::model::Finding;

rule! {
    /// A declared secret has no owner.
    ///
    /// When it leaks at night, nobody knows whom to wake; when it is overdue, nobody is late. Owners come from a
    /// runbook's owner column, from `owner` of a schema or `[[secret]]`, or from a store's custom metadata.
    ///
    /// # How to fix
    /// Name a team, not a person.
    "no-owner", "KT1007", Inventory, Low
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let orphans = cx.inventory.secrets().filter(|item| item.is_declared() && item.owner.is_none());
    orphans
        .map(|item| {
            about_key(&RULE, item, format!("Secret '{}' has no owner.", item.key))
                .next(format!("name the team in the runbook, or set owner for {} in keytrail.toml", item.key))
        })
        .collect()
}
