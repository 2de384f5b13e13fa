//! The states of a rotation, the one function that leads from each to the next, and what to do after an interruption.
//!
//! A state names what has been done; the work at hand is the step to the next one. The state is written durably
//! before its step begins, and the next state after it ended, so that an interruption leaves it open whether the step
//! at hand was done, not done, or half done. Undoing has states of its own: a rotation that turned back stays turned
//! back, however often it is interrupted.
//!
//! | state | step at hand | undone while |
//! |---|---|---|
//! | planned | make the new value and keep it, encrypted | discarding |
//! | sealed | write it to the store as pending, not as current | unstaging |
//! | staged | make the issuer honour it, beside the old one | withdrawing |
//! | set | log in with it at the issuer | |
//! | verified | make it the current one of the store | restoring |
//! | promoted | make every consumer load it | reloading |
//! | loaded | watch the consumers | |
//! | soaked | make the issuer reject the old value | never |
//! | revoked | log in with the old value, and be rejected | never |
//!
//! The undo of a step starts with whatever the step may have begun, and goes in the order of the table's last column
//! from the bottom to the top, but for one thing: the store is restored *before* the consumers reload, since they
//! would else load the new value again; and the issuer forgets the new value only after they did.
//!
//! # Guarantees
//! 1. The old value is revoked only after the new one was verified, promoted and loaded.
//! 2. Until then every state leads back to [`State::Aborted`], and from then on only forward.
//! 3. [`recover`] never goes on where it is not proven that a value which is journaled keeps working: it goes back
//!    only where the old one works, forward to a revocation only where the new one works and is current in the store.
//! 4. An answer that could not be had never turns a decision into its opposite; it can only end in [`Recovery::Ask`].
//! 5. However often a rotation is interrupted, it ends in the state in which it would have ended without.
//!
//! # Assumptions
//! 1. Doing a step or an undo again changes nothing more, and finishes one that was half done.
//! 2. The issuer honours the old and the new value at once between set and revoked. One that honours a single value
//!    needs two credentials in turns (two database roles), or consumers that fall back to the other value.
//! 3. The old value can be had again until confirmed.
//! 4. [`Event::Failed`] means that the step is known to have failed. Where no reply came, or where an earlier try of
//!    it had no reply, the step may have been done: that is an interruption, for [`recover`]. This matters most for
//!    the revocation: who turns back after one that was done is locked out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a rotation is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is decided; nothing has been done.
    Planned,
    /// The new value is kept, encrypted.
    Sealed,
    /// The new value is pending in the store.
    Staged,
    /// The issuer honours the new value beside the old one.
    Set,
    /// A login with the new value worked.
    Verified,
    /// The new value is the current one of the store.
    Promoted,
    /// Every consumer has loaded the new value.
    Loaded,
    /// The consumers have worked with it for long enough.
    Soaked,
    /// The issuer was told to reject the old value. From here on there is no way back.
    Revoked,
    /// The old value is rejected: the end.
    Confirmed,
    /// Turned back: the old value is being made the current one of the store.
    Restoring,
    /// Turned back: the consumers are being made to load the old value.
    Reloading,
    /// Turned back: the issuer is being made to forget the new value.
    Withdrawing,
    /// Turned back: the pending value is being taken out of the store.
    Unstaging,
    /// Turned back: the kept value is being wiped.
    Discarding,
    /// Everything is as before: the end.
    Aborted,
}

impl State {
    /// Every state: those of the way forward in order, then those of the way back in order.
    pub const ALL: [Self; 16] = [
        Self::Planned,
        Self::Sealed,
        Self::Staged,
        Self::Set,
        Self::Verified,
        Self::Promoted,
        Self::Loaded,
        Self::Soaked,
        Self::Revoked,
        Self::Confirmed,
        Self::Restoring,
        Self::Reloading,
        Self::Withdrawing,
        Self::Unstaging,
        Self::Discarding,
        Self::Aborted,
    ];

