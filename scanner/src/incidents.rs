//! The table of what incidents are filed with. Each kind is one file of `incidents/`.
//!
//! # Guarantees
//! For each finding and each `[[incident]]` there is one incident at a time. [`filing`] says how, and what is left to
//! chance by receivers that cannot be asked what they have. No value of a secret is part of an incident: a
//! [`Finding`](keytrail_rules::model::Finding) has none.

mod credentials;
pub mod filing;
mod http;
#[cfg(test)]
mod testing;
pub mod text;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{GapReason, Severity, Time};

use crate::config::IncidentConfig;

/// A kind of receiver.
pub struct Kind {
    /// The `kind` of an `[[incident]]`: `pagerduty`.
    pub name: &'static str,
    /// The keys that it needs: one of each list.
    pub requires: &'static [&'static [&'static str]],
    /// Further keys that it reads.
    pub reads: &'static [&'static str],
    /// What may be done again after a scan that ended between the act and its record.
    pub again: Again,
    /// The pause that the receiver asks for between two acts.
    pub pause: Duration,
    /// Prepares requests, of which none is sent yet.
    pub open: fn(&IncidentConfig, &Setting) -> Opened,
}

/// A receiver that is ready, or why there is none.
pub type Opened = Result<Box<dyn Sink>, Failure>;

/// What may be done again where it is not known whether it was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// The receiver can be asked whether it has the incident: [`Sink::find`].
    Look,
    /// The receiver takes the same incident twice as one.
    Repeat,
    /// Nothing: the receiver can neither be asked nor told them apart. At most one is filed.
    Nothing,
}

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every kind of receiver.
        pub static KINDS: &[&Kind] = &[$(&$name::KIND),*];
    };
}

table![github_issue, pagerduty, slack, webhook];

impl Kind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static Kind> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }

    /// The keys that it reads beside those of every kind.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.requires.iter().copied().flatten().chain(self.reads).copied()
    }
}

/// A receiver of incidents.
pub trait Sink: Send + Sync {
    /// Looks for the incident with a key that an earlier scan filed; perhaps since an instant, if one is given. Only
    /// for [`Again::Look`].
    fn find<'a>(&'a self, _: &'a str, _: Option<Time>) -> BoxFuture<'a, Result<Option<Sighted>, Failure>> {
        async { Ok(None) }.boxed()
    }

    /// Files an incident, and says how the receiver calls it. `before` is how it called the one that was filed when
    /// the finding came the last time, and that was resolved since.
    fn file<'a>(&'a self, incident: &'a Incident, before: Option<&'a str>) -> BoxFuture<'a, Result<String, Failure>>;

    /// Resolves an incident.
    fn resolve<'a>(&'a self, filed: &'a Filed) -> BoxFuture<'a, Result<(), Failure>>;
}

/// What is filed. Every text is one line without control characters, and bounded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incident {
    /// Tells it from every other incident of the receiver: 64 hexadecimal digits. The fingerprint of the finding; or
    /// a digest of it and the estate.
    pub key: String,
    /// The fingerprint of the finding.
    pub fingerprint: String,
    /// What was scanned.
    pub estate: Option<String>,
    /// How many times the finding came, this time included.
    pub occurrence: u64,
    /// The rule: `overdue-rotation`.
    pub rule: &'static str,
    /// The rule's code: `KT2001`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The item that it is about.
    pub item: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The next step.
    pub next: String,
    /// The line to go to: `path:line`.
    pub location: Option<String>,
    /// That line at the host of the repository.
    pub link: Option<String>,
    /// What it rests on.
    pub evidence: Vec<EvidenceText>,
    /// How much evidence there is beyond that.
    pub more_evidence: usize,
}

/// One thing that a finding rests on.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct EvidenceText {
    /// What it shows.
    pub note: String,
    /// The line or the place in a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// An incident that the receiver has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sighted {
    /// How the receiver calls it.
    pub reference: String,
    /// Whether it was resolved, so that it has to be opened again.
    pub is_resolved: bool,
}

/// What was filed, and is to be resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filed {
    /// As [`Incident::key`].
    pub key: String,
    /// The fingerprint of the finding.
    pub fingerprint: String,
    /// What was scanned.
    pub estate: Option<String>,
    /// As [`Incident::occurrence`].
    pub occurrence: u64,
    /// The rule.
    pub rule: String,
    /// The finding in a line.
    pub summary: String,
    /// How the receiver calls it.
    pub reference: Option<String>,
}

/// Why something was not filed or resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The kind of reason.
    pub reason: GapReason,
    /// A clause without a full stop: `the server refused the token`. It holds no credential.
    pub what: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// Whether nothing was done for sure.
    pub certain: bool,
    /// Whether every other incident would fail for the same reason.
    pub lost: bool,
}

impl Failure {
    /// A failure of which nothing came, and that others would share.
    pub fn new(reason: GapReason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), hint: None, certain: true, lost: true }
    }

    /// Adds what the user can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// After it nobody knows whether something was done.
    pub fn uncertain(mut self) -> Self {
        self.certain = false;
        self
    }

    /// It is about one incident alone.
    pub fn of_one(mut self) -> Self {
        self.lost = false;
        self
    }
}

/// Looks up an environment variable; one that is empty counts as not set.
pub type Env = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What the receivers take from the process, so that tests can set it.
#[derive(Clone)]
pub struct Setting {
    /// Its environment.
    pub env: Arc<Env>,
    /// The clock.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// Waits.
    pub wait: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Setting {
    /// That of this process.
    pub fn of_process() -> Self {
        Self {
            env: Arc::new(|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
            now: Arc::new(Utc::now),
            wait: Arc::new(|pause| tokio::time::sleep(pause).boxed()),
        }
    }
}
