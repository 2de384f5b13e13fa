//! Writing the paths of stores, again and again if need be.
//!
//! # Guarantees
//! 1. A path is written only while it holds what this run left there, or found there at first; anything else is a
//!    conflict, and stays.
//! 2. A write whose reply was lost is not done twice where the store can be read.
//!
//! # Assumptions
//! 1. In a store that cannot be read, a write that was begun and is not known to be over is done again: the store does
//!    not tell it from somebody else's.
//! 2. Of a store without compare-and-set nobody writes between the look and the write.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use keytrail_rules::model::Secret;

use super::run::{Again, Run, Step, Stop};
use super::values::{Form, holds};
use crate::failure::{Failure, Outcome};
use crate::job::Write;
use crate::store::{Store, Version};

/// The acts that leave a version, the latest first, and what the path then holds.
const ACTS: [(&str, Form); 6] = [
    ("restore", Form::Old),
    ("demote", Form::Accepting),
    ("retire", Form::Final),
    ("promote", Form::Promoted),
    ("accept", Form::Accepting),
    ("read", Form::Old),
];

/// A write of a path.
struct Change<'a> {
    store: &'a dyn Store,
    write: &'a Write,
    keys: Vec<String>,
    texts: BTreeMap<String, Secret>,
    /// What it may hold.
    from: &'a [Form],
    /// It may have been written without a reply.
    may_be_done: AtomicBool,
}

impl Run<'_> {
    /// The last version that is known of a path, and what it then held.
    pub(super) fn version(&self, write: &Write) -> Option<(Version, Form)> {
        let known = |(act, form): &(&str, Form)| Some((Version(self.fact(&format!("{act} {}", write.name()))?), *form));
        ACTS.iter().find_map(known)
    }

    /// Makes a path hold a form, if it holds one of `from`. `verb` is one of [`ACTS`].
    pub(super) async fn write(&self, at: usize, verb: &str, to: Form, from: &[Form]) -> Step<()> {
        let write = &self.job.writes[at];
        let act = format!("{verb} {}", write.name());
        if self.fact(&act).is_some() {
            return Ok(());
        }
        let store = self.parties.stores[at].as_ref();
        let was_written = to == Form::Old && self.version(write).is_some_and(|(_, form)| form != Form::Old);
        let begun = self.is_open(&act) || was_written || self.fact(&format!("begun {}", write.name())).is_some();
        let change = Change {
            store,
            write,
            keys: write.cells.iter().map(|cell| cell.key.clone()).collect(),
            texts: self.texts(write, to).map_err(Stop::Failed)?,
            from,
            may_be_done: AtomicBool::new(begun),
        };
        if !store.abilities().compares {
            self.say(&format!("{} has no compare-and-set: it is read directly before it is written", write.name()));
        }
        self.act(&act, Again::IfUnknown, || self.put(&change), |version| version.0.clone()).await.map(|_| ())
    }

    /// Looks, and writes if that is still to be done.
    async fn put(&self, change: &Change<'_>) -> Result<Version, Failure> {
        let Change { store, write, keys, texts, from, may_be_done } = change;
        let held = store.read(&self.context, &write.path, keys).await?;
        let known = self.version(write).map(|(version, _)| version);
        let is_at_known = known.is_none_or(|known| known == held.version);
        if store.abilities().reads {
            if holds(&held, texts) {
                return Ok(held.version);
            }
            let is_ours = from.iter().any(|form| self.texts(write, *form).is_ok_and(|texts| holds(&held, &texts)));
            if !is_ours || !(is_at_known || may_be_done.load(Relaxed)) {
                return Err(taken(write));
            }
        } else if !is_at_known && !may_be_done.load(Relaxed) {
            return Err(taken(write));
        }
        may_be_done.store(true, Relaxed);
        let values = texts.iter().map(|(key, text)| (key.clone(), text)).collect();
        match store.write(&self.context, &write.path, &values, &held.version).await {
            // A request that arrived twice loses against itself.
            Err(failure) if failure.outcome == Outcome::Conflict && store.abilities().reads => {
                let now = store.read(&self.context, &write.path, keys).await?;
                if holds(&now, texts) { Ok(now.version) } else { Err(taken(write)) }
            }
            written => written,
        }
    }

    /// Makes a path hold the old values again. One that somebody else has written stays as it is, which is written down.
    pub(super) async fn restore(&self, at: usize) -> Step<()> {
        let write = &self.job.writes[at];
        let left = format!("left {}", write.name());
        if self.fact(&left).is_some() {
            return Ok(());
        }
        let is_untouched = self.version(write).is_none_or(|(_, form)| form == Form::Old)
            && self.fact(&format!("begun {}", write.name())).is_none();
        if is_untouched && !self.parties.stores[at].abilities().reads {
            return Ok(());
        }
        match self.write(at, "restore", Form::Old, &[Form::Accepting, Form::Promoted, Form::Final]).await {
            Err(Stop::Failed(failure)) if failure.outcome == Outcome::Conflict => {
                self.say(&format!("{failure}: it is left as it is"));
                self.remember(&left, failure.what).await
            }
            done => done,
        }
    }

    /// Makes a path hold the old values again while the new one is still accepted, if it holds new ones.
    pub(super) async fn demote(&self, at: usize) -> Step<()> {
        if !self.stand(at).await?.iter().any(|form| form.is_new()) {
            return Ok(());
        }
        match self.write(at, "demote", Form::Accepting, &[Form::Promoted, Form::Final]).await {
            // It is left alone by `restore`, which finds the same.
            Err(Stop::Failed(failure)) if failure.outcome == Outcome::Conflict => Ok(()),
            done => done,
        }
    }

    /// What a path holds: one of several forms where they are the same; none where somebody else has written it.
    pub(super) async fn stand(&self, at: usize) -> Step<Vec<Form>> {
        let (write, store) = (&self.job.writes[at], self.parties.stores[at].as_ref());
        let keys: Vec<String> = write.cells.iter().map(|cell| cell.key.clone()).collect();
        let mut read = || store.read(&self.context, &write.path, &keys);
        let held = self.try_often(Again::Always, &mut read).await?;
        if store.abilities().reads {
            return Ok(self.forms(write, &held));
        }
        let is_begun = ACTS.iter().any(|(act, _)| self.is_open(&format!("{act} {}", write.name())))
            || self.fact(&format!("begun {}", write.name())).is_some();
        Ok(match self.version(write) {
            Some((version, form)) if version == held.version => vec![form],
            Some(_) if !is_begun => vec![],
            _ => Form::ALL.to_vec(),
        })
    }
}

fn taken(write: &Write) -> Failure {
    Failure::conflict(format!("{} was written by somebody else in the meantime", write.name()))
        .hint("find out from the store's audit log who wrote it; nothing was overwritten")
}
