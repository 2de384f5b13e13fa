//! The ledger of workload runs in a database, PostgreSQL or SQLite: the query of the config gives its rows, with the
//! columns that [`super::workload_runs`] knows.
//!
//! The query runs in a transaction that can only read. Its rows are put in order by `seq`, or else by the time of the
//! request; where `seq` is consecutive, that proves that no row is missing.

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{Entry, Gap, Role};
use serde_json::Value;

use super::database::Database;
use super::records::Reading;
use super::workload_runs::{self, Columns};
use super::{Continue, Framing, Opening, Reads, TrailKind};

/// `workload-runs-sql`.
pub static KIND: TrailKind = TrailKind {
    name: "workload-runs-sql",
    role: Role::Ledger,
    delay: TimeDelta::zero(),
    watches: &[],
    requires: &["url", "query"],
    reads: Reads::Server(read),
};

fn read<'a>(opening: &'a Opening<'a>) -> BoxFuture<'a, (Vec<Entry>, Vec<Gap>)> {
    async move {
        match rows(opening).await {
            Ok((source, rows)) => entries(opening, &source, rows),
            Err(gap) => (Vec::new(), vec![gap]),
        }
    }
    .boxed()
}

async fn rows(opening: &Opening<'_>) -> Result<(String, Vec<Value>), Gap> {
    let database = Database::of(opening.config)?;
    let rows = database.rows(opening.config.query.as_deref().unwrap_or_default()).await?;
    Ok((database.name, rows))
}

/// What the rows of a ledger say. As bytes of the trail, they are one JSON text a line.
pub(super) fn entries(opening: &Opening<'_>, source: &str, mut rows: Vec<Value>) -> (Vec<Entry>, Vec<Gap>) {
    let Reads::Records { parser, .. } = &workload_runs::KIND.reads else {
        return Default::default();
    };
    let columns = Columns::new(opening.config);
    rows.sort_by_cached_key(|row| columns.row(row).ok().map(|row| (row.seq, row.requested_at)));
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let delay = workload_runs::KIND.delay(opening.config);
    let mut reading = Reading::new(opening, Framing::Lines, parser(opening), delay);
    let mut entries = Vec::new();
    let mut take = |entry| {
        entries.push(entry);
        Continue::Continue(())
    };
    let _ = reading.file(source, lines.as_bytes(), &mut take);
    let _ = reading.end(&mut take);
    (entries, reading.gaps)
}

#[cfg(test)]
mod tests;
