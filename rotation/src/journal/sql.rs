//! The journal in the state database: SQLite or PostgreSQL, with the same SQL.
//!
//! # Guarantees
//! 1. Every call is one transaction: in SQLite one that locks the file from its start, in PostgreSQL one that locks the
//!    leases, then the run, then the counter of the ledger, so that no two wait for each other.
//! 2. Every write compares the state of the run and the fencing token of each of its items within that transaction.
//! 3. Rows of notes, fingerprints, the ledger and its checkpoints are added and never changed; the database itself
//!    refuses to.
//! 4. A new checkpoint is computed from the last signed one and the rows since, so that it never signs an older row that
//!    was changed.
//!
//! # Assumptions
//! 1. The connection commits durably: SQLite with `synchronous = FULL`, PostgreSQL with `fsync` and
//!    `synchronous_commit` on, which are the defaults of both.
//! 2. Whether a lease has run out is judged by the clock of the PostgreSQL server, which all share; for SQLite by that of
//!    this machine. One that is set forward lets a live holder be taken over, who is then refused by his token; one that is
//!    set back lets a dead holder's lease last so much longer. Tokens hang on no clock.

mod begin_end;
mod leases;
pub mod read;
mod rows;
mod runs;
mod transaction;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use keytrail_rules::model::Time;
use sqlx::AnyConnection;
use sqlx::Connection;
use tokio::sync::Mutex;

use super::seal::SealKey;
use super::{Journal, Lease, Note, Saved, Which};
use crate::context::Act;
use crate::credential::Credential;
use crate::failure::Failure;
use crate::job::Job;
use crate::ledger::note::Signer;
use crate::ledger::verify::Ledger;
use crate::ledger::{Entry, Row};
use crate::state::State;
use transaction::Transaction;

/// The tables, for the history of the schema.
pub const SCHEMA: &str = include_str!("sql/schema.sql");

/// The limit for any one call as a whole.
const LIMIT: Duration = Duration::from_secs(60);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Does some work in one transaction.
macro_rules! in_transaction {
    ($journal:expr, $transaction:ident.$work:ident($($argument:expr),*)) => {
        async move {
            let mut connection = $journal.connection.lock().await;
            let work = async {
                let mut $transaction = Transaction::begin(&mut connection, $journal).await?;
                let done = $transaction.$work($($argument),*).await;
                $transaction.end(done).await
            };
            within(work.boxed()).await
        }
        .boxed()
    };
}

/// The journal in a database.
pub struct SqlJournal {
    connection: Mutex<AnyConnection>,
    key: SealKey,
    signer: Option<Signer>,
    now: Clock,
}

impl fmt::Debug for SqlJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlJournal").field("key", &self.key).field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl SqlJournal {
    /// A journal over a connection to a database that has the tables of [`SCHEMA`].
    pub fn new(connection: AnyConnection, key: SealKey, now: Clock) -> Self {
        Self { connection: Mutex::new(connection), key, signer: None, now }
    }

    /// The same, with checkpoints of its ledger signed whenever a run ends.
    #[must_use]
    pub fn signed_by(mut self, signer: Signer) -> Self {
        self.signer = Some(signer);
        self
    }

    /// What is to be done once before the first write: the triggers that keep rows from being changed are made where they
    /// are not there, and a key under which kept values do not open is refused.
    ///
    /// # Errors
    /// Another key; a database that cannot be written.
    pub async fn prepare(&self) -> Result<(), Failure> {
        in_transaction!(self, transaction.prepare()).await
    }

    /// The rows of the ledger from the one of that number on, at most `limit` of them.
    ///
    /// # Errors
    /// A database that cannot be read; a row that is none.
    pub async fn entries(&self, from: u64, limit: u64) -> Result<Vec<Entry>, Failure> {
        let mut connection = self.connection.lock().await;
        let rows = within(read::rows(&mut connection, from, limit).boxed()).await?;
        let parse = |(text, _): &(String, _)| Entry::parse(text);
        rows.iter().map(parse).collect::<Result<_, _>>().map_err(|_| transaction::damaged())
    }

    /// Everything that the ledger holds.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn ledger(&self) -> Result<Ledger, Failure> {
        let mut connection = self.connection.lock().await;
        within(read::ledger(&mut connection).boxed()).await
    }

    /// How many rows a receiver of the ledger has taken.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn sent(&self, sink: &str) -> Result<u64, Failure> {
        let mut connection = self.connection.lock().await;
        within(read::sent(&mut connection, sink).boxed()).await
    }

    /// Writes down that a receiver of the ledger has taken so many rows; one that has taken more is left at that.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn set_sent(&self, sink: &str, size: u64) -> Result<(), Failure> {
        in_transaction!(self, transaction.set_sent(sink, size)).await
    }

    /// Closes the connection in order.
    ///
    /// # Errors
    /// A database that cannot be reached any more.
    pub async fn close(self) -> Result<(), Failure> {
        self.connection.into_inner().close().await.map_err(|error| transaction::failed(&error))
    }
}

