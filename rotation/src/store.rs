//! Where values are kept. The stores are the scanner's, which reads them too; this is how they are written.

use std::collections::BTreeMap;

use keytrail_rules::model::Secret;

use crate::context::{Act, Context};
use crate::failure::Failure;

/// A store that takes new values. Paths and keys are those of [`Place`](keytrail_rules::model::Place).
///
/// # Guarantees that every store gives
/// 1. `write` changes the keys that it is given, all of them or none, and no sibling; never an old value by another's.
/// 2. What was overtaken is [`Outcome::Conflict`](crate::failure::Outcome::Conflict), and nothing was written.
/// 3. No value is part of an argument, an address, an error or a temporary file that outlives the call.
pub trait Store: Send + Sync {
    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// What would keep `write` from working, in words; empty where nothing would. Changes nothing.
    fn preflight<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>>;

    /// What whoever approves should know, although `write` would work: who will not see what is written. Changes nothing.
    fn warnings<'a>(&'a self, _context: &'a Context, _path: &'a str, _keys: &'a [String]) -> Act<'a, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The version of a path, and the values of some of its keys as of that version.
    fn read<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held>;

    /// Writes some keys of a path, if it still is at the version `expected`; gives the version that this makes.
    fn write<'a>(
        &'a self,
        context: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
        expected: &'a Version,
    ) -> Act<'a, Version>;

    /// Keeps values beside the current ones, where the store can ([`Abilities::stages`]).
    fn stage<'a>(
        &'a self,
        _context: &'a Context,
        _path: &'a str,
        _values: &'a BTreeMap<String, &'a Secret>,
    ) -> Act<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Takes back what was staged; nothing where there is nothing.
    fn unstage<'a>(&'a self, _context: &'a Context, _path: &'a str) -> Act<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// What a store can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abilities {
    /// Its values can be read back. Of one that cannot, versions tell whether it was written.
    pub reads: bool,
    /// Two writers at once cannot overwrite each other unseen: the check and the write are one.
    pub compares: bool,
    /// It keeps values beside the current ones until they are promoted.
    pub stages: bool,
}

/// What the store calls the state of a path: a number, a resource version, a digest of the file, a time of change.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Version(pub String);

/// What a path holds.
#[derive(Debug)]
pub struct Held {
    /// Its version.
    pub version: Version,
    /// The values of the keys that it has, of those that were asked for. Empty where the store does not read.
    pub values: BTreeMap<String, Secret>,
}

/// A failure of a store that has none of what is asked for.
pub fn no_such(what: &str) -> Failure {
    Failure::not_done(format!("{what} is not there")).hint("correct the place in `copies`, or create it first")
}
