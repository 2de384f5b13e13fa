//! What is carried out for one group of secrets: written down before the first effect, and read again after a crash.

mod lanes;

use std::sync::Arc;

use keytrail_rules::model::Time;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::failure::{Failure, Opened};
use crate::issuers::{Issuer, IssuerKind};
use crate::probes::{Probe, ProbeKind};
use crate::settings::Settings;
use crate::store::Store;
use crate::workloads::{Workload, WorkloadKind};

pub use lanes::lanes;

/// The rotation of one group: secrets that change together or not at all. Holds no value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// See [`Context::run`](crate::context::Context::run). Unique.
    pub run: String,
    /// In which order the old values end.
    pub mode: Mode,
    /// The secrets, sources before what is made from them.
    pub members: Vec<Member>,
    /// The paths that hold them, in the order of writing; each path of a store once.
    pub writes: Vec<Write>,
    /// Who loads them, in the order of loading.
    pub consumers: Vec<Consumer>,
    /// The `verify` tables.
    pub probes: Vec<Settings>,
    /// How long old and new values stay valid side by side after every consumer loaded the new ones, in seconds.
    pub grace: u64,
    /// Who wants it, and why.
    pub request: Request,
}

/// In which order the old values end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Last: after the new ones were verified, promoted and loaded.
    Orderly,
    /// First: they are known to others, and consumers are cut off until they load the new ones.
    Emergency,
}

/// A secret of the group.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// The id of the item.
    pub item: String,
    /// Where its new value comes from.
    pub origin: Origin,
}

/// Where a new value comes from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "origin")]
pub enum Origin {
    /// Somebody honours it.
    Issued {
        /// One of [`crate::issuers::KINDS`].
        kind: String,
        /// Its table.
        settings: Settings,
    },
    /// It is made from other members.
    Derived {
        /// What it is made from: the name in the template (the key of the item), and the item's id.
        from: Vec<(String, String)>,
        /// `postgres://app:{DB_PASSWORD|percent}@db/app`; without one, the old values of the sources are replaced in the
        /// old value of this one, as they are or percent-encoded.
        template: Option<String>,
    },
}

/// A path of a store that is written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Write {
    /// The name of the store.
    pub store: String,
    /// The path in it.
    pub path: String,
    /// What is written to which key.
    pub cells: Vec<Cell>,
    /// The version that the scan saw, where the store counts them.
    pub seen: Option<u64>,
}

impl Write {
    /// `vault:secret/shop/db`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.store, self.path)
    }
}

/// A key of a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// The key.
    pub key: String,
    /// The item.
    pub item: String,
    /// The part of the item's credential: [`VALUE`](crate::credential::VALUE), or one that `parts` of its `[[secret]]`
    /// names.
    pub part: String,
}

/// Who loads the group's secrets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Consumer {
    /// The name in reports: `kubernetes:shop/deployment/api`.
    pub name: String,
    /// One of [`crate::workloads::KINDS`].
    pub kind: String,
    /// What the kind makes it of: `shop/deployment/api`.
    pub place: String,
    /// Its `[[workload]]` table.
    pub settings: Settings,
}

/// Who wants a rotation, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// When.
    pub at: Time,
    /// Who: the user of the system, or the job of the CI.
    pub by: String,
    /// Who approved it, where that is required.
    pub approver: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// The systems that a job works on.
pub trait World: Send + Sync {
    /// What every act of a run is told. Its folder is the one that is scanned.
    fn context(&self, run: &str) -> Context {
        Context::new(run)
    }

    /// A store by its name.
    ///
    /// # Errors
    /// There is none of that name that can be written.
    fn store(&self, name: &str) -> Result<Arc<dyn Store>, Failure>;

    /// The issuer of a kind and a table.
    ///
    /// # Errors
    /// No such kind; a table that it does not read.
    fn issuer(&self, kind: &str, settings: &Settings) -> Opened<dyn Issuer> {
        let known = IssuerKind::find(kind).ok_or_else(|| Failure::not_done(format!("no issuer is called {kind}")))?;
        (known.open)(&settings.rooted(&self.context("").folder))
    }

    /// The workload of a consumer.
    ///
    /// # Errors
    /// No such kind; a place or a table that it does not read.
    fn workload(&self, consumer: &Consumer) -> Opened<dyn Workload> {
        let kind = &consumer.kind;
        let known =
            WorkloadKind::find(kind).ok_or_else(|| Failure::not_done(format!("no workload is called {kind}")))?;
        (known.open)(&consumer.place, &consumer.settings.rooted(&self.context("").folder))
    }

    /// The probe of a table.
    ///
    /// # Errors
    /// No such kind; a table that it does not read.
    fn probe(&self, settings: &Settings) -> Opened<dyn Probe> {
        let known = ProbeKind::of(settings).ok_or_else(|| Failure::not_done("no key names the kind of the probe"))?;
        (known.open)(&settings.rooted(&self.context("").folder))
    }
}
