use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use crate::cadence::Cadence;
use crate::checks::Facet;
use crate::correlate::{Correlation, EventReport, Flag, Rotation, Trace, Traces, TrailReport, Verdict};
use crate::evaluate;
use crate::inventory::ItemId;
use crate::model::{
    CopyKind, Covered, Declaration, EventKind, Facts, FingerprintKey, History, Key, Origin, Outcome, Place, Proof, Raw,
    Role, Secret, SecretCopy, Snapshot, Time, Version, VersionState, VersionValue,
};
use crate::policy::Policy;
use crate::report::{ItemReport, ItemStatus};
use crate::value::Value;

const PLACE: &str = "vault:secret/app#API_TOKEN";

fn day(day: i64) -> Time {
    DateTime::UNIX_EPOCH + TimeDelta::days(day)
}

fn event(kind: EventKind, at: i64) -> EventReport {
    let trail = match kind.role() {
        Role::Ledger => "runs",
        Role::Store => "audit",
        Role::Application => "app",
    };
    EventReport {
        item: ItemId::of_key(&Key::new("API_TOKEN"), None),
        trail: trail.into(),
        role: kind.role(),
        kind,
        outcome: Outcome::Done,
        target: PLACE.into(),
        version: None,
        time: day(at),
        actor: None,
        run: None,
        consumer: None,
        details: BTreeMap::new(),
        raw: Raw { source: "log".into(), offset: 0, length: 1, line: 1, sha256: [0; 32] },
    }
}

fn change(at: i64, verdict: Verdict, flags: &[Flag]) -> Rotation {
    let store = if verdict == Verdict::RequestedNeverApplied { Trace::Absent } else { Trace::Present };
    Rotation {
        id: format!("{at:032}"),
        item: ItemId::of_key(&Key::new("API_TOKEN"), None),
        at: day(at),
        verdict,
        silent: None,
        traces: Traces { ledger: Trace::Present, store, application: Trace::Present },
        flags: flags.iter().copied().collect(),
        missing: Vec::new(),
        deadline: day(at + 1),
        version: None,
        events: [EventKind::Requested, EventKind::Written, EventKind::Loaded].map(|kind| event(kind, at)).to_vec(),
    }
}

/// A path of a store that was written on some days; a letter is a value, `?` one that was not compared.
fn path(first: u64, versions: &[(i64, char)]) -> SecretCopy {
    let key = FingerprintKey::new([1; 32]);
    let secret = |c: char| Secret::from(format!("value-{c}-of-a-token").as_str());
    let value = versions
        .last()
        .filter(|(_, c)| *c != '?')
        .map_or_else(Value::unread, |(_, c)| Value::observe(&secret(*c), &key));
    let mut copy = SecretCopy::new(Place::parse(PLACE).expect("a place"), CopyKind::VaultKv2, None, value);
    let versions = versions.iter().zip(first..).map(|((at, c), number)| Version {
        number,
        created_at: day(*at),
        state: VersionState::Live,
        value: if *c == '?' { VersionValue::Unread } else { VersionValue::Read(key.fingerprint(&secret(*c))) },
    });
    copy.history = History { versions: versions.collect() };
    copy
}

fn judge(copies: Vec<SecretCopy>, rotations: Vec<Rotation>, trails: Vec<TrailReport>) -> ItemReport {
    let mut declaration = Declaration::new("API_TOKEN", Origin::Config, None);
    declaration.cadence = Some(Cadence::state("90 days"));
    declaration.places = vec![Place::parse(PLACE).expect("a place")];
    let correlation = Some(Correlation { rotations, trails, ..Correlation::default() });
    let facts = Facts { declarations: vec![declaration], copies, correlation, ..Facts::default() };
    let snapshot = Snapshot { as_of: day(500), facts, sightings: BTreeMap::new() };
    let mut report = evaluate(&snapshot, &Policy::default(), &BTreeSet::from([Facet::Cadence]));
    assert_eq!(report.items.len(), 1);
    report.items.remove(0)
}

/// The bounds of the age in days.
fn bounds(copies: Vec<SecretCopy>, rotations: Vec<Rotation>) -> Option<(Option<i64>, i64)> {
    let days = |time: Time| (time - DateTime::UNIX_EPOCH).num_days();
    let age = judge(copies, rotations, Vec::new()).age?;
    Some((age.not_before.map(days), days(age.not_after.expect("it always has a latest time"))))
}

#[test]
fn a_traced_rotation_sets_the_age_and_names_its_trails() {
    let item = judge(Vec::new(), vec![change(480, Verdict::Traced, &[])], Vec::new());
    assert_eq!((item.last_rotated_at, item.status), (Some(day(480)), ItemStatus::Ok));
    assert_eq!(
        item.age.map(|age| age.proof).as_deref(),
        Some("rotated on 1971-04-26: asked for in runs, written in audit, loaded in app")
    );
}

