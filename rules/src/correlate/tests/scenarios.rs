//! Every kind of change that the issue lists, one after the other.

use super::support::{APP, DAY, Estate, HOUR, LEDGER, MINUTE, STORE, at, mark, place};
use crate::correlate::{Flag, Silence, Trace, Verdict};
use crate::model::{
    Entry, EventKind, Fingerprint, History, Outcome, Role, ValueMark, Version, VersionState, VersionValue,
};

/// Asked for, written and loaded on day `day`.
fn traced(estate: &mut Estate, day: i64, version: &str) {
    estate.requested(day * DAY);
    estate.written(version, day * DAY + 5 * MINUTE);
    estate.loaded(day * DAY + 10 * MINUTE);
}

#[test]
fn asked_for_written_and_loaded_is_traced() {
    let mut estate = Estate::three_trails();
    traced(&mut estate, 3, "2");
    let rotation = estate.only();
    assert_eq!(rotation.verdict, Verdict::Traced);
    assert!(rotation.flags.is_empty(), "{:?}", rotation.flags);
    assert_eq!(rotation.at, at(3 * DAY + 5 * MINUTE));
    assert_eq!(rotation.version.as_deref(), Some("2"));
    assert_eq!(
        rotation.events.iter().map(|one| one.kind).collect::<Vec<_>>(),
        [EventKind::Requested, EventKind::Written, EventKind::Loaded]
    );
}

#[test]
fn a_request_right_after_the_first_value_is_for_the_next_one() {
    let mut estate = Estate::three_trails();
    estate.trails[STORE].skew = chrono::TimeDelta::seconds(2);
    let created = |estate: &mut Estate| estate.written("1", 3 * DAY - 1).kind = EventKind::Created;
    created(&mut estate);
    traced(&mut estate, 3, "2");
    let rotation = estate.only();
    assert_eq!((rotation.verdict, rotation.version.as_deref()), (Verdict::Traced, Some("2")));

    // Where nothing else follows, the clocks may well be apart.
    let mut estate = Estate::three_trails();
    estate.trails[STORE].skew = chrono::TimeDelta::seconds(2);
    created(&mut estate);
    estate.requested(3 * DAY);
    estate.loaded(3 * DAY + MINUTE);
    assert_eq!(estate.only().verdict, Verdict::Traced);
}

#[test]
fn a_put_that_nobody_asked_for_is_silent_whatever_is_loaded() {
    let mut estate = Estate::three_trails();
    estate.written("2", 3 * DAY);
    estate.loaded(3 * DAY + MINUTE);
    let rotation = estate.only();
    assert_eq!((rotation.verdict, rotation.silent), (Verdict::Silent, Some(Silence::NoRequest)));
}

#[test]
fn alter_role_alone_is_silent_and_out_of_band() {
    let mut estate = Estate::three_trails();
    let postgres = estate.trail("postgres", "postgres-log", Role::Application);
    estate.event(postgres, EventKind::Issued, "postgres:role/shop", 3 * DAY);
    let rotation = estate.only();
    assert_eq!((rotation.verdict, rotation.silent), (Verdict::Silent, Some(Silence::OutOfBand)));
}

#[test]
fn alter_role_and_the_write_of_the_same_value_are_one_change() {
    let mut estate = Estate::three_trails();
    let postgres = estate.trail("postgres", "postgres-log", Role::Application);
    for day in [3, 4] {
        traced(&mut estate, day, &day.to_string());
        estate.event(postgres, EventKind::Issued, "postgres:role/shop", day * DAY + 4 * MINUTE);
    }
    // One of those that came before did not reach the store.
    estate.event(postgres, EventKind::Issued, "postgres:role/shop", 4 * DAY - 20 * HOUR);
    let verdicts: Vec<Verdict> = estate.verdicts().into_iter().map(|(verdict, _)| verdict).collect();
    assert_eq!(verdicts, [Verdict::Traced, Verdict::Silent, Verdict::Traced]);
}

