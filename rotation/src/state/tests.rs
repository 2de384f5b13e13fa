use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Answer, Answers, Course, Doubt, Event, Probe, Recovery, State, next, next_in, recover, recover_group};
use crate::issuers::Overlap;
use crate::job::Mode;
use Answer::{Rejected, Unknown, Works};

const FORWARD: [State; 10] = [
    State::Planned,
    State::Sealed,
    State::Staged,
    State::Set,
    State::Verified,
    State::Promoted,
    State::Loaded,
    State::Soaked,
    State::Revoked,
    State::Confirmed,
];

fn is_on_the_way_back(state: State) -> bool {
    state > State::Confirmed && state < State::Aborted
}

/// What every combination of answers says.
fn probes() -> Vec<Probe> {
    let answers: Vec<Answers> =
        Answer::ALL.into_iter().flat_map(|old| Answer::ALL.map(|new| Answers { old, new })).collect();
    answers.iter().flat_map(|issuer| answers.iter().map(|store| Probe { issuer: *issuer, store: *store })).collect()
}

fn probe(issuer: (Answer, Answer), store: (Answer, Answer)) -> Probe {
    let answers = |(old, new)| Answers { old, new };
    Probe { issuer: answers(issuer), store: answers(store) }
}

#[test]
fn every_step_done_leads_from_planned_to_confirmed() {
    let mut state = State::Planned;
    let mut seen = vec![state];
    while !state.is_final() {
        state = next(state, Event::Done).expect("a step");
        seen.push(state);
    }
    assert_eq!(seen, FORWARD);
}

#[test]
fn turning_back_from_any_state_before_revoked_ends_aborted() {
    use State::{Aborted, Discarding, Reloading, Restoring, Unstaging, Withdrawing};
    let undone = |from| {
        let mut state = next(from, Event::Failed).expect("a way back");
        let mut seen = vec![state];
        while !state.is_final() {
            assert_eq!(next(state, Event::Failed), Ok(state), "a failed undo is tried again");
            state = next(state, Event::Undone).expect("an undo");
            seen.push(state);
        }
        seen
    };
    let all = [Restoring, Reloading, Withdrawing, Unstaging, Discarding, Aborted];
    for (from, undos) in
        [(State::Planned, 4), (State::Sealed, 3), (State::Staged, 2), (State::Set, 2), (State::Verified, 0)]
    {
        assert_eq!(undone(from), all[undos..], "{from}");
    }
    for from in [State::Promoted, State::Loaded, State::Soaked] {
        assert_eq!(undone(from), all, "{from}");
    }
    assert_eq!(next(State::Revoked, Event::Failed), Ok(State::Revoked));
}

#[test]
fn an_illegal_event_says_what_to_do() {
    let error = |state, event| next(state, event).expect_err("illegal");
    let shown = |state, event| format!("{}; {}", error(state, event), error(state, event).hint());
    insta::assert_snapshot!(shown(State::Aborted, Event::Failed), @"event 'failed' cannot happen in state 'aborted'; this rotation has ended; plan a new one");
    insta::assert_snapshot!(shown(State::Reloading, Event::Done), @"event 'done' cannot happen in state 'reloading'; a rotation that turned back does not go forward again; let it end, and plan a new one");
    insta::assert_snapshot!(shown(State::Loaded, Event::Undone), @"event 'undone' cannot happen in state 'loaded'; only a rotation that turned back undoes anything; its journal was not written by Keytrail");
}

#[test]
fn states_are_stored_as_they_are_shown() {
    for state in State::ALL {
        let stored = serde_json::to_string(&state).expect("JSON");
        assert_eq!(stored, format!("\"{state}\""));
        assert_eq!(serde_json::from_str::<State>(&stored).expect("a state"), state);
    }
    assert!(serde_json::from_str::<State>("\"rolled-back\"").is_err());
    assert_eq!(State::ALL.into_iter().collect::<BTreeSet<_>>().len(), State::ALL.len());
}

