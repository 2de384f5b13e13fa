//! The table of who else is given the rows of the ledger. Each kind is one file of `sinks/`.
//!
//! # Guarantees
//! Every row is given to every receiver at least once, in order: how many a receiver has taken is written down behind
//! each, and the next delivery goes on there.
//!
//! # Assumptions
//! A receiver may be given a row twice, where a delivery was interrupted: each kind says how it tells.

use crate::context::{Act, Context};
use crate::failure::{Failure, Opened};
use crate::journal::sql::SqlJournal;
use crate::ledger::Entry;
use crate::settings::Settings;

/// A kind of receiver.
pub struct SinkKind {
    /// The `kind` of a `[[rotation.ledger]]`: `webhook`.
    pub name: &'static str,
    /// One line of what it does, for people.
    pub about: &'static str,
    /// Makes one of its table, without `kind` and `name`. Nothing is read or sent yet.
    pub open: fn(&Settings) -> Opened<dyn Sink>,
}

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every kind of receiver.
        pub static KINDS: &[&SinkKind] = &[$(&$name::KIND),*];
    };
}

table![jsonl, webhook, workload_runs_sql];

impl SinkKind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

/// Who is given the rows of the ledger.
pub trait Sink: Send + Sync {
    /// Gives it a row.
    fn take<'a>(&'a self, context: &'a Context, entry: &'a Entry) -> Act<'a, ()>;
}

/// Gives a receiver every row that it has not taken, and tells how many those were. What it has taken is known by `name`.
///
/// # Errors
/// The first row that it did not take, and why; the rows before it are taken.
pub async fn deliver(journal: &SqlJournal, context: &Context, name: &str, sink: &dyn Sink) -> Result<u64, Failure> {
    /// Rows that are read at once.
    const BATCH: u64 = 500;
    let first = journal.sent(name).await?;
    let mut next = first;
    loop {
        let entries = journal.entries(next, BATCH).await?;
        if entries.is_empty() {
            return Ok(next - first);
        }
        for entry in &entries {
            sink.take(context, entry).await?;
            next = entry.seq + 1;
            journal.set_sent(name, next).await?;
        }
    }
}

#[cfg(test)]
mod tests;