#[test]
fn asked_for_and_changed_past_the_store_is_half_applied() {
    let mut estate = Estate::three_trails();
    estate.requested(3 * DAY);
    estate.event(STORE, EventKind::Issued, "postgres:role/shop", 3 * DAY + MINUTE);
    let rotation = estate.only();
    assert_eq!(rotation.verdict, Verdict::RequestedNeverApplied);
    assert!(rotation.flags.contains(&Flag::HalfApplied));
}

#[test]
fn what_is_kept_in_no_known_place_is_traced_by_who_honours_it() {
    let mut estate = Estate::three_trails();
    estate.last().copies.clear();
    estate.requested(3 * DAY);
    estate.event(STORE, EventKind::Issued, "postgres:role/shop", 3 * DAY + MINUTE);
    estate.event(APP, EventKind::Loaded, "postgres:role/shop", 3 * DAY + 2 * MINUTE);
    let rotation = estate.only();
    assert_eq!((rotation.verdict, rotation.flags.contains(&Flag::HalfApplied)), (Verdict::Traced, false));
}

#[test]
fn two_looks_at_a_static_role_prove_the_rotation_in_between() {
    let mut estate = Estate::three_trails();
    estate.last().known_as.push(place("vault:database/static-roles/shop"));
    for set_at in [2 * DAY, 3 * DAY] {
        estate.event(STORE, EventKind::State, "vault:database/static-roles/shop", set_at);
    }
    let rotation = estate.only();
    assert_eq!((rotation.verdict, rotation.silent), (Verdict::Silent, Some(Silence::StateOnly)));
    assert_eq!(rotation.at, at(3 * DAY));

    // With the database's log, the change has an event, and the store's look shows that it was the store.
    let postgres = estate.trail("postgres", "postgres-log", Role::Application);
    estate.event(postgres, EventKind::Issued, "postgres:role/shop", 3 * DAY);
    let rotation = estate.only();
    assert_eq!((rotation.verdict, rotation.silent), (Verdict::Silent, Some(Silence::NoRequest)));
    assert!(rotation.flags.contains(&Flag::Automatic));
}

#[test]
fn asked_for_and_not_written_is_never_applied() {
    let mut estate = Estate::three_trails();
    estate.requested(3 * DAY);
    estate.loaded(3 * DAY + HOUR);
    let rotation = estate.only();
    assert_eq!(rotation.verdict, Verdict::RequestedNeverApplied);
    assert_eq!(rotation.traces.store, Trace::Absent);
}

#[test]
fn written_and_not_loaded_is_never_loaded() {
    let mut estate = Estate::three_trails();
    estate.loaded(2 * DAY);
    estate.requested(3 * DAY);
    estate.written("2", 3 * DAY + MINUTE);
    assert_eq!(estate.only().verdict, Verdict::AppliedNeverLoaded);
    // Loaded, and refused afterwards.
    estate.loaded(3 * DAY + 2 * MINUTE);
    assert_eq!(estate.only().verdict, Verdict::Traced);
    estate.refused(3 * DAY + 3 * MINUTE);
    assert_eq!(estate.only().verdict, Verdict::AppliedNeverLoaded);
    // A load heals the refusal.
    estate.loaded(3 * DAY + 4 * MINUTE);
    assert_eq!(estate.only().verdict, Verdict::Traced);
}

#[test]
fn every_watched_consumer_has_to_load_it_and_others_are_said_to_be_unwatched() {
    let mut estate = Estate::three_trails();
    estate.last().consumers.extend(["compose:compose.yaml/worker".into(), "compose:compose.yaml/cron".into()]);
    traced(&mut estate, 3, "2");
    assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![Flag::UnwatchedConsumers])]);
    estate.loaded(2 * DAY).consumer = Some("compose:compose.yaml/worker".into());
    assert_eq!(estate.only().verdict, Verdict::AppliedNeverLoaded);
    estate.loaded(3 * DAY + HOUR).consumer = Some("compose:compose.yaml/worker".into());
    assert_eq!(estate.only().verdict, Verdict::Traced);
}

