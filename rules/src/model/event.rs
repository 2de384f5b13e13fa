use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Serialize, Serializer};

use super::{Location, Place, Time, secret::hex};

/// Which of the three records of a change a trail is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Who asked for the change, and why.
    Ledger,
    /// Where the value is kept.
    Store,
    /// Who loads it, and who honours it.
    Application,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Ledger, Self::Store, Self::Application];

    /// The spelling of configs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Store => "store",
            Self::Application => "application",
        }
    }
}

/// What a line of a trail says happened to one credential, normalised. A line that speaks of three credentials gives
/// three events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The trail, by its place in the list of trails.
    pub trail: usize,
    /// What happened.
    pub kind: EventKind,
    /// Whether it did.
    pub outcome: Outcome,
    /// The credential, as the trail calls it: `vault:secret/app#password`, `postgres:role/app`, `env:DB_PASSWORD`. A
    /// place without a key is all that lies there.
    pub target: Place,
    /// The version that it is about, as the trail spells it: `7`, a UUID.
    pub version: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
    /// The run that it belongs to: what a user agent, an `application_name` or a field manager carries.
    pub run: Option<String>,
    /// When it happened, by the clock of the trail.
    pub time: Time,
    /// The same for each copy of one record, in every file and from every replica, and in no other record of the trail.
    pub id: Arc<str>,
    /// Who loaded it or was refused, for an application: `kubernetes:shop/deployment/api`.
    pub consumer: Option<Arc<str>>,
    /// The value, so far as a trail shows whether it is another one.
    pub value: Option<ValueMark>,
    /// What an auditor asks for beside: `requester`, `approver`, `reason`, `address`; never a value.
    pub details: Vec<(&'static str, String)>,
    /// The bytes that say so.
    pub raw: Raw,
}

/// What happened to a credential.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The ledger: somebody asked for a new value.
    Requested,
    /// The ledger: the request was carried out.
    Finished,
    /// The ledger: the request was given up.
    Abandoned,
    /// The store, or who honours the credential, took the first value of a thing that was not there before.
    Created,
    /// The store took a new value, or all values of a path.
    Written,
    /// The store was written; the record does not say whether a value was among it.
    MaybeWritten,
    /// A value of this version was encrypted: proof that a write of it brought a value.
    Encrypted,
    /// A version became the current one.
    Promoted,
    /// A deleted version can be read again.
    Restored,
    /// The store hides the value; it can be restored.
    Deleted,
    /// The store's value is gone for good.
    Destroyed,
    /// Somebody read the value.
    Read,
    /// A machine rotated it: the store's own rotation reports success.
    AutoRotated,
    /// The store's own rotation failed.
    AutoRotationFailed,
    /// The store's own rotation was switched on, or found to be on.
    AutoRotationOn,
    /// The store's own rotation was switched off, or found to be off.
    AutoRotationOff,
    /// Who honours the credential took a new value: `ALTER ROLE … PASSWORD`, a new access key.
    Issued,
    /// Who honours the credential honours an old value no more.
    Revoked,
    /// Somebody looked, and the current value was set at [`Event::time`]; the look itself left the record.
    State,
    /// A consumer loaded the value, or was let in with it.
    Loaded,
    /// A consumer was turned away: it holds a value that is no longer, or not yet, honoured.
    Refused,
    /// A consumer was started anew.
    Restarted,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 22] = [
        Self::Requested,
        Self::Finished,
        Self::Abandoned,
        Self::Created,
        Self::Written,
        Self::MaybeWritten,
        Self::Encrypted,
        Self::Promoted,
        Self::Restored,
        Self::Deleted,
        Self::Destroyed,
        Self::Read,
        Self::AutoRotated,
        Self::AutoRotationFailed,
        Self::AutoRotationOn,
        Self::AutoRotationOff,
        Self::Issued,
        Self::Revoked,
        Self::State,
        Self::Loaded,
        Self::Refused,
        Self::Restarted,
    ];

    /// The spelling of configs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Finished => "finished",
            Self::Abandoned => "abandoned",
            Self::Created => "created",
            Self::Written => "written",
            Self::MaybeWritten => "maybe-written",
            Self::Encrypted => "encrypted",
            Self::Promoted => "promoted",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
            Self::Destroyed => "destroyed",
            Self::Read => "read",
            Self::AutoRotated => "auto-rotated",
            Self::AutoRotationFailed => "auto-rotation-failed",
            Self::AutoRotationOn => "auto-rotation-on",
            Self::AutoRotationOff => "auto-rotation-off",
            Self::Issued => "issued",
            Self::Revoked => "revoked",
            Self::State => "state",
            Self::Loaded => "loaded",
            Self::Refused => "refused",
            Self::Restarted => "restarted",
        }
    }

    /// The record of a change that this is a trace in.
    pub fn role(self) -> Role {
        match self {
            Self::Requested | Self::Finished | Self::Abandoned => Role::Ledger,
            Self::Loaded | Self::Refused | Self::Restarted => Role::Application,
            _ => Role::Store,
        }
    }
}

