//! Rotations of a small world, interrupted anywhere.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::state::{Answer, Answers, Event, Probe, Recovery, State, next, recover};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    Old,
    New,
}

/// An issuer that honours two values, a store with two places, two consumers.
#[derive(Clone, PartialEq, Eq, Debug)]
struct World {
    sealed: bool,
    staged: bool,
    honours_old: bool,
    honours_new: bool,
    places: [Which; 2],
    loaded: [Which; 2],
}

impl World {
    fn new() -> Self {
        Self {
            sealed: false,
            staged: false,
            honours_old: true,
            honours_new: false,
            places: [Which::Old; 2],
            loaded: [Which::Old; 2],
        }
    }

    fn honours(&self, which: Which) -> bool {
        match which {
            Which::Old => self.honours_old,
            Which::New => self.honours_new,
        }
    }

    /// Does the step or the undo at hand, or only the first half of it.
    fn work(&mut self, state: State, whole: bool) {
        let last = usize::from(whole);
        match state {
            State::Verified => self.places[..=last].fill(Which::New),
            State::Restoring => self.places[..=last].fill(Which::Old),
            State::Promoted | State::Reloading => (0..=last).for_each(|at| self.restart(at)),
            _ if !whole => {}
            State::Planned => self.sealed = true,
            State::Sealed => self.staged = true,
            State::Staged => self.honours_new = true,
            State::Set => assert!(self.honours_new, "a login with the new value works"),
            State::Loaded => {}
            State::Soaked => self.honours_old = false,
            State::Revoked => assert!(!self.honours_old, "the old value is rejected"),
            State::Withdrawing => self.honours_new = false,
            State::Unstaging => self.staged = false,
            State::Discarding => self.sealed = false,
            State::Confirmed | State::Aborted => panic!("no work after the end"),
        }
    }

    /// A consumer loads what the store holds.
    fn restart(&mut self, consumer: usize) {
        self.loaded[consumer] = self.places[consumer];
    }

    /// A probe; nobody can ask for a new value that is not kept.
    fn probe(&self) -> Probe {
        let answer = |works| if works { Answer::Works } else { Answer::Rejected };
        let of_new = |works| if self.sealed { answer(works) } else { Answer::Unknown };
        Probe {
            issuer: Answers { old: answer(self.honours_old), new: of_new(self.honours_new) },
            store: Answers {
                old: answer(self.places.contains(&Which::Old)),
                new: of_new(self.places.contains(&Which::New)),
            },
        }
    }

    /// Nobody is locked out, and no value that is somewhere in use is lost.
    fn check(&self, state: State) {
        for which in self.loaded.iter().chain(&self.places) {
            assert!(self.honours(*which), "{state}: {which:?} is in use and does not work");
        }
        assert!(self.sealed || !(self.honours_new || self.staged), "{state}: the new value is lost");
    }
}

/// What comes in between.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    /// The executor is killed at its work, before the journal has the outcome. A probe follows, in which the answer of
    /// that number may be missing.
    Kill(Progress, Option<usize>),
    /// A consumer restarts by itself.
    Restart(usize),
}

/// How far the work came.
#[derive(Clone, Copy, Debug)]
enum Progress {
    None,
    Half,
    Whole,
}

fn interruption() -> impl Strategy<Value = Interruption> {
    let progress = select(&[Progress::None, Progress::Half, Progress::Whole][..]);
    prop_oneof![
        3 => (progress, option::of(0..4usize)).prop_map(|(progress, hidden)| Interruption::Kill(progress, hidden)),
        1 => (0..2usize).prop_map(Interruption::Restart),
    ]
}

/// Runs a rotation to its end. The step of the state `fails` never succeeds; `script` says what comes in between, turn by
/// turn. Gives the final state, the world, and every state that the journal had.
fn run(fails: Option<State>, script: &[Option<Interruption>]) -> (State, World, Vec<State>) {
    let (mut world, mut state) = (World::new(), State::Planned);
    let mut journal = vec![state];
    let mut script = script.iter().copied();
    while !state.is_final() {
        world.check(state);
        let succeeds = fails != Some(state);
        let turns_back = match script.next().flatten() {
            Some(Interruption::Restart(consumer)) => {
                world.restart(consumer);
                false
            }
            Some(Interruption::Kill(progress, hidden)) => {
                match progress {
                    Progress::None => {}
                    Progress::Half => world.work(state, false),
                    Progress::Whole => world.work(state, succeeds),
                }
                world.check(state);
                turns_back(state, world.probe(), hidden)
            }
            None => false,
        };
        let event = if turns_back {
            Event::Failed
        } else {
            world.work(state, succeeds);
            match state {
                _ if !succeeds => Event::Failed,
                _ if state < State::Confirmed => Event::Done,
                _ => Event::Undone,
            }
        };
        state = next(state, event).expect("a legal event");
        journal.push(state);
    }
    world.check(state);
    (state, world, journal)
}

/// Whether recovery turns a rotation back that goes forward. A missing answer makes it ask at worst, and a person then
/// lets it probe again.
fn turns_back(state: State, truth: Probe, hidden: Option<usize>) -> bool {
    let mut seen = truth;
    if let Some(which) = hidden {
        *[&mut seen.issuer.old, &mut seen.issuer.new, &mut seen.store.old, &mut seen.store.new][which] =
            Answer::Unknown;
    }
    let decision = match recover(state, seen) {
        Recovery::Ask(_) if hidden.is_some() => recover(state, truth),
        decision => decision,
    };
    match decision {
        Recovery::Forward => false,
        Recovery::Back => state < State::Confirmed,
        Recovery::Ask(doubt) => panic!("{state}: {doubt}"),
        Recovery::Nothing => panic!("{state} is not the end"),
    }
}

#[test]
fn a_rotation_without_interruptions_ends_as_it_should() {
    let (state, world, _) = run(None, &[]);
    assert_eq!(state, State::Confirmed);
    assert_eq!((world.honours_old, world.loaded), (false, [Which::New; 2]));
    for fails in State::ALL.into_iter().filter(|state| *state < State::Revoked) {
        let (state, world, _) = run(Some(fails), &[]);
        assert_eq!((state, world), (State::Aborted, World::new()), "{fails} fails");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn interruptions_lock_nobody_out_and_do_not_change_the_end(
        fails in option::of(select(&State::ALL[..8])),
        script in vec(option::of(interruption()), 0..40),
    ) {
        prop_assert_eq!(run(fails, &script), run(fails, &[]));
    }
}
