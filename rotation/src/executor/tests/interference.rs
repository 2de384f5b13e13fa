//! Others at work on the same secrets: a person, and another executor.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use super::shapes::Shape;
use super::sim::Fault;
use super::{Ending, Faults, Stage};
use crate::failure::Outcome;
use crate::state::State;

#[test]
fn what_a_person_writes_in_between_is_never_overwritten() {
    for shape in [
        Shape { stores: vec!["vault", "plain"], grace: 0, ..Shape::of("dual") },
        Shape { stores: vec!["staging", "vault"], grace: 0, ..Shape::of("chosen") },
        Shape { grace: 0, ..Shape::of("one") },
    ] {
        let stage = Stage::new(&shape);
        stage.attempt(0, &Faults::new());
        let (mut ends, instants) = ([0; 3], stage.sim.lock().count);
        for at in 0..instants {
            let stage = Stage::new(&shape);
            let ending = stage.finish(&[Faults::from([(at, Fault::Human)])]);
            let inner = stage.sim.lock();
            let first = inner.job.writes[0].name();
            let case = format!("{shape:?} {at} {ending:?} {:#?}", inner.log);
            assert_eq!(inner.paths[&first].values["KEY0"], "human", "{case}");
            let old = Shape::old("item0");
            let is_told = |text: &str| text.contains(&first) || text.contains("somebody else");
            match ending {
                // Once it was checked for the last time nobody looks any more.
                Ending::Confirmed => ends[0] += 1,
                Ending::RolledBack { why } => {
                    ends[1] += 1;
                    assert!(is_told(&why), "{case}");
                    assert!(inner.issuers["item0"].contains_key(&old), "{case}");
                }
                Ending::Stuck { why, .. } => {
                    ends[2] += 1;
                    assert!(is_told(&why), "{case}");
                    assert!(inner.issuers["item0"].contains_key(&old) || shape.issuers[0] == "one", "{case}");
                }
                Ending::Waits { .. } => panic!("{case}"),
            }
        }
        assert!(ends.iter().all(|count| *count > 0), "{shape:?} {ends:?}");
    }
}

#[test]
fn two_executors_at_once_are_one() {
    let stage = Stage::new(&Shape::of("dual"));
    stage.attempt(0, &Faults::from([(30, Fault::CrashBefore)]));
    let second = stage.attempt(1, &Faults::new()).expect("alive").expect_err("the lease is held");
    assert_eq!((second.outcome, second.what.as_str()), (Outcome::Conflict, "another executor has it"));
    stage.check(&[], State::Confirmed);
}

#[test]
fn who_lost_the_lease_does_nothing_more() {
    let shape = Shape { stores: vec!["vault", "plain"], ..Shape::of("dual") };
    let stage = Stage::new(&shape);
    stage.attempt(0, &Faults::new());
    let instants = stage.sim.lock().count;
    // The last two let go of what it holds, which others may have by then.
    for at in 2..instants - 2 {
        let stage = Stage::new(&shape);
        let job = stage.sim.lock().job.clone();
        stage.with_executor(0, |first| {
            let mut slow = Box::pin(first.start(&job));
            stage.sim.lock().faults = Faults::from([(at, Fault::Freeze)]);
            let mut context = Context::from_waker(Waker::noop());
            while !stage.sim.lock().is_frozen {
                assert!(slow.as_mut().poll(&mut context).is_pending());
            }
            // It stands still for longer than its lease, and another one takes over.
            stage.sim.lock().advance(Duration::from_secs(301));
            let taken_over = stage.attempt(1, &Faults::new()).expect("alive");
            assert!(matches!(taken_over, Ok(Ending::Waits { .. })), "{at} {taken_over:?}");
            let done = stage.sim.lock().log.len();
            stage.sim.lock().is_frozen = false;
            let lost = stage.poll(slow).expect("alive").expect_err("it lost its lease");
            assert_eq!(lost.outcome, Outcome::Conflict, "{at}");
            // The call that it was about to make, and no other one that has an effect.
            let inner = stage.sim.lock();
            let is_act =
                |call: &&String| ["set", "write", "load sim"].iter().any(|act| call.contains(&format!(" {act} ")));
            assert!(inner.log[done..].iter().filter(is_act).count() <= 1, "{at} {:#?}", &inner.log[done..]);
        });
        stage.check(&[], State::Confirmed);
    }
}
