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
mod effects;
mod jobs;
mod recipe;
mod render;
mod select;
mod steps;
mod window;
pub(crate) mod workload;
mod write;

use std::collections::BTreeSet;
use std::fmt;

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{CopyKind, Environment, Key, Location, Place, Time};
use keytrail_rules::report::{ItemStatus, Report};
use keytrail_rules::value::Shape;

pub use command::Command;
pub use effects::Effect;
pub use jobs::Prepared;
pub use recipe::{Medium, Recipes, SecretRecipe, WorkloadRecipe};
pub use window::Window;
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
    /// Its name.
    pub key: Key,
    /// Other names of the same value.
    pub aliases: Vec<Key>,
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
    /// It was asked for.
    Asked,
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
    /// The places, consumers or names that it is about, where it is about some.
    pub what: Vec<String>,
}

/// The kinds of [`Missing`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lack {
    /// They are made from one another, so that there is no first one.
    Order,
    /// What they are made from does not change.
    Source,
    /// They hold none of the values that are replaced, and no template says what they are made of; or it names what does not
    /// change with them.
    Template,
    /// Nobody is known who makes their values.
    Issuer,
    /// No place is known that keeps them.
    Copy,
    /// Only the path of a place is known.
    Key,
    /// A place is in no store that takes a new value.
    Store,
    /// Two of them are to be written to one key.
    Clash,
    /// A place is configuration, which Keytrail does not edit.
    Plain,
    /// A place holds the value encrypted for somebody else.
    Sealed,
    /// Nobody is known who loads them.
    Consumer,
    /// Who loads them is nothing that Keytrail can make load a value.
    Workload,
    /// Nobody is in charge.
    Owner,
}

impl Lack {
    /// Whether Keytrail cannot rotate without.
    pub fn blocks(self) -> bool {
        self != Self::Owner
    }

    /// What the user can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Order => "take one of them out of the other's `derived_from`",
            Self::Source => "rotate what they are made from, or end its exception",
            Self::Template => {
                "say in `template` of their [[secret]] what they are made of: names of what is in `derived_from` and rotated too"
            }
            Self::Issuer => "say in `issuer` of their [[secret]] who makes the value, or carry out the steps by hand",
            Self::Copy => "name their places in `copies` of their [[secret]]",
            Self::Key => "let the scan list the keys of the path, or name the place as store:path#key",
            Self::Store => "add a [[store]] of that name whose kind takes new values",
            Self::Clash => "correct `copies` and `parts` of their [[secret]]",
            Self::Plain => "take the value out of it, and refer to a place for secrets there",
            Self::Sealed => "have it filled from a store that Keytrail writes, or carry out the steps by hand",
            Self::Consumer => {
                "name what loads them in `consumers` of their [[secret]]; `consumers = []` says that nothing does"
            }
            Self::Workload => "add a [[workload]] with that `consumer`, and a `kind` that can make it load a value",
            Self::Owner => "name the team in `owner` of their [[secret]]",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "made from one another",
            Self::Source => "made from nothing that changes",
            Self::Template => "no template that can be filled",
            Self::Issuer => "no issuer",
            Self::Copy => "no known place that keeps the value",
            Self::Key => "no known key in its path",
            Self::Store => "no store that takes the new value",
            Self::Clash => "two values for one key",
            Self::Plain => "a value in configuration",
            Self::Sealed => "a value that is encrypted for somebody else",
            Self::Consumer => "no known consumer",
            Self::Workload => "a consumer that cannot be made to load it",
            Self::Owner => "no owner",
        })
    }
}

/// Which secrets a plan begins with.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// What is due.
    Due,
    /// What is due, or due soon.
    DueSoon,
    /// These, whether due or not.
    Items(&'a BTreeSet<ItemId>),
}

impl Plan {
    /// The plan for everything that is due: compromised, overdue, never rotated, event-due, or made from a value that
    /// its source no longer has.
    pub fn new(report: &Report) -> Self {
        Self::of(report, Wanted::Due)
    }

    /// The plan for everything that is due, or due soon.
    pub fn with_due_soon(report: &Report) -> Self {
        Self::of(report, Wanted::DueSoon)
    }

    /// The plan for these items, and for what changes with them.
    pub fn of_items(report: &Report, items: &BTreeSet<ItemId>) -> Self {
        Self::of(report, Wanted::Items(items))
    }

    fn of(report: &Report, wanted: Wanted<'_>) -> Self {
        let mut writes = write::Writes::default();
        let groups = select::components(report, wanted).into_iter();
        Self { as_of: report.as_of, groups: groups.map(|component| steps::group(component, &mut writes)).collect() }
    }
}

#[cfg(test)]
mod tests;
