//! One `[[trail]]` of the config.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keytrail_rules::model::{Covered, Location, Role};

/// One `[[trail]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrailConfig {
    /// The name, which reports call it by.
    pub name: String,
    /// The kind, one of [`super::KINDS`].
    pub kind: String,
    /// The line of the config.
    pub location: Location,
    /// The scanned folder, which paths are relative to.
    pub root: PathBuf,
    /// Which record of a change it is, where that is not what its kind usually is.
    pub role: Option<Role>,
    /// Glob patterns of files and folders; `-` is standard input.
    pub paths: Vec<String>,
    /// The source of the places that it speaks of, where that is not what the kind usually is: the name of the `[[store]]`
    /// of a Vault, as `vault`.
    pub store: Option<String>,
    /// Whose loads it records: `kubernetes:shop/deployment/api`.
    pub consumer: Option<String>,
    /// Stretches of time that it is declared to hold in full.
    pub covers: Vec<Covered>,
    /// Marked requests that show of which times it holds everything.
    pub canary: Option<Canary>,
    /// How long after an event its record may come, where that is not what the kind usually needs.
    pub delay: Option<Duration>,
    /// How far its clock may be from the others.
    pub skew: Option<Duration>,
    /// For `json-log` and `workload-runs`: which field holds what, as paths of keys with dots: `time = "ts"`.
    pub fields: BTreeMap<String, String>,
    /// For `json-log` and `workload-runs`: which texts of the `kind` field mean which kind of event.
    pub events: BTreeMap<String, Vec<String>>,
    /// Regions, accounts, tenants or projects that are asked.
    pub regions: Vec<String>,
    /// URL of a server or database, without a password.
    pub url: Option<String>,
    /// Environment variable that holds the URL or the password.
    pub url_env: Option<String>,
    /// A query, for a ledger in a database.
    pub query: Option<String>,
    /// A custom resource, as `workloadruns.example.com/v1alpha1`, and the namespace where it is not all.
    pub resource: Option<String>,
    /// Namespace of a custom resource.
    pub namespace: Option<String>,
    /// File of public keys that signatures of the trail are checked with.
    pub public_keys: Option<PathBuf>,
    /// Offset of the clock of records that state no zone: `+02:00`.
    pub zone: Option<String>,
    /// The audit devices that the store is asked how they hash what is known: `file`.
    pub audit_hash: Vec<String>,
    /// What the store answered, which no config says; see [`super::ask`].
    pub marks: Arc<KnownMarks>,
}

/// What the marks are of that an audit device writes in place of texts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownMarks {
    /// The fingerprints of the values, by their marks.
    pub values: BTreeMap<String, Arc<str>>,
    /// The numbers of versions, by their marks.
    pub versions: BTreeMap<String, String>,
}

/// How the marked requests of a trail are told from others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Marker {
    /// By the run id that they bear: a job makes them.
    Run(String),
    /// By the path that they read, as `secret/keytrail-canary`: each scan that records makes one.
    Path(String),
}

/// The marked requests of a trail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Canary {
    /// What they are told by.
    pub marker: Marker,
    /// Two of them that are farther apart show nothing.
    pub every: Duration,
}

impl TrailConfig {
    /// A trail of that name and kind, with nothing else said of it. Paths are relative to `root`.
    pub fn new(name: &str, kind: &str, root: impl Into<PathBuf>, location: Location) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            location,
            root: root.into(),
            role: None,
            paths: Vec::new(),
            store: None,
            consumer: None,
            covers: Vec::new(),
            canary: None,
            delay: None,
            skew: None,
            fields: BTreeMap::new(),
            events: BTreeMap::new(),
            regions: Vec::new(),
            url: None,
            url_env: None,
            query: None,
            resource: None,
            namespace: None,
            public_keys: None,
            zone: None,
            audit_hash: Vec::new(),
            marks: Arc::default(),
        }
    }
}
