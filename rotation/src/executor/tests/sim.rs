//! A world in memory in which every call of every trait is an instant, at which something may go wrong; and consumers
//! that log in after each.

mod consumers;
mod issuers;
mod journal;
mod stores;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use keytrail_rules::model::Time;

use crate::context::Act;
use crate::executor::Clock;
use crate::failure::{Failure, Opened};
use crate::issuers::Issuer;
use crate::job::{Consumer, Job, Origin, World};
use crate::journal::memory::Memory;
use crate::probes::Probe;
use crate::settings::Settings;
use crate::store::Store;
use crate::workloads::Workload;

pub(crate) use consumers::Loaded;
pub(crate) use issuers::Honours;
pub(crate) use journal::Journaled;
pub(crate) use stores::Path;

/// What goes wrong at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The executor is killed before the call.
    CrashBefore,
    /// The executor is killed after the call had its effect.
    CrashAfter,
    /// The call had its effect, and no reply comes.
    Lost,
    /// The call had no effect, and no reply comes.
    Dropped,
    /// The call arrives twice.
    Twice,
    /// It takes longer than a lease.
    Slow,
    /// The executor stands still before the call, until it is let go.
    Freeze,
    /// Before it a person writes the value of the first path.
    Human,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] =
        [Self::CrashBefore, Self::CrashAfter, Self::Lost, Self::Dropped, Self::Twice, Self::Slow];
}

/// What goes wrong for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    Preflight,
    Copies,
    Stage,
    Set,
    Verify,
    Promote,
    Load,
    Progress,
    Slow,
    Sick,
    Silent,
    Probe,
    SoakProbe,
    Revoke,
}

/// What the world is at an instant.
pub(crate) struct Inner {
    pub(crate) now: Time,
    pub(crate) uptime: Duration,
    pub(crate) boot: u32,
    pub(crate) count: usize,
    pub(crate) faults: BTreeMap<usize, Fault>,
    pub(crate) is_dead: bool,
    pub(crate) is_frozen: bool,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) made: usize,
    pub(crate) writes: usize,
    pub(crate) human: Option<String>,
    pub(crate) issuers: BTreeMap<String, Honours>,
    pub(crate) paths: BTreeMap<String, Path>,
    pub(crate) consumers: BTreeMap<String, Loaded>,
    pub(crate) job: Job,
    /// Whether every login has to work at every instant.
    pub(crate) is_dual: bool,
    pub(crate) violations: Vec<String>,
    pub(crate) log: Vec<String>,
}

/// The world.
pub(crate) struct Sim {
    inner: Mutex<Inner>,
}

impl Sim {
    pub(crate) fn new(inner: Inner) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic")
    }

    pub(crate) fn journal(self: &Arc<Self>) -> Journaled {
        let sim = self.clone();
        Journaled { memory: Arc::new(Memory::new(Box::new(move || sim.lock().now))), sim: self.clone() }
    }

    /// A call: an instant.
    pub(crate) fn call<'a, T: Send + 'a>(
        &'a self,
        name: String,
        mut effect: impl FnMut(&mut Inner) -> Result<T, Failure> + Send + 'a,
    ) -> Act<'a, T> {
        async move {
            let mut fault = self.instant(&name).await;
            if fault == Some(Fault::Twice) && self.lock().mints(&name) {
                fault = None;
            }
            if fault == Some(Fault::CrashBefore) {
                self.die().await;
            }
            if fault == Some(Fault::Dropped) {
                return Err(Failure::unknown("no reply"));
            }
            if fault == Some(Fault::Slow) {
                for _ in 0..4 {
                    self.pause(Duration::from_secs(100)).await;
                }
            }
            let made = {
                let mut inner = self.lock();
                let first = effect(&mut inner);
                let made = if fault == Some(Fault::Twice) { effect(&mut inner) } else { first };
                if !["read", "check", "preflight"].iter().any(|act| name.starts_with(act)) {
                    inner.log_in(&name);
                }
                made
            };
            match fault {
                Some(Fault::CrashAfter) => self.die().await,
                Some(Fault::Lost) => return Err(Failure::unknown("no reply")),
                _ => {}
            }
            made
        }
        .boxed()
    }

    /// What goes wrong at this instant.
    pub(crate) async fn instant(&self, name: &str) -> Option<Fault> {
        let (is_dead, fault) = {
            let mut inner = self.lock();
            let count = inner.count;
            if !inner.is_dead {
                inner.count += 1;
                inner.log.push(format!("{count} {name}"));
            }
            (inner.is_dead, inner.faults.get(&count).copied())
        };
        if is_dead {
            pending::<()>().await;
        }
        match fault {
            Some(Fault::Human) => self.lock().interfere(),
            Some(Fault::Freeze) => {
                self.lock().is_frozen = true;
                poll_fn(|_| if self.lock().is_frozen { Poll::Pending } else { Poll::Ready(()) }).await;
            }
            _ => {}
        }
        fault
    }

    pub(crate) async fn die(&self) {
        self.lock().is_dead = true;
        pending::<()>().await;
    }
}

impl Inner {
    /// Whether a call makes a value that only its reply has. It is for the issuer to see that it arrives once.
    fn mints(&self, name: &str) -> bool {
        let kind = |item: &str| {
            let member = self.job.members.iter().find(|member| member.item == item)?;
            if let Origin::Issued { kind, .. } = &member.origin { Some(kind == "chosen") } else { None }
        };
        name.strip_prefix("set ").and_then(kind).unwrap_or_default()
    }

    /// A person writes the first path.
    fn interfere(&mut self) {
        let write = self.job.writes[0].clone();
        let path = self.paths.get_mut(&write.name()).expect("a path");
        path.values.insert(write.cells[0].key.clone(), "human".to_owned());
        path.version += 1;
        self.human = Some(write.name());
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        self.uptime += time;
    }
}

impl Clock for Sim {
    fn now(&self) -> Time {
        self.lock().now
    }

    fn uptime(&self) -> Option<(String, Duration)> {
        let inner = self.lock();
        Some((inner.boot.to_string(), inner.uptime))
    }

    /// Lets others go on for once.
    fn pause(&self, time: Duration) -> BoxFuture<'_, ()> {
        let mut is_over = false;
        poll_fn(move |_| {
            let mut inner = self.lock();
            if inner.is_dead || !std::mem::replace(&mut is_over, true) {
                return Poll::Pending;
            }
            inner.advance(time);
            Poll::Ready(())
        })
        .boxed()
    }
}

/// The world as a job sees it.
pub(crate) struct Systems(pub(crate) Arc<Sim>);

impl World for Systems {
    fn store(&self, name: &str) -> Result<Arc<dyn Store>, Failure> {
        Ok(Arc::new(stores::Simulated { sim: self.0.clone(), name: name.to_owned() }))
    }

    fn issuer(&self, kind: &str, settings: &Settings) -> Opened<dyn Issuer> {
        let item = settings.0["item"].as_str().expect("an item").to_owned();
        Ok(Box::new(issuers::Simulated { sim: self.0.clone(), kind: kind.to_owned(), item }))
    }

    fn workload(&self, consumer: &Consumer) -> Opened<dyn Workload> {
        Ok(Box::new(consumers::Simulated { sim: self.0.clone(), name: consumer.name.clone() }))
    }

    fn probe(&self, _settings: &Settings) -> Opened<dyn Probe> {
        Ok(Box::new(consumers::Logins { sim: self.0.clone() }))
    }
}
