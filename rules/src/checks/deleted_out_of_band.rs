use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::changes::{by, evidence, instant, location, notices, says, short, trace, trails_of};
use super::{Context, about};
use crate::correlate::{EventReport, TrailReport};
use crate::inventory::{Item, ItemId};
use crate::model::{EventKind, Finding, Outcome, Role, Severity};

rule! {
    /// A secret was deleted or destroyed, and nobody asked for it.
    ///
    /// The store's trail shows the deletion, and the ledger is complete over the time and has no request near it. Consumers
    /// fail at their next start. Where no ledger covers the time, it is not known whether somebody asked: that is said once
    /// for the secret, and weighs little.
    ///
    /// # How to fix
    /// Restore the version while the store still can (`vault kv undelete`), and find out who deleted it and why.
    "deleted-out-of-band", "KT4014", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut unknown: BTreeMap<&ItemId, (&Item, &EventReport)> = BTreeMap::new();
    let mut findings = Vec::new();
    let deletions = notices(cx).filter(|(_, event)| {
        event.outcome == Outcome::Done && matches!(event.kind, EventKind::Deleted | EventKind::Destroyed)
    });
    for (item, event) in deletions.filter(|(item, event)| !was_asked_for(cx, item, event)) {
        match ledger(cx, event) {
            Ledger::Silent => findings.push(without_request(cx, item, event)),
            Ledger::Unknown => {
                unknown.entry(&item.id).or_insert((item, event));
            }
            Ledger::NotYet => {}
        }
    }
    findings.extend(unknown.into_values().map(|(item, event)| with_no_ledger(item, event)));
    findings
}

/// What the ledger says of a deletion that it shows no request for.
enum Ledger {
    /// It would have it.
    Silent,
    /// It may still come.
    NotYet,
    /// Nothing covers the time.
    Unknown,
}

fn ledger(cx: &Context<'_>, event: &EventReport) -> Ledger {
    let (from, to) = (event.time - cx.policy.request_window, event.time + cx.policy.request_window);
    let ledgers = || cx.correlation.trails.iter().filter(|trail| trail.role == Role::Ledger);
    let due = |trail: &TrailReport| to + TimeDelta::seconds(trail.delay_seconds);
    if ledgers().any(|trail| due(trail) > cx.snapshot.as_of) {
        Ledger::NotYet
    } else if ledgers().any(|trail| trail.covers(from, to)) {
        Ledger::Silent
    } else {
        Ledger::Unknown
    }
}

/// Whether the ledger has a request for the item near a deletion, or for its run.
fn was_asked_for(cx: &Context<'_>, item: &Item, deletion: &EventReport) -> bool {
    let asks = |event: &&EventReport| event.role == Role::Ledger && event.outcome == Outcome::Done;
    let fits = |event: &EventReport| {
        let same_run = event.run.is_some() && event.run == deletion.run;
        same_run || (event.time - deletion.time).abs() <= cx.policy.request_window
    };
    cx.correlation.rotations_of(&item.id).iter().flat_map(|rotation| &rotation.events).filter(asks).any(fits)
}

fn without_request(cx: &Context<'_>, item: &Item, event: &EventReport) -> Finding {
    let message = format!("{}; no request for it is in {}.", happened(item, event), trails_of(cx, Role::Ledger));
    let version = event.version.as_deref().unwrap_or_default();
    let subject = format!("{}\n{}\n{version}\n{}", item.id, event.target, instant(event.time));
    let fingerprint = Finding::new(&RULE, &subject, "").fingerprint;
    Finding { fingerprint, ..finding(item, event, message) }
}

fn with_no_ledger(item: &Item, event: &EventReport) -> Finding {
    let message =
        format!("{}; whether somebody asked for it is not known: no ledger covers the time.", happened(item, event));
    finding(item, event, message).severity(Severity::Low)
}

fn happened(item: &Item, event: &EventReport) -> String {
    // A command line makes strings of version numbers, and Vault hashes strings.
    let version = event.version.as_deref().filter(|version| !version.starts_with("hmac-"));
    let what = version.map_or_else(|| "Secret".to_owned(), |version| format!("Version {} of secret", short(version)));
    let (at, by) = (instant(event.time), by(Some(event)));
    format!("{what} '{}' was {} at {at}{by}, {}", item.id, event.kind.as_str(), says(event))
}

fn finding(item: &Item, event: &EventReport, message: String) -> Finding {
    let line = location(&event.raw).or_else(|| item.location());
    about(&RULE, item, message).at(line).evidence([evidence(event)]).next(trace(&item.id))
}