#[test]
fn the_same_value_again_is_a_no_op_where_it_was_asked_for_and_nothing_where_it_was_not() {
    let mut estate = Estate::three_trails();
    estate.requested(DAY);
    estate.written("1", DAY).value = mark("d", "one");
    estate.loaded(DAY + MINUTE);
    estate.requested(3 * DAY);
    estate.written("2", 3 * DAY).value = mark("d", "one");
    estate.loaded(3 * DAY + MINUTE);
    estate.written("3", 5 * DAY).value = mark("d", "one");
    assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![]), (Verdict::Traced, vec![Flag::NoOp])]);
}

#[test]
fn an_older_value_again_is_a_regression() {
    let mut estate = Estate::three_trails();
    for (day, value) in [(1, "one"), (3, "two"), (5, "one")] {
        traced(&mut estate, day, &day.to_string());
        if let Some(crate::model::Entry::Event(event)) = estate.entries[STORE].last_mut() {
            event.value = mark("d", value);
        }
    }
    let flags: Vec<Vec<Flag>> = estate.verdicts().into_iter().map(|(_, flags)| flags).collect();
    assert_eq!(flags, [vec![], vec![], vec![Flag::Regression]]);
}

#[test]
fn marks_of_two_scopes_say_nothing_of_each_other_unless_the_values_are_known() {
    // Who writes each value, and what its mark is known to be of.
    let flags = |writes: [(&str, &str, Option<&str>); 3]| {
        let mut estate = Estate::three_trails();
        for (day, (scope, value, known)) in [1, 3, 5].into_iter().zip(writes) {
            traced(&mut estate, day, &day.to_string());
            if let Some(crate::model::Entry::Event(event)) = estate.entries[STORE].last_mut() {
                event.value = mark(scope, value).map(|mark| ValueMark { known: known.map(Into::into), ..mark });
            }
        }
        estate.verdicts().into_iter().map(|(_, flags)| flags).collect::<Vec<_>>()
    };
    let (none, no_op) = (Vec::new, || vec![Flag::NoOp]);
    assert_eq!(flags([("a", "one", None), ("b", "uno", None), ("b", "uno", None)]), [none(), none(), no_op()]);
    // The write between may have brought any value: a third that is as the first is no repetition of it.
    assert_eq!(flags([("a", "one", None), ("b", "due", None), ("a", "one", None)]), [none(), none(), none()]);
    let known = Some("1");
    assert_eq!(flags([("a", "one", known), ("b", "uno", known), ("a", "one", known)]), [none(), no_op(), no_op()]);
    let (other, back) = (Some("2"), vec![Flag::Regression]);
    assert_eq!(flags([("a", "one", known), ("b", "due", other), ("c", "ein", known)]), [none(), none(), back]);
}

#[test]
fn a_write_of_a_path_changes_the_keys_whose_marks_differ() {
    let mut estate = Estate::three_trails();
    estate.secret("API_TOKEN").copies.push(place("vault:secret/shop#token"));
    for (day, password, token) in [(1, "p1", "t1"), (3, "p2", "t1")] {
        for (key, value) in [("password", password), ("token", token)] {
            let event = estate.event(STORE, EventKind::Written, &format!("vault:secret/shop#{key}"), day * DAY);
            (event.value, event.id, event.version) =
                (mark("d", value), format!("w{day}").into(), Some(day.to_string()));
        }
    }
    estate.requested(DAY);
    estate.requested(3 * DAY);
    estate.event(LEDGER, EventKind::Requested, "env:API_TOKEN", DAY);
    estate.loaded(DAY + MINUTE);
    estate.loaded(3 * DAY + MINUTE);
    estate.event(APP, EventKind::Loaded, "env:API_TOKEN", DAY + MINUTE);
    let rotations = estate.correlate().rotations;
    let found: Vec<(&str, Verdict)> = rotations.iter().map(|one| (one.item.as_str(), one.verdict)).collect();
    assert_eq!(
        found,
        [("API_TOKEN", Verdict::Traced), ("DB_PASSWORD", Verdict::Traced), ("DB_PASSWORD", Verdict::Traced)]
    );
}

