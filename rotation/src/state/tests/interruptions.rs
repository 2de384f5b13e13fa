//! Rotations of a small world, interrupted anywhere.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::issuers::Overlap;
use crate::job::Mode;
use crate::state::{Answer, Answers, Course, Event, Probe, Recovery, State, next_in, recover};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    Old,
    New,
}

/// An issuer, a store with two places, two consumers.
#[derive(Clone, PartialEq, Eq, Debug)]
struct World {
    course: Course,
    sealed: bool,
    staged: bool,
    honours_old: bool,
    honours_new: bool,
    places: [Which; 2],
    loaded: [Which; 2],
}

impl World {
    fn new(course: Course) -> Self {
        Self {
            course,
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
            State::Reloading => {
                if self.course.overlap == Overlap::One {
                    (self.honours_old, self.honours_new) = (true, false);
                }
                (0..=last).for_each(|at| self.restart(at));
            }
            State::Promoted => (0..=last).for_each(|at| self.restart(at)),
            _ if !whole => {}
            State::Planned => self.sealed = true,
            State::Sealed if self.course.mode == Mode::Emergency => {
                self.honours_old = self.honours_old && self.course.overlap == Overlap::One;
            }
            State::Sealed | State::CutOff => self.staged = true,
            State::Staged => {
                self.honours_new = true;
                self.honours_old = self.honours_old && self.course.overlap == Overlap::Both;
            }
            State::Set => assert!(self.honours_new, "a login with the new value works"),
            State::Loaded => {}
            State::Soaked => self.honours_old = false,
            State::Revoked => assert!(!self.honours_old, "the old value is rejected"),
            State::Withdrawing => (self.honours_old, self.honours_new) = (true, false),
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

    /// Nobody is locked out where that can be, and no value that is somewhere in use is lost.
    fn check(&self, state: State) {
        if self.course == Course::USUAL {
            for which in self.loaded.iter().chain(&self.places) {
                assert!(self.honours(*which), "{state}: {which:?} is in use and does not work");
            }
        }
        if self.course.mode == Mode::Orderly {
            assert!(self.honours_old || self.honours_new, "{state}: nothing works");
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
fn run(course: Course, fails: Option<State>, script: &[Option<Interruption>]) -> (State, World, Vec<State>) {
    let (mut world, mut state) = (World::new(course), State::Planned);
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
                turns_back(course, state, world.probe(), hidden)
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
        state = next_in(course.mode, state, event).expect("a legal event");
        journal.push(state);
    }
    world.check(state);
    (state, world, journal)
}

/// Whether recovery turns a rotation back that goes forward. A missing answer makes it ask at worst, and a person then
/// lets it probe again.
fn turns_back(course: Course, state: State, truth: Probe, hidden: Option<usize>) -> bool {
    let mut seen = truth;
    if let Some(which) = hidden {
        *[&mut seen.issuer.old, &mut seen.issuer.new, &mut seen.store.old, &mut seen.store.new][which] =
            Answer::Unknown;
    }
    let decision = match recover(course, state, seen) {
        Recovery::Ask(_) if hidden.is_some() => recover(course, state, truth),
        decision => decision,
    };
    match decision {
        Recovery::Forward => false,
        Recovery::Back => state < State::Confirmed,
        Recovery::Ask(doubt) => panic!("{state}: {doubt}"),
        Recovery::Nothing => panic!("{state} is not the end"),
    }
}

const ONE_AT_A_TIME: Course = Course { mode: Mode::Orderly, overlap: Overlap::One };

#[test]
fn a_rotation_without_interruptions_ends_as_it_should() {
    for course in [Course::USUAL, ONE_AT_A_TIME] {
        let (state, world, _) = run(course, None, &[]);
        assert_eq!(state, State::Confirmed);
        assert_eq!((world.honours_old, world.loaded), (false, [Which::New; 2]));
        for fails in State::ALL.into_iter().filter(|state| *state < State::Revoked && *state != State::CutOff) {
            let (state, world, _) = run(course, Some(fails), &[]);
            assert_eq!((state, world), (State::Aborted, World::new(course)), "{fails} fails");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn interruptions_lock_nobody_out_and_do_not_change_the_end(
        course in select(&[Course::USUAL, ONE_AT_A_TIME][..]),
        fails in option::of(select(
            &[State::Planned, State::Sealed, State::Staged, State::Set, State::Verified, State::Promoted, State::Loaded, State::Soaked][..]
        )),
        script in vec(option::of(interruption()), 0..40),
    ) {
        prop_assert_eq!(run(course, fails, &script), run(course, fails, &[]));
    }

    #[test]
    fn interruptions_do_not_keep_an_emergency_from_its_end(
        overlap in select(&[Overlap::Both, Overlap::One][..]),
        script in vec(option::of(interruption()), 0..40),
    ) {
        let course = Course { mode: Mode::Emergency, overlap };
        let (state, world, journal) = run(course, None, &script);
        prop_assert_eq!((state, world.honours_old, world.loaded), (State::Confirmed, false, [Which::New; 2]));
        prop_assert_eq!(journal, run(course, None, &[]).2);
    }
}
