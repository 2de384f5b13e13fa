//! What is to be rotated, in which order, and what a person does for it, step by step.
//!
//! # Guarantees
//! 1. Everything that is due is in the plan, once, and in one group with whatever is planned too and is made from it
//!    or is what it is made from: such secrets change together or not at all.
//! 2. In a group sources come before what is made from them. Secrets that are made from one another are reported.
//! 3. The steps of a group pass the states of a rotation in their order: in particular the old value is revoked after
//!    the new one was verified, promoted and loaded, and never in a group that makes no new value.
//! 4. No value is in a plan; a command reads it from standard input. Names come from what was scanned and may be
//!    hostile: in a command they are quoted, and one that could still mislead gets no command.
//! 5. The plan hangs on the report alone, and takes time in proportion to it but for sorting.
//!
//! # Assumptions
//! 1. The first part of a path in a Vault store is its mount. The command of a mount with a slash in its name fails
//!    without an effect, since Vault lets no mount lie inside another.
//! 2. A group's steps are carried out in order, and the groups in order: check-and-set counts the writes before.

mod command;
mod render;
mod select;
mod steps;
pub(crate) mod workload;
mod write;

use std::fmt;

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{CopyKind, Environment, Location, Place, Time};
use keytrail_rules::report::{ItemStatus, Report};
use keytrail_rules::value::Shape;

pub use command::Command;
pub use workload::Loading;

use crate::state::State;

/// What is to be rotated: groups in the order in which to go about them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The instant of the report.
    pub as_of: Time,
    /// The compromised ones first; then those that serve no production; then by status, age and id.
    pub groups: Vec<Group>,
}

/// Secrets that change together: sources and what is made from them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Sources before what is made from them.
    pub items: Vec<PlannedItem>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What keeps Keytrail from doing it.
    pub missing: Vec<Missing>,
}

/// A secret that changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedItem {
    /// Its id.
    pub id: ItemId,
    /// Its environment.
    pub environment: Option<Environment>,
    /// Its judgement.
    pub status: ItemStatus,
    /// Why it changes.
    pub reason: Reason,
    /// What it is made from. A secret that is made from others is built anew from them; any other gets a new value.
    pub derived_from: Vec<ItemId>,
    /// Who is in charge.
    pub owner: Option<String>,
    /// When it is or was due.
    pub due_at: Option<Time>,
    /// When its current value was set, at the latest.
    pub set_by: Option<Time>,
}

/// Why a secret changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// By its status.
    Due,
    /// It does not hold the current value of what it is made from.
    Stale,
    /// It is made from this one, which changes.
    MadeFrom(ItemId),
    /// This one is due, and changes only with what it is made from.
    SourceOf(ItemId),
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What it is.
    pub action: Action,
    /// How, where a command does it.
    pub commands: Vec<Command>,
}

impl Step {
    /// The state of the group once the step, and every other one of that state, is done.
    pub fn reaches(&self) -> State {
        match self.action {
            Action::Mint(_) | Action::Rebuild { .. } => State::Set,
            Action::TryOut(_) => State::Verified,
            Action::Write(_) | Action::Move(_) | Action::Follow(_) => State::Promoted,
            Action::Load { .. } => State::Loaded,
            Action::Watch { .. } => State::Soaked,
            Action::Revoke(_) => State::Revoked,
            Action::Confirm { .. } => State::Confirmed,
        }
    }
}

/// What a person does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Have the issuer make a new value, beside the old one.
    Mint(ItemId),
    /// Build a derived secret anew.
    Rebuild {
        /// The derived secret.
        item: ItemId,
        /// What it is made from.
        from: Vec<ItemId>,
    },
    /// Use the new values, before anything else does.
    TryOut(Vec<ItemId>),
    /// Write the new values of some copies, all in one path of one kind.
    Write(Vec<PlannedCopy>),
    /// Take the value out of plain configuration.
    Move(PlannedCopy),
    /// See that a copy follows that is filled from elsewhere.
    Follow(PlannedCopy),
    /// Make a workload load the new values.
    Load {
        /// The workload, as the report names it.
        consumer: String,
        /// What makes it.
        how: Loading,
    },
    /// See that the workloads get on with the new values.
    Watch {
        /// Who loads them.
        consumers: Vec<String>,
        /// Whether the old value is known to others, so that every hour counts.
        is_urgent: bool,
    },
    /// Have the issuer reject the old values.
    Revoke(Vec<ItemId>),
    /// See that it is over.
    Confirm {
        /// The secrets whose old values are to be rejected.
        revoked: Vec<ItemId>,
    },
}

/// A copy of a secret that changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedCopy {
    /// The secret.
    pub item: ItemId,
    /// Where it is.
    pub place: Place,
    /// What kind of place that is.
    pub kind: CopyKind,
    /// What it looks like now.
    pub value: Shape,
    /// Newest version of the path that the scan saw.
    pub version: Option<u64>,
    /// The lines, for a file.
    pub locations: Vec<Location>,
}

/// Something that Keytrail would have to know to rotate some secrets by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// What it is.
    pub lack: Lack,
    /// The secrets.
    pub items: Vec<ItemId>,
}

/// The kinds of [`Missing`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lack {
    /// They are made from one another, so that there is no first one.
    Order,
    /// What they are made from does not change.
    Source,
    /// Nobody is known who makes their values.
    Issuer,
    /// No place is known that keeps them.
    Copy,
    /// Only the path of a place is known.
    Key,
    /// Nobody is known who loads them.
    Consumer,
    /// Nobody is in charge.
    Owner,
}

impl Lack {
    /// What the user can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Order => "take one of them out of the other's `derived_from`",
            Self::Source => "rotate what they are made from, or end its exception",
            Self::Issuer => "this version makes no values; carry out the steps by hand",
            Self::Copy => "name their places in `copies` of their [[secret]]",
            Self::Key => "let the scan list the keys of the path, or name the place as store:path#key",
            Self::Consumer => "name what loads them in `consumers` of their [[secret]]",
            Self::Owner => "name the team in `owner` of their [[secret]]",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "made from one another",
            Self::Source => "made from nothing that changes",
            Self::Issuer => "no issuer",
            Self::Copy => "no known place that keeps the value",
            Self::Key => "no known key in its path",
            Self::Consumer => "no known consumer",
            Self::Owner => "no owner",
        })
    }
}

impl Plan {
    /// The plan for everything that is due: compromised, overdue, never rotated, event-due, or made from a value that
    /// its source no longer has.
    pub fn new(report: &Report) -> Self {
        Self::of(report, false)
    }

    /// The plan for everything that is due, or due soon.
    pub fn with_due_soon(report: &Report) -> Self {
        Self::of(report, true)
    }

    fn of(report: &Report, due_soon: bool) -> Self {
        let mut writes = write::Writes::default();
        let groups = select::components(report, due_soon).into_iter();
        Self { as_of: report.as_of, groups: groups.map(|component| steps::group(component, &mut writes)).collect() }
    }
}

#[cfg(test)]
mod tests;