#[test]
fn half_of_a_group_is_flagged() {
    let mut estate = Estate::three_trails();
    let given = estate.secret("DATABASE_URL");
    given.copies.push(place("vault:secret/url#url"));
    given.derived_from.push("DB_PASSWORD".into());
    traced(&mut estate, 3, "2");
    assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![Flag::PartialGroup])]);
    estate.event(STORE, EventKind::Written, "vault:secret/url#url", 3 * DAY + HOUR);
    estate.event(LEDGER, EventKind::Requested, "env:DATABASE_URL", 3 * DAY);
    estate.event(APP, EventKind::Loaded, "env:DATABASE_URL", 3 * DAY + 2 * HOUR);
    assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![]), (Verdict::Traced, vec![])]);
}

#[test]
fn a_write_that_failed_is_no_change() {
    let mut estate = Estate::three_trails();
    estate.written("2", 3 * DAY).outcome = Outcome::Failed;
    estate.written("2", 3 * DAY + 1).outcome = Outcome::Throttled;
    assert_eq!(estate.verdicts(), []);
    estate.requested(3 * DAY);
    estate.written("2", 3 * DAY + MINUTE);
    estate.loaded(3 * DAY + HOUR);
    assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![Flag::Failed, Flag::Throttled])]);
}

#[test]
fn a_patch_that_may_be_of_labels_is_no_change_until_it_is_confirmed() {
    let mut estate = Estate::three_trails();
    let event = estate.written("2", 3 * DAY);
    event.kind = EventKind::MaybeWritten;
    assert_eq!(estate.verdicts(), []);
    let event = estate.written("2", 3 * DAY + 1);
    event.kind = EventKind::Encrypted;
    assert_eq!(estate.only().verdict, Verdict::Silent);
}

#[test]
fn a_patch_that_may_be_of_labels_leaves_a_request_open() {
    let mut estate = Estate::three_trails();
    estate.requested(3 * DAY);
    estate.event(STORE, EventKind::MaybeWritten, "vault:secret/shop#password", 3 * DAY + MINUTE);
    assert_eq!(estate.only().verdict, Verdict::Inconclusive);
}

#[test]
fn lines_that_are_lost_leave_it_open_and_are_named() {
    let mut estate = Estate::three_trails();
    estate.requested(3 * DAY);
    estate.hole(STORE, 3 * DAY + MINUTE, 3 * DAY + 2 * MINUTE);
    let rotation = estate.only();
    assert_eq!(rotation.verdict, Verdict::Inconclusive);
    let missing = rotation.missing.first().expect("what is missing");
    assert_eq!((missing.role, missing.trail.as_deref()), (Role::Store, Some("vault")));
    assert_eq!((missing.from, missing.to), (at(3 * DAY + MINUTE), at(3 * DAY + 2 * MINUTE)));
    assert_eq!(missing.reason, "lines are missing");

    // A write in a hole of the ledger is not silent.
    let mut estate = Estate::three_trails();
    estate.written("2", 3 * DAY);
    estate.loaded(3 * DAY + 1);
    estate.hole(LEDGER, 3 * DAY - HOUR, 3 * DAY - HOUR + 1);
    assert_eq!(estate.only().verdict, Verdict::Inconclusive);
}

#[test]
fn what_no_trail_watches_is_not_known() {
    let mut estate = Estate::three_trails();
    traced(&mut estate, 3, "2");
    estate.entries[APP].clear();
    estate.trails[APP].watches.push("other:".into());
    let rotation = estate.only();
    assert_eq!(rotation.verdict, Verdict::Inconclusive);
    assert_eq!(
        rotation.missing.iter().map(|one| (one.role, one.trail.clone())).collect::<Vec<_>>(),
        [(Role::Application, None)]
    );
}

