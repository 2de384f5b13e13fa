//! The nouns: what the sources of a scan say, before anything is judged.

mod copy;
mod declaration;
mod environment;
mod event;
mod finding;
mod gap;
mod key;
mod leak;
mod place;
mod secret;
mod severity;
mod snapshot;
mod unfinished;

pub use copy::{CopyKind, History, SecretCopy, Version, VersionState, VersionValue};
pub use declaration::{AutoRotation, Class, Declaration, Origin, Stated, Target};
pub use environment::Environment;
pub use event::{Covered, Entry, Event, EventKind, Hole, Outcome, Proof, Raw, Role, Trail, ValueMark};
pub use finding::{Evidence, Finding};
pub use gap::{Gap, GapReason};
pub use key::Key;
pub use leak::{Commit, Detected, Leak, Medium, Occurrence, Searched};
pub use place::{Location, Place};
pub(crate) use secret::hex;
pub use secret::{Fingerprint, FingerprintKey, Secret};
pub use severity::Severity;
pub use snapshot::{CodeUse, CodeUseKind, Facts, FileMode, Link, ScopeEntry, Sighting, Snapshot, Use, UseKind};
pub use unfinished::UnfinishedRun;

/// An instant in UTC. Every time in the model is one.
pub type Time = chrono::DateTime<chrono::Utc>;
