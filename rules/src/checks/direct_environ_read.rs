use std::collections::BTreeMap;

use super::Context;
use crate::model::{CodeUseKind, Evidence, Finding, Location};

rule! {
    /// Application code reads an environment variable past the settings module.
    ///
    /// A variable that is read in the middle of the code is not validated at start-up, is missing from the schema
    /// before long, and cannot be rotated without finding every reader. Only the code that `[inventory] code` names is
    /// looked at; leave the settings module itself out of it.
    ///
    /// # How to fix
    /// Add the variable to the settings module and read it from there.
    "direct-environ-read", "KT1012", Inventory, Low
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut reads: BTreeMap<(&str, String), Vec<&Location>> = BTreeMap::new();
    for code in &cx.snapshot.facts.code {
        if let CodeUseKind::EnvironRead(key) = &code.kind {
            let name = key.as_ref().map_or_else(|| "an environment variable".to_owned(), |key| format!("'{key}'"));
            reads.entry((&code.location.file, name)).or_default().push(&code.location);
        }
    }
    reads
        .into_iter()
        .map(|((file, name), mut lines)| {
            lines.sort();
            Finding::new(&RULE, &format!("{file}\n{name}"), format!("{file} reads {name} past the settings module."))
                .at(lines.first().map(|line| (*line).clone()))
                .evidence(lines.iter().map(|line| Evidence::new("read here", Some((*line).clone()), None)))
                .next("read it through the settings module")
        })
        .collect()
}
