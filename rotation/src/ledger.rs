//! The ledger: who asked for which rotation, and how it ended. Append-only, each row bound to all before it.

use std::collections::BTreeMap;

use keytrail_rules::model::Time;
use serde::{Deserialize, Serialize};

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
