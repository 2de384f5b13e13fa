use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::Age;
use crate::inventory::Inventory;
use crate::model::{
    CopyKind, Facts, Fingerprint, FingerprintKey, History, Place, Secret, SecretCopy, Sighting, Snapshot, Time,
    Version, VersionState, VersionValue,
};
use crate::policy::Policy;
use crate::value::Value;

fn day(day: i64) -> Time {
    DateTime::UNIX_EPOCH + TimeDelta::days(day)
}

fn print(value: char) -> Fingerprint {
    FingerprintKey::new([1; 32]).fingerprint(&Secret::from(format!("value-{value}").as_str()))
}

/// A path whose versions hold the values of `text`, one a day: a letter is a value, `-` a version without the key, `?`
/// one that cannot be read. The first version has number `first`.
fn path(first: u64, text: &str) -> SecretCopy {
    let versions = text.chars().zip(0u32..).map(|(c, at)| Version {
        number: first + u64::from(at),
        created_at: day(i64::from(at) + 1),
        state: if c == '?' { VersionState::Destroyed } else { VersionState::Live },
        value: match c {
            '-' => VersionValue::Absent,
            '?' => VersionValue::Unread,
            c => VersionValue::Read(print(c)),
        },
    });
    let current = text.chars().last().filter(|c| c.is_alphabetic());
    let value = current.map_or_else(Value::unread, |c| {
        Value::observe(&Secret::from(format!("value-{c}").as_str()), &FingerprintKey::new([1; 32]))
    });
    let mut copy = SecretCopy::new(Place::new("vault", "secret/app", "k"), CopyKind::VaultKv2, None, value);
    copy.history = History { versions: versions.collect() };
    copy
}

fn seen(value: char, first: i64, last: i64) -> Sighting {
    Sighting { first_seen: day(first), last_seen: day(last), fingerprint: print(value), version: None }
}

/// The bounds in days, and whether it is the first value.
fn bounds(copy: &SecretCopy, sightings: &[Sighting]) -> Option<(Option<i64>, i64, bool)> {
    let days = |time: Time| (time - DateTime::UNIX_EPOCH).num_days();
    Age::of_copy(copy, sightings, day(50)).map(|age| (age.not_before.map(days), days(age.not_after), age.first_value))
}

#[test]
fn versions_that_were_compared_prove_when_the_value_was_set() {
    for (text, expected, why) in [
        ("a", (Some(1), 1, true), "the only version"),
        ("ab", (Some(2), 2, false), "changed in the second"),
        ("aaa", (Some(1), 1, true), "the same value written again is no rotation"),
        ("abb", (Some(2), 2, false), "nor is it after a rotation"),
        ("aba", (Some(1), 1, false), "a rollback is as old as the value"),
        ("--a", (Some(3), 3, true), "siblings were written before the key was added"),
        ("a-a", (Some(1), 1, true), "removed and put back"),
        ("a?b", (Some(2), 3, false), "the hidden version may have had it first"),
        ("?b", (Some(1), 2, false), "hidden from the start"),
        ("a?a", (Some(1), 1, true), "what is hidden in between changes nothing that is proven"),
        ("aab", (Some(3), 3, false), "a write to a sibling does not make it fresh before"),
    ] {
        assert_eq!(bounds(&path(1, text), &[]), Some(expected), "{text}: {why}");
    }
}

#[test]
fn versions_that_the_store_dropped_prove_nothing() {
    assert_eq!(
        bounds(&path(5, "aa"), &[]),
        Some((None, 1, false)),
        "it may have been set before the oldest kept version"
    );
    assert_eq!(bounds(&path(5, "ab"), &[]), Some((Some(2), 2, false)), "the version before it had another value");
    assert_eq!(bounds(&path(5, "?b"), &[]), Some((None, 2, false)), "hidden, and older ones are gone");
}

#[test]
fn a_path_whose_keys_were_not_compared_bounds_the_age() {
    let mut copy = path(1, "???");
    assert_eq!(bounds(&copy, &[]), Some((Some(1), 3, false)));
    copy.history.versions.truncate(1);
    assert_eq!(bounds(&copy, &[]), Some((Some(1), 1, true)), "one version: everything in it was set with it");
    assert_eq!(bounds(&path(4, "??"), &[]), Some((None, 2, false)));
}