proptest! {
    #[test]
    fn every_event_sequence_keeps_to_the_order(events in vec(select(&Event::ALL[..]), 0..60)) {
        let mut state = State::Planned;
        let mut passed = vec![state];
        for event in events {
            match next(state, event) {
                Ok(after) => {
                    if is_on_the_way_back(state) {
                        prop_assert!(is_on_the_way_back(after) || after == State::Aborted);
                    }
                    state = after;
                    passed.push(state);
                }
                Err(error) => prop_assert_eq!((error.state, error.event), (state, event)),
            }
        }
        prop_assert!(State::ALL.contains(&state));
        if let Some(revoked) = passed.iter().position(|state| *state == State::Revoked) {
            for needed in [State::Verified, State::Promoted, State::Loaded] {
                prop_assert!(passed[..revoked].contains(&needed), "{needed} is missing from {passed:?}");
            }
            prop_assert!(passed[revoked..].iter().all(|state| matches!(state, State::Revoked | State::Confirmed)));
        }
    }
}

/// Every course.
fn courses() -> impl Iterator<Item = Course> {
    [Mode::Orderly, Mode::Emergency]
        .into_iter()
        .flat_map(|mode| [Overlap::Both, Overlap::One].map(|overlap| Course { mode, overlap }))
}

/// The states that a course has.
fn states(course: Course) -> impl Iterator<Item = State> {
    let away = match course.mode {
        Mode::Orderly => &[State::CutOff][..],
        Mode::Emergency => &[State::Restoring, State::Reloading, State::Withdrawing],
    };
    State::ALL.into_iter().filter(move |state| !away.contains(state))
}

