//! The table of probes: what shows that consumers get on. Each kind is one file of `probes/`.

use crate::context::{Act, Context};
use crate::failure::Opened;
use crate::settings::Settings;
use crate::workloads::Values;

/// A kind of probe.
pub struct ProbeKind {
    /// The key of a `verify` table that makes it one of this kind: `http`.
    pub name: &'static str,
    /// One line of what it does, for people.
    pub about: &'static str,
    /// Makes one of its table, whole. Nothing is read or sent yet.
    pub open: fn(&Settings) -> Opened<dyn Probe>,
}

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every kind of probe.
        pub static KINDS: &[&ProbeKind] = &[$(&$name::KIND),*];
    };
}

table![command, http, log, postgres, prometheus, redis, token,];

impl ProbeKind {
    /// The kind of a table: the one whose name is among its keys.
    pub fn of(settings: &Settings) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| settings.0.contains_key(kind.name))
    }
}

/// What shows that consumers get on.
pub trait Probe: Send + Sync {
    /// Looks once, over a new connection. Before the switch `values` are the old credentials, then the new ones.
    fn check<'a>(&'a self, context: &'a Context, moment: &'a Moment, values: &'a Values<'a>) -> Act<'a, Health>;
}

/// When a probe looks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Before anything is changed: what it measures now is what it compares with.
    Before,
    /// After the consumers loaded the new credential; with what the probe said [`Moment::Before`].
    After {
        /// The [`Health::Healthy`] text of before; empty where an emergency began without one.
        before: String,
        /// When the consumers began to load.
        since: keytrail_rules::model::Time,
    },
}

/// What a probe saw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// All is well; with what was measured, journaled for comparison. Never a value.
    Healthy(String),
    /// It is not; in words.
    Unhealthy(String),
    /// It cannot be told: no data, no reply. In words.
    Unknown(String),
}
