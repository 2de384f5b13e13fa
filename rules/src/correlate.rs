//! What the trails say together: each change of a credential, with a verdict on whether it left its three traces.
//!
//! # Guarantees
//! The verdict is a total function of three cells, one for each [`Role`]. It does not depend on the order, duplication or
//! splitting of what is read, on events of other credentials, or on clocks within their bound. More coverage only turns
//! `inconclusive` into something else. Once every deadline has passed, verdicts stay as they are.
//!
//! What deleted lines can do, where a trail still claims to be complete:
//! * Without a trace of it (a request, a write, a load), a change does not become `traced`.
//! * A refusal is evidence against a change, and without it nothing tells that there was one. Where the trail shows that
//!   lines were taken out (a number, a digest or a chain that does not fit: [`Hole::tampered`]), no load of that stretch
//!   makes a change `traced`; where only the config says that it is complete, a deleted refusal goes unseen.
//! * A consumer that no line of any trail names any more, and that no trail is said to belong to ([`Trail::consumer`]),
//!   is not waited for: the others decide, and the change bears [`Flag::UnwatchedConsumers`].
//! * A request goes to one change. Without the write that it was for, it may be taken for that of another one within the
//!   request window.

mod cells;
mod changes;
mod coverage;
mod floods;
mod gather;
mod groups;
mod hashes;
mod history;
mod marks;
mod memo;
mod names;
mod partial;
mod reports;
mod rotations;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use names::Names;

use crate::inventory::{Inventory, ItemId};
use crate::model::{Covered, Entry, EventKind, Hole, Location, Outcome, Raw, Role, Time, Trail};
use crate::policy::Policy;
use cells::Cells;
use changes::Comparisons;
use coverage::Coverage;
use gather::Gathered;
use rotations::Matched;

/// What correlation rests on beside the trails.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The items, with the names that trails call them by.
    pub inventory: &'a Inventory,
    /// How far traces of one change may be apart.
    pub policy: &'a Policy,
    /// The instant that is judged as of; what is later does not count.
    pub as_of: Time,
    /// The trails, in the order of the config.
    pub trails: &'a [Trail],
    /// How changes were judged by earlier scans, by [`Rotation::id`].
    pub earlier: &'a BTreeMap<String, Verdict>,
}

/// What one trail gives, in about the order of time.
pub type Stream<'a> = Box<dyn Iterator<Item = Entry> + 'a>;

/// Reads the streams, one for each trail of the setup, to their ends, and judges every change that they show.
///
/// Events that may be evidence of a change of an item of the inventory are kept; loads and reads are reduced while they
/// stream by, so that memory grows with the changes and not with the records.
pub fn correlate(setup: &Setup<'_>, streams: Vec<Stream<'_>>) -> Correlation {
    let names = Names::new(setup.inventory);
    let gathered = gather::gather(setup, &names, streams);
    judge(setup, gathered)
}

fn judge(setup: &Setup<'_>, mut gathered: Gathered<'_>) -> Correlation {
    let count = u32::try_from(gathered.of_item.len()).unwrap_or(u32::MAX);
    let mut unshown = history::unshown(setup, &gathered);
    for (trail, hole) in unshown.holes {
        gathered.trails[trail].holes.push(hole);
    }
    let coverage: Vec<Coverage> =
        gathered.trails.iter().map(|state| Coverage::new(&state.covered, &state.holes)).collect();
    let cells = Cells { setup, gathered: &gathered, coverage: &coverage };
    let comparisons = Comparisons::new(setup, &gathered);
    let matched: Vec<Matched> = (0..count)
        .map(|item| rotations::matched(&cells, &comparisons, item, unshown.anchors.remove(&item).unwrap_or_default()))
        .collect();
    let taken = rotations::taken(&matched);
    let mut rotations: Vec<Vec<Rotation>> =
        matched.iter().map(|one| rotations::rotations(&cells, one, &taken)).collect();
    partial::flag(&cells, &comparisons, &matched, &mut rotations);
    let mut rotations: Vec<Rotation> = rotations.into_iter().flatten().collect();
    rotations.sort_by(|a, b| (&a.item, a.at, &a.id).cmp(&(&b.item, b.at, &b.id)));
    let notices = matched.iter().flat_map(|one| reports::notices(&cells, one)).collect();
    Correlation { rotations, readings: reports::readings(&cells), notices, trails: reports::trails(&cells) }
}

/// What was made of the trails.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Correlation {
    /// The changes, by item and time.
    pub rotations: Vec<Rotation>,
    /// Who read what.
    pub readings: Vec<Reading>,
    /// What else happened to an item, and belongs to no change: deletions, automatic rotations that fail or are off.
    pub notices: Vec<EventReport>,
    /// The trails, in the order of the config.
    pub trails: Vec<TrailReport>,
}

impl Correlation {
    /// The changes of one item, by time.
    pub fn rotations_of(&self, item: &ItemId) -> &[Rotation] {
        let from = self.rotations.partition_point(|one| one.item < *item);
        let to = self.rotations.partition_point(|one| one.item <= *item);
        self.rotations.get(from..to).unwrap_or_default()
    }
}

/// One change of one credential.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Rotation {
    /// 32 hexadecimal digits that stay the same when later events are added to the change.
    pub id: String,
    /// Whose value.
    pub item: ItemId,
    /// When the value changed; when it was asked for, where it never did.
    pub at: Time,
    /// What the traces say.
    pub verdict: Verdict,
    /// How a silent change came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<Silence>,
    /// The three traces.
    pub traces: Traces,
    /// What is odd about it, whatever the verdict.
    pub flags: BTreeSet<Flag>,
    /// What evidence is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// When the last trace is due.
    pub deadline: Time,
    /// The version that was written, as the store spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The evidence, oldest first.
    pub events: Vec<EventReport>,
}

