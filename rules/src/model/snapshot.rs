use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Declaration, Environment, Fingerprint, Gap, Key, Leak, Location, Place, Searched, SecretCopy, Time, UnfinishedRun,
};
use crate::correlate::Correlation;

/// Everything that a scan saw, as of one instant: the only input of the rules beside the policy.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// The instant that ages and due dates are counted to.
    pub as_of: Time,
    /// What the sources say.
    pub facts: Facts,
    /// What earlier scans saw, by place, oldest first.
    pub sightings: BTreeMap<Place, Vec<Sighting>>,
}

/// What one or many sources say. The order of the lists has no meaning.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Facts {
    /// Every source that was read, with what it held.
    pub scope: Vec<ScopeEntry>,
    /// What schemas, runbooks, the config and store metadata say.
    pub declarations: Vec<Declaration>,
    /// The places that hold values.
    pub copies: Vec<SecretCopy>,
    /// Who loads what.
    pub uses: Vec<Use>,
    /// Which places hold the same value because one is filled from the other.
    pub links: Vec<Link>,
    /// What application code does with the environment.
    pub code: Vec<CodeUse>,
    /// Key files and their modes.
    pub key_files: Vec<FileMode>,
    /// Secrets that lie where they should not.
    pub leaks: Vec<Leak>,
    /// What was searched for them; `None` where nothing was.
    pub searched: Option<Searched>,
    /// What the trails say together; `None` where none was read.
    pub correlation: Option<Correlation>,
    /// The rotations that Keytrail began and that have not ended.
    pub unfinished: Vec<UnfinishedRun>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Facts {
    /// Adds what another source says.
    pub fn extend(&mut self, other: Facts) {
        self.scope.extend(other.scope);
        self.declarations.extend(other.declarations);
        self.copies.extend(other.copies);
        self.uses.extend(other.uses);
        self.links.extend(other.links);
        self.code.extend(other.code);
        self.key_files.extend(other.key_files);
        self.leaks.extend(other.leaks);
        match (&mut self.searched, other.searched) {
            (Some(searched), Some(more)) => searched.add(more.files, more.objects, more.bytes),
            (searched @ None, more) => *searched = more,
            (Some(_), None) => {}
        }
        self.correlation = self.correlation.take().or(other.correlation);
        self.unfinished.extend(other.unfinished);
        self.gaps.extend(other.gaps);
    }
}

/// One source that was read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct ScopeEntry {
    /// A file, or the name of a store.
    pub source: String,
    /// `env-schema`, `runbook`, `kubernetes-manifest`, `vault`, …
    pub kind: String,
    /// How many declarations, copies and uses came out of it.
    pub held: u64,
}

/// A value that an earlier scan saw in a place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Sighting {
    /// When it was first seen there.
    pub first_seen: Time,
    /// When it was last seen there.
    pub last_seen: Time,
    /// The value.
    pub fingerprint: Fingerprint,
    /// The version of the path, for a store that counts them.
    pub version: Option<u64>,
}

/// A workload, workflow or file that loads a variable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Use {
    /// The variable.
    pub key: Key,
    /// Who loads it: `kubernetes:shop/deployment/api`, `compose:compose.yaml/api`, `github:.github/workflows/ci.yml`.
    pub consumer: String,
    /// The place that it is loaded from, where that is known. A Kubernetes `envFrom` names a whole object.
    pub from: Option<Place>,
    /// In which environment.
    pub environment: Option<Environment>,
    /// The line.
    pub location: Location,
    /// How.
    pub kind: UseKind,
}

/// How a [`Use`] loads its variable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UseKind {
    /// As a secret: `secretKeyRef`, compose `secrets`, `secrets.X`.
    Secret,
    /// As configuration: `configMapKeyRef`, a literal, `vars.X`, `${X}` in a compose file.
    Variable,
}

/// Two places of which one is filled from the other, so that they hold one secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Link {
    /// One place.
    pub a: Place,
    /// The other.
    pub b: Place,
    /// The line that says so.
    pub location: Location,
}

/// What a line of application code does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CodeUse {
    /// The line.
    pub location: Location,
    /// What it does.
    pub kind: CodeUseKind,
}

/// The kinds of [`CodeUse`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CodeUseKind {
    /// Reads an environment variable past the settings module; the variable where it is a literal.
    EnvironRead(Option<Key>),
    /// Holds a URL with a literal password; the host, and the fingerprint of the password.
    CredentialUrl {
        /// Scheme and host, without user and password.
        target: String,
        /// The password.
        password: Fingerprint,
    },
}

/// A file of key material and who may read it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileMode {
    /// Path relative to the scanned folder.
    pub file: String,
    /// Permission bits, as `0o644`.
    pub mode: u32,
    /// What the file holds: `private key`, `Vault unseal keys`, …
    pub holds: String,
}
