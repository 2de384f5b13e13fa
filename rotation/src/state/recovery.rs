//! What to do with a rotation that was interrupted.

use super::{Course, Event, State, next_in};
use crate::issuers::Overlap;
use crate::job::Mode;

/// What a system says of a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Answer {
    /// The issuer honours it. The store has it as the current one, in one of its places or more.
    Works,
    /// The issuer rejects it. The store has it as the current one nowhere.
    Rejected,
    /// There was no answer, or one that tells nothing: a time-out, a refusal to talk, a server error.
    Unknown,
}

impl Answer {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Works, Self::Rejected, Self::Unknown];
}

/// What a system says of both values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answers {
    /// Of the old value.
    pub old: Answer,
    /// Of the new value.
    pub new: Answer,
}

/// What both systems say of both values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Who honours the credential, asked over a new connection.
    pub issuer: Answers,
    /// What holds it.
    pub store: Answers,
}

/// What to do with a rotation that was interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recovery {
    /// Do the step at hand again: [`Event::Done`] or [`Event::Failed`] follows.
    Forward,
    /// Turn back with [`Event::Failed`]; or, on the way back, do the undo at hand again.
    Back,
    /// Stop, change nothing, and ask a person.
    Ask(Doubt),
    /// It has ended.
    Nothing,
}

/// Why nobody but a person can tell how to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Doubt {
    /// The issuer gave no answer that tells.
    #[error("the issuer does not tell which of the two values works")]
    IssuerUnknown,
    /// The store gave no answer that tells.
    #[error("the store does not tell which of the two values it holds")]
    StoreUnknown,
    /// The issuer honours neither value.
    #[error("the issuer rejects the old and the new value")]
    NothingWorks,
    /// The issuer rejects the old value, before it was told to.
    #[error("the issuer rejects the old value too early")]
    OldRejected,
    /// The issuer rejects the new value, after the old one was revoked.
    #[error("the issuer rejects the new value, and the old one is revoked")]
    NewRejected,
    /// The store does not hold what the rotation left there.
    #[error("the store was changed by somebody else")]
    StoreChanged,
}

impl Doubt {
    /// What the user can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::IssuerUnknown => "make the issuer reachable, and resume the rotation",
            Self::StoreUnknown => "make the store reachable, and resume the rotation",
            Self::NothingWorks => "set one of the two journaled values at the issuer by hand, and resume the rotation",
            Self::OldRejected => "set the old value at the issuer again, or finish the rotation by hand",
            Self::NewRejected => "set the new value at the issuer again, and resume the rotation",
            Self::StoreChanged => "find out from the store's audit log who wrote it, and decide which value is to stay",
        }
    }
}

/// What to do with a group that was interrupted in a state, given what a probe says now of each member: forward where all
/// go forward, back where one has to and all others can.
pub fn recover_group(mode: Mode, state: State, members: &[(Overlap, Probe)]) -> Recovery {
    let course = |overlap| Course { mode, overlap };
    let mut all = Recovery::Forward;
    for (overlap, probe) in members {
        match recover(course(*overlap), state, *probe) {
            Recovery::Forward => {}
            Recovery::Back => all = Recovery::Back,
            decision @ (Recovery::Ask(_) | Recovery::Nothing) => return decision,
        }
    }
    match next_in(mode, state, Event::Failed) {
        _ if state.is_final() => Recovery::Nothing,
        Ok(back) if all == Recovery::Back && back != state => {
            let blocked = members.iter().map(|(overlap, probe)| recover(course(*overlap), back, *probe));
            blocked.into_iter().find(|decision| *decision != Recovery::Back).unwrap_or(Recovery::Back)
        }
        _ => all,
    }
}

/// What to do with a rotation of one secret that was interrupted in a state, given what a probe says now.
pub fn recover(course: Course, state: State, probe: Probe) -> Recovery {
    let decision = match state {
        State::Confirmed | State::Aborted => Ok(Recovery::Nothing),
        State::Revoked => after_revocation(probe),
        State::Restoring | State::Reloading | State::Withdrawing | State::Unstaging | State::Discarding => {
            on_the_way_back(course, state, probe)
        }
        State::CutOff => in_emergency(state, probe),
        _ if course.mode == Mode::Emergency => in_emergency(state, probe),
        State::Planned | State::Sealed => before_set(state, probe),
        State::Staged | State::Set | State::Verified | State::Promoted | State::Loaded | State::Soaked => {
            under_way(state, probe)
        }
    };
    decision.unwrap_or_else(Recovery::Ask)
}