    /// The spelling of journals and plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sealed => "sealed",
            Self::Staged => "staged",
            Self::Set => "set",
            Self::Verified => "verified",
            Self::Promoted => "promoted",
            Self::Loaded => "loaded",
            Self::Soaked => "soaked",
            Self::Revoked => "revoked",
            Self::Confirmed => "confirmed",
            Self::Restoring => "restoring",
            Self::Reloading => "reloading",
            Self::Withdrawing => "withdrawing",
            Self::Unstaging => "unstaging",
            Self::Discarding => "discarding",
            Self::Aborted => "aborted",
        }
    }

    /// Whether the rotation has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::Aborted)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of the step or the undo at hand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Event {
    /// The step was done.
    Done,
    /// The step or the undo is known to have failed, or the rotation is to turn back.
    Failed,
    /// The undo was done.
    Undone,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 3] = [Self::Done, Self::Failed, Self::Undone];
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undone => "undone",
        })
    }
}

/// An event that cannot happen in a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("event '{event}' cannot happen in state '{state}'")]
pub struct IllegalTransition {
    /// The state.
    pub state: State,
    /// The event.
    pub event: Event,
}

impl IllegalTransition {
    /// What the user can do about it.
    pub fn hint(self) -> &'static str {
        match self.event {
            _ if self.state.is_final() => "this rotation has ended; plan a new one",
            Event::Undone => {
                "only a rotation that turned back undoes anything; its journal was not written by Keytrail"
            }
            Event::Done | Event::Failed => {
                "a rotation that turned back does not go forward again; let it end, and plan a new one"
            }
        }
    }
}

/// The state after an event.
///
/// # Errors
/// [`IllegalTransition`] where the event cannot happen: after the end, a step on the way back, an undo on the way
/// forward.
pub fn next(state: State, event: Event) -> Result<State, IllegalTransition> {
    use Event::{Done, Failed, Undone};
    use State::{
        Aborted, Confirmed, Discarding, Loaded, Planned, Promoted, Reloading, Restoring, Revoked, Sealed, Set, Soaked,
        Staged, Unstaging, Verified, Withdrawing,
    };
    Ok(match (state, event) {
        (Planned, Done) => Sealed,
        (Sealed, Done) => Staged,
        (Staged, Done) => Set,
        (Set, Done) => Verified,
        (Verified, Done) => Promoted,
        (Promoted, Done) => Loaded,
        (Loaded, Done) => Soaked,
        (Soaked, Done) => Revoked,
        (Revoked, Done) => Confirmed,

        (Planned, Failed) => Discarding,
        (Sealed, Failed) => Unstaging,
        (Staged | Set, Failed) => Withdrawing,
        // A consumer may restart by itself at any time, so that reloading follows whenever the store may have had
        // the new value.
        (Verified | Promoted | Loaded | Soaked, Failed) => Restoring,
        // No way back: what fails is tried again.
        (Revoked | Restoring | Reloading | Withdrawing | Unstaging | Discarding, Failed) => state,

        (Restoring, Undone) => Reloading,
        (Reloading, Undone) => Withdrawing,
        (Withdrawing, Undone) => Unstaging,
        (Unstaging, Undone) => Discarding,
        (Discarding, Undone) => Aborted,

        (Planned | Sealed | Staged | Set | Verified | Promoted | Loaded | Soaked | Revoked, Undone)
        | (Restoring | Reloading | Withdrawing | Unstaging | Discarding, Done)
        | (Confirmed | Aborted, Done | Failed | Undone) => return Err(IllegalTransition { state, event }),
    })
}

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

/// What to do with a rotation that was interrupted in a state, given what a probe says now.
pub fn recover(state: State, probe: Probe) -> Recovery {
    let decision = match state {
        State::Confirmed | State::Aborted => Ok(Recovery::Nothing),
        State::Planned | State::Sealed => before_set(state, probe),
        State::Staged | State::Set | State::Verified | State::Promoted | State::Loaded | State::Soaked => {
            under_way(state, probe)
        }
        State::Revoked => after_revocation(probe),
        State::Restoring | State::Reloading | State::Withdrawing | State::Unstaging | State::Discarding => {
            on_the_way_back(state, probe)
        }
    };
    decision.unwrap_or_else(Recovery::Ask)
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

fn on_the_way_back(state: State, probe: Probe) -> Result<Recovery, Doubt> {
    match (probe.issuer.old, probe.issuer.new) {
        (Answer::Works, _) => {}
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

#[cfg(test)]
mod tests;
