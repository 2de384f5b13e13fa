use super::overdue_rotation::cadence;
use super::{Context, about, count, day, days_between};
use crate::cadence::Cadence;
use crate::inventory::{Item, Sync};
use crate::model::{CopyKind, Evidence, Finding, SecretCopy, Severity};
use crate::report::ItemStatus;

rule! {
    /// It cannot be told whether a secret is within its cadence.
    ///
    /// A store counts the writes of a *path*: if its keys were not compared, a write to one key would make its siblings
    /// look fresh. A `.env` file remembers nothing: its ages count from the first scan that saw the value. A secret that
    /// is to follow another needs both ages or both values. Keytrail then says what it knows, and does not guess.
    ///
    /// # How to fix
    /// Set `read_values = true` for the store (values stay in memory, and only keyed fingerprints are compared), let a
    /// nightly scan keep its state, or name the source in `derived_from`.
    "unknown-age", "KT2007", Cadence, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        // What a cadence that is not understood means is the business of unreadable-cadence.
        .filter(|item| item.status == ItemStatus::UnknownAge && item.cadence.is_some())
        .map(|item| {
            let (known, next) =
                if matches!(item.cadence, Some(Cadence::On(_))) { of_event(item) } else { of_calendar(item, cx) };
            let nowhere = item.copies.is_empty();
            about(&RULE, item, format!("Secret '{}' is to be rotated {}, but {known}.", item.id, cadence(item)))
                .severity(if nowhere { Severity::Low } else { Severity::Medium })
                .at(item.location_of(|declaration| declaration.cadence.is_some()))
                .evidence(item.age.iter().map(|age| Evidence::new(age.proof.clone(), None, None)))
                .next(next)
        })
        .collect()
}

fn of_calendar(item: &Item, cx: &Context<'_>) -> (String, String) {
    match &item.age {
        Some(age) => {
            let least = count(days_between(age.not_after, cx.snapshot.as_of), "day");
            let known = match age.not_before {
                Some(time) => {
                    format!("all that is known is that it was set between {} and {}", day(time), day(age.not_after))
                }
                None => {
                    format!("all that is known is that it was set by {}, at least {least} ago", day(age.not_after))
                }
            };
            (known, how_to_know(item))
        }
        None if item.copies.is_empty() => (
            "no source that was read holds it".into(),
            "add the store that holds it as a [[store]] of keytrail.toml".into(),
        ),
        None => ("no source tells since when it has its value".into(), how_to_know(item)),
    }
}

/// What would tell the age of an item that has copies.
fn how_to_know(item: &Item) -> String {
    let in_store = |copy: &&SecretCopy| matches!(copy.kind, CopyKind::VaultKv2 | CopyKind::VaultKv1);
    match item.copies.iter().find(in_store) {
        // An export has lines, a store has none.
        Some(copy) if copy.location.is_none() => {
            "set read_values = true for its store, so that keys are compared".into()
        }
        Some(_) => "scan the store itself with read_values = true: an export holds no values to compare".into(),
        None => "scan regularly and keep the state: ages count from the first scan that saw the value".into(),
    }
}

fn of_event(item: &Item) -> (String, String) {
    let unknown = item.derived_from.iter().filter(|one| one.sync == Sync::Unknown);
    let sources: Vec<&str> = unknown.map(|one| one.source.as_str()).collect();
    if sources.is_empty() {
        let next = format!("name its source: derived_from in a [[secret]] for {}", item.key);
        return ("nothing tells which secret it follows".into(), next);
    }
    (
        format!("it cannot be told whether it followed the last change of '{}'", sources.join("', '")),
        "set read_values = true for the store, so that the values can be compared".into(),
    )
}
