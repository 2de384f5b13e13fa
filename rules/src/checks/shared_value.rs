use std::collections::{BTreeMap, BTreeSet};

use super::{Context, about, copies};
use crate::inventory::Item;
use crate::model::{Environment, Finding, Fingerprint, SecretCopy, Severity};

rule! {
    /// Two secrets, or one secret in two environments, have the same value.
    ///
    /// Whoever reads the weaker one has the stronger one; and rotating one of them breaks or forgets the other. Values
    /// are compared by keyed fingerprint. Short and common values are left out, since they may be equal by chance;
    /// so are secrets that are declared to be made from one another.
    ///
    /// # How to fix
    /// Give each its own value. Where they are one secret under two names, say so: name both places in the `copies`
    /// of one `[[secret]]`.
    "shared-value", "KT1006", Inventory, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut holders: BTreeMap<&Fingerprint, Vec<(&Item, &SecretCopy)>> = BTreeMap::new();
    for item in cx.inventory.secrets() {
        for copy in item.copies.iter().filter(|copy| !copy.value.guessable) {
            if let Some(value) = &copy.value.fingerprint {
                holders.entry(value).or_default().push((item, copy));
            }
        }
    }
    let mut groups: BTreeMap<BTreeSet<&str>, Vec<(&Item, &SecretCopy)>> = BTreeMap::new();
    for holders in holders.into_values().filter(|holders| is_shared(holders)) {
        groups.entry(holders.iter().map(|(item, _)| item.id.as_str()).collect()).or_default().extend(holders);
    }
    groups
        .into_iter()
        .filter_map(|(ids, mut holders)| {
            // The order of fingerprints depends on their key.
            holders.sort_by_key(|(item, copy)| (&item.id, &copy.place));
            report(&ids, &holders)
        })
        .collect()
}

/// Whether the holders of one value are more than one secret, and not made from one another.
fn is_shared(holders: &[(&Item, &SecretCopy)]) -> bool {
    let items: BTreeMap<&str, &Item> = holders.iter().map(|(item, _)| (item.id.as_str(), *item)).collect();
    let derived =
        |item: &&Item| item.derived_from.iter().any(|one| one.declared && items.contains_key(one.source.as_str()));
    items.values().filter(|item| !derived(item)).count() > 1 || environments(holders).len() > 1
}

fn environments<'a>(holders: &[(&'a Item, &'a SecretCopy)]) -> BTreeSet<&'a Environment> {
    holders.iter().filter_map(|(_, copy)| copy.environment.as_ref()).collect()
}

fn report(ids: &BTreeSet<&str>, holders: &[(&Item, &SecretCopy)]) -> Option<Finding> {
    let (first, _) = holders.first()?;
    let names = ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(" and ");
    let environments: Vec<&str> = environments(holders).into_iter().map(Environment::as_str).collect();
    let (message, severity) = if environments.len() > 1 {
        (format!("{names}: {} share one value.", environments.join(" and ")), Severity::High)
    } else {
        (format!("{names} have the same value."), Severity::Medium)
    };
    let subject = ids.iter().copied().collect::<Vec<_>>().join("\n");
    let finding =
        Finding { fingerprint: Finding::new(&RULE, &subject, "").fingerprint, ..about(&RULE, first, message) };
    Some(
        finding
            .severity(severity)
            .evidence(copies(holders.iter().map(|(_, copy)| *copy)))
            .next("give each its own value, or declare them as copies of one secret"),
    )
}
