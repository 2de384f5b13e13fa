//! What sessions did, held back until it is known whether it was done.
//!
//! A statement is logged before it is carried out, and a connection that was let in may be turned away at once. An
//! event is given when a later record of its session shows that nothing undid it, when nothing did for a while, or at
//! the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Time};

use super::super::{Draft, Out};

/// How long an error may come after the statement that it undoes: a role is locked by who changes it.
pub(super) const STATEMENT: TimeDelta = TimeDelta::seconds(60);

/// How long after a connection was let in it may be turned away.
pub(super) const CONNECTION: TimeDelta = TimeDelta::seconds(5);

/// No more sessions and events than this are held back; the oldest are given when there are more.
const MAX_HELD: usize = 50_000;

/// No more savepoints of one transaction than this are told apart.
const MAX_SAVEPOINTS: usize = 64;

/// An event that waits.
pub(super) struct Held {
    pub(super) draft: Draft,
    /// The virtual transaction; `None` where the format does not tell.
    pub(super) transaction: Option<String>,
    /// What tells its statement from others.
    pub(super) statement: u64,
    /// It came within a transaction whose end was not seen yet.
    pub(super) in_block: bool,
    /// The record of pgAudit that says the same.
    pub(super) audited: Option<Arc<str>>,
    number: u64,
}

/// One session.
#[derive(Default)]
pub(super) struct Session {
    /// Whether it was let in by a password, where the log says how.
    pub(super) by_password: Option<bool>,
    /// A transaction was begun; told by statements, for formats without transactions.
    pub(super) in_block: bool,
    /// An error came, and its statement may follow in a line of its own.
    pub(super) failed: bool,
    held: Vec<Held>,
    savepoints: Vec<(String, u64)>,
}

/// All sessions that something is held of.
#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<String, Session>,
    /// When to look at which; at least once for each that is open, and for each event that is held.
    due: BTreeMap<(Time, u64), String>,
    next: u64,
}

impl Sessions {
    /// The session, made if need be, and forgotten when nothing is held of it after that wait.
    pub(super) fn at(&mut self, name: &str, now: Time, wait: TimeDelta) -> &mut Session {
        if !self.open.contains_key(name) {
            self.remind(name, now, wait);
        }
        self.open.entry(name.to_owned()).or_default()
    }

    pub(super) fn get(&mut self, name: &str) -> Option<&mut Session> {
        self.open.get_mut(name)
    }

    fn remind(&mut self, name: &str, now: Time, wait: TimeDelta) {
        self.next += 1;
        let due = now.checked_add_signed(wait).unwrap_or(now);
        self.due.insert((due, self.next), name.to_owned());
    }

    /// Holds an event back, unless it is held already: a copy of its record was read.
    pub(super) fn hold(&mut self, name: &str, now: Time, held: Held) {
        let wait = held.wait();
        let number = self.next;
        let session = self.at(name, now, wait);
        let same = |one: &Held| one.draft.id == held.draft.id && one.draft.target == held.draft.target;
        if session.held.iter().any(same) {
            return;
        }
        session.held.push(Held { number, ..held });
        self.remind(name, now, wait);
    }

    /// Gives the events of a session for which this holds.
    pub(super) fn settle(&mut self, name: &str, which: impl Fn(&Held) -> bool, out: &mut Out) {
        self.take(name, which, |held| {
            let mut draft = held.draft;
            if held.in_block {
                draft.details.push(("transaction", "its end is not in the log".to_owned()));
            }
            out.event(draft);
        });
    }

    /// Gives those of a committed transaction.
    pub(super) fn commit(&mut self, name: &str, which: impl Fn(&Held) -> bool, out: &mut Out) {
        self.take(name, which, |held| out.event(held.draft));
    }

    /// Gives those that were undone, as tries that failed.
    pub(super) fn fail(&mut self, name: &str, which: impl Fn(&Held) -> bool, out: &mut Out) {
        self.take(name, which, |held| out.event(Draft { outcome: Outcome::Failed, ..held.draft }));
    }

