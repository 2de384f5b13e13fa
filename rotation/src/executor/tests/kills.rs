//! Every instant of every job, and everything that may go wrong at it.

use super::shapes::Shape;
use super::sim::{Fault, Trouble};
use super::{Faults, Stage};
use crate::job::Mode;
use crate::state::State;

/// How many instants the first attempt has when nothing goes wrong.
fn instants(shape: &Shape) -> usize {
    let stage = Stage::new(shape);
    stage.attempt(0, &Faults::new());
    stage.sim.lock().count
}

/// How many the second one has: the one after the grace.
fn instants_after_grace(shape: &Shape) -> usize {
    let stage = Stage::new(shape);
    stage.attempt(0, &Faults::new());
    stage.sim.lock().advance(std::time::Duration::from_secs(shape.grace + 301));
    stage.attempt(1, &Faults::new());
    stage.sim.lock().count
}

fn everything_everywhere(shape: &Shape, wanted: State) {
    for fault in Fault::ALL {
        for at in 0..instants(shape) {
            Stage::new(shape).check(&[Faults::from([(at, fault)])], wanted);
        }
        if shape.grace > 0 && wanted == State::Confirmed {
            for at in 0..instants_after_grace(shape) {
                Stage::new(shape).check(&[Faults::new(), Faults::from([(at, fault)])], wanted);
            }
        }
    }
}

#[test]
fn a_fault_at_any_instant_does_not_change_the_end() {
    for shape in Shape::all() {
        everything_everywhere(&shape, State::Confirmed);
    }
}

#[test]
fn a_fault_at_any_instant_of_an_emergency_does_not_change_the_end() {
    for issuer in ["dual", "one", "chosen", "quiet"] {
        let shape = Shape { mode: Mode::Emergency, stores: vec!["vault", "staging"], ..Shape::of(issuer) };
        everything_everywhere(&shape, State::Confirmed);
    }
}

#[test]
fn a_fault_at_any_instant_of_the_way_back_does_not_change_the_end() {
    let rolled_back = [
        Shape { trouble: Some(Trouble::Probe), stores: vec!["vault", "blind"], url: Some(true), ..Shape::of("dual") },
        Shape { trouble: Some(Trouble::Progress), stores: vec!["staging", "plain"], ..Shape::of("one") },
        Shape { trouble: Some(Trouble::Probe), issuers: vec!["chosen", "one"], ..Shape::of("chosen") },
        Shape { trouble: Some(Trouble::Promote), stores: vec!["vault", "plain"], ..Shape::of("dual") },
        Shape { trouble: Some(Trouble::Verify), ..Shape::of("dual") },
        Shape { trouble: Some(Trouble::Set), issuers: vec!["dual", "chosen"], ..Shape::of("chosen") },
        Shape { trouble: Some(Trouble::Probe), ..Shape::of("quiet") },
    ];
    for shape in rolled_back {
        everything_everywhere(&shape, State::Aborted);
    }
}

#[test]
fn an_executor_that_is_killed_again_and_again_comes_to_its_end() {
    for shape in Shape::all() {
        for step in 1..12 {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                // Each attempt lives a little longer than a resume needs to find out where it is.
                let plan: Vec<Faults> =
                    (0..30).map(|attempt| Faults::from([(step * 3 + attempt * 2, fault)])).collect();
                Stage::new(&shape).check(&plan, State::Confirmed);
            }
        }
    }
}
