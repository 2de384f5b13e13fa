use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::changes::{location, trace};
use super::{Facet, RULES};
use crate::correlate::{
    Correlation, EventReport, Flag, Missing, Reading, Rotation, Silence, Trace, Traces, TrailReport, Verdict,
};
use crate::evaluate;
use crate::inventory::ItemId;
use crate::model::{
    AutoRotation, Covered, Declaration, EventKind, Facts, Finding, Hole, Key, Location, Origin, Outcome, Proof, Raw,
    Role, Severity, Snapshot, Stated, Time,
};
use crate::policy::{Exception, Policy};

const ITEM: &str = "API_TOKEN";

fn hour(hour: i64) -> Time {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hour)
}

fn item() -> ItemId {
    ItemId::of_key(&Key::new(ITEM), None)
}

fn raw(source: &str, line: u64) -> Raw {
    Raw { source: source.into(), offset: line * 100, length: 90, line, sha256: [7; 32] }
}

fn event(kind: EventKind, at: i64) -> EventReport {
    let (trail, source) = match kind.role() {
        Role::Ledger => ("runs", "runs.jsonl"),
        Role::Store => ("vault-audit", "audit/vault.log"),
        Role::Application => ("app", "app.log"),
    };
    EventReport {
        item: item(),
        trail: trail.into(),
        role: kind.role(),
        kind,
        outcome: Outcome::Done,
        target: "vault:secret/app#token".into(),
        version: Some("7".into()),
        time: hour(at),
        actor: Some("mallory".into()),
        run: None,
        consumer: None,
        details: BTreeMap::new(),
        raw: raw(source, 12),
    }
}

fn rotation(verdict: Verdict, events: Vec<EventReport>) -> Rotation {
    let has = |role: Role| {
        if events.iter().any(|event| event.role == role) { Trace::Present } else { Trace::Absent }
    };
    Rotation {
        id: "0123456789abcdef0123456789abcdef".into(),
        item: item(),
        at: hour(10),
        verdict,
        silent: (verdict == Verdict::Silent).then_some(Silence::NoRequest),
        traces: Traces { ledger: has(Role::Ledger), store: has(Role::Store), application: has(Role::Application) },
        flags: BTreeSet::new(),
        missing: Vec::new(),
        deadline: hour(34),
        version: Some("7".into()),
        events,
    }
}

fn flagged(verdict: Verdict, flag: Flag) -> Correlation {
    let events = vec![event(EventKind::Requested, 9), event(EventKind::Written, 10), event(EventKind::Loaded, 11)];
    of([Rotation { flags: BTreeSet::from([flag]), ..rotation(verdict, events) }])
}

fn trail(name: &str, role: Role) -> TrailReport {
    TrailReport {
        name: name.into(),
        declared_at: Some(Location { line: 7, ..Location::of_file("keytrail.toml") }),
        kind: "json-log",
        role,
        records: 10,
        events: 3,
        first: Some(hour(0)),
        last: Some(hour(90)),
        covered: vec![Covered { from: hour(-1_000), to: hour(1_000), proof: Proof::Declared }],
        holes: Vec::new(),
        delay_seconds: 0,
        skew_milliseconds: None,
    }
}

fn trails() -> Vec<TrailReport> {
    vec![trail("runs", Role::Ledger), trail("vault-audit", Role::Store), trail("app", Role::Application)]
}

fn of(rotations: impl IntoIterator<Item = Rotation>) -> Correlation {
    Correlation { rotations: rotations.into_iter().collect(), trails: trails(), ..Correlation::default() }
}

fn noted(notices: impl IntoIterator<Item = EventReport>) -> Correlation {
    Correlation { notices: notices.into_iter().collect(), ..of([]) }
}

fn declared() -> Declaration {
    Declaration::new(ITEM, Origin::Config, Some(Location::of_line("keytrail.toml", 3, "[[secret]]")))
}

fn findings_under(policy: &Policy, declarations: Vec<Declaration>, correlation: Correlation) -> Vec<Finding> {
    let facts = Facts { declarations, correlation: Some(correlation), ..Facts::default() };
    let snapshot = Snapshot { as_of: hour(500), facts, sightings: BTreeMap::new() };
    evaluate(&snapshot, policy, &BTreeSet::from([Facet::Trails])).findings
}

fn findings(correlation: Correlation) -> Vec<Finding> {
    findings_under(&Policy::default(), vec![declared()], correlation)
}