async fn within<T>(work: Act<'_, T>) -> Result<T, Failure> {
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| {
        let what = format!("the state database gave no answer within {} s", LIMIT.as_secs());
        Err(Failure::unknown(what).hint("check the database, and resume the rotation"))
    })
}

impl Journal for SqlJournal {
    fn take<'a>(&'a self, items: &'a [String], holder: &'a str, time: Duration) -> Act<'a, Lease> {
        in_transaction!(self, transaction.take(items, holder, time))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, time: Duration) -> Act<'a, ()> {
        in_transaction!(self, transaction.renew(lease, time))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Act<'a, ()> {
        in_transaction!(self, transaction.release(lease))
    }

    fn begin<'a>(&'a self, lease: &'a Lease, job: &'a Job, row: &'a Row) -> Act<'a, ()> {
        in_transaction!(self, transaction.begin_run(lease, job, row))
    }

    fn unfinished(&self) -> Act<'_, Vec<Saved>> {
        async {
            let mut connection = self.connection.lock().await;
            within(read::unfinished(&mut connection).boxed()).await
        }
        .boxed()
    }

    fn load<'a>(&'a self, run: &'a str) -> Act<'a, Option<Saved>> {
        async move {
            let mut connection = self.connection.lock().await;
            within(read::run(&mut connection, run).boxed()).await
        }
        .boxed()
    }

    fn advance<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State) -> Act<'a, ()> {
        in_transaction!(self, transaction.advance(lease, run, from, to))
    }

    fn note<'a>(&'a self, lease: &'a Lease, run: &'a str, note: &'a Note) -> Act<'a, ()> {
        in_transaction!(self, transaction.note(lease, run, note))
    }

    fn keep<'a>(
        &'a self,
        lease: &'a Lease,
        run: &'a str,
        item: &'a str,
        which: Which,
        credential: &'a Credential,
    ) -> Act<'a, ()> {
        in_transaction!(self, transaction.keep(lease, run, item, which, credential))
    }

    fn kept<'a>(&'a self, run: &'a str, item: &'a str, which: Which) -> Act<'a, Option<Credential>> {
        async move {
            let mut connection = self.connection.lock().await;
            within(read::kept(&mut connection, &self.key, run, item, which).boxed()).await
        }
        .boxed()
    }

    fn is_earlier<'a>(&'a self, item: &'a str, credential: &'a Credential) -> Act<'a, bool> {
        async move {
            let mut connection = self.connection.lock().await;
            within(read::is_earlier(&mut connection, &self.key, item, credential).boxed()).await
        }
        .boxed()
    }

    fn finish<'a>(&'a self, lease: &'a Lease, run: &'a str, from: State, to: State, row: &'a Row) -> Act<'a, ()> {
        in_transaction!(self, transaction.finish_run(lease, run, from, to, row))
    }
}

#[cfg(test)]
pub(crate) mod tests;
