//! The table of trails. Each kind is one file of `trails/`: a parser of its records, or a reader of its own.
//!
//! A parser is given one record at a time and says what happened. Which bytes are a record, where they lie, what was
//! compressed, and what to say of bytes that are no record, is the same for all of them.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::future::BoxFuture;
use keytrail_rules::correlate::Names;
use keytrail_rules::model::{
    Covered, Entry, EventKind, FingerprintKey, Gap, Location, Outcome, Place, Raw, Role, Time, Trail, ValueMark,
};
use sha2::{Digest, Sha256};

pub mod ask;
mod canary;
pub mod config;
mod database;
pub mod fields;
mod files;
pub mod follow;
pub mod framing;
mod json;
mod records;
mod scan;
mod stream;
#[cfg(test)]
mod testing;

pub use config::TrailConfig;
pub use files::Sources;
pub use scan::in_scan;
pub use stream::read_source;

/// How far clocks are taken to be apart, unless the config says otherwise: many logs round to the second.
const SKEW: TimeDelta = TimeDelta::seconds(1);

/// Whether to read on.
pub type Continue = ControlFlow<()>;

/// A kind of trail.
pub struct TrailKind {
    /// The `kind` of a `[[trail]]`: `vault-audit`.
    pub name: &'static str,
    /// Which record of a change it is, unless the config says otherwise.
    pub role: Role,
    /// How long after an event its record may come, unless the config says otherwise.
    pub delay: TimeDelta,
    /// Which credentials it would have a trace of: the beginnings of their names, as `vault:`; everything, where there is
    /// none. The `store` of a `[[trail]]` takes the place of the first one's source.
    pub watches: &'static [&'static str],
    /// The keys of `[[trail]]` that it needs beside `name` and `kind`.
    pub requires: &'static [&'static str],
    /// How it is read.
    pub reads: Reads,
}

/// How a trail is read.
pub enum Reads {
    /// From files, record by record.
    Records {
        /// How records are told apart.
        framing: Framing,
        /// Makes what reads them: one for all files of the trail, in the order of their times.
        parser: for<'a> fn(&'a Opening<'a>) -> Box<dyn Parser + 'a>,
    },
    /// From files whose records only the kind itself can find, or that show only together whether they are whole. It is
    /// given every file of the trail as it lies there, sorted by path (`-` is standard input), and opens, inflates and
    /// orders them itself.
    Tree(ReadTree),
    /// From a server.
    Server(for<'a> fn(&'a Opening<'a>) -> BoxFuture<'a, Answer>),
}

/// Reads the files of a trail, of which the kind itself finds the records, and gives what could not be read.
pub type ReadTree = for<'a> fn(&'a Opening<'a>, &[PathBuf], &mut dyn FnMut(Entry)) -> Vec<Gap>;

/// What a server answered, and what it did not.
pub type Answer = (Vec<Entry>, Vec<Gap>);

/// One file of a trail, opened, and inflated where it was compressed.
pub struct File<'a> {
    /// As reports call it.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: Box<dyn std::io::Read + 'a>,
}

/// How the records of a file are told apart.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    /// A line is a record.
    Lines,
    /// JSON, one value a line or spread over many; the elements of an outermost array, and those of an array under one of
    /// these keys of an outermost object, are records.
    Json(&'static [&'static str]),
    /// RFC 4180, with line ends inside of quotes.
    Csv,
    /// A record begins at a line for which this holds; lines after it belong to it.
    Starts(fn(&[u8]) -> bool),
    /// That of the first line of the file for which there is one; what comes before it is no record.
    Sniff(fn(&[u8]) -> Option<Framing>),
}

/// What a reader needs to know beside the bytes.
pub struct Opening<'a> {
    /// The trail as the config has it.
    pub config: &'a TrailConfig,
    /// Its place in the list of trails.
    pub trail: usize,
    /// The names of what the inventory knows.
    pub names: &'a Names,
    /// The instant that is judged as of.
    pub as_of: Time,
    /// The key under which values are fingerprinted.
    pub key: &'a FingerprintKey,
}

/// Reads records.
pub trait Parser: Send {
    /// Reads one record. What it is not about gives nothing; what it cannot read is said to `out`.
    fn record(&mut self, record: &[u8], out: &mut Out);

    /// Says what only the end shows.
    fn end(&mut self, out: &mut Out) {
        let _ = out;
    }
}