#[test]
fn a_place_without_history_is_known_from_what_scans_saw() {
    let mut copy = path(1, "b");
    copy.kind = CopyKind::EnvFile;
    copy.history = History::default();
    assert_eq!(bounds(&copy, &[]), None, "never seen before");
    assert_eq!(bounds(&copy, &[seen('b', 10, 20)]), Some((None, 10, false)), "it may be older than the first scan");
    assert_eq!(bounds(&copy, &[seen('a', 1, 9), seen('b', 10, 20)]), Some((Some(9), 10, false)));
    assert_eq!(
        bounds(&copy, &[seen('b', 1, 5), seen('a', 6, 9)]),
        Some((None, 1, false)),
        "put back: as old as it ever was"
    );
    assert_eq!(
        bounds(&copy, &[seen('a', 1, 9)]),
        Some((Some(9), 50, false)),
        "new to this scan, so set since the last"
    );
}

#[test]
fn a_value_that_was_seen_before_the_store_says_so_is_older() {
    assert_eq!(bounds(&path(1, "b"), &[seen('b', -100, -90)]), Some((None, -100, false)), "the path was made anew");
    assert_eq!(bounds(&path(1, "ab"), &[seen('b', 5, 9)]), Some((Some(2), 2, false)), "seen later says nothing new");
}

proptest! {
    /// Whatever a store hides or drops, the value was there by `not_after`, and its last run began at `not_before` or later.
    #[test]
    fn bounds_hold_the_truth(values in "[ab]{1,8}", hidden in prop::collection::vec(any::<bool>(), 8), dropped in 0usize..4) {
        let current = values.chars().last().expect("a value");
        let first_there = values.find(current).expect("it is there") as i64 + 1;
        let last_run = values.trim_end_matches(current).len() as i64 + 1;
        let last = values.len() - 1;
        let text: String = values.chars().enumerate().map(|(at, c)| if hidden[at] && at != last { '?' } else { c }).collect();
        let mut copy = path(1, &text);
        copy.history.versions.drain(..dropped.min(last));
        let (not_before, not_after, _) = bounds(&copy, &[]).expect("an age");
        prop_assert!(first_there <= not_after);
        prop_assert!(not_before.is_none_or(|time| time <= last_run && time <= not_after));
    }

    /// A store that keeps and shows everything gives the instant, and knows a first value.
    #[test]
    fn nothing_hidden_gives_the_instant(values in "[abc]{1,8}") {
        let current = values.chars().last().expect("a value");
        let first_there = values.find(current).expect("it is there") as i64 + 1;
        let only = values.chars().all(|c| c == current);
        prop_assert_eq!(bounds(&path(1, &values), &[]), Some((Some(first_there), first_there, only)));
    }

    /// Hiding a version never makes a value look older than it is.
    #[test]
    fn hiding_a_version_never_makes_a_value_look_older(values in "[ab]{2,8}", at in 0usize..7) {
        let at = at.min(values.len() - 2);
        let hidden: String = values.chars().enumerate().map(|(i, c)| if i == at { '?' } else { c }).collect();
        let (_, with, _) = bounds(&path(1, &values), &[]).expect("an age");
        let (_, without, _) = bounds(&path(1, &hidden), &[]).expect("an age");
        prop_assert!(with <= without);
    }
}

#[test]
fn a_value_that_moved_takes_its_age_along() {
    let mut copy = path(1, "b");
    copy.kind = CopyKind::EnvFile;
    copy.history = History::default();
    copy.value.guessable = false;
    let elsewhere = Place::new("env-file", "old/.env", "k");
    let sightings = BTreeMap::from([(elsewhere, vec![seen('b', 10, 20)])]);
    let facts = Facts { copies: vec![copy], ..Facts::default() };
    let snapshot = Snapshot { as_of: day(50), facts, sightings };
    let inventory = Inventory::new(&snapshot, &Policy::default());
    let age = inventory.items.values().next().and_then(|item| item.age.clone()).expect("an age");
    assert_eq!((age.not_before, age.not_after), (None, day(10)));
}