fn only(correlation: Correlation) -> Finding {
    let found = findings(correlation);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[test]
fn a_silent_change_names_the_item_the_time_the_actor_and_the_proof() {
    let finding = only(of([rotation(Verdict::Silent, vec![event(EventKind::Written, 10)])]));
    assert_eq!((finding.rule, finding.severity), ("silent-rotation", Severity::High));
    assert_eq!(
        finding.message,
        "Secret 'API_TOKEN' was changed silently at 2024-10-04T10:00:00Z by mallory, written in vault-audit \
         (audit/vault.log:12, byte 1200); no request for it is in the ledger trail runs."
    );
    assert_eq!(finding.location.map(|line| line.to_string()).as_deref(), Some("audit/vault.log:12"));
    assert_eq!(finding.next, "keytrail trace API_TOKEN");
    assert_eq!(finding.evidence.len(), 1);
    assert!(finding.evidence[0].note.contains("version 7, by mallory, in audit/vault.log:12"));
}

#[test]
fn a_change_past_the_store_or_without_any_event_is_critical() {
    let silent = |silence, kind, automatic| {
        let mut change = rotation(Verdict::Silent, vec![event(kind, 10)]);
        change.silent = Some(silence);
        change.flags.extend(if automatic { Some(Flag::Automatic) } else { None });
        only(of([change]))
    };
    for (silence, kind, automatic, severity, words) in [
        (Silence::OutOfBand, EventKind::Issued, false, Severity::Critical, "past its store"),
        (Silence::StateOnly, EventKind::State, false, Severity::Critical, "only its state"),
        (Silence::StateOnly, EventKind::State, true, Severity::High, "a machine did it by itself"),
    ] {
        let finding = silent(silence, kind, automatic);
        assert_eq!(finding.severity, severity, "{finding:?}");
        assert!(finding.message.contains(words), "{finding:?}");
    }
}

#[test]
fn verdicts_that_are_no_fault_give_nothing() {
    for verdict in [Verdict::Traced, Verdict::Pending] {
        let events = vec![event(EventKind::Requested, 9), event(EventKind::Written, 10)];
        assert_eq!(findings(of([rotation(verdict, events)])), [], "{verdict:?}");
    }
    assert_eq!(findings(flagged(Verdict::Pending, Flag::OldNotRevoked)), [], "its records may still come");
}

#[test]
fn a_request_that_was_never_applied_says_until_when_and_where_it_was_looked_for() {
    let mut change = rotation(Verdict::RequestedNeverApplied, vec![event(EventKind::Requested, 10)]);
    change.flags.insert(Flag::Failed);
    let finding = only(of([change.clone()]));
    assert_eq!((finding.rule, finding.severity), ("requested-never-applied", Severity::High));
    assert!(finding.message.contains("up to 2024-10-05T10:00:00Z no write is in the store trail vault-audit"));
    assert!(finding.message.ends_with("; a try failed."), "{}", finding.message);
    change.flags.insert(Flag::HalfApplied);
    assert_eq!(only(of([change])).severity, Severity::Critical);
}

#[test]
fn a_change_that_was_not_loaded_names_the_consumers_that_did_not() {
    let mut declaration = declared();
    declaration.consumers = vec!["kubernetes:shop/deployment/api".into(), "kubernetes:shop/deployment/jobs".into()];
    let mut loaded = event(EventKind::Loaded, 11);
    loaded.consumer = Some("kubernetes:shop/deployment/api".into());
    let events = vec![event(EventKind::Requested, 9), event(EventKind::Written, 10), loaded];
    let change = of([rotation(Verdict::AppliedNeverLoaded, events)]);
    let found = findings_under(&Policy::default(), vec![declaration], change);
    assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), ["applied-never-loaded"]);
    assert!(
        found[0].message.contains("no load of it by kubernetes:shop/deployment/jobs is in"),
        "{}",
        found[0].message
    );
}

fn missing(trail: Option<&str>) -> Missing {
    let trail = trail.map(str::to_owned);
    Missing { role: Role::Ledger, trail, from: hour(8), to: hour(12), reason: "no file of that day".into() }
}

#[test]
fn an_unproven_change_says_which_trail_and_which_interval() {
    let mut change = rotation(Verdict::Inconclusive, vec![event(EventKind::Written, 10)]);
    change.missing = vec![missing(Some("runs"))];
    let found = findings(of([change]));
    assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), ["unproven-rotation", "trail-gap"]);
    assert_eq!(found[0].severity, Severity::Medium);
    assert!(
        found[0].message.contains(
            "the ledger trail 'runs' from 2024-10-04T08:00:00Z to 2024-10-04T12:00:00Z (no file of that day)"
        ),
        "{}",
        found[0].message
    );
    assert!(found[1].message.contains("1 change cannot be proven for it"), "{}", found[1].message);
}

