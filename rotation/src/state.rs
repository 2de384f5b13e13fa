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
//! | cut-off | the same, in an emergency only: see there | never |
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
//! An issuer that honours one value at a time ([`Overlap::One`]) ends the old one when it is set to the new one. On the way
//! back it is set to the old one while reloading, before the consumers reload, and not only while withdrawing.
//!
//! In an emergency ([`Mode::Emergency`]) the old value is known to others, and goes first: the step of sealed is that the
//! issuer rejects it, which leads to cut-off, and the step of cut-off is what is else that of sealed. Consumers are refused
//! from then on until they load the new value. There is a way back only from planned and sealed, so long as no issuer was
//! told anything. The step of soaked is done again as ever, and changes nothing more.
//!
//! # Guarantees
//! 1. The old value is revoked only after the new one was verified, promoted and loaded; but for an emergency, in which
//!    it is revoked only after the new one was sealed.
//! 2. Until it is revoked every state leads back to [`State::Aborted`], and from then on only forward.
//! 3. [`recover`] never goes on where it is not proven that a value which is journaled keeps working: it goes back
//!    only where the old one works (or the issuer honours one at a time, and can be set to it), forward to a revocation
//!    only where the new one works and is current in the store. In an emergency it goes forward without asking until the
//!    new one was set.
//! 4. An answer that could not be had never turns a decision into its opposite; it can only end in [`Recovery::Ask`].
//! 5. However often a rotation is interrupted, it ends in the state in which it would have ended without.
//!
//! # Assumptions
//! 1. Doing a step or an undo again changes nothing more, and finishes one that was half done.
//! 2. The issuer honours the old and the new value at once between set and revoked. One that honours a single value
//!    refuses consumers between set and loaded, unless they fall back to the other value.
//! 3. The old value can be had again until confirmed.
//! 4. [`Event::Failed`] means that the step is known to have failed. Where no reply came, or where an earlier try of
//!    it had no reply, the step may have been done: that is an interruption, for [`recover`]. This matters most for
//!    the revocation: who turns back after one that was done is locked out.

mod recovery;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::issuers::Overlap;
use crate::job::Mode;

pub use recovery::{Answer, Answers, Doubt, Probe, Recovery, recover, recover_group};

/// How far a rotation is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is decided; nothing has been done.
    Planned,
    /// The new value is kept, encrypted.
    Sealed,
    /// In an emergency: the issuer was told to reject the old value, before there is another one.
    CutOff,
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
    pub const ALL: [Self; 17] = [
        Self::Planned,
        Self::Sealed,
        Self::CutOff,
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
            Self::CutOff => "cut-off",
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

/// What the course of a rotation hangs on, besides its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Course {
    /// When the old value ends.
    pub mode: Mode,
    /// How many values the issuer honours.
    pub overlap: Overlap,
}

impl Course {
    /// The old value ends last, and the issuer honours both.
    pub const USUAL: Self = Self { mode: Mode::Orderly, overlap: Overlap::Both };
}

/// The state after an event, in a mode.
///
/// # Errors
/// [`IllegalTransition`] where the event cannot happen: after the end, a step on the way back, an undo on the way
/// forward, a state that the mode does not have.
pub fn next_in(mode: Mode, state: State, event: Event) -> Result<State, IllegalTransition> {
    use State::{CutOff, Loaded, Promoted, Reloading, Restoring, Sealed, Set, Soaked, Staged, Verified, Withdrawing};
    match (mode, state, event) {
        (Mode::Orderly, CutOff, _) | (Mode::Emergency, CutOff, Event::Undone) => {}
        (Mode::Emergency, Restoring | Reloading | Withdrawing, _) => {}
        (Mode::Emergency, Sealed, Event::Done) => return Ok(CutOff),
        (Mode::Emergency, CutOff, Event::Done) => return Ok(Staged),
        // The old value is revoked: what fails is tried again.
        (Mode::Emergency, CutOff | Staged | Set | Verified | Promoted | Loaded | Soaked, Event::Failed) => {
            return Ok(state);
        }
        _ => return next(state, event),
    }
    Err(IllegalTransition { state, event })
}

/// The state after an event, where the old value ends last.
///
/// # Errors
/// As [`next_in`].
pub fn next(state: State, event: Event) -> Result<State, IllegalTransition> {
    use Event::{Done, Failed, Undone};
    use State::{
        Aborted, Confirmed, CutOff, Discarding, Loaded, Planned, Promoted, Reloading, Restoring, Revoked, Sealed, Set,
        Soaked, Staged, Unstaging, Verified, Withdrawing,
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

        (CutOff, Done | Failed)
        | (Planned | Sealed | CutOff | Staged | Set | Verified | Promoted | Loaded | Soaked | Revoked, Undone)
        | (Restoring | Reloading | Withdrawing | Unstaging | Discarding, Done)
        | (Confirmed | Aborted, Done | Failed | Undone) => return Err(IllegalTransition { state, event }),
    })
}

#[cfg(test)]
mod tests;
