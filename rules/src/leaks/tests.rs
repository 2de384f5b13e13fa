use std::collections::{BTreeMap, BTreeSet};

use crate::checks::Facet;
use crate::evaluate;
use crate::leaks::Lifecycle;
use crate::model::{
    Commit, CopyKind, Detected, Facts, Finding, Fingerprint, FingerprintKey, History, Leak, Location, Medium,
    Occurrence, Place, Secret, SecretCopy, Severity, Sighting, Snapshot, Time, Version, VersionState, VersionValue,
};
use crate::policy::{Accepted, Policy};
use crate::report::{ItemStatus, Report};
use crate::value::Value;

fn key() -> FingerprintKey {
    FingerprintKey::new([9; 32])
}

fn print_of(value: &str) -> Fingerprint {
    key().fingerprint(&Secret::from(value))
}

fn day(number: i64) -> Time {
    Time::UNIX_EPOCH + chrono::TimeDelta::days(20_000 + number)
}

const NOW: &str = "q7Rk2vXw9LmZ4tBn8Hs3";
const BEFORE: &str = "hT5sWc1Zx8Qe6Ry3Ui0P";

/// A path of a store whose second version is [`NOW`], after [`BEFORE`].
fn in_vault(state: VersionState) -> SecretCopy {
    let version = |number, at, value, state| Version {
        number,
        created_at: day(at),
        state,
        value: VersionValue::Read(print_of(value)),
    };
    let value = Value::observe(&Secret::from(NOW), &key());
    let place = Place::new("vault", "secret/shop", "api_key");
    SecretCopy {
        history: History { versions: vec![version(1, 0, BEFORE, state), version(2, 50, NOW, VersionState::Live)] },
        ..SecretCopy::new(place, CopyKind::VaultKv2, None, value)
    }
}

fn seen_in(file: &str, commit: Option<i64>) -> Occurrence {
    let commit = commit.map(|at| Commit {
        time: day(at),
        id: "0123456789abcdef".to_owned(),
        author: "Jo".to_owned(),
        email: "jo@example.com".to_owned(),
    });
    let medium = if commit.is_some() { Medium::GitHistory } else { Medium::File };
    Occurrence { commit, medium, location: Location::of_file(file), present: true, allowed: None }
}

fn leak(value: &str, occurrences: Vec<Occurrence>) -> Leak {
    Leak { fingerprint: print_of(value), tag: 7, detector: None, occurrences, accepted: None }
}

fn judge(copies: Vec<SecretCopy>, leaks: Vec<Leak>, policy: &Policy) -> Report {
    let facts = Facts { copies, leaks, ..Facts::default() };
    let snapshot = Snapshot { as_of: day(100), facts, sightings: BTreeMap::new() };
    evaluate(&snapshot, policy, &BTreeSet::from([Facet::Leaks]))
}

fn only(report: &Report) -> &Finding {
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    &report.findings[0]
}

#[test]
fn a_current_value_makes_its_item_compromised_and_due_at_once() {
    let leaks = vec![leak(NOW, vec![seen_in("app.py", Some(60)), seen_in("old.py", Some(55))])];
    let report = judge(vec![in_vault(VersionState::Live)], leaks, &Policy::default());
    let finding = only(&report);
    assert_eq!((finding.rule, finding.severity), ("leaked-current-value", Severity::Critical));
    assert!(finding.message.contains("2 places, first in commit 0123456789ab of "), "{}", finding.message);
    let item = &report.items[0];
    assert_eq!((item.status, item.due_at), (ItemStatus::Compromised, Some(day(100))));
    assert_eq!(report.leaks[0].exposed_since, Some(day(55)));
    assert_eq!(report.leaks[0].version, Some(2));
}

#[test]
fn an_earlier_value_counts_while_the_store_holds_it() {
    for (state, lifecycle, severity) in [
        (VersionState::Live, Lifecycle::Previous, Severity::High),
        (VersionState::Destroyed, Lifecycle::Retired, Severity::Info),
    ] {
        let leaks = vec![leak(BEFORE, vec![seen_in("app.py", Some(10))])];
        let report = judge(vec![in_vault(state)], leaks, &Policy::default());
        let finding = only(&report);
        assert_eq!((finding.rule, finding.severity), ("leaked-previous-value", severity));
        let leak = &report.leaks[0];
        assert_eq!((leak.lifecycle, leak.version, leak.exposed_until), (lifecycle, Some(1), Some(day(50))));
        assert_ne!(report.items[0].status, ItemStatus::Compromised);
    }
}

