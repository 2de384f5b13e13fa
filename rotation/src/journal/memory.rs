//! A journal for tests, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt;
use keytrail_rules::model::Time;

use super::{Journal, Lease, Note, Saved, Which};
use crate::context::Act;
use crate::credential::Credential;
use crate::failure::Failure;
use crate::job::Job;
use crate::ledger::Row;
use crate::state::State;

type Tell = Box<dyn Fn() -> Time + Send + Sync>;

/// A journal in memory.
pub(crate) struct Memory {
    now: Tell,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// Holder, token and end of the lease of each item.
    leases: BTreeMap<String, (String, u64, Time)>,
    last_token: u64,
    pub(crate) runs: BTreeMap<String, Saved>,
    pub(crate) values: BTreeMap<(String, String, Which), Credential>,
    pub(crate) rows: Vec<Row>,
    pub(crate) states: Vec<State>,
    earlier: BTreeSet<(String, String)>,
}

impl Memory {
    pub(crate) fn new(now: Tell) -> Self {
        Self { now, inner: Mutex::default() }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic")
    }

    fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Inner) -> Result<T, Failure>) -> Act<'static, T> {
        let made = act(&mut self.inner());
        async { made }.boxed()
    }
}

impl Inner {
    /// Fencing.
    fn check(&self, lease: &Lease) -> Result<(), Failure> {
        let held = |item| self.leases.get(item).is_some_and(|(_, token, _)| *token == lease.token);
        if lease.items.iter().all(held) { Ok(()) } else { Err(Failure::conflict("the lease was lost")) }
    }

    fn run(&mut self, lease: &Lease, run: &str) -> Result<&mut Saved, Failure> {
        self.check(lease)?;
        self.runs.get_mut(run).ok_or_else(|| Failure::not_done("no such run"))
    }
}

impl Journal for Memory {
    fn take<'a>(&'a self, items: &'a [String], holder: &'a str, time: Duration) -> Act<'a, Lease> {
        let now = (self.now)();
        self.with(|inner| {
            let others = |item| inner.leases.get(item).is_some_and(|(other, _, until)| other != holder && *until > now);
            if items.iter().any(others) {
                return Err(Failure::conflict("another executor has it"));
            }
            inner.last_token += 1;
            let token = inner.last_token;
            for item in items {
                inner.leases.insert(item.clone(), (holder.to_owned(), token, now + time));
            }
            Ok(Lease { items: items.to_vec(), holder: holder.to_owned(), token })
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, time: Duration) -> Act<'a, ()> {
        let now = (self.now)();
        self.with(|inner| {
            inner.check(lease)?;
            for item in &lease.items {
                inner.leases.insert(item.clone(), (lease.holder.clone(), lease.token, now + time));
            }
            Ok(())
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Act<'a, ()> {
        self.with(|inner| {
            inner.check(lease)?;
            inner.leases.retain(|item, _| !lease.items.contains(item));
            Ok(())
        })
    }

    fn begin<'a>(&'a self, lease: &'a Lease, job: &'a Job, row: &'a Row) -> Act<'a, ()> {
        let touched = (self.now)();
        self.with(|inner| {
            inner.check(lease)?;
            let shares = |saved: &Saved| {
                !saved.state.is_final() && saved.job.members.iter().any(|member| lease.items.contains(&member.item))
            };
            if inner.runs.contains_key(&job.run) || inner.runs.values().any(shares) {
                return Err(Failure::conflict("an item is part of a run that has not ended"));
            }
            let (job, facts) = (job.clone(), BTreeMap::new());
            let saved = Saved { job: job.clone(), state: State::Planned, facts, open: vec![], touched };
            inner.runs.insert(job.run, saved);
            inner.rows.push(row.clone());
            Ok(())
        })
    }

    fn unfinished(&self) -> Act<'_, Vec<Saved>> {
        self.with(|inner| Ok(inner.runs.values().filter(|saved| !saved.state.is_final()).cloned().collect()))
    }

    fn load<'a>(&'a self, run: &'a str) -> Act<'a, Option<Saved>> {
        self.with(|inner| Ok(inner.runs.get(run).cloned()))
    }

    fn advance<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State) -> Act<'a, ()> {
        self.with(|inner| {
            let saved = inner.run(lease, run)?;
            if saved.state != from {
                return Err(Failure::conflict(format!("the run is {}", saved.state)));
            }
            saved.state = to;
            saved.open.clear();
            inner.states.push(to);
            Ok(())
        })
    }

    fn note<'a>(&'a self, lease: &'a Lease, run: &'a str, note: &'a Note) -> Act<'a, ()> {
        self.with(|inner| {
            let saved = inner.run(lease, run)?;
            saved.open.retain(|act| *act != note.act);
            if note.done {
                saved.facts.extend(note.fact.clone().map(|fact| (note.act.clone(), fact)));
            } else {
                saved.open.push(note.act.clone());
            }
            Ok(())
        })
    }

    fn keep<'a>(
        &'a self,
        lease: &'a Lease,
        run: &'a str,
        item: &'a str,
        which: Which,
        credential: &'a Credential,
    ) -> Act<'a, ()> {
        self.with(|inner| {
            inner.run(lease, run)?;
            inner.values.insert((run.to_owned(), item.to_owned(), which), credential.duplicate());
            Ok(())
        })
    }

    fn kept<'a>(&'a self, run: &'a str, item: &'a str, which: Which) -> Act<'a, Option<Credential>> {
        let key = (run.to_owned(), item.to_owned(), which);
        self.with(|inner| Ok(inner.values.get(&key).map(Credential::duplicate)))
    }

    fn is_earlier<'a>(&'a self, item: &'a str, credential: &'a Credential) -> Act<'a, bool> {
        let value = credential.value().map(|value| value.expose().to_owned()).unwrap_or_default();
        self.with(|inner| Ok(inner.earlier.contains(&(item.to_owned(), value))))
    }

    fn finish<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State, row: &'a Row) -> Act<'a, ()> {
        self.with(|inner| {
            let saved = inner.run(lease, run)?;
            if saved.state != from {
                return Err(Failure::conflict(format!("the run is {}", saved.state)));
            }
            saved.state = to;
            inner.states.push(to);
            inner.rows.push(row.clone());
            for ((_, item, _), credential) in inner.values.iter().filter(|((of, _, _), _)| of == run) {
                let value = credential.value().map(|value| value.expose().to_owned());
                inner.earlier.extend(value.map(|value| (item.clone(), value)));
            }
            inner.values.retain(|(of, _, _), _| of != run);
            Ok(())
        })
    }
}
