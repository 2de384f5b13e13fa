use std::collections::BTreeMap;

use super::{Context, Rule, count, day};
use crate::inventory::ItemId;
use crate::leaks::{LeakReport, Lifecycle};
use crate::model::{Evidence, Finding, Severity};

rule! {
    /// A secret that is in use lies open.
    ///
    /// Its current value was found where it should not be: in a git history, a log, an archive, a file. Whoever can read
    /// that place can use the secret, and removing the line does not take it back: it stays in every clone. The item is
    /// `compromised`, which makes it due at once. Its own copies, in the files that the inventory is read from, do not
    /// count.
    ///
    /// # How to fix
    /// Rotate the secret now, then take it out of the place. `keytrail scan --fix --dry-run` shows the plan.
    "leaked-current-value", "KT3001", Leaks, Critical, fixable
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    of_items(cx, &[Lifecycle::Current])
        .into_iter()
        .map(|(item, leaks)| {
            let message = format!("Secret '{item}' lies open: its current value is {}.", places(&leaks));
            finding(&RULE, item, &leaks, message)
                .next(format!("rotate {item} now, then take it out of where it was found"))
        })
        .collect()
}

/// The leaks of some lifecycles, by item.
pub(super) fn of_items<'a>(cx: &Context<'a>, wanted: &[Lifecycle]) -> BTreeMap<&'a ItemId, Vec<&'a LeakReport>> {
    let mut of_items: BTreeMap<&ItemId, Vec<&LeakReport>> = BTreeMap::new();
    for leak in cx.leaks.iter().filter(|leak| wanted.contains(&leak.lifecycle)) {
        if let Some(item) = &leak.item {
            of_items.entry(item).or_default().push(leak);
        }
    }
    of_items
}

/// A finding about the leaks of an item, at the line where the first still lies.
pub(super) fn finding(rule: &Rule, item: &ItemId, leaks: &[&LeakReport], message: String) -> Finding {
    let mut finding = Finding::new(rule, item.as_str(), message)
        .item(item.clone())
        .at(leaks.iter().map(|leak| leak.location.clone()).next())
        .evidence(leaks.iter().flat_map(|leak| evidence(leak)));
    let excuses: Option<Vec<String>> = leaks.iter().map(|leak| leak.excuse()).collect();
    finding.exception = excuses.and_then(|excuses| excuses.into_iter().next());
    finding
}

/// Where a leak was seen, the oldest first; of very many places the first ones.
pub(super) fn evidence(leak: &LeakReport) -> Vec<Evidence> {
    /// A page of a report; the JSON's `leaks` has them all.
    const SHOWN: usize = 50;
    leak.occurrences
        .iter()
        .take(SHOWN)
        .map(|one| {
            let note = match &one.commit {
                Some(commit) => {
                    let id: String = commit.id.chars().take(12).collect();
                    let still = if one.present { "still in HEAD" } else { "no longer in HEAD" };
                    format!("commit {id} of {} by {}; {still}", day(commit.time), commit.author)
                }
                None => format!("in {}", one.medium.describe()),
            };
            Evidence::new(note, Some(one.location.clone()), None)
        })
        .collect()
}

/// `in 3 places, first in commit 0123456789ab of 2026-01-02 by Jo (src/db.py:7), and still there`.
pub(super) fn places(leaks: &[&LeakReport]) -> String {
    let occurrences: Vec<_> = leaks.iter().flat_map(|leak| &leak.occurrences).collect();
    let number = i64::try_from(occurrences.len()).unwrap_or(i64::MAX);
    let first = occurrences.iter().min_by_key(|one| (one.commit.is_none(), &one.commit));
    let mut text = match first.map(|one| (one, &one.commit)) {
        Some((one, Some(commit))) => {
            let id: String = commit.id.chars().take(12).collect();
            let since = format!("commit {id} of {} by {} ({})", day(commit.time), commit.author, one.location);
            if number == 1 { format!("in {since}") } else { format!("in {}, first in {since}", count(number, "place")) }
        }
        Some((one, None)) if number == 1 => format!("in {}", one.location),
        Some((one, None)) => format!("in {}, {} among them", count(number, "place"), one.location),
        None => String::new(),
    };
    let in_history = first.is_some_and(|one| one.commit.is_some());
    if in_history {
        let present = occurrences.iter().any(|one| one.present);
        text += if present { ", and still there" } else { "; in HEAD no more" };
    }
    text
}

/// The severity of a detector's finding where no item tells better.
pub(super) fn severity(leak: &LeakReport) -> Severity {
    leak.detected.as_ref().map_or(Severity::High, |detected| detected.severity)
}