#[test]
fn a_secret_that_no_trail_watches_is_said_once() {
    let changes = [1, 2, 3].map(|number| Rotation {
        id: format!("{number:032}"),
        at: hour(number),
        missing: vec![missing(None)],
        ..rotation(Verdict::Inconclusive, vec![event(EventKind::Written, number)])
    });
    let watched = only(of(changes.clone()));
    assert_eq!((watched.rule, watched.severity), ("unproven-rotation", Severity::Low));
    assert!(watched.message.contains("3 changes of secret 'API_TOKEN'"), "{}", watched.message);
    assert!(watched.message.ends_with("no ledger trail watches it."), "{}", watched.message);
    let alone = Correlation { trails: vec![trail("vault-audit", Role::Store)], ..of(changes) };
    assert!(only(alone).message.ends_with("the config has no ledger trail."));
}

#[test]
fn flags_are_findings_whatever_the_verdict() {
    for (flag, rule, severity) in [
        (Flag::NoOp, "no-op-rotation", Severity::Medium),
        (Flag::Regression, "value-regression", Severity::High),
        (Flag::PartialGroup, "partial-group-rotation", Severity::High),
        (Flag::OldNotRevoked, "old-version-alive", Severity::Medium),
    ] {
        let finding = only(flagged(Verdict::Traced, flag));
        assert_eq!((finding.rule, finding.severity), (rule, severity));
    }
    for flag in [Flag::Failed, Flag::Throttled, Flag::Automatic, Flag::UnwatchedConsumers, Flag::Reopened] {
        assert_eq!(findings(flagged(Verdict::Traced, flag)), [], "{flag:?}");
    }
}

#[test]
fn the_rest_of_a_group_is_named() {
    let mut url = Declaration::new("DATABASE_URL", Origin::Config, None);
    url.derived_from = vec![Key::new(ITEM)];
    let found = findings_under(&Policy::default(), vec![declared(), url], flagged(Verdict::Traced, Flag::PartialGroup));
    assert!(found[0].message.ends_with("by mallory, and 'DATABASE_URL' did not change with it."), "{found:?}");
}

fn hole(from: i64, to: i64, tampered: bool) -> Hole {
    let raw = Some(raw("runs.jsonl", 4));
    Hole { from: Some(hour(from)), to: Some(hour(to)), reason: "a record cannot be read".into(), tampered, raw }
}

fn with_trail(change: impl FnOnce(&mut TrailReport)) -> Correlation {
    let mut correlation = of([]);
    change(&mut correlation.trails[0]);
    correlation
}

#[test]
fn the_holes_of_a_trail_are_one_finding() {
    let finding = only(with_trail(|trail| trail.holes = vec![hole(1, 2, false), hole(3, 4, false)]));
    assert_eq!((finding.rule, finding.severity), ("trail-gap", Severity::Medium));
    assert_eq!(
        finding.message,
        "Trail 'runs' has 2 holes, the first from 2024-10-04T01:00:00Z to 2024-10-04T02:00:00Z (a record cannot be read)."
    );
    assert_eq!((finding.evidence.len(), finding.next.as_str()), (2, "keytrail trails"));
    let covered = |from, to| Covered { from: hour(from), to: hour(to), proof: Proof::Declared };
    let between = only(with_trail(|trail| trail.covered = vec![covered(20, 30), covered(0, 10), covered(5, 12)]));
    assert!(between.message.contains("from 2024-10-04T12:00:00Z to 2024-10-04T20:00:00Z"), "{}", between.message);
    assert_eq!(findings(with_trail(|trail| trail.covered = vec![covered(0, 10), covered(10, 12)])), []);
    assert_eq!(only(with_trail(|trail| trail.covered.clear())).severity, Severity::Low);
}

#[test]
fn a_trail_that_was_changed_is_critical() {
    let finding = only(with_trail(|trail| trail.holes = vec![hole(1, 2, true)]));
    assert_eq!((finding.rule, finding.severity), ("trail-tampered", Severity::Critical));
    assert_eq!(finding.location.map(|line| line.to_string()).as_deref(), Some("runs.jsonl:4"));
}

fn reading(actor: &str) -> Correlation {
    let reading = Reading {
        item: item(),
        actor: actor.into(),
        trail: "vault-audit".into(),
        count: 3,
        first: hour(1),
        last: hour(2),
        raw: raw("audit/vault.log", 9),
    };
    Correlation { readings: vec![reading], ..of([]) }
}

