//! The grace.

use std::time::Duration;

use super::shapes::Shape;
use super::sim::{Fault, Trouble};
use super::{Ending, Faults, Stage};
use crate::state::State;

fn soaking() -> Stage {
    let stage = Stage::new(&Shape { grace: 3600, ..Shape::of("dual") });
    let ending = stage.attempt(0, &Faults::new()).expect("alive").expect("a journal");
    assert!(matches!(ending, Ending::Waits { .. }), "{ending:?}");
    stage
}

fn waits(stage: &Stage) -> bool {
    matches!(stage.attempt(1, &Faults::new()), Some(Ok(Ending::Waits { .. })))
}

#[test]
fn grace_is_not_slept_through() {
    let stage = soaking();
    stage.sim.lock().advance(Duration::from_secs(3000));
    assert!(waits(&stage));
    stage.sim.lock().advance(Duration::from_secs(1000));
    stage.check(&[], State::Confirmed);
}

#[test]
fn a_clock_that_jumps_ahead_does_not_shorten_it() {
    let stage = soaking();
    stage.sim.lock().now += Duration::from_secs(100_000);
    assert!(waits(&stage));
    stage.sim.lock().uptime += Duration::from_secs(4000);
    stage.check(&[], State::Confirmed);
}

#[test]
fn a_clock_that_was_set_back_does_not_shorten_it_either() {
    let stage = soaking();
    stage.sim.lock().now -= Duration::from_secs(100_000);
    stage.sim.lock().uptime += Duration::from_secs(4000);
    assert!(waits(&stage));
}

#[test]
fn after_a_new_start_of_the_system_the_wall_clock_counts() {
    let stage = soaking();
    {
        let mut inner = stage.sim.lock();
        inner.now += Duration::from_secs(4000);
        (inner.boot, inner.uptime) = (2, Duration::from_secs(10));
    }
    stage.check(&[], State::Confirmed);
}

#[test]
fn a_probe_that_fails_meanwhile_rolls_back() {
    let stage = soaking();
    {
        let mut inner = stage.sim.lock();
        (inner.trouble, inner.made) = (Some(Trouble::SoakProbe), 2000);
    }
    stage.check(&[], State::Aborted);
}

#[test]
fn a_person_may_roll_back_meanwhile() {
    let stage = soaking();
    let run = stage.run();
    let ending = stage.with_executor(2, |executor| stage.poll(executor.roll_back(&run)));
    let why = "it was rolled back on request".to_owned();
    assert_eq!(ending, Some(Ok(Ending::RolledBack { why })));
    stage.check(&[], State::Aborted);
}

#[test]
fn an_issuer_that_is_away_meanwhile_changes_nothing() {
    let stage = soaking();
    let away: Faults = (0..40).map(|at| (at, Fault::Dropped)).filter(|(at, _)| *at > 6).collect();
    let ending = stage.attempt(1, &away);
    assert!(matches!(ending, Some(Ok(Ending::Waits { .. }))), "{ending:?} {:#?}", stage.sim.lock().log);
    stage.check(&[], State::Confirmed);
}
