//! The journal, of which every call is an instant too.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::{Fault, Sim};
use crate::context::Act;
use crate::credential::Credential;
use crate::failure::Failure;
use crate::job::Job;
use crate::journal::memory::Memory;
use crate::journal::{Journal, Lease, Note, Saved, Which};
use crate::ledger::Row;
use crate::state::State;

#[derive(Clone)]
pub(crate) struct Journaled {
    pub(crate) memory: Arc<Memory>,
    pub(crate) sim: Arc<Sim>,
}

impl Journaled {
    fn call<'a, T: Send + 'a>(&'a self, name: String, act: impl FnOnce() -> Act<'a, T> + Send + 'a) -> Act<'a, T> {
        async move {
            let fault = self.sim.instant(&name).await;
            match fault {
                Some(Fault::CrashBefore) => self.sim.die().await,
                Some(Fault::Dropped) => return Err(Failure::unknown("no reply of the journal")),
                _ => {}
            }
            let made = act().await;
            match fault {
                Some(Fault::CrashAfter) => self.sim.die().await,
                Some(Fault::Lost) => return Err(Failure::unknown("no reply of the journal")),
                _ => {}
            }
            made
        }
        .boxed()
    }
}

impl Journal for Journaled {
    fn take<'a>(&'a self, items: &'a [String], holder: &'a str, time: Duration) -> Act<'a, Lease> {
        self.call("take".into(), move || self.memory.take(items, holder, time))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, time: Duration) -> Act<'a, ()> {
        self.call("renew".into(), move || self.memory.renew(lease, time))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Act<'a, ()> {
        self.call("release".into(), move || self.memory.release(lease))
    }

    fn begin<'a>(&'a self, lease: &'a Lease, job: &'a Job, row: &'a Row) -> Act<'a, ()> {
        self.call("begin".into(), move || self.memory.begin(lease, job, row))
    }

    fn unfinished(&self) -> Act<'_, Vec<Saved>> {
        self.call("unfinished".into(), move || self.memory.unfinished())
    }

    fn load<'a>(&'a self, run: &'a str) -> Act<'a, Option<Saved>> {
        self.call("load run".into(), move || self.memory.load(run))
    }

    fn advance<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State) -> Act<'a, ()> {
        self.call(format!("advance {from} {to}"), move || self.memory.advance(lease, run, from, to))
    }

    fn note<'a>(&'a self, lease: &'a Lease, run: &'a str, note: &'a Note) -> Act<'a, ()> {
        self.call(format!("note {} {}", note.act, note.done), move || self.memory.note(lease, run, note))
    }

    fn keep<'a>(
        &'a self,
        lease: &'a Lease,
        run: &'a str,
        item: &'a str,
        which: Which,
        credential: &'a Credential,
    ) -> Act<'a, ()> {
        self.call(format!("keep {item} {}", which.as_str()), move || {
            self.memory.keep(lease, run, item, which, credential)
        })
    }

    fn kept<'a>(&'a self, run: &'a str, item: &'a str, which: Which) -> Act<'a, Option<Credential>> {
        self.call(format!("kept {item}"), move || self.memory.kept(run, item, which))
    }

    fn is_earlier<'a>(&'a self, item: &'a str, credential: &'a Credential) -> Act<'a, bool> {
        self.call(format!("is earlier {item}"), move || self.memory.is_earlier(item, credential))
    }

    fn finish<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State, row: &'a Row) -> Act<'a, ()> {
        self.call(format!("finish {to}"), move || self.memory.finish(lease, run, from, to, row))
    }
}