#[test]
fn a_reader_is_unexpected_only_where_readers_are_declared() {
    let read = |readers: &[&str], actor: &str| {
        let mut declaration = declared();
        declaration.readers = readers.iter().map(|&reader| reader.to_owned()).collect();
        declaration.consumers = vec!["kubernetes:shop/deployment/api".into()];
        findings_under(&Policy::default(), vec![declaration], reading(actor))
    };
    assert_eq!(read(&[], "mallory"), []);
    for expected in ["ci-7", "kubernetes:shop/deployment/api", "system:serviceaccount:shop:api", "kubernetes-shop-api"]
    {
        assert_eq!(read(&["ci-*"], expected), [], "{expected}");
    }
    let found = read(&["ci-*"], "mallory");
    assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), ["unexpected-reader"]);
    assert!(found[0].message.contains("was read 3 times between 2024-10-04T01:00:00Z and"), "{}", found[0].message);
    assert_eq!(read(&["ci-*"], "system:serviceaccount:other:api").len(), 1);
}

#[test]
fn automatic_rotation_is_off_when_the_last_switch_says_so() {
    let (on, off) = (EventKind::AutoRotationOn, EventKind::AutoRotationOff);
    assert_eq!(findings(noted([event(off, 1), event(on, 2)])), []);
    let finding = only(noted([event(off, 3), event(on, 2)]));
    assert_eq!((finding.rule, finding.severity), ("auto-rotation-off", Severity::Medium));
    let mut runbook = declared();
    runbook.auto_rotation =
        Some(Stated { text: "RDS: Yes".into(), meaning: Some(AutoRotation::On { by: Some("RDS".into()) }) });
    let found = findings_under(&Policy::default(), vec![runbook], noted([event(off, 3)]));
    assert_eq!(found[0].severity, Severity::High);
    assert!(
        found[0].message.ends_with("; it is declared that RDS rotates it (keytrail.toml:3)."),
        "{}",
        found[0].message
    );
}

#[test]
fn automatic_rotation_fails_until_it_succeeds() {
    let failed = |at| event(EventKind::AutoRotationFailed, at);
    let finding = only(noted([failed(1), failed(3)]));
    assert_eq!((finding.rule, finding.severity), ("auto-rotation-failing", Severity::High));
    assert!(finding.message.contains("failed 2 times, last at 2024-10-04T03:00:00Z"), "{}", finding.message);
    let succeeded = |at| rotation(Verdict::Traced, vec![event(EventKind::AutoRotated, at)]);
    let after = Correlation { notices: vec![failed(1), failed(3)], ..of([succeeded(4)]) };
    assert_eq!(findings(after), []);
    let between = Correlation { notices: vec![failed(1), failed(3)], ..of([succeeded(2)]) };
    assert!(only(between).message.contains("failed 1 time since 2024-10-04T02:00:00Z"));
}

#[test]
fn a_deletion_that_nobody_asked_for_is_found() {
    let deleted = || event(EventKind::Deleted, 50);
    let finding = only(noted([deleted()]));
    assert_eq!((finding.rule, finding.severity), ("deleted-out-of-band", Severity::High));
    assert!(finding.message.starts_with("Version 7 of secret 'API_TOKEN' was deleted at "), "{}", finding.message);
    let asked = |at| rotation(Verdict::Traced, vec![event(EventKind::Requested, at)]);
    assert_eq!(findings(Correlation { notices: vec![deleted()], ..of([asked(40)]) }), []);
    let too_early = Correlation { notices: vec![deleted()], ..of([asked(10)]) };
    assert_eq!(findings(too_early).len(), 1);
    let refused = EventReport { outcome: Outcome::Failed, ..deleted() };
    assert_eq!(findings(noted([refused])), []);
    assert_eq!(findings(noted([event(EventKind::Deleted, 490)])), [], "a request may still come");
}

#[test]
fn a_ledger_is_complete_where_its_stretches_join() {
    let covered = |from, to| Covered { from: hour(from), to: hour(to), proof: Proof::Sequence };
    let severity = |stretches: Vec<Covered>, holes: Vec<Hole>| {
        let mut deleted = noted([event(EventKind::Deleted, 50)]);
        (deleted.trails[0].covered, deleted.trails[0].holes) = (stretches, holes);
        let found = findings(deleted);
        found.iter().find(|one| one.rule == "deleted-out-of-band").map(|one| one.severity)
    };
    assert_eq!(severity(vec![covered(50, 80), covered(20, 55)], Vec::new()), Some(Severity::High));
    assert_eq!(severity(vec![covered(56, 80), covered(20, 55)], Vec::new()), Some(Severity::Low));
    assert_eq!(severity(vec![covered(20, 80)], vec![hole(60, 61, false)]), Some(Severity::Low));
}

