//! Rotations in which nothing goes wrong, or one thing for good.

use super::shapes::Shape;
use super::sim::Trouble;
use super::{Ending, Faults, Stage};
use crate::executor::preflight;
use crate::job::Mode;
use crate::state::State;

#[test]
fn every_kind_of_job_comes_to_its_end() {
    for shape in Shape::all() {
        let stage = Stage::new(&shape);
        stage.check(&[], State::Confirmed);
        stage.check_secrecy();
    }
}

#[test]
fn every_state_is_passed_in_order() {
    let stage = Stage::new(&Shape::of("dual"));
    stage.check(&[], State::Confirmed);
    let passed: Vec<&str> = stage.journal.memory.inner().states.iter().map(|state| state.as_str()).collect();
    let wanted = "sealed staged set verified promoted loaded soaked revoked confirmed";
    assert_eq!(passed.join(" "), wanted);
}

#[test]
fn what_fails_for_good_is_rolled_back() {
    let trouble = [
        Trouble::Preflight,
        Trouble::Sick,
        Trouble::Stage,
        Trouble::Set,
        Trouble::Verify,
        Trouble::Promote,
        Trouble::Load,
        Trouble::Progress,
        Trouble::Slow,
        Trouble::Probe,
    ];
    for trouble in trouble {
        for issuer in ["dual", "one", "chosen"] {
            // A store can be tried out beforehand only where the value is known.
            let (stores, issuer) = match trouble {
                Trouble::Stage if issuer == "chosen" => continue,
                Trouble::Promote if issuer == "chosen" => continue,
                _ => (vec!["vault", "staging"], issuer),
            };
            let stores = if trouble == Trouble::Promote { vec!["vault", "plain"] } else { stores };
            let shape = Shape { trouble: Some(trouble), stores, grace: 0, consumers: 2, ..Shape::of(issuer) };
            Stage::new(&shape).check(&[], State::Aborted);
        }
    }
}

#[test]
fn an_emergency_ends_the_old_value_first() {
    for issuer in ["dual", "one", "chosen", "quiet"] {
        let shape = Shape { mode: Mode::Emergency, ..Shape::of(issuer) };
        let stage = Stage::new(&shape);
        stage.check(&[], State::Confirmed);
        let log = stage.sim.lock().log.join("\n");
        let (revoked, set) = (log.find("revoke item0"), log.find("set item0").expect("it is set"));
        match issuer {
            "dual" | "chosen" => assert!(revoked.expect("it is revoked") < set, "{log}"),
            _ => {}
        }
        let row = &stage.journal.memory.inner().rows[1];
        assert_eq!(row.details["mode"], "emergency: the old values were revoked first");
    }
}

#[test]
fn the_last_row_tells_who_confirmed_the_rejection() {
    for (issuer, wanted) in
        [("dual", "confirmed by the issuer of item0"), ("quiet", "not asked: nobody tells for item0")]
    {
        let stage = Stage::new(&Shape::of(issuer));
        stage.check(&[], State::Confirmed);
        let row = &stage.journal.memory.inner().rows[1];
        assert_eq!(row.details["old-rejected"], wanted);
        assert!(row.details.contains_key("version vault:app"), "{row:?}");
    }
}

#[test]
fn a_revocation_that_is_refused_is_stuck_and_not_turned_back() {
    let stage = Stage::new(&Shape { trouble: Some(Trouble::Revoke), ..Shape::of("dual") });
    assert!(matches!(stage.finish(&[]), Ending::Stuck { .. }));
    let run = stage.run();
    let refused = stage.with_executor(99, |executor| stage.poll(executor.roll_back(&run)));
    let refused = refused.expect("alive").expect_err("too late");
    assert_eq!(refused.what, format!("{run} cannot be rolled back: its old values are revoked"));
    stage.sim.lock().trouble = None;
    stage.check(&[], State::Confirmed);
}

#[test]
fn a_probe_that_cannot_tell_is_no_reason_to_turn_back_or_to_go_on() {
    let stage = Stage::new(&Shape { trouble: Some(Trouble::Silent), ..Shape::of("dual") });
    let Ending::Stuck { why, hint } = stage.finish(&[]) else { panic!("nobody can tell") };
    assert_eq!(why, "it cannot be told whether all is well: no data");
    assert_eq!(hint.as_deref(), Some("see to the probe, and resume the rotation"));
    assert_eq!(stage.journal.memory.inner().runs[&stage.run()].state, State::Promoted);
    stage.sim.lock().trouble = None;
    stage.check(&[], State::Confirmed);
}