#[test]
fn what_may_still_come_is_awaited() {
    let mut estate = Estate::three_trails();
    estate.written("2", 3 * DAY);
    estate.as_of = at(3 * DAY + HOUR);
    assert_eq!(estate.only().verdict, Verdict::Pending);
    estate.as_of = at(3 * DAY + 7 * HOUR);
    assert_eq!(estate.only().verdict, Verdict::Silent);
    estate.trails[LEDGER].delay = chrono::TimeDelta::hours(2);
    assert_eq!(estate.only().verdict, Verdict::Pending);
}

#[test]
fn a_deletion_that_nobody_asked_for_is_a_notice() {
    let mut estate = Estate::three_trails();
    estate.event(STORE, EventKind::Deleted, "vault:secret/shop", 3 * DAY);
    let notices = estate.correlate().notices;
    assert_eq!(notices.iter().map(|one| one.kind).collect::<Vec<_>>(), [EventKind::Deleted]);
    estate.requested(3 * DAY - HOUR);
    assert_eq!(estate.correlate().notices, []);
}

#[test]
fn a_run_that_was_to_delete_a_value_did_not_forget_to_write_one() {
    let mut estate = Estate::three_trails();
    traced(&mut estate, 1, "1");
    estate.requested(3 * DAY).run = Some("wr-33".into());
    estate.event(STORE, EventKind::Deleted, "vault:secret/shop", 3 * DAY + HOUR).run = Some("wr-33".into());
    assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![])]);
    let other = estate.entries[STORE].pop();
    assert!(other.is_some());
    estate.event(STORE, EventKind::Deleted, "vault:secret/shop", 3 * DAY + HOUR).run = Some("wr-34".into());
    let verdicts: Vec<Verdict> = estate.verdicts().into_iter().map(|(verdict, _)| verdict).collect();
    assert_eq!(verdicts, [Verdict::Traced, Verdict::RequestedNeverApplied]);
}

fn version(number: u64, seconds: i64, value: &str) -> Version {
    let value = VersionValue::Read(Fingerprint::from_stored(value.into()));
    Version { number, created_at: at(seconds), state: VersionState::Live, value }
}

#[test]
fn a_version_that_the_trail_does_not_show_proves_that_the_trail_lacks_records() {
    let mut estate = Estate::three_trails();
    let versions = vec![version(1, DAY, "one"), version(2, 3 * DAY, "two"), version(3, 5 * DAY, "two")];
    estate.last().history = History { versions };
    traced(&mut estate, 1, "1");
    traced(&mut estate, 3, "2");
    estate.written("3", 5 * DAY);
    assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![]), (Verdict::Traced, vec![])]);

    // Without its line, the change is known from the store, and the trail is not held to be complete.
    estate.entries[STORE]
        .retain(|entry| !matches!(entry, crate::model::Entry::Event(event) if event.version.as_deref() == Some("2")));
    let correlation = estate.correlate();
    let verdicts: Vec<Verdict> = correlation.rotations.iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts, [Verdict::Traced, Verdict::Inconclusive]);
    let holes = &correlation.trails[STORE].holes;
    assert!(holes.len() == 1 && holes[0].tampered, "{holes:?}");
}

#[test]
fn a_version_that_the_trail_does_not_show_is_not_the_one_that_it_shows_a_second_before() {
    let mut estate = Estate::three_trails();
    let versions = vec![version(1, DAY, "one"), version(2, 3 * DAY, "two"), version(3, 3 * DAY + 1, "three")];
    estate.last().history = History { versions };
    estate.written("1", DAY);
    estate.written("2", 3 * DAY);
    let correlation = estate.correlate();
    let versions: Vec<_> = correlation.rotations.iter().filter_map(|one| one.version.as_deref()).collect();
    assert_eq!(versions, ["1", "2", "3"]);
    assert_eq!(correlation.trails[STORE].holes.len(), 1);
}

