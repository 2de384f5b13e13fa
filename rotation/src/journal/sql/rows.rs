//! The ledger in the database.

use super::read;
use super::transaction::{Transaction, failed};
use crate::failure::Failure;
use crate::ledger::tree::{Frontier, Hash, leaf_hash};
use crate::ledger::{Entry, Row};

impl Transaction<'_, '_> {
    /// Appends a row.
    pub(super) async fn add_row(&mut self, row: &Row) -> Result<(), Failure> {
        const LAST: &str = "SELECT hash FROM keytrail_ledger WHERE number = $1";
        const ADD: &str = "INSERT INTO keytrail_ledger (number, run, part, entry, hash) VALUES ($1, $2, $3, $4, $5)";
        let number = self.count("ledger").await? - 1;
        let prev = match number {
            0 => Hash::ZERO,
            _ => {
                let last: Option<String> = sqlx::query_scalar(LAST)
                    .bind(number - 1)
                    .fetch_optional(&mut *self.sql)
                    .await
                    .map_err(|error| failed(&error))?;
                last.and_then(|last| last.parse().ok()).ok_or_else(|| tampered(number - 1))?
            }
        };
        let entry = Entry { seq: u64::try_from(number).unwrap_or_default(), prev, row: row.clone() };
        let part = if row.status.is_last() { "last" } else { "first" };
        let add = sqlx::query(ADD).bind(number).bind(row.run.clone()).bind(part);
        let add = add.bind(entry.text()).bind(entry.hash().to_string());
        add.execute(&mut *self.sql).await.map(drop).map_err(|error| failed(&error))
    }

    /// Signs the ledger as it is now, where there is a key.
    pub(super) async fn add_checkpoint(&mut self) -> Result<(), Failure> {
        const LAST: &str = "SELECT size, frontier, note FROM keytrail_ledger_checkpoints ORDER BY size DESC LIMIT 1";
        const ADD: &str = "INSERT INTO keytrail_ledger_checkpoints (size, frontier, note) VALUES ($1, $2, $3)";
        let Some(signer) = &self.journal.signer else {
            return Ok(());
        };
        let last: Option<(i64, String, String)> =
            sqlx::query_as(LAST).fetch_optional(&mut *self.sql).await.map_err(|error| failed(&error))?;
        let mut frontier = Frontier::default();
        if let Some((size, kept, note)) = last {
            let size = u64::try_from(size).unwrap_or_default();
            frontier = parse(size, &kept).ok_or_else(|| tampered_checkpoint(size))?;
            // One that another key signed was signed by another machine, or before the key was lost.
            if let Ok(checkpoint) = signer.verifier().checkpoint(&note)
                && (checkpoint.size, checkpoint.root) != (size, frontier.root())
            {
                return Err(tampered_checkpoint(size));
            }
        }
        for (text, hash) in read::rows(&mut self.sql, frontier.size(), u64::MAX).await? {
            let seq = frontier.size();
            let found = leaf_hash(text.as_bytes());
            if hash != Some(found) || Entry::parse(&text).map(|entry| entry.seq) != Ok(seq) {
                return Err(tampered(i64::try_from(seq).unwrap_or(i64::MAX)));
            }
            frontier.push(found);
        }
        let size = i64::try_from(frontier.size()).unwrap_or(i64::MAX);
        let note = signer.checkpoint(frontier.size(), frontier.root());
        let add = sqlx::query(ADD).bind(size).bind(write(&frontier)).bind(note);
        add.execute(&mut *self.sql).await.map(drop).map_err(|error| failed(&error))
    }

    /// See [`SqlJournal::set_sent`](super::SqlJournal::set_sent).
    pub(super) async fn set_sent(&mut self, sink: &str, size: u64) -> Result<(), Failure> {
        const SET: &str = "INSERT INTO keytrail_ledger_sent AS old (sink, size) VALUES ($1, $2) \
             ON CONFLICT (sink) DO UPDATE SET size = CASE WHEN excluded.size > old.size THEN excluded.size \
             ELSE old.size END";
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let set = sqlx::query(SET).bind(sink.to_owned()).bind(size);
        set.execute(&mut *self.sql).await.map(drop).map_err(|error| failed(&error))
    }
}

fn tampered(row: i64) -> Failure {
    Failure::not_done(format!("row {row} of the ledger is missing or was changed"))
        .hint("run `keytrail scan` for what is wrong, and restore the state database from a backup")
}

fn tampered_checkpoint(size: u64) -> Failure {
    Failure::not_done(format!("the checkpoint of {size} rows of the ledger was changed"))
        .hint("run `keytrail scan` for what is wrong, and restore the state database from a backup")
}

fn write(frontier: &Frontier) -> String {
    frontier.peaks().iter().map(Hash::to_string).collect::<Vec<_>>().join(" ")
}

fn parse(size: u64, text: &str) -> Option<Frontier> {
    let peaks = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    Frontier::of(size, peaks)
}