#[test]
fn a_change_that_is_not_proven_sets_nothing() {
    for verdict in Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::Traced) {
        assert_eq!(bounds(Vec::new(), vec![change(480, verdict, &[])]), None, "{verdict:?}");
        let store = || vec![path(1, &[(1, 'a'), (480, 'b')])];
        assert_eq!(
            bounds(store(), vec![change(480, verdict, &[])]),
            Some((Some(480), 480)),
            "{verdict:?}: the store proves it"
        );
    }
}

#[test]
fn only_the_newest_change_counts() {
    let traced = || change(400, Verdict::Traced, &[]);
    for (later, expected, why) in [
        (change(450, Verdict::Silent, &[]), None, "somebody changed it since"),
        (change(450, Verdict::Inconclusive, &[]), None, "somebody may have changed it since"),
        (change(450, Verdict::RequestedNeverApplied, &[]), Some((Some(400), 400)), "nothing came of it"),
        (change(450, Verdict::Traced, &[]), Some((Some(450), 450)), "it was rotated again"),
        (change(450, Verdict::Traced, &[Flag::NoOp]), Some((Some(400), 400)), "the value is as old as before"),
        (change(450, Verdict::Silent, &[Flag::NoOp]), Some((Some(400), 400)), "the value is as old as before"),
        (change(450, Verdict::Traced, &[Flag::Regression]), None, "the value is one of before"),
    ] {
        assert_eq!(bounds(Vec::new(), vec![traced(), later]), expected, "{why}");
    }
}

#[test]
fn a_rotation_narrows_what_a_store_cannot_tell() {
    let traced = |at| vec![change(at, Verdict::Traced, &[])];
    for (versions, at, expected, why) in [
        (vec![(1, '?'), (400, '?')], 400, (Some(400), 400), "the last write of the path was the rotation"),
        (vec![(1, '?'), (400, '?'), (450, '?')], 400, (Some(400), 450), "the last write may have been of this key"),
        (vec![(1, 'a'), (400, 'b')], 400, (Some(400), 400), "both say the same"),
        (vec![(1, 'a'), (400, 'b')], 450, (Some(400), 400), "the value was there before"),
        (vec![(1, 'a'), (450, 'b')], 400, (Some(450), 450), "it was changed after"),
    ] {
        assert_eq!(bounds(vec![path(1, &versions)], traced(at)), Some(expected), "{why}");
    }
}

#[test]
fn a_covered_trail_tells_whose_a_later_write_of_the_path_was() {
    let covered = vec![Covered { from: day(300), to: day(490), proof: Proof::Sequence }];
    let trail = TrailReport {
        name: "audit".into(),
        declared_at: None,
        kind: "vault-audit",
        role: Role::Store,
        records: 9,
        events: 1,
        first: None,
        last: None,
        covered,
        holes: Vec::new(),
        delay_seconds: 0,
        skew_milliseconds: None,
    };
    let store = vec![path(1, &[(1, '?'), (400, '?'), (450, '?')])];
    let item = judge(store, vec![change(400, Verdict::Traced, &[])], vec![trail]);
    assert_eq!(item.last_rotated_at, Some(day(400)));
}

#[test]
fn what_only_looked_like_a_new_value_makes_nothing_younger() {
    let anew = || vec![path(1, &[(450, '?')])];
    assert_eq!(bounds(anew(), Vec::new()), Some((Some(450), 450)), "a path that was made anew looks young");
    for flag in [Flag::NoOp, Flag::Regression] {
        let changes = vec![change(450, Verdict::Traced, &[flag])];
        assert_eq!(bounds(anew(), changes), Some((None, 450)), "{flag:?}");
    }
    let before = vec![change(300, Verdict::Traced, &[]), change(450, Verdict::Traced, &[Flag::NoOp])];
    assert_eq!(bounds(anew(), before), Some((Some(300), 300)), "the trails know the beginning of the value");
}

proptest! {
    #[test]
    fn changes_without_proof_never_make_an_item_younger(
        versions in prop::collection::vec((1i64..490, prop::sample::select(vec!['a', 'b', '?'])), 1..5),
        changes in prop::collection::vec((1i64..490, 0usize..6, any::<bool>()), 0..5),
    ) {
        let mut versions = versions;
        versions.sort_by_key(|(at, _)| *at);
        let mut changes: Vec<Rotation> = changes
            .into_iter()
            .map(|(at, verdict, same)| change(at, Verdict::ALL[verdict], if same { &[Flag::NoOp] } else { &[] }))
            .filter(|one| one.verdict != Verdict::Traced || one.flags.contains(&Flag::NoOp))
            .collect();
        changes.sort_by_key(|one| one.at);
        let before = bounds(vec![path(1, &versions)], Vec::new()).expect("the store knows an age");
        let after = bounds(vec![path(1, &versions)], changes).expect("the store knows an age");
        prop_assert!(after.0 <= before.0 && after.1 <= before.1, "{:?} {:?}", before, after);
    }
}
