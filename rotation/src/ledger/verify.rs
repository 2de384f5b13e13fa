//! Reads a ledger again, and says which row is the first that is wrong.

use std::collections::BTreeMap;

use super::note::{NoteError, Verifier};
use super::tree::{Frontier, Hash, leaf_hash};
use super::{Entry, Status};

/// What a ledger holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    /// The text of each row, and the hash that was kept beside it, where one was.
    pub rows: Vec<(String, Option<Hash>)>,
    /// The checkpoints, by the number of rows that they are said to be of.
    pub checkpoints: BTreeMap<u64, String>,
    /// How many rows were counted when they were written.
    pub counted: u64,
}

/// What is wrong with a ledger.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LedgerError {
    /// A row is none, or not as a ledger writes it.
    #[error("row {seq} of the ledger cannot be read: {why}")]
    Unreadable {
        /// The row.
        seq: u64,
        /// Why.
        why: &'static str,
    },
    /// The text of a row is not that of which the hash was kept.
    #[error("row {seq} of the ledger was changed: its hash is another one")]
    Changed {
        /// The row.
        seq: u64,
    },
    /// The row that follows names another one before it.
    #[error("row {seq} of the ledger is not the one that the row after it follows")]
    Unchained {
        /// The row.
        seq: u64,
    },
    /// Rows are missing, or stand in another order.
    #[error("row {seq} of the ledger is missing: row {found} stands in its place")]
    Missing {
        /// The row.
        seq: u64,
        /// The one in its place.
        found: u64,
    },
    /// A run has two first or two last rows, or a last one without a first.
    #[error("row {seq} of the ledger cannot be: run {run} {why}")]
    OutOfTurn {
        /// The row.
        seq: u64,
        /// The run.
        run: String,
        /// Why.
        why: &'static str,
    },
    /// A checkpoint is not to be trusted.
    #[error("the checkpoint of {size} rows cannot be trusted: {error}")]
    Checkpoint {
        /// How many rows it says there are.
        size: u64,
        /// Why.
        error: NoteError,
    },
    /// Rows are gone from the end.
    #[error("row {rows} of the ledger is missing: it had {written} rows")]
    Truncated {
        /// How many there are.
        rows: u64,
        /// How many were written.
        written: u64,
    },
    /// The rows are others than those that were signed.
    #[error("the first {size} rows of the ledger are not those that were signed: one of rows {from} to {last} was changed", last = size - 1)]
    Unsigned {
        /// How many were signed.
        size: u64,
        /// The first that no earlier checkpoint proves.
        from: u64,
    },
}

impl LedgerError {
    /// The first row that is wrong, so far as it is known.
    pub fn row(&self) -> u64 {
        match self {
            Self::Unreadable { seq, .. }
            | Self::Changed { seq }
            | Self::Unchained { seq }
            | Self::Missing { seq, .. }
            | Self::OutOfTurn { seq, .. } => *seq,
            Self::Checkpoint { size, .. } => size.saturating_sub(1),
            Self::Truncated { rows, .. } => *rows,
            Self::Unsigned { from, .. } => *from,
        }
    }
}

/// Reads a ledger row by row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    frontier: Frontier,
    last: Hash,
    /// How many rows the last checkpoint proves.
    signed: u64,
    /// Whether each run has ended.
    runs: BTreeMap<String, bool>,
}

impl Default for Audit {
    fn default() -> Self {
        Self { frontier: Frontier::default(), last: Hash::ZERO, signed: 0, runs: BTreeMap::new() }
    }
}

impl Audit {
    /// Takes the next row, and its hash where that was kept beside it.
    ///
    /// # Errors
    /// What is wrong with the row, or with the one before. Do not go on then.
    pub fn row(&mut self, text: &str, kept: Option<Hash>) -> Result<Entry, LedgerError> {
        let seq = self.frontier.size();
        let hash = leaf_hash(text.as_bytes());
        if kept.is_some_and(|kept| kept != hash) {
            return Err(LedgerError::Changed { seq });
        }
        let entry = Entry::parse(text).map_err(|why| LedgerError::Unreadable { seq, why })?;
        if entry.seq != seq {
            return Err(LedgerError::Missing { seq, found: entry.seq });
        }
        if entry.prev != self.last {
            return Err(LedgerError::Unchained { seq: seq.saturating_sub(1) });
        }
        let why = match (entry.row.status, self.runs.insert(entry.row.run.clone(), entry.row.status.is_last())) {
            (Status::Requested, None) => None,
            (Status::Requested, Some(_)) => Some("was requested before"),
            (_, Some(false)) => None,
            (_, Some(true)) => Some("has ended before"),
            (_, None) => Some("was never requested"),
        };
        if let Some(why) = why {
            return Err(LedgerError::OutOfTurn { seq, run: entry.row.run, why });
        }
        self.frontier.push(hash);
        self.last = hash;
        Ok(entry)
    }

    /// Takes a checkpoint of so many rows as were taken. One that none of the keys signed says nothing: whether there is
    /// one, [`Audit::signed`] tells.
    ///
    /// # Errors
    /// Its signature is wrong, or it is of other rows.
    pub fn checkpoint(&mut self, note: &str, verifiers: &[Verifier]) -> Result<(), LedgerError> {
        let size = self.size();
        let mut known = verifiers.iter().map(|verifier| verifier.checkpoint(note));
        let Some(checkpoint) = known.find(|read| *read != Err(NoteError::OtherKey)) else {
            return Ok(());
        };
        let checkpoint = checkpoint.map_err(|error| LedgerError::Checkpoint { size, error })?;
        if checkpoint.size > size {
            return Err(LedgerError::Truncated { rows: size, written: checkpoint.size });
        }
        if checkpoint.size < size || checkpoint.root != self.root() {
            return Err(LedgerError::Unsigned { size: checkpoint.size, from: self.signed });
        }
        self.signed = size;
        Ok(())
    }

    /// Takes the end: how many rows were counted when they were written, and the size of the last checkpoint.
    ///
    /// # Errors
    /// There were more.
    pub fn end(&self, counted: u64, signed: Option<u64>) -> Result<(), LedgerError> {
        let (rows, written) = (self.size(), counted.max(signed.unwrap_or(0)));
        if written > rows { Err(LedgerError::Truncated { rows, written }) } else { Ok(()) }
    }

    /// How many rows the last checkpoint proves; 0 where there was none.
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// How many rows were taken.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The hash of their tree.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The hash of the last one.
    pub fn last(&self) -> Hash {
        self.last
    }
}

/// Checks a whole ledger. Gives its rows, and how many of them a checkpoint proves that one of the keys signed.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(ledger: &Ledger, verifiers: &[Verifier]) -> Result<(Vec<Entry>, u64), LedgerError> {
    let mut audit = Audit::default();
    let mut entries = Vec::with_capacity(ledger.rows.len());
    for (text, hash) in &ledger.rows {
        entries.push(audit.row(text, *hash)?);
        if let Some(note) = ledger.checkpoints.get(&audit.size()) {
            audit.checkpoint(note, verifiers)?;
        }
    }
    audit.end(ledger.counted, ledger.checkpoints.keys().next_back().copied())?;
    Ok((entries, audit.signed()))
}

#[cfg(test)]
mod tests;
