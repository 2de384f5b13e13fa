//! Rotations of a simulated world, in which everything goes wrong that can.

mod interference;
mod kills;
mod plain;
mod random;
mod shapes;
mod sim;
mod soaking;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Ending, Executor, Limits};
use crate::failure::Failure;
use crate::job::Mode;
use crate::journal::Journal;
use crate::ledger::Status;
use crate::state::{Event, State, next_in};
use shapes::Shape;
use sim::{Fault, Journaled, Sim, Systems};

/// What goes wrong at which instant of one attempt.
type Faults = BTreeMap<usize, Fault>;

/// A world with its journal.
struct Stage {
    shape: Shape,
    sim: Arc<Sim>,
    journal: Journaled,
    systems: Systems,
    before: BTreeMap<String, sim::Path>,
    said: std::sync::Mutex<Vec<String>>,
}

impl Stage {
    fn new(shape: &Shape) -> Self {
        let sim = shape.world();
        let before = sim.lock().paths.clone();
        let (journal, systems) = (sim.journal(), Systems(sim.clone()));
        Self { shape: shape.clone(), sim, journal, systems, before, said: std::sync::Mutex::default() }
    }

    fn run(&self) -> String {
        self.sim.lock().job.run.clone()
    }

    /// Polls until it is over, or the executor was killed.
    fn poll<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..200_000 {
            if let Poll::Ready(made) = work.as_mut().poll(&mut context) {
                return Some(made);
            }
            if self.sim.lock().is_dead {
                return None;
            }
        }
        panic!("it hangs: {:?}", self.sim.lock().log.last());
    }

    /// One attempt by an executor of its own: starts the job, or resumes it.
    fn attempt(&self, holder: usize, faults: &Faults) -> Option<Result<Ending, Failure>> {
        {
            let mut inner = self.sim.lock();
            (inner.count, inner.faults, inner.is_dead) = (0, faults.clone(), false);
        }
        let job = self.sim.lock().job.clone();
        let run = job.run.clone();
        let is_begun = self.journal.memory.inner().runs.contains_key(&run);
        self.with_executor(holder, |executor| {
            self.poll(async { if is_begun { executor.resume(&run).await } else { executor.start(&job).await } })
        })
    }

    fn with_executor<T>(&self, holder: usize, work: impl FnOnce(&Executor<'_>) -> T) -> T {
        let journal: &dyn Journal = &self.journal;
        let say = |line: &str| self.said.lock().expect("no panic").push(line.to_owned());
        let clock = self.sim.as_ref();
        let holder = format!("executor {holder}");
        let limits = Limits { poll: Duration::from_secs(20), tries: 3, ..Limits::default() };
        work(&Executor { world: &self.systems, journal, clock, holder, say: &say, limits })
    }

    /// Attempts until it ends; one that stays stuck ends too.
    fn finish(&self, plan: &[Faults]) -> Ending {
        let mut stuck = 0;
        for attempt in 0..60 {
            let faults = plan.get(attempt).cloned().unwrap_or_default();
            match self.attempt(attempt, &faults) {
                Some(Ok(ending @ (Ending::Confirmed | Ending::RolledBack { .. }))) => return ending,
                Some(Ok(Ending::Waits { until })) => {
                    let left = (until - self.sim.lock().now).to_std().unwrap_or_default();
                    self.sim.lock().advance(left);
                }
                Some(Ok(ending @ Ending::Stuck { .. })) if stuck > 3 && attempt > plan.len() => return ending,
                Some(Ok(Ending::Stuck { .. })) => stuck += 1,
                Some(Err(_)) | None => {}
            }
            self.sim.lock().advance(Duration::from_secs(301));
        }
        panic!("it does not end: {:#?}", self.sim.lock().log);
    }

    /// Runs it to its end, and checks that end and everything on the way.
    fn check(&self, plan: &[Faults], wanted: State) {
        let ending = self.finish(plan);
        let is_wanted = match wanted {
            State::Confirmed => ending == Ending::Confirmed,
            _ => matches!(ending, Ending::RolledBack { .. }),
        };
        let case = fmt::from_fn(|f| write!(f, "{:?}\n{plan:?}\n{ending:?}", self.shape));
        assert!(is_wanted, "{case}");
        self.check_world(wanted, &case);
        self.check_trail(wanted, &case);
    }

    /// What the systems are left with.
    fn check_world(&self, wanted: State, case: &dyn fmt::Display) {
        let inner = self.sim.lock();
        assert!(inner.violations.is_empty(), "{case}\n{:#?}\n{:#?}", inner.violations, inner.log);
        let is_new = wanted == State::Confirmed;
        for (item, honours) in inner.issuers.iter().filter(|(_, honours)| !honours.is_empty()) {
            let old = Shape::old(item);
            assert_eq!(honours.len(), 1, "{case}\n{item} {honours:?}");
            assert_eq!(honours.contains_key(&old), !is_new, "{case}\n{item} {honours:?}");
        }
        for (name, path) in &inner.paths {
            assert_eq!(path.staged, None, "{case}\n{name}");
            assert_eq!(path.values["OTHER"], "untouched", "{case}\n{name}");
            if !is_new && inner.human.as_ref() != Some(name) {
                assert_eq!(path.values, self.before[name].values, "{case}\n{name}");
            }
        }
        if inner.human.is_none() {
            let now = inner.snapshot();
            for (path, key) in now.keys().filter(|_| is_new) {
                assert_ne!(now[&(path.clone(), key.clone())], self.before[path].values[key], "{case}\n{path}#{key}");
            }
            let serving: Vec<_> = inner.consumers.values().map(|loaded| loaded.serving.clone()).collect();
            assert!(serving.iter().all(|snapshot| *snapshot == now), "{case}\n{serving:?}\n{now:?}");
            assert_eq!(inner.trouble_of_logins(serving.into_iter()), None, "{case}");
        }
    }

    /// What the journal and the ledger are left with, and what was said.
    fn check_trail(&self, wanted: State, case: &dyn fmt::Display) {
        let is_new = wanted == State::Confirmed;
        let journal = self.journal.memory.inner();
        let status: Vec<Status> = journal.rows.iter().map(|row| row.status).collect();
        let last = if is_new { Status::Succeeded } else { Status::RolledBack };
        assert_eq!(status, [Status::Requested, last], "{case}");
        self.check_states(&journal.states, case);
        assert!(journal.values.is_empty(), "{case}\nvalues are wiped");
    }

    /// That no value was written down in the open, or said.
    fn check_secrecy(&self) {
        let journal = self.journal.memory.inner();
        let said = self.said.lock().expect("no panic").join("\n");
        let told = format!("{:?} {:?} {said}", journal.rows, journal.runs);
        let mut values: Vec<String> = self.before.values().flat_map(|path| path.values.values().cloned()).collect();
        values.extend(self.sim.lock().snapshot().into_values());
        values.retain(|value| value.contains("value"));
        for value in values {
            assert!(!told.contains(&value), "a value was told: {told}");
        }
    }

    /// The states are those of the model, each reached once; and the old value was revoked when it was time to.
    fn check_states(&self, states: &[State], case: &dyn fmt::Display) {
        let mut from = State::Planned;
        for to in states {
            let is_step = Event::ALL.into_iter().any(|event| next_in(self.shape.mode, from, event) == Ok(*to));
            assert!(is_step && *to != from, "{case}\nfrom {from} to {to}");
            from = *to;
        }
        let inner = self.sim.lock();
        let first = |call: &str| {
            inner.log.iter().position(|entry| entry.split_once(' ').is_some_and(|(_, name)| name.starts_with(call)))
        };
        let needed = if self.shape.mode == Mode::Orderly { "advance loaded soaked" } else { "advance planned sealed" };
        if let Some(revoked) = first("revoke ") {
            assert!(first(needed).is_some_and(|soaked| soaked < revoked), "{case}");
        }
        if let Some(set) = first("set ") {
            assert!(first("begin").is_some_and(|begun| begun < set), "{case}");
        }
    }
}
