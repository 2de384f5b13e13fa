use super::leaked_current_value::{finding, of_items, places};
use super::{Context, day};
use crate::leaks::{LeakReport, Lifecycle};
use crate::model::{Finding, Severity};

rule! {
    /// A secret's earlier value lies open.
    ///
    /// The value that was found is no longer the current one. While the store still holds it, nothing proves that the
    /// system behind it refuses it, so it counts as a leak; where only its fingerprint is left, it is worth knowing and
    /// no more: how long a usable secret lay open.
    ///
    /// # How to fix
    /// Revoke the earlier value where it is honoured, and destroy the version in the store. Take it out of the place that
    /// it was found in.
    "leaked-previous-value", "KT3002", Leaks, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    of_items(cx, &[Lifecycle::Previous, Lifecycle::Retired])
        .into_iter()
        .map(|(item, leaks)| {
            let held: Vec<&LeakReport> =
                leaks.iter().copied().filter(|leak| leak.lifecycle == Lifecycle::Previous).collect();
            let shown = if held.is_empty() { &leaks } else { &held };
            let message = format!("An earlier value of secret '{item}' is {}{}.", places(shown), window(shown));
            let found = finding(&RULE, item, shown, message);
            if held.is_empty() {
                found.severity(Severity::Info).next("nothing to rotate; make sure that the old value was revoked")
            } else {
                found.next("revoke the earlier value where it is honoured, and destroy its version in the store")
            }
        })
        .collect()
}

/// `; it lay open from 2026-01-02 until it was replaced on 2026-03-04`.
fn window(leaks: &[&LeakReport]) -> String {
    let since = leaks.iter().filter_map(|leak| leak.exposed_since).min();
    let until = leaks.iter().filter_map(|leak| leak.exposed_until).max();
    match (since, until) {
        (Some(since), Some(until)) if since < until => {
            format!("; it lay open from {} until it was replaced on {}", day(since), day(until))
        }
        (_, Some(until)) => format!("; it was replaced on {}", day(until)),
        _ => String::new(),
    }
}