#[test]
fn an_issuer_of_one_value_has_the_old_one_again_before_consumers_load_it() {
    let stage = Stage::new(&Shape { trouble: Some(Trouble::Probe), ..Shape::of("one") });
    stage.check(&[], State::Aborted);
    let inner = stage.sim.lock();
    let last = |call: &str| inner.log.iter().rposition(|entry| entry.contains(call)).expect("it was called");
    assert!(last("write vault:app") < last(" withdraw item0"), "{:#?}", inner.log);
    assert!(last(" withdraw item0") < last(" load sim:0"), "{:#?}", inner.log);
}

#[test]
fn consumers_accept_a_key_before_it_signs_and_until_none_does() {
    let stage = Stage::new(&Shape::of("quiet"));
    stage.check(&[], State::Confirmed);
    let inner = stage.sim.lock();
    let acts = inner.log.iter().filter_map(|entry| entry.split_once(' ').map(|(_, call)| call));
    let acts: Vec<&str> =
        acts.filter(|call| ["write", "load sim", "revoke"].iter().any(|act| call.starts_with(act))).collect();
    let wanted = "write vault:app, load sim:0, write vault:app, load sim:0, revoke item0, write vault:app, load sim:0";
    assert_eq!(acts.join(", "), wanted);
    assert_eq!(inner.paths["vault:app"].values["LIST0"], inner.paths["vault:app"].values["KEY0"]);
}

#[test]
fn a_preflight_writes_nothing_and_says_what_is_in_the_way() {
    let found = |shape: &Shape| {
        let stage = Stage::new(shape);
        let job = stage.sim.lock().job.clone();
        let found = stage.poll(preflight(&stage.systems, &job)).expect("alive");
        let inner = stage.sim.lock();
        assert_eq!((&inner.paths, inner.writes), (&stage.before, 0));
        assert!(inner.log.iter().all(|call| !call.contains("set ") && !call.contains("load ")), "{:?}", inner.log);
        found
    };
    assert_eq!(found(&Shape::of("dual")), Vec::<String>::new());
    let shape = Shape { trouble: Some(Trouble::Preflight), ..Shape::of("dual") };
    assert_eq!(found(&shape), ["item0: no free slot"]);
    let shape = Shape { trouble: Some(Trouble::Copies), stores: vec!["vault", "plain"], ..Shape::of("quiet") };
    let differs = "plain:app#KEY0 holds another value than vault:app#KEY0: make them the same first";
    assert!(found(&shape).contains(&differs.to_owned()));
    let shape = Shape { stores: vec!["blind"], ..Shape::of("dual") };
    let lack = "item0: no store that can be read keeps its value, so that there would be no way back: add such a copy";
    assert_eq!(found(&shape), [lack]);
}

#[test]
fn a_path_that_was_written_since_the_scan_is_in_the_way() {
    let stage = Stage::new(&Shape::of("dual"));
    stage.sim.lock().paths.get_mut("vault:app").expect("a path").version = 8;
    let Ending::RolledBack { why } = stage.finish(&[]) else { panic!("it is not carried out") };
    assert_eq!(why, "vault:app is at version 8, and was at 7 when it was scanned: scan again");
}

#[test]
fn a_value_that_was_used_before_is_chosen_anew() {
    let stage = Stage::new(&Shape::of("dual"));
    stage.check(&[], State::Confirmed);
    let first = stage.sim.lock().paths["vault:app"].clone();
    {
        let mut inner = stage.sim.lock();
        // The source of values begins anew, and gives the current one again.
        inner.made = 0;
        inner.job.run.push('2');
        inner.job.writes[0].seen = None;
    }
    assert_eq!(stage.finish(&[Faults::new()]), Ending::Confirmed);
    let second = stage.sim.lock().paths["vault:app"].clone();
    assert_ne!(first.values["KEY0"], second.values["KEY0"]);
}

#[test]
fn the_work_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let stage = Stage::new(&Shape::of("dual"));
    let job = stage.sim.lock().job.clone();
    stage.with_executor(0, |executor| {
        is_send(&executor.start(&job));
        is_send(&executor.resume("a run"));
        is_send(&executor.roll_back("a run"));
    });
}
