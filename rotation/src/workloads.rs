//! The table of workloads: who loads a credential. Each kind is one file of `workloads/`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Opened, Outcome};
use crate::settings::Settings;

/// A kind of workload.
pub struct WorkloadKind {
    /// What its consumers start with, and the `kind` of a `[[workload]]`: `kubernetes`.
    pub name: &'static str,
    /// One line of what it does, for people.
    pub about: &'static str,
    /// Makes one of what follows the colon of the consumer (`shop/deployment/api`) and of its `[[workload]]` table, if it
    /// has one, without `consumer` and `kind`. Nothing is read or sent yet.
    pub open: fn(&str, &Settings) -> Opened<dyn Workload>,
}

/// Declares the modules of the kinds and lists them: one line a kind, below the feature that it needs.
macro_rules! table {
    ($($(#[$gate:meta])? $name:ident),* $(,)?) => {
        $($(#[$gate])? mod $name;)*
        /// Every kind of workload.
        pub static KINDS: &[&WorkloadKind] = &[$($(#[$gate])? &$name::KIND),*];
    };
}

table![
    #[cfg(feature = "kubernetes")]
    kubernetes,
    command,
    compose,
    pgbouncer,
    systemd,
    url,
];

impl WorkloadKind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

pub use pgbouncer::guard::{COMMAND as PGBOUNCER_GUARD, stand as guard_pgbouncer};

/// The credentials of a group by item id, for workloads that take them from Keytrail rather than from a store.
pub type Values<'a> = BTreeMap<&'a str, &'a Credential>;

/// The credential of an item that a table names: by its id, or by its key where one environment alone is at hand.
pub(crate) fn credential_of<'a>(values: &Values<'a>, name: &str) -> Option<&'a Credential> {
    let mut named = values.iter().filter(|(id, _)| id.split_once('@').is_some_and(|(key, _)| key == name));
    let only = || Some(named.next()?.1).filter(|_| named.next().is_none());
    values.get(name).or_else(only).copied()
}

/// What a preflight found. That something cannot be done is an obstacle like others, with what to do about it.
fn obstacles(found: Result<Vec<String>, Failure>) -> Result<Vec<String>, Failure> {
    match found {
        Err(Failure { outcome: Outcome::NotDone, what, hint }) => {
            Ok(vec![hint.map_or(what.clone(), |hint| format!("{what}: {hint}"))])
        }
        other => other,
    }
}

/// Who loads a credential.
pub trait Workload: Send + Sync {
    /// What would keep it from loading a value now: not healthy, in the middle of a rollout, no right. Changes nothing.
    fn preflight<'a>(&'a self, context: &'a Context) -> Act<'a, Vec<String>>;

    /// Makes it load what its stores hold now: `values`, of which `others` still work or will work no more. Gives what
    /// tells this loading from an earlier one. Doing it again is at worst another restart.
    fn load<'a>(&'a self, context: &'a Context, values: &'a Values<'a>, others: &'a Values<'a>) -> Act<'a, Mark>;

    /// How far that loading is. Not waited for here: the caller asks again.
    fn progress<'a>(&'a self, context: &'a Context, mark: &'a Mark, values: &'a Values<'a>) -> Act<'a, Progress>;

    /// The old credentials are revoked: forget them, where they are kept beside the new ones.
    fn forget<'a>(&'a self, _context: &'a Context, _values: &'a Values<'a>, _old: &'a Values<'a>) -> Act<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// What tells a loading from an earlier one: a generation, a container's id. Journaled, so never a value.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(pub String);

/// How far a loading is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Every instance runs with what was loaded.
    Done,
    /// Not yet; in words.
    Waiting(String),
    /// It will not come; in words.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_by_its_id_or_by_a_key_that_is_clear() {
        let [one, other] = ["one", "other"].map(|value| Credential::of_value(value.into()));
        let shown = |values: &Values<'_>, name| Some(credential_of(values, name)?.value()?.expose().to_owned());
        let both = Values::from([("KEY@production", &one), ("KEY@staging", &other)]);
        assert_eq!(shown(&both, "KEY@staging").as_deref(), Some("other"));
        assert_eq!(shown(&both, "KEY"), None);
        assert_eq!(shown(&Values::from([("KEY@staging", &other), ("K@x", &one)]), "KEY").as_deref(), Some("other"));
        assert_eq!(shown(&Values::from([("KEY", &one), ("KEY@x", &other)]), "KEY").as_deref(), Some("one"));
    }
}
