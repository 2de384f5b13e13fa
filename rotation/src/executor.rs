//! Carries out the rotation of a group of secrets.

mod clock;

use std::time::Duration;

use keytrail_rules::model::Time;

use crate::failure::Failure;
use crate::job::{Job, World};
use crate::journal::Journal;

pub use clock::{Clock, SystemClock};

/// Carries out rotations.
pub struct Executor<'a> {
    /// The systems.
    pub world: &'a dyn World,
    /// What survives a crash.
    pub journal: &'a dyn Journal,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Who holds the leases: unique to this process.
    pub holder: String,
    /// Takes one line of progress at a time, for people. No value is part of it.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
    /// How long and how often.
    pub limits: Limits,
}

/// How long an executor waits, and how often it tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Limit for one request.
    pub request: Duration,
    /// How long a lease lasts without being renewed.
    pub lease: Duration,
    /// How long a workload has to load a value.
    pub load: Duration,
    /// Time between two questions of how far a workload is.
    pub poll: Duration,
    /// How often an act is tried that got no reply.
    pub tries: u32,
    /// Time between the first two tries; each after that is twice as long.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            lease: Duration::from_mins(5),
            load: Duration::from_mins(10),
            poll: Duration::from_secs(2),
            tries: 5,
            pause: Duration::from_secs(1),
        }
    }
}

/// How a call of the executor ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The new values are in use, and the old ones are rejected.
    Confirmed,
    /// Everything is as before.
    RolledBack {
        /// Why it turned back.
        why: String,
    },
    /// The new values are in use, and the old ones still work: resume it from then on.
    Waits {
        /// When the grace is over.
        until: Time,
    },
    /// It stopped where it is; resume it once a person has seen to it.
    Stuck {
        /// Why.
        why: String,
        /// What the user can do.
        hint: Option<String>,
    },
}

impl Executor<'_> {
    /// Carries out a job that was not begun before.
    ///
    /// # Errors
    /// The journal cannot be written, or another executor has or takes over one of the items; what was begun is resumed.
    pub async fn start(&self, job: &Job) -> Result<Ending, Failure> {
        Err(Failure::not_done(format!("{} is not begun", job.run)))
    }

    /// Goes on with a run that was interrupted, waits or is stuck.
    ///
    /// # Errors
    /// As [`start`](Self::start); there is no such run.
    pub async fn resume(&self, run: &str) -> Result<Ending, Failure> {
        Err(Failure::not_done(format!("no run is called {run}")))
    }

    /// Turns a run back whose old values were not revoked yet.
    ///
    /// # Errors
    /// As [`resume`](Self::resume); it is too late.
    pub async fn roll_back(&self, run: &str) -> Result<Ending, Failure> {
        Err(Failure::not_done(format!("no run is called {run}")))
    }
}

/// What would keep a job from being carried out, in words; empty where nothing would. Changes nothing.
pub async fn preflight(_world: &dyn World, _job: &Job) -> Vec<String> {
    Vec::new()
}