#[test]
fn a_verdict_that_changed_is_said_to_be_reopened_under_its_id() {
    let mut estate = Estate::three_trails();
    estate.written("2", 3 * DAY);
    estate.loaded(3 * DAY + 1);
    let before = estate.only();
    estate.earlier.insert(before.id.clone(), before.verdict);
    assert!(!estate.only().flags.contains(&Flag::Reopened));
    estate.requested(3 * DAY - 1);
    let after = estate.only();
    assert_eq!((before.verdict, after.verdict, &after.id), (Verdict::Silent, Verdict::Traced, &before.id));
    assert!(after.flags.contains(&Flag::Reopened));
}

#[test]
fn a_refusal_that_was_taken_out_of_a_trail_does_not_leave_it_traced() {
    let mut estate = Estate::three_trails();
    traced(&mut estate, 3, "2");
    estate.refused(3 * DAY + HOUR);
    assert_eq!(estate.only().verdict, Verdict::AppliedNeverLoaded);
    estate.entries[APP].pop();
    // The trail is declared to be complete: nobody can tell.
    assert_eq!(estate.only().verdict, Verdict::Traced);
    // What was not written for a reason that is known is a gap, and no sign that somebody hides something.
    estate.hole(APP, 3 * DAY + HOUR, 3 * DAY + HOUR);
    assert_eq!(estate.only().verdict, Verdict::Traced);
    let Some(Entry::Hole(hole)) = estate.entries[APP].last_mut() else {
        unreachable!("just added");
    };
    hole.tampered = true;
    let rotation = estate.only();
    assert_eq!((rotation.verdict, rotation.traces.application), (Verdict::Inconclusive, Trace::Unknown));
    let missing: Vec<_> = rotation.missing.iter().map(|one| (one.role, one.trail.as_deref(), one.from)).collect();
    assert_eq!(missing, [(Role::Application, Some("app"), at(3 * DAY + HOUR))]);
}

#[test]
fn a_hole_where_nothing_is_due_leaves_it_traced() {
    let mut estate = Estate::three_trails();
    traced(&mut estate, 3, "2");
    for (from, to) in [(2 * DAY, 2 * DAY + HOUR), (5 * DAY, 5 * DAY + HOUR)] {
        estate.hole(APP, from, to);
        if let Some(Entry::Hole(hole)) = estate.entries[APP].last_mut() {
            hole.tampered = true;
        }
    }
    assert_eq!(estate.only().verdict, Verdict::Traced);
}

#[test]
fn items_that_share_a_value_since_one_was_changed_to_it_are_no_group() {
    for (own, other) in [("a", "a"), ("a", "b")] {
        let mut estate = Estate::three_trails();
        estate.last().current = Some(Fingerprint::from_stored(own.into()));
        let given = estate.secret("API_TOKEN");
        given.copies.push(place("vault:secret/api#token"));
        given.current = Some(Fingerprint::from_stored(other.into()));
        traced(&mut estate, 3, "2");
        assert_eq!(estate.verdicts(), [(Verdict::Traced, vec![])], "{own} {other}");
    }
}

#[test]
fn a_run_joins_what_the_window_would_not() {
    let mut estate = Estate::three_trails();
    estate.requested(3 * DAY).run = Some("run-1".into());
    estate.written("2", 3 * DAY + 7 * HOUR).run = Some("run-1".into());
    estate.loaded(3 * DAY + 8 * HOUR);
    assert_eq!(estate.only().verdict, Verdict::Traced);
}

#[test]
fn reads_are_counted_by_principal_and_copies_of_a_record_once() {
    let mut estate = Estate::three_trails();
    for (actor, seconds) in [("a", 5), ("b", 6), ("a", 3)] {
        estate.event(STORE, EventKind::Read, "vault:secret/shop", seconds).actor = Some(actor.into());
    }
    let again = estate.entries[STORE].clone();
    estate.entries[STORE].extend(again);
    let readings = estate.correlate().readings;
    let counts: Vec<_> = readings.iter().map(|one| (one.actor.as_str(), one.count, one.first, one.last)).collect();
    assert_eq!(counts, [("a", 2, at(3), at(5)), ("b", 1, at(6), at(6))]);
}