/// Nothing leads back, so that the old value does not matter; and until it is set, the new one neither.
fn in_emergency(state: State, probe: Probe) -> Result<Recovery, Doubt> {
    match state {
        State::Planned | State::Sealed | State::CutOff | State::Staged => {
            holds_old(probe.store, state != State::Planned)?;
            return Ok(Recovery::Forward);
        }
        State::Set => holds_old(probe.store, true)?,
        State::Verified => holds_either(probe.store)?,
        _ => holds_new(probe.store)?,
    }
    match probe.issuer.new {
        Answer::Works => Ok(Recovery::Forward),
        Answer::Rejected => Err(Doubt::NewRejected),
        Answer::Unknown => Err(Doubt::IssuerUnknown),
    }
}

/// The issuer does not know the new value yet.
fn before_set(state: State, probe: Probe) -> Result<Recovery, Doubt> {
    match probe.issuer.old {
        Answer::Works => {}
        Answer::Rejected => return Err(Doubt::OldRejected),
        Answer::Unknown => return Err(Doubt::IssuerUnknown),
    }
    // While planned there may be no new value to ask for.
    holds_old(probe.store, state != State::Planned)?;
    Ok(Recovery::Forward)
}

/// The issuer may honour the new value, and still has to honour the old one.
fn under_way(state: State, probe: Probe) -> Result<Recovery, Doubt> {
    use Answer::{Rejected, Unknown, Works};
    let decision = match (probe.issuer.old, probe.issuer.new) {
        (Unknown, _) | (_, Unknown) => return Err(Doubt::IssuerUnknown),
        (Rejected, Rejected) => return Err(Doubt::NothingWorks),
        // The old value is gone, whoever did it: back would leave nothing that works.
        (Works | Rejected, Works) => Recovery::Forward,
        (Works, Rejected) if state == State::Staged => Recovery::Forward,
        (Works, Rejected) => Recovery::Back,
    };
    match state {
        State::Staged | State::Set => holds_old(probe.store, true)?,
        // Both, where the promotion was interrupted half way; and a way back overwrites no third value.
        _ if state == State::Verified || decision == Recovery::Back => holds_either(probe.store)?,
        _ => holds_new(probe.store)?,
    }
    Ok(decision)
}

fn after_revocation(probe: Probe) -> Result<Recovery, Doubt> {
    match probe.issuer.new {
        Answer::Works => {}
        Answer::Rejected => return Err(Doubt::NewRejected),
        Answer::Unknown => return Err(Doubt::IssuerUnknown),
    }
    holds_new(probe.store)?;
    Ok(Recovery::Forward)
}

fn on_the_way_back(course: Course, state: State, probe: Probe) -> Result<Recovery, Doubt> {
    let can_be_set_back =
        course.overlap == Overlap::One && matches!(state, State::Restoring | State::Reloading | State::Withdrawing);
    match (probe.issuer.old, probe.issuer.new) {
        (Answer::Works, _) => {}
        // Nobody was told anything yet.
        _ if course.mode == Mode::Emergency && matches!(state, State::Unstaging | State::Discarding) => {}
        (Answer::Rejected, Answer::Works) if can_be_set_back => {}
        (Answer::Unknown, _) | (Answer::Rejected, Answer::Unknown) => return Err(Doubt::IssuerUnknown),
        (Answer::Rejected, Answer::Works) => return Err(Doubt::OldRejected),
        (Answer::Rejected, Answer::Rejected) => return Err(Doubt::NothingWorks),
    }
    match state {
        State::Restoring => holds_either(probe.store)?,
        // While discarding there may be no new value left to ask for.
        _ => holds_old(probe.store, state != State::Discarding)?,
    }
    Ok(Recovery::Back)
}

/// The store holds the old value; and the new one nowhere, where there is a new one to ask for.
fn holds_old(store: Answers, has_new: bool) -> Result<(), Doubt> {
    match (store.old, store.new) {
        (Answer::Works, Answer::Rejected) => Ok(()),
        (Answer::Works, _) if !has_new => Ok(()),
        (Answer::Rejected, _) | (_, Answer::Works) => Err(Doubt::StoreChanged),
        (Answer::Works | Answer::Unknown, _) => Err(Doubt::StoreUnknown),
    }
}

/// The store holds the new value, and the old one nowhere.
fn holds_new(store: Answers) -> Result<(), Doubt> {
    holds_old(Answers { old: store.new, new: store.old }, true)
}

/// The store holds one of the two values, or each in some of its places.
fn holds_either(store: Answers) -> Result<(), Doubt> {
    match (store.old, store.new) {
        (Answer::Unknown, _) | (_, Answer::Unknown) => Err(Doubt::StoreUnknown),
        (Answer::Rejected, Answer::Rejected) => Err(Doubt::StoreChanged),
        (Answer::Works, _) | (_, Answer::Works) => Ok(()),
    }
}