/// The judgement of a [`Rotation`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A value changed, and nobody asked for it.
    Silent,
    /// It was asked for, written, and loaded.
    Traced,
    /// A trace may still come.
    Pending,
    /// A trail that would show it is not covered.
    Inconclusive,
    /// It was asked for and not written.
    RequestedNeverApplied,
    /// It was asked for and written, and a consumer did not load it.
    AppliedNeverLoaded,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 6] = [
        Self::Silent,
        Self::Traced,
        Self::Pending,
        Self::Inconclusive,
        Self::RequestedNeverApplied,
        Self::AppliedNeverLoaded,
    ];

    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Traced => "traced",
            Self::Pending => "pending",
            Self::Inconclusive => "inconclusive",
            Self::RequestedNeverApplied => "requested-never-applied",
            Self::AppliedNeverLoaded => "applied-never-loaded",
        }
    }
}

/// How a silent change came about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// The store was written without a request.
    NoRequest,
    /// Who honours the credential was changed past the store.
    OutOfBand,
    /// No event shows it; the state before and after does.
    StateOnly,
}

/// What one trail says of a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trace {
    /// It shows it.
    Present,
    /// Its record may still come.
    NotYet,
    /// Nothing covers the time.
    Unknown,
    /// It is covered, and does not show it.
    Absent,
}

/// The three traces of a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Traces {
    /// The request.
    pub ledger: Trace,
    /// The write.
    pub store: Trace,
    /// The loads, by every consumer that is watched.
    pub application: Trace,
}

/// What is odd about a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// The new value is the old one.
    NoOp,
    /// The new value was in use before.
    Regression,
    /// Items that share the value did not all change.
    PartialGroup,
    /// The old value still works.
    OldNotRevoked,
    /// The old value was revoked before the new one was loaded.
    RevokedBeforeVerified,
    /// The old value was revoked while somebody still used it.
    RevokedWhileRead,
    /// A try failed.
    Failed,
    /// A try was turned away for too many requests.
    Throttled,
    /// Who honours the credential changed, and the store did not.
    HalfApplied,
    /// A machine rotated it.
    Automatic,
    /// Consumers that load it are in no trail.
    UnwatchedConsumers,
    /// It was judged anew, after a record came late.
    Reopened,
}

impl Flag {
    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoOp => "no-op",
            Self::Regression => "regression",
            Self::PartialGroup => "partial-group",
            Self::OldNotRevoked => "old-not-revoked",
            Self::RevokedBeforeVerified => "revoked-before-verified",
            Self::RevokedWhileRead => "revoked-while-read",
            Self::Failed => "failed",
            Self::Throttled => "throttled",
            Self::HalfApplied => "half-applied",
            Self::Automatic => "automatic",
            Self::UnwatchedConsumers => "unwatched-consumers",
            Self::Reopened => "reopened",
        }
    }
}

/// Evidence that a verdict lacks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Missing {
    /// Which trace.
    pub role: Role,
    /// The trail that has a hole there; `None` where no trail watches the credential.
    pub trail: Option<String>,
    /// First instant without evidence.
    pub from: Time,
    /// First instant after it.
    pub to: Time,
    /// Why, in one sentence without a full stop.
    pub reason: String,
}

/// An event as evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EventReport {
    /// The item.
    #[serde(skip)]
    pub item: ItemId,
    /// The trail, by name.
    pub trail: String,
    /// Which record of the change it is a trace in.
    pub role: Role,
    /// What happened.
    pub kind: EventKind,
    /// Whether it did.
    pub outcome: Outcome,
    /// The credential, as the trail calls it.
    pub target: String,
    /// The version that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When, by the clock of the trail.
    pub time: Time,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// What an auditor asks for beside.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub details: std::collections::BTreeMap<&'static str, String>,
    /// The bytes that say so.
    pub raw: Raw,
}

/// One principal that reads one credential.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Reading {
    /// The credential.
    pub item: ItemId,
    /// The principal, as the trail calls it.
    pub actor: String,
    /// The trail.
    pub trail: String,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Time,
    /// The last time.
    pub last: Time,
    /// The record of the first time.
    pub raw: Raw,
}

/// What is known of one trail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrailReport {
    /// The name.
    pub name: String,
    /// The line of the config that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_at: Option<Location>,
    /// `vault-audit`, `cloudtrail`, …
    pub kind: &'static str,
    /// Which record of a change it is.
    pub role: Role,
    /// Records that were read.
    pub records: u64,
    /// Events about secrets of the inventory.
    pub events: u64,
    /// The first event or record.
    pub first: Option<Time>,
    /// The newest.
    pub last: Option<Time>,
    /// What is covered, and what shows it; without the holes.
    pub covered: Vec<Covered>,
    /// The holes.
    pub holes: Vec<Hole>,
    /// How long after an event its record may come, in seconds.
    pub delay_seconds: i64,
    /// How far its clock is from the others, by events that two trails share, in milliseconds; `None` without such.
    pub skew_milliseconds: Option<i64>,
}

impl TrailReport {
    /// Whether it holds every record of a stretch of time.
    pub fn covers(&self, from: Time, to: Time) -> bool {
        let mut covered: Vec<&Covered> = self.covered.iter().collect();
        covered.sort();
        let mut reached = from;
        for one in covered {
            if one.from <= reached {
                reached = reached.max(one.to);
            }
        }
        let is_in = |hole: &Hole| hole.from.is_none_or(|start| start <= to) && hole.to.is_none_or(|end| end >= from);
        reached > to && !self.holes.iter().any(is_in)
    }
}

#[cfg(test)]
mod tests;
