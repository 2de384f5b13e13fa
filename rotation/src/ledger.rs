//! The ledger: who asked for which rotation, and how it ended. Append-only, each row bound to all before it.
//!
//! An [`Entry`] is the canonical JSON (RFC 8785) of a row, with its number and the hash of the entry before. Entries are
//! the leaves of a Merkle [`tree`] (RFC 6962), whose root is signed as a C2SP checkpoint ([`note`]) whenever a run
//! ends. [`verify`] reads all of it again; [`sinks`] pass it on.

mod entry;
pub mod note;
pub mod sinks;
pub mod tree;
pub mod verify;

use std::collections::BTreeMap;

use keytrail_rules::model::Time;
use serde::{Deserialize, Serialize};

pub use entry::Entry;

/// One row. Holds no value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The run.
    pub run: String,
    /// When.
    pub at: Time,
    /// What.
    pub status: Status,
    /// The items, by id.
    pub items: Vec<String>,
    /// Who asked for it.
    pub by: String,
    /// Who approved it.
    pub approver: Option<String>,
    /// Why it was asked for, or why it ended so.
    pub reason: String,
    /// What else is to be proven later: the version of each path that was written, who confirmed that the old value is
    /// rejected. By name; never a value.
    pub details: BTreeMap<String, String>,
}

/// What a row says. A run has one [`Status::Requested`], and one of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Asked for: before the first effect.
    Requested,
    /// The new values are in use, the old ones rejected.
    Succeeded,
    /// Everything is as before.
    RolledBack,
}

impl Status {
    /// The spelling of ledgers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled-back",
        }
    }

    /// Whether it is the last one of a run.
    pub fn is_last(self) -> bool {
        self != Self::Requested
    }
}
