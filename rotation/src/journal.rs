//! What survives a crash: the jobs under way, how far they are, their values under seal, and who works on them.
//!
//! # Guarantees
//! 1. What a call wrote is durable when it returns: it survives the end of the process and of the power.
//! 2. A call that fails, or is cut off, wrote all of it or nothing.
//! 3. Values are encrypted with a key that is kept elsewhere, each bound to its run, item and part.
//! 4. Nobody writes who lost the lease: the fencing token of every write is compared in the same transaction.

#[cfg(test)]
pub(crate) mod memory;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::context::Act;
use crate::credential::Credential;
use crate::job::Job;
use crate::ledger::Row;
use crate::state::State;

#[cfg(test)]
pub(crate) mod conformance;
pub mod seal;
pub mod sql;

/// What survives a crash.
pub trait Journal: Send + Sync {
    /// Takes all of some items, or none, for so long. What a dead holder left is taken over once its time is up, with a
    /// greater fencing token.
    ///
    /// # Errors
    /// [`Conflict`](crate::failure::Outcome::Conflict) where another has one of them; who, and until when.
    fn take<'a>(&'a self, items: &'a [String], holder: &'a str, time: Duration) -> Act<'a, Lease>;

    /// Holds on to it for so long from now.
    ///
    /// # Errors
    /// [`Conflict`](crate::failure::Outcome::Conflict) where it was lost.
    fn renew<'a>(&'a self, lease: &'a Lease, time: Duration) -> Act<'a, ()>;

    /// Lets go.
    fn release<'a>(&'a self, lease: &'a Lease) -> Act<'a, ()>;

    /// Writes down a job, as planned, with its first ledger row.
    ///
    /// # Errors
    /// [`Conflict`](crate::failure::Outcome::Conflict) where one of its items is part of a run that has not ended.
    fn begin<'a>(&'a self, lease: &'a Lease, job: &'a Job, row: &'a Row) -> Act<'a, ()>;

    /// Every run that has not ended, oldest first.
    fn unfinished(&self) -> Act<'_, Vec<Saved>>;

    /// A run.
    fn load<'a>(&'a self, run: &'a str) -> Act<'a, Option<Saved>>;

    /// Goes from one state to another.
    ///
    /// # Errors
    /// [`Conflict`](crate::failure::Outcome::Conflict) where the run is not in `from`.
    fn advance<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State) -> Act<'a, ()>;

    /// Writes down an intent (`done` is false) or an outcome of one act, for people and for [`Saved::facts`].
    fn note<'a>(&'a self, lease: &'a Lease, run: &'a str, note: &'a Note) -> Act<'a, ()>;

    /// Keeps a credential of a member under seal; replaces what was kept as this one.
    fn keep<'a>(
        &'a self,
        lease: &'a Lease,
        run: &'a str,
        item: &'a str,
        which: Which,
        credential: &'a Credential,
    ) -> Act<'a, ()>;

    /// A credential that was kept.
    ///
    /// # Errors
    /// A key that does not open the seal; a seal that was tampered with.
    fn kept<'a>(&'a self, run: &'a str, item: &'a str, which: Which) -> Act<'a, Option<Credential>>;

    /// Whether a value is one that an item had in an earlier run, of which only keyed fingerprints are left.
    fn is_earlier<'a>(&'a self, item: &'a str, credential: &'a Credential) -> Act<'a, bool>;

    /// Ends a run: its final state, its one last ledger row; its values are wiped, and their fingerprints kept.
    fn finish<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State, row: &'a Row) -> Act<'a, ()>;
}

/// The right to work on some items.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The items.
    pub items: Vec<String>,
    /// Who has it.
    pub holder: String,
    /// Greater than that of every holder before.
    pub token: u64,
}

/// Which credential of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Which {
    /// The one before.
    Old,
    /// The one after.
    New,
}

impl Which {
    /// The spelling of journals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }
}

/// An intent, or the outcome of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The state in which the act belongs.
    pub state: State,
    /// What is acted on: `write vault:secret/shop/db`.
    pub act: String,
    /// Whether it is over.
    pub done: bool,
    /// What is to be known later: a version, a mark, a time, why it failed. Never a value.
    pub fact: Option<String>,
}

/// A run as it was written down.
#[derive(Clone, PartialEq, Debug)]
pub struct Saved {
    /// The job.
    pub job: Job,
    /// How far it is.
    pub state: State,
    /// The last fact of each act that is over; an outcome without a fact leaves the one before.
    pub facts: BTreeMap<String, String>,
    /// Acts that were begun in this state and are not known to be over.
    pub open: Vec<String>,
    /// When it was last written to.
    pub touched: keytrail_rules::model::Time,
}