/// Whether what an [`Event`] says was done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was.
    #[default]
    Done,
    /// It was tried and refused; nothing changed.
    Failed,
    /// It was turned away because of too many requests; a later try may have succeeded.
    Throttled,
}

impl Outcome {
    /// The spelling of configs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Throttled => "throttled",
        }
    }
}

/// A mark of a value that a trail shows in its place. Equal marks of one scope are equal values; marks of two scopes say
/// nothing about each other, unless both are of known values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ValueMark {
    /// What the mark was made under: an audit device and the epoch of its salt.
    pub scope: Arc<str>,
    /// The mark: a keyed hash, as the trail shows it. Never the value.
    pub mark: Arc<str>,
    /// The fingerprint of the value, where it is known which one the mark is of.
    pub known: Option<Arc<str>>,
}

/// The bytes of a trail that an event was read from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Raw {
    /// The file, or the query whose answer it was: `audit/vault.log`, `lookup-events:eu-west-1`.
    #[serde(serialize_with = "text")]
    pub source: Arc<str>,
    /// First byte of the record, in the source as it is when nothing is compressed.
    pub offset: u64,
    /// Bytes of the record, without its line end.
    pub length: u64,
    /// 1-based line of its first byte; 0 where the source has no lines.
    pub line: u64,
    /// SHA-256 of those bytes.
    #[serde(serialize_with = "hexadecimal")]
    pub sha256: [u8; 32],
}

fn text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn hexadecimal<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(bytes))
}

/// One source of events, as the config describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trail {
    /// The name in the config.
    pub name: String,
    /// The line of the config that names it.
    pub declared_at: Option<Location>,
    /// `vault-audit`, `cloudtrail`, …
    pub kind: &'static str,
    /// Which record of a change it is. A trail may hold events of other roles too: a database's log shows who was let in
    /// and who changed a password.
    pub role: Role,
    /// Which credentials it would have a trace of: the beginnings of [`Event::target`], as `vault:`; everything, where
    /// there is none.
    pub watches: Vec<String>,
    /// Whose loads it records, for an application; where there is none, each event says so, or nobody knows.
    pub consumer: Option<Arc<str>>,
    /// How long after an event its record may come.
    pub delay: TimeDelta,
    /// How far its clock may be from the others.
    pub skew: TimeDelta,
}

/// A stretch of time of which a trail provably, or by declaration, holds every record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Covered {
    /// First instant.
    pub from: Time,
    /// First instant after it.
    pub to: Time,
    /// What shows it.
    pub proof: Proof,
}

/// What shows that a trail is complete.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// A chain of signed digests.
    DigestChain,
    /// Consecutive numbers, or records that are chained by hashes.
    Sequence,
    /// Marked requests that were made on purpose and found.
    Canary,
    /// The config says so; nothing proves it.
    Declared,
}

impl Proof {
    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DigestChain => "digest-chain",
            Self::Sequence => "sequence",
            Self::Canary => "canary",
            Self::Declared => "declared",
        }
    }
}

/// A stretch of time of which records of a trail are missing, whatever covers it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Hole {
    /// First instant; `None` where it is not known.
    pub from: Option<Time>,
    /// First instant after it; `None` where it is not known.
    pub to: Option<Time>,
    /// What is wrong, in one sentence without a full stop.
    pub reason: String,
    /// Whether somebody must have changed the trail: a digest, a chain or a number does not fit.
    pub tampered: bool,
    /// The file and line where that shows.
    pub raw: Option<Raw>,
}

/// What comes out of a trail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Something happened.
    Event(Box<Event>),
    /// Two names are of one credential.
    Same(Place, Place),
    /// The trail is complete over a stretch of time.
    Covered(Covered),
    /// The trail is not complete.
    Hole(Hole),
    /// So many records were read, the last of this time. Comes now and then, so that it is known how far the trail is.
    Progress {
        /// Records since the last time.
        records: u64,
        /// The newest time that was seen.
        time: Time,
    },
}