#[test]
fn recovery_keeps_to_what_is_proven_to_work() {
    for (course, state) in courses().flat_map(|course| states(course).map(move |state| (course, state))) {
        for probe in probes() {
            let decision = recover(course, state, probe);
            let case = format!("{course:?} {state} {probe:?} {decision:?}");
            match decision {
                Recovery::Nothing => assert!(state.is_final(), "{case}"),
                Recovery::Ask(_) => assert!(!state.is_final(), "{case}"),
                Recovery::Back => {
                    let set_back = course.overlap == Overlap::One && probe.issuer.new == Works;
                    assert!(probe.issuer.old == Works || course.mode == Mode::Emergency || set_back, "{case}");
                    let back = next_in(course.mode, state, Event::Failed);
                    assert!(back.is_ok_and(is_on_the_way_back), "{case}");
                }
                Recovery::Forward => {
                    let is_cut_off = course.mode == Mode::Emergency && state < State::Set;
                    assert!(probe.issuer.old == Works || probe.issuer.new == Works || is_cut_off, "{case}");
                    assert!(next_in(course.mode, state, Event::Done).is_ok(), "{case}");
                    if state >= State::Soaked {
                        assert_eq!(probe.issuer.new, Works, "{case}");
                        assert_eq!((probe.store.old, probe.store.new), (Rejected, Works), "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_missing_answer_never_turns_a_decision_round() {
    let hide = |probe: Probe, which: usize| {
        let mut hidden = probe;
        *[&mut hidden.issuer.old, &mut hidden.issuer.new, &mut hidden.store.old, &mut hidden.store.new][which] =
            Unknown;
        hidden
    };
    for (course, state) in courses().flat_map(|course| states(course).map(move |state| (course, state))) {
        for probe in probes() {
            for which in 0..4 {
                let (known, unknown) = (recover(course, state, probe), recover(course, state, hide(probe, which)));
                assert!(
                    unknown == known || matches!(unknown, Recovery::Ask(_)),
                    "{course:?} {state} {probe:?} {which}"
                );
            }
        }
    }
}

#[test]
fn an_emergency_goes_forward_only_once_the_old_value_may_be_revoked() {
    let emergency = |state, event| next_in(Mode::Emergency, state, event);
    let mut state = State::Planned;
    let mut seen = vec![state];
    while !state.is_final() {
        if state >= State::CutOff {
            assert_eq!(emergency(state, Event::Failed), Ok(state));
        }
        state = emergency(state, Event::Done).expect("a step");
        seen.push(state);
    }
    assert_eq!(seen, State::ALL[..11]);
    assert_eq!(emergency(State::Planned, Event::Failed), Ok(State::Discarding));
    assert_eq!(emergency(State::Sealed, Event::Failed), Ok(State::Unstaging));
    assert!(next(State::CutOff, Event::Done).is_err(), "an orderly rotation is never cut off");
    assert!(emergency(State::Restoring, Event::Undone).is_err());
}

#[test]
fn a_group_goes_back_only_where_all_of_it_can() {
    let decide = |state, members: &[(Overlap, (Answer, Answer))], store| {
        let members: Vec<_> = members.iter().map(|(overlap, issuer)| (*overlap, probe(*issuer, store))).collect();
        recover_group(Mode::Orderly, state, &members)
    };
    let (before, after, both) = ((Works, Rejected), (Rejected, Works), (Works, Works));
    let (two, one) = (Overlap::Both, Overlap::One);
    for (state, members, decision) in [
        (State::Staged, [(two, before), (one, after)], Recovery::Forward),
        (State::Set, [(two, before), (one, after)], Recovery::Back),
        (State::Set, [(two, before), (two, both)], Recovery::Back),
        (State::Set, [(two, before), (two, after)], Recovery::Ask(Doubt::OldRejected)),
        (State::Set, [(two, (Works, Unknown)), (two, both)], Recovery::Ask(Doubt::IssuerUnknown)),
        (State::Restoring, [(two, both), (one, after)], Recovery::Back),
        (State::Unstaging, [(two, before), (one, after)], Recovery::Ask(Doubt::OldRejected)),
    ] {
        assert_eq!(decide(state, &members, before), decision, "{state} {members:?}");
    }
    assert_eq!(recover_group(Mode::Orderly, State::Aborted, &[]), Recovery::Nothing);
    assert_eq!(recover_group(Mode::Orderly, State::Soaked, &[]), Recovery::Forward);
}

#[test]
fn recovery_decides_as_a_careful_person_would() {
    let (before, after) = ((Works, Rejected), (Rejected, Works));
    let both = (Works, Works);
    let ask = Recovery::Ask;
    for (state, issuer, store, decision) in [
        // The step at hand was done or not, and only the reply is missing.
        (State::Planned, (Works, Unknown), (Works, Unknown), Recovery::Forward),
        (State::Staged, before, before, Recovery::Forward),
        (State::Staged, both, before, Recovery::Forward),
        (State::Verified, both, both, Recovery::Forward),
        (State::Soaked, after, after, Recovery::Forward),
        (State::Revoked, after, after, Recovery::Forward),
        // The issuer lost the new value, while the old one works.
        (State::Set, before, before, Recovery::Back),
        (State::Soaked, before, after, Recovery::Back),
        // The issuer honours one value at a time, or somebody revoked the old one.
        (State::Staged, after, before, Recovery::Forward),
        (State::Sealed, (Rejected, Rejected), before, ask(Doubt::OldRejected)),
        (State::Loaded, (Rejected, Rejected), after, ask(Doubt::NothingWorks)),
        (State::Revoked, (Rejected, Rejected), after, ask(Doubt::NewRejected)),
        // Somebody wrote a third value, or the old one again.
        (State::Verified, both, (Rejected, Rejected), ask(Doubt::StoreChanged)),
        (State::Set, before, (Rejected, Rejected), ask(Doubt::StoreChanged)),
        (State::Loaded, both, before, ask(Doubt::StoreChanged)),
        (State::Restoring, both, (Rejected, Rejected), ask(Doubt::StoreChanged)),
        // On the way back.
        (State::Restoring, both, both, Recovery::Back),
        (State::Withdrawing, (Works, Unknown), before, Recovery::Back),
        (State::Discarding, (Works, Unknown), (Works, Unknown), Recovery::Back),
        (State::Withdrawing, after, before, ask(Doubt::OldRejected)),
        // No answer.
        (State::Loaded, (Unknown, Works), after, ask(Doubt::IssuerUnknown)),
        (State::Soaked, both, (Unknown, Works), ask(Doubt::StoreUnknown)),
    ] {
        assert_eq!(recover(Course::USUAL, state, probe(issuer, store)), decision, "{state} {issuer:?} {store:?}");
    }
}

mod interruptions;