    /// Drops those that say nothing after all.
    pub(super) fn forget(&mut self, name: &str, which: impl Fn(&Held) -> bool) {
        self.take(name, which, |_| {});
    }

    fn take(&mut self, name: &str, which: impl Fn(&Held) -> bool, mut give: impl FnMut(Held)) {
        let Some(session) = self.open.get_mut(name) else { return };
        let (gone, kept): (Vec<Held>, Vec<Held>) = session.held.drain(..).partition(which);
        session.held = kept;
        gone.into_iter().for_each(&mut give);
    }

    /// Remembers a savepoint.
    pub(super) fn savepoint(&mut self, name: &str, now: Time, savepoint: String) {
        self.next += 1;
        let number = self.next;
        let session = self.at(name, now, STATEMENT);
        if session.savepoints.len() < MAX_SAVEPOINTS {
            session.savepoints.push((savepoint, number));
        }
    }

    /// Undoes what came after a savepoint; all, where it is not known.
    pub(super) fn roll_back_to(&mut self, name: &str, savepoint: &str, which: impl Fn(&Held) -> bool, out: &mut Out) {
        let known =
            |session: &Session| session.savepoints.iter().rfind(|(known, _)| known == savepoint).map(|one| one.1);
        let after = self.open.get(name).and_then(known).unwrap_or_default();
        self.fail(name, |held| which(held) && held.number >= after, out);
    }

    /// Ends a transaction.
    pub(super) fn end_block(&mut self, name: &str) {
        if let Some(session) = self.open.get_mut(name) {
            session.in_block = false;
            session.savepoints.clear();
        }
    }

    /// Ends a session: what it did stands.
    pub(super) fn close(&mut self, name: &str, out: &mut Out) {
        self.settle(name, |_| true, out);
        self.open.remove(name);
    }

    /// Gives what nothing undid for a while, and the oldest where too much is held.
    pub(super) fn expire(&mut self, now: Time, out: &mut Out) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let name = entry.remove();
            self.settle(
                &name,
                |held| held.draft.time.checked_add_signed(held.wait()).is_none_or(|due| due <= now),
                out,
            );
            if self.open.get(&name).is_some_and(|session| session.held.is_empty()) {
                self.open.remove(&name);
            }
        }
        while self.due.len() > MAX_HELD
            && let Some((_, name)) = self.due.pop_first()
        {
            self.close(&name, out);
        }
    }

    /// Gives all that is held.
    pub(super) fn end(&mut self, out: &mut Out) {
        while let Some((_, name)) = self.due.pop_first() {
            self.settle(&name, |_| true, out);
        }
    }
}

impl Session {
    /// Whether the change that pgAudit speaks of is held already; it is then known to pgAudit.
    pub(super) fn audit(&mut self, draft: &Draft, transaction: Option<&str>) -> bool {
        let same = |held: &&mut Held| {
            held.audited.as_ref().is_none_or(|id| *id == draft.id)
                && held.draft.target == draft.target
                && held.draft.kind == draft.kind
                && held.transaction.as_deref() == transaction
        };
        let found = self.held.iter_mut().find(same);
        found.map(|held| held.audited = Some(draft.id.clone())).is_some()
    }

    /// Adds what the line after it tells.
    pub(super) fn amend(&mut self, kind: EventKind, amend: impl Fn(&mut Draft)) {
        self.held.iter_mut().filter(|held| held.draft.kind == kind).for_each(|held| amend(&mut held.draft));
    }
}

impl Held {
    fn wait(&self) -> TimeDelta {
        if self.draft.kind == EventKind::Loaded { CONNECTION } else { STATEMENT }
    }

    /// An event that waits, of a statement or none.
    pub(super) fn new(draft: Draft, transaction: Option<&str>, statement: u64, in_block: bool) -> Self {
        let transaction = transaction.map(str::to_owned);
        Self { draft, transaction, statement, in_block, audited: None, number: 0 }
    }
}