/// Takes what a record says.
#[derive(Debug, Default)]
pub struct Out {
    /// Where the record lies; `None` for what only the end shows.
    pub place: Option<RecordPlace>,
    /// What happened.
    pub events: Vec<Draft>,
    /// Names of one credential.
    pub same: Vec<(Place, Place)>,
    /// Stretches of time that the trail proves to hold in full.
    pub covered: Vec<Covered>,
    /// The time of the record, where it has one: set for every record, so that it is known how far the trail is.
    pub time: Option<Time>,
    /// Why the record cannot be read, without any of its content; a broken record is a gap and a hole in the coverage.
    pub broken: Option<&'static str>,
    /// Records that are missing before this one, as numbers or a chain of hashes show.
    pub missing_before: Option<Missing>,
}

/// Records that are not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// What shows it, in one sentence without a full stop.
    pub reason: String,
    /// Whether somebody must have changed the trail.
    pub tampered: bool,
}

/// Where a record lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordPlace {
    /// The file, as reports call it.
    pub source: Arc<str>,
    /// Its first byte, and the line of that.
    pub span: framing::Span,
}

impl RecordPlace {
    /// The evidence that the record is.
    pub fn raw(&self, record: &[u8]) -> Raw {
        let framing::Span { offset, line } = self.span;
        let sha256 = Sha256::digest(record).into();
        Raw { source: self.source.clone(), offset, length: record.len() as u64, line, sha256 }
    }
}

impl Out {
    /// Something happened.
    pub fn event(&mut self, draft: Draft) {
        self.events.push(draft);
    }

    /// The record cannot be read.
    pub fn broken(&mut self, why: &'static str) {
        self.broken = Some(why);
    }
}

/// An event without what the reading of files adds: the trail and the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// What happened.
    pub kind: EventKind,
    /// Whether it did.
    pub outcome: Outcome,
    /// The credential, as the trail calls it.
    pub target: Place,
    /// The version that it is about.
    pub version: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
    /// The run that it belongs to.
    pub run: Option<String>,
    /// When.
    pub time: Time,
    /// The same for every copy of the record.
    pub id: Arc<str>,
    /// Who loaded it or was refused; the trail's own, where the record does not say.
    pub consumer: Option<Arc<str>>,
    /// The value, so far as the trail shows whether it is another one.
    pub value: Option<ValueMark>,
    /// What an auditor asks for beside.
    pub details: Vec<(&'static str, String)>,
    /// The bytes that say so, where they are not those of the record that is being read.
    pub raw: Option<Raw>,
}

impl Draft {
    /// A thing that was done to a credential at a time, and nothing more.
    pub fn new(kind: EventKind, target: Place, time: Time, id: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            outcome: Outcome::Done,
            target,
            version: None,
            actor: None,
            run: None,
            time,
            id: id.into(),
            consumer: None,
            value: None,
            details: Vec::new(),
            raw: None,
        }
    }
}

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($(#[$when:meta])* $name:ident),* $(,)?) => {
        $($(#[$when])* pub mod $name;)*
        /// Every kind of trail.
        pub static KINDS: &[&TrailKind] = &[$($(#[$when])* &$name::KIND),*];
    };
}

table![
    #[cfg(feature = "aws")]
    cloudtrail_api,
    #[cfg(feature = "kubernetes")]
    workload_runs_kube,
    auth0_log,
    azure_key_vault,
    cloudtrail,
    entra_audit,
    gcp_audit,
    github_audit,
    json_log,
    keycloak_log,
    keytrail_ledger,
    kubernetes_audit,
    okta_log,
    onepassword_usage,
    pgbouncer_log,
    postgres_log,
    postgres_state,
    vault_audit,
    workload_runs,
    workload_runs_sql,
];

impl TrailKind {
    /// How long after an event its record may come.
    pub fn delay(&self, config: &TrailConfig) -> TimeDelta {
        config.delay.and_then(|delay| TimeDelta::from_std(delay).ok()).unwrap_or(self.delay)
    }

    /// The trail that a config describes.
    pub fn trail(&self, config: &TrailConfig) -> Trail {
        let mut watches: Vec<String> = self.watches.iter().map(|one| (*one).to_owned()).collect();
        if let (Some(store), Some(first)) = (&config.store, watches.first_mut()) {
            *first = format!("{store}{}", first.find(':').map_or(":", |colon| &first[colon..]));
        }
        Trail {
            name: config.name.clone(),
            // What is read without a table of its own stands at the file as a whole.
            declared_at: Some(&config.location).filter(|at| **at != Location::of_file(&at.file)).cloned(),
            kind: self.name,
            role: config.role.unwrap_or(self.role),
            watches,
            consumer: config.consumer.as_deref().map(Arc::from),
            delay: self.delay(config),
            skew: config.skew.and_then(|skew| TimeDelta::from_std(skew).ok()).unwrap_or(SKEW),
        }
    }

    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static TrailKind> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}
