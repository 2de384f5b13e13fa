//! A run under way: what is known of it, its lease, and how an act is done.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{Either, select};
use keytrail_rules::model::Time;

use super::Executor;
use super::parties::Parties;
use super::values::Pair;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::job::{Job, Mode};
use crate::journal::{Lease, Note, Saved};
use crate::state::State;

/// Why a step did not come to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is known to have failed.
    Failed(Failure),
    /// It may have been done, or only a person can tell how to go on.
    Stuck(Failure),
    /// It goes on later.
    Waits(Time),
    /// The journal cannot be written, or the lease is lost: nothing more may be done.
    Journal(Failure),
}

/// What came of a step.
pub(super) type Step<T> = Result<T, Stop>;

/// Which failures of an act are followed by another try.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Those after which it may have been done.
    IfUnknown,
    /// All: there is no way back.
    Always,
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) executor: &'a Executor<'a>,
    pub(super) job: Job,
    pub(super) context: Context,
    pub(super) lease: Lease,
    pub(super) parties: Parties,
    /// The credentials of each member.
    pub(super) pairs: Vec<Pair>,
    log: Mutex<Log>,
}

/// What the journal has.
struct Log {
    state: State,
    facts: BTreeMap<String, String>,
    open: BTreeSet<String>,
    renewed: Time,
}

impl<'a> Run<'a> {
    pub(super) fn new(executor: &'a Executor<'a>, saved: Saved, lease: Lease, parties: Parties) -> Self {
        let context = Context { timeout: executor.limits.request, ..executor.world.context(&saved.job.run) };
        let pairs = saved.job.members.iter().map(|_| Pair::default()).collect();
        let (open, renewed) = (saved.open.into_iter().collect(), executor.clock.now());
        let log = Mutex::new(Log { state: saved.state, facts: saved.facts, open, renewed });
        Self { executor, job: saved.job, context, lease, parties, pairs, log }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> State {
        self.log().state
    }

    pub(super) fn is_emergency(&self) -> bool {
        self.job.mode == Mode::Emergency
    }

    pub(super) fn say(&self, line: &str) {
        (self.executor.say)(line);
    }

    /// What an act that is over left to be known.
    pub(super) fn fact(&self, act: &str) -> Option<String> {
        self.log().facts.get(act).filter(|fact| !fact.is_empty()).cloned()
    }

    /// Whether an act was begun in this state, and is not known to be over.
    pub(super) fn is_open(&self, act: &str) -> bool {
        self.log().open.contains(act)
    }

    /// Whether an act was begun whose name starts so.
    pub(super) fn has_begun(&self, start: &str) -> bool {
        let log = self.log();
        log.open.iter().chain(log.facts.keys()).any(|act| act.starts_with(start))
    }

    /// The acts that were begun in this state, and are not known to be over.
    pub(super) fn open(&self) -> Vec<String> {
        self.log().open.iter().cloned().collect()
    }

    /// Writes down an intent or an outcome.
    pub(super) async fn note(&self, act: &str, done: bool, fact: Option<String>) -> Step<()> {
        let note = Note { state: self.state(), act: act.to_owned(), done, fact };
        self.executor.journal.note(&self.lease, &self.job.run, &note).await.map_err(Stop::Journal)?;
        let mut log = self.log();
        if done {
            log.open.remove(act);
            log.facts.extend(note.fact.map(|fact| (note.act, fact)));
        } else {
            log.open.insert(note.act);
        }
        Ok(())
    }

    /// Writes down what is to be known later.
    pub(super) async fn remember(&self, act: &str, fact: impl Into<String>) -> Step<()> {
        self.note(act, true, Some(fact.into())).await
    }

    /// Goes to another state that is not the end.
    pub(super) async fn advance(&self, to: State) -> Step<()> {
        let from = self.state();
        self.executor.journal.advance(&self.lease, &self.job.run, from, to).await.map_err(Stop::Journal)?;
        let mut log = self.log();
        log.state = to;
        log.open.clear();
        Ok(())
    }

    /// One act, its intent before it and its outcome after it; tried again where no reply came. `fact` is what is to be
    /// known of it later.
    pub(super) async fn act<T, F>(
        &self,
        name: &str,
        again: Again,
        mut act: impl FnMut() -> F,
        fact: impl Fn(&T) -> String,
    ) -> Step<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        self.note(name, false, None).await?;
        self.say(name);
        let tried = self.try_often(again, &mut act).await;
        match &tried {
            Ok(made) => self.remember(name, fact(made)).await?,
            Err(Stop::Failed(failure) | Stop::Stuck(failure)) => {
                self.remember(&format!("{name}: why not"), failure.what.clone()).await?;
            }
            Err(_) => {}
        }
        tried
    }

    /// Something that may be done again, until it is known to be done or not, but not for ever.
    pub(super) async fn try_often<T, F>(&self, again: Again, act: &mut impl FnMut() -> F) -> Step<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let limits = self.executor.limits;
        let mut pause = limits.pause;
        for left in (0..limits.tries.max(1)).rev() {
            self.hold_on().await?;
            match self.while_held(act()).await? {
                Ok(made) => return Ok(made),
                Err(failure) if failure.outcome == Outcome::Unknown || again == Again::Always => {
                    if left == 0 {
                        return Err(Stop::Stuck(failure));
                    }
                }
                Err(failure) => return Err(Stop::Failed(failure)),
            }
            self.executor.clock.pause(pause).await;
            pause = pause.saturating_mul(2);
        }
        Err(Stop::Stuck(Failure::unknown("it was never tried")))
    }

    /// Renews the lease, if that was long ago.
    pub(super) async fn hold_on(&self) -> Step<()> {
        let (now, lease) = (self.executor.clock.now(), self.executor.limits.lease);
        let age = (now - self.log().renewed).to_std();
        if age.is_ok_and(|age| age < lease / 4) {
            return Ok(());
        }
        self.executor.journal.renew(&self.lease, lease).await.map_err(Stop::Journal)?;
        self.log().renewed = now;
        Ok(())
    }

    /// Waits for something, and renews the lease meanwhile; gives it up where the lease is lost.
    pub(super) async fn while_held<T>(&self, act: impl Future<Output = T>) -> Step<T> {
        let lease = self.executor.limits.lease;
        let beat = async {
            loop {
                self.executor.clock.pause(lease / 4).await;
                match self.executor.journal.renew(&self.lease, lease).await {
                    Err(failure) if failure.outcome == Outcome::Conflict => return failure,
                    Ok(()) | Err(_) => {}
                }
            }
        };
        match select(pin!(act), pin!(beat)).await {
            Either::Left((made, _)) => Ok(made),
            Either::Right((lost, _)) => Err(Stop::Journal(lost)),
        }
    }
}
