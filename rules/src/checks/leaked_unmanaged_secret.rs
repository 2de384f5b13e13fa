use std::collections::BTreeMap;

use super::Context;
use super::leaked_current_value::{evidence, places, severity};
use crate::leaks::{LeakReport, Lifecycle};
use crate::model::Finding;

rule! {
    /// A secret that nobody inventoried lies open.
    ///
    /// A detector recognised it by its form, its checksum or its name, and no item of the inventory has that value: so
    /// nobody owns it and nobody rotates it. `keytrail rules explain DETECTOR` says how it is recognised.
    ///
    /// # How to fix
    /// Revoke it where it is honoured, put a new one into the store, declare it in the schema. Where it is no secret, say
    /// why: `keytrail:allow REASON` on its line, or `[[leaks.accept]]` in the config, by its fingerprint.
    "leaked-unmanaged-secret", "KT3003", Leaks, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    // Two values of one kind in one file, whose few public bits are the same, are told apart by their order.
    let mut seen: BTreeMap<(&str, &str, u16), usize> = BTreeMap::new();
    cx.leaks
        .iter()
        .filter(|leak| leak.lifecycle == Lifecycle::Unmanaged)
        .map(|leak| {
            let first = leak.occurrences.first().map_or("", |one| one.location.file.as_str());
            let number = seen.entry((&leak.detector, first, leak.tag)).or_default();
            *number += 1;
            let subject = format!("{}\n{first}\n{:04x}\n{number}", leak.detector, leak.tag);
            finding(leak, &subject)
        })
        .collect()
}

fn finding(leak: &LeakReport, subject: &str) -> Finding {
    let what = leak.detected.as_ref().map_or("A secret", |detected| detected.name.as_str());
    let preview = leak.detected.as_ref().and_then(|detected| detected.preview.as_deref());
    let preview = preview.map_or_else(String::new, |preview| format!(" ({preview}…)"));
    let mut what = what.to_owned();
    if let Some(first) = what.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let message = format!("{what}{preview} is {}.", places(&[leak]));
    let remedy = leak.detected.as_ref().map_or("", |detected| detected.remedy.as_str());
    let mut finding = Finding::new(&RULE, subject, message)
        .severity(severity(leak))
        .at(Some(leak.location.clone()))
        .evidence(evidence(leak))
        .next(if remedy.is_empty() { "revoke it, and put a new one into the store" } else { remedy });
    finding.exception = leak.excuse();
    finding
}
