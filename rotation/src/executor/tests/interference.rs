//! Others at work on the same secrets: a person, and another executor.

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
    stage.attempt(0, &Faults::from([(60, Fault::CrashBefore)]));
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
    for at in 1..instants - 1 {
        let stage = Stage::new(&shape);
        let job = stage.sim.lock().job.clone();
        let run = job.run.clone();
        // The first executor stands still at this instant, for longer than its lease.
        let slow = stage.with_executor(0, |first| {
            let mut slow = Box::pin(first.start(&job));
            stage.sim.lock().faults = Faults::from([(at, Fault::CrashBefore)]);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            while !stage.sim.lock().is_dead && slow.as_mut().poll(&mut context).is_pending() {}
            stage.sim.lock().advance(std::time::Duration::from_secs(301));
            let is_begun = stage.journal.memory.inner().runs.contains_key(&run);
            let taken_over = stage.attempt(1, &Faults::new()).expect("alive");
            assert!(matches!(taken_over, Ok(Ending::Waits { .. })), "{at} {is_begun} {taken_over:?}");
            let before = stage.sim.lock().writes;
            let calls = stage.sim.lock().log.len();
            // Its call was never answered; it goes on with the next one, if any.
            drop(slow);
            (before, calls)
        });
        assert_eq!(stage.sim.lock().writes, slow.0, "{at}");
        stage.check(&[], State::Confirmed);
    }
}
