//! Carries out the rotation of a group of secrets: the steps and undos of [`crate::state`], for all members together.
//!
//! Intents and outcomes are written to the journal before and after each act, so that whoever resumes a run knows what
//! may have been done. Nothing is assumed then: issuers and stores are asked, and [`crate::state::recover_group`] decides.
//!
//! What consumers accept (the part `accepted` of a signing key) changes in smaller steps than the rest: before the
//! promotion the new value is listed beside the old one and loaded; after the revocation the old one is taken off the list,
//! which is loaded again. The way back mirrors that while reloading.
//!
//! # Guarantees
//! 1. The job and its first ledger row are durable before the first effect; the last row is written once, together with
//!    the end.
//! 2. A new value is under seal before anybody honours it or, where the issuer chooses it, as soon as it is told.
//! 3. What somebody else wrote to a store is never overwritten: the group turns back, and says so.
//! 4. Whoever loses the lease does nothing more.
//! 5. A call returns after a bounded number of tries and pauses. Grace is not slept through.
//! 6. No value is in a note, a line of progress or an error.
//!
//! # Assumptions
//! 1. Issuers, stores and workloads keep the guarantees of their traits: an act that was done may be done again.
//! 2. An act that was begun ends within the lease, or its reply does not matter: no issuer compares fencing tokens.

mod back;
mod clock;
mod drive;
mod forward;
mod loading;
mod parties;
mod paths;
mod preflight;
mod recovery;
mod run;
mod soak;
mod values;

use std::time::Duration;

use keytrail_rules::model::Time;

use crate::failure::{Failure, Outcome};
use crate::job::{Job, World};
use crate::journal::{Journal, Lease, Note, Saved};
use crate::ledger::Status;
use crate::state::State;
use parties::Parties;
use run::Run;

pub use clock::{Clock, SystemClock};
pub use preflight::{preflight, warnings};
pub use soak::due;

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

/// What a person wants of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    GoOn,
    TurnBack,
}

/// The act whose fact says why a run needs a person.
const STUCK: &str = "stuck";

/// Why a run needs a person; `None` for one that does not, as far as is known.
pub fn stuck(saved: &Saved) -> Option<&str> {
    saved.facts.get(STUCK).map(String::as_str).filter(|why| !why.is_empty())
}

impl Executor<'_> {
    /// Carries out a job that was not begun before.
    ///
    /// # Errors
    /// The journal cannot be written, or another executor has or takes over one of the items; what was begun is resumed.
    pub async fn start(&self, job: &Job) -> Result<Ending, Failure> {
        let parties = Parties::open(self.world, job)?;
        let lease = self.take(job).await?;
        let ending = self.begin(job, parties, &lease).await;
        self.mark(&job.run, &lease, &ending).await;
        self.release(&lease).await;
        ending
    }

    /// Goes on with a run that was interrupted, waits or is stuck.
    ///
    /// # Errors
    /// As [`start`](Self::start); there is no such run.
    pub async fn resume(&self, run: &str) -> Result<Ending, Failure> {
        self.take_up(run, Wish::GoOn).await
    }

    /// Turns a run back whose old values were not revoked yet.
    ///
    /// # Errors
    /// As [`resume`](Self::resume); it is too late.
    pub async fn roll_back(&self, run: &str) -> Result<Ending, Failure> {
        self.take_up(run, Wish::TurnBack).await
    }

    async fn begin(&self, job: &Job, parties: Parties, lease: &Lease) -> Result<Ending, Failure> {
        let row = drive::row(job, Status::Requested, self.clock.now());
        if let Err(failure) = self.journal.begin(lease, job, &row).await {
            // The reply may have been lost.
            let is_ours = |saved: &Saved| saved.job == *job && saved.state == State::Planned;
            if failure.outcome == Outcome::NotDone || !self.journal.load(&job.run).await?.as_ref().is_some_and(is_ours)
            {
                return Err(failure);
            }
        }
        let saved = Saved {
            job: job.clone(),
            state: State::Planned,
            facts: std::collections::BTreeMap::new(),
            open: vec![],
            touched: self.clock.now(),
        };
        Run::new(self, saved, lease.clone(), parties).drive().await
    }

    async fn take_up(&self, run: &str, wish: Wish) -> Result<Ending, Failure> {
        let saved = self.saved(run).await?;
        if saved.state.is_final() {
            return Self::over(&saved, wish);
        }
        let parties = Parties::open(self.world, &saved.job)?;
        let lease = self.take(&saved.job).await?;
        let ending = self.go_on(run, wish, parties, &lease).await;
        self.mark(run, &lease, &ending).await;
        self.release(&lease).await;
        ending
    }

    async fn go_on(&self, run: &str, wish: Wish, parties: Parties, lease: &Lease) -> Result<Ending, Failure> {
        // Another may have worked on it until the lease was taken.
        let saved = self.saved(run).await?;
        if saved.state.is_final() {
            return Self::over(&saved, wish);
        }
        let mut run = Run::new(self, saved, lease.clone(), parties);
        run.unseal().await?;
        match wish {
            Wish::GoOn => run.recover().await,
            Wish::TurnBack => run.roll_back().await,
        }
    }

    /// Writes down why a run needs a person, for those who only look. Where that cannot be, the time since it was worked
    /// on tells it too.
    async fn mark(&self, run: &str, lease: &Lease, ending: &Result<Ending, Failure>) {
        let why = match ending {
            Ok(Ending::Stuck { why, .. }) => why.as_str(),
            Ok(Ending::Waits { .. }) => "",
            Ok(Ending::Confirmed | Ending::RolledBack { .. }) | Err(_) => return,
        };
        let Ok(Some(saved)) = self.journal.load(run).await else { return };
        if stuck(&saved).unwrap_or_default() != why {
            let note = Note { state: saved.state, act: STUCK.to_owned(), done: true, fact: Some(why.to_owned()) };
            let _ = self.journal.note(lease, run, &note).await;
        }
    }

    /// What is said of a run that has ended.
    fn over(saved: &Saved, wish: Wish) -> Result<Ending, Failure> {
        if wish == Wish::TurnBack && saved.state == State::Confirmed {
            let what = format!("{} cannot be rolled back: it has ended, and its old values are revoked", saved.job.run);
            return Err(Failure::not_done(what).hint("plan a new rotation"));
        }
        Ok(drive::ended(saved.state, drive::why(&saved.facts)))
    }

    async fn saved(&self, run: &str) -> Result<Saved, Failure> {
        self.journal
            .load(run)
            .await?
            .ok_or_else(|| Failure::not_done(format!("no run is called {run}")).hint("check its name"))
    }

    async fn take(&self, job: &Job) -> Result<Lease, Failure> {
        let items: Vec<String> = job.members.iter().map(|member| member.item.clone()).collect();
        self.journal.take(&items, &self.holder, self.limits.lease).await
    }

    /// Lets go; a lease that could not be let go runs out.
    async fn release(&self, lease: &Lease) {
        if let Err(failure) = self.journal.release(lease).await {
            (self.say)(&format!("the lease was not released, and runs out: {failure}"));
        }
    }
}

#[cfg(test)]
mod tests;