#[test]
fn a_value_that_only_the_state_remembers_is_retired() {
    let place = Place::new("env-file", ".env", "API_KEY");
    let value = Value::observe(&Secret::from(NOW), &key());
    let copy = SecretCopy::new(place.clone(), CopyKind::EnvFile, Some(Location::of_file(".env")), value);
    let seen = |value, first, last| Sighting {
        first_seen: day(first),
        last_seen: day(last),
        fingerprint: print_of(value),
        version: None,
    };
    let facts =
        Facts { copies: vec![copy], leaks: vec![leak(BEFORE, vec![seen_in("app.log", None)])], ..Facts::default() };
    let sightings = BTreeMap::from([(place, vec![seen(BEFORE, 0, 30), seen(NOW, 40, 90)])]);
    let snapshot = Snapshot { as_of: day(100), facts, sightings };
    let report = evaluate(&snapshot, &Policy::default(), &BTreeSet::from([Facet::Leaks]));
    assert_eq!(only(&report).severity, Severity::Info);
    assert_eq!(report.leaks[0].exposed_until, Some(day(40)));
}

#[test]
fn the_inventorys_own_files_are_no_leak_and_their_history_is() {
    let place = Place::new("env-file", ".env", "API_KEY");
    let value = || Value::observe(&Secret::from(NOW), &key());
    let copy = || SecretCopy::new(place.clone(), CopyKind::EnvFile, Some(Location::of_file(".env")), value());
    let own = judge(vec![copy()], vec![leak(NOW, vec![seen_in(".env", None)])], &Policy::default());
    assert!(own.findings.is_empty() && own.leaks.is_empty());
    let history = judge(vec![copy()], vec![leak(NOW, vec![seen_in(".env", Some(3))])], &Policy::default());
    assert_eq!(only(&history).rule, "leaked-current-value");
}

#[test]
fn an_unmanaged_secret_is_named_by_its_detector_and_its_finding_changes_with_its_value() {
    let detected = Detected {
        id: "shop-token".to_owned(),
        name: "Shop token".to_owned(),
        provider: "Shop".to_owned(),
        severity: Severity::Medium,
        remedy: "Delete it at shop.example.".to_owned(),
        preview: Some("shop_".to_owned()),
    };
    let unmanaged = |tag| Leak { detector: Some(detected.clone()), tag, ..leak("x", vec![seen_in("a.py", None)]) };
    let report = |tag| judge(Vec::new(), vec![unmanaged(tag)], &Policy::default());
    let (one, same, other) = (report(1), report(1), report(2));
    let finding = only(&one);
    assert_eq!((finding.rule, finding.severity), ("leaked-unmanaged-secret", Severity::Medium));
    assert_eq!(finding.message, "Shop token (shop_…) is in a.py:1.");
    assert_eq!(finding.next, "Delete it at shop.example.");
    assert_eq!(finding.fingerprint, only(&same).fingerprint);
    assert_ne!(finding.fingerprint, only(&other).fingerprint);
}

#[test]
fn what_is_accepted_does_not_count_until_it_expires() {
    let leaks = || vec![leak(NOW, vec![seen_in("app.py", None)])];
    let accept = |fingerprint: &str, expires| Policy {
        accepted: vec![Accepted { fingerprint: fingerprint.to_owned(), reason: "a drill".to_owned(), expires }],
        ..Policy::default()
    };
    let by_value = judge(vec![in_vault(VersionState::Live)], leaks(), &accept(print_of(NOW).as_str(), Some(day(101))));
    assert_eq!(by_value.counting().count(), 0);
    assert_ne!(by_value.items[0].status, ItemStatus::Compromised);
    let expired = judge(vec![in_vault(VersionState::Live)], leaks(), &accept(print_of(NOW).as_str(), Some(day(100))));
    assert_eq!(expired.counting().count(), 1);
    let by_finding = judge(vec![in_vault(VersionState::Live)], leaks(), &accept(&only(&expired).fingerprint, None));
    assert_eq!(by_finding.counting().count(), 0);
    assert_ne!(by_finding.items[0].status, ItemStatus::Compromised);
}

#[test]
fn a_mark_beside_every_place_lets_a_leak_pass_and_beside_some_does_not() {
    let marked = |file| Occurrence { allowed: Some("a sample".to_owned()), ..seen_in(file, None) };
    let all = vec![leak(NOW, vec![marked("a"), marked("b")])];
    assert_eq!(judge(vec![in_vault(VersionState::Live)], all, &Policy::default()).counting().count(), 0);
    let some = vec![leak(NOW, vec![marked("a"), seen_in("b", None)])];
    assert_eq!(judge(vec![in_vault(VersionState::Live)], some, &Policy::default()).counting().count(), 1);
}