#[test]
fn without_a_ledger_a_deletion_weighs_little_and_is_said_once() {
    let mut alone = noted([event(EventKind::Deleted, 50), event(EventKind::Destroyed, 60)]);
    alone.trails.remove(0);
    let finding = only(alone);
    assert_eq!((finding.rule, finding.severity), ("deleted-out-of-band", Severity::Low));
}

#[test]
fn a_fingerprint_hangs_on_the_rule_the_item_and_the_change() {
    let silent = |id: &str, line| {
        let mut written = event(EventKind::Written, 10);
        written.raw.line = line;
        only(of([Rotation { id: id.into(), ..rotation(Verdict::Silent, vec![written]) }])).fingerprint
    };
    assert_eq!(silent("a", 1), silent("a", 2), "a log that was rotated moves its lines");
    assert_ne!(silent("a", 1), silent("b", 1));
}

#[test]
fn an_exception_lets_a_change_pass() {
    let exception = Exception {
        rule: "silent-rotation".into(),
        secret: Some(ITEM.into()),
        reason: "migration".into(),
        approved_by: None,
        expires: hour(1_000),
        location: Location::of_file("keytrail.toml"),
    };
    let policy = Policy { exceptions: vec![exception], ..Policy::default() };
    let change = of([rotation(Verdict::Silent, vec![event(EventKind::Written, 10)])]);
    let found = findings_under(&policy, vec![declared()], change);
    assert_eq!(found.iter().map(|one| one.exception.as_deref()).collect::<Vec<_>>(), [Some("migration")]);
}

#[test]
fn a_command_holds_no_more_than_its_item() {
    let of_path = |path: &str| trace(&ItemId::of_place(&crate::model::Place::new("vault", path, "k")));
    assert_eq!(of_path("secret/app"), "keytrail trace vault:secret/app#k");
    assert_eq!(of_path("a; rm -rf 'b'"), r"keytrail trace -- 'vault:a; rm -rf '\''b'\''#k'");
}

#[test]
fn only_a_line_of_a_scanned_file_is_a_location() {
    for (source, line, is_one) in [
        ("audit/vault.log", 3, true),
        ("lookup-events:eu-west-1", 0, false),
        ("-", 3, false),
        ("/var/log/vault.log", 3, false),
        ("../vault.log", 3, false),
        ("a.log", 1 << 40, false),
    ] {
        assert_eq!(location(&raw(source, line)).is_some(), is_one, "{source}");
    }
}

fn arbitrary_correlation() -> impl Strategy<Value = Correlation> {
    let kind = || prop::sample::select(EventKind::ALL.to_vec());
    let verdict = prop::sample::select(Verdict::ALL.to_vec());
    let flags = prop::collection::btree_set(
        prop::sample::select(vec![Flag::NoOp, Flag::Regression, Flag::PartialGroup, Flag::OldNotRevoked]),
        0..3,
    );
    let events = prop::collection::vec((kind(), 0i64..40), 0..4);
    let change =
        (verdict, flags, events, any::<bool>(), any::<u8>()).prop_map(|(verdict, flags, events, lacks, id)| {
            let events = events.into_iter().map(|(kind, at)| event(kind, at)).collect();
            let missing = if lacks { vec![missing(Some("runs")), missing(None)] } else { Vec::new() };
            Rotation { id: format!("{id:032x}"), flags, missing, ..rotation(verdict, events) }
        });
    let notice = (kind(), 0i64..600).prop_map(|(kind, at)| event(kind, at));
    (prop::collection::vec(change, 0..6), prop::collection::vec(notice, 0..6)).prop_map(|(rotations, notices)| {
        let mut rotations = rotations;
        rotations.dedup_by(|a, b| a.id == b.id);
        Correlation { notices, ..of(rotations) }
    })
}

proptest! {
    #[test]
    fn every_finding_has_its_rule_its_next_step_and_one_sentence(correlation in arbitrary_correlation()) {
        let silent = correlation.rotations.iter().any(|one| one.verdict == Verdict::Silent);
        let found = findings(correlation);
        prop_assert_eq!(found.iter().any(|one| one.rule == "silent-rotation"), silent);
        for finding in found {
            prop_assert!(RULES.iter().any(|rule| rule.id == finding.rule && rule.facet == Facet::Trails));
            prop_assert!(finding.message.ends_with('.') && !finding.message.contains("  "), "{}", finding.message);
            prop_assert!(finding.next.starts_with("keytrail tra") || finding.next.starts_with("add a [[trail]]"), "{}", finding.next);
        }
    }
}
