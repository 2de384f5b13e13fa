//! How earlier scans judged the rotations that trails show, so that a verdict which changes is known to have changed.
//!
//! # Guarantees
//! A row is never changed and never removed. A record that comes late makes a new row, which supersedes the older ones.

use std::collections::BTreeMap;
use std::fmt::Write;

use futures::FutureExt;
use keytrail_rules::correlate::{Rotation, Verdict};
use keytrail_rules::model::Time;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use super::{Database, Mode, State, StateError, within};

/// The step of the schema that made the table.
const SCHEMA: i64 = 3;

/// The rows of one rotation.
#[derive(Default)]
struct Rows {
    /// The greatest number of all.
    last: i64,
    /// The newest of those that count: when it was judged, its number and how.
    newest: Option<(i64, i64, String)>,
}

impl State {
    /// The newest verdict that was recorded by an instant, by [`Rotation::id`].
    ///
    /// # Errors
    /// A database that cannot be read, that holds a verdict nobody gives, or that changed under a reader who may not lock
    /// it.
    pub async fn verdicts(&self, as_of: Time) -> Result<BTreeMap<String, Verdict>, StateError> {
        let rows = within(
            &self.database,
            self.limits,
            async {
                let mut connection = self.connection.lock().await;
                // What is only read is not brought up to date.
                if self.mode == Mode::ReadOnly && self.database.check_schema(&mut connection).await? < SCHEMA {
                    return Ok(BTreeMap::new());
                }
                self.rows(&mut connection, as_of).await
            }
            .boxed(),
        )
        .await?;
        if self.stamp.as_ref().is_some_and(|before| self.database.has_changed(before)) {
            return Err(StateError::Locked(self.database.name()));
        }
        let newest = rows.into_iter().filter_map(|(id, rows)| Some((id, rows.newest?.2)));
        newest.map(|(id, verdict)| Ok((id, read(&verdict).ok_or_else(|| self.damaged())?))).collect()
    }

    /// Adds how a scan judges rotations as of an instant, in one transaction: a row for each whose verdict is another one
    /// than that of the newest row by then.
    ///
    /// # Errors
    /// A database that cannot be written; then nothing is added.
    pub async fn record_verdicts(&self, rotations: &[Rotation], as_of: Time) -> Result<(), StateError> {
        /// Rows of one statement, which may have 32,766 parameters in SQLite.
        const BATCH: usize = 500;
        if self.mode == Mode::ReadOnly {
            return Err(StateError::ReadOnly(self.database.name()));
        }
        if rotations.is_empty() {
            return Ok(());
        }
        within(
            &self.database,
            self.limits,
            async {
                let failed = |error: sqlx::Error| self.database.error(&error);
                let mut connection = self.connection.lock().await;
                // A transaction that begins with reading may not write later, once another has written.
                let begin = match self.database {
                    Database::Sqlite(_) => connection.begin_with("BEGIN IMMEDIATE").await,
                    Database::Postgres(_) => connection.begin().await,
                };
                let mut transaction = begin.map_err(failed)?;
                let known = self.rows(&mut transaction, as_of).await?;
                // In one order for all scans, so that two of them never wait for each other.
                let changed: BTreeMap<&str, (i64, &Rotation)> = rotations
                    .iter()
                    .filter_map(|rotation| {
                        let rows = known.get(&rotation.id);
                        let verdict =
                            rows.and_then(|rows| rows.newest.as_ref()).map(|(_, _, verdict)| verdict.as_str());
                        let number = rows.map_or(1, |rows| rows.last.saturating_add(1));
                        (verdict != Some(rotation.verdict.as_str())).then_some((&*rotation.id, (number, rotation)))
                    })
                    .collect();
                let changed: Vec<_> = changed.into_values().collect();
                for batch in changed.chunks(BATCH) {
                    let mut query = sqlx::query(AssertSqlSafe(insert(batch.len()))).bind(as_of.timestamp_micros());
                    for (number, rotation) in batch {
                        // Postgres keeps no NUL.
                        let item = rotation.item.as_str().replace('\0', "%00");
                        query = query.bind(rotation.id.clone()).bind(*number).bind(item);
                        query = query.bind(rotation.verdict.as_str().to_owned());
                    }
                    query.execute(&mut *transaction).await.map_err(failed)?;
                }
                transaction.commit().await.map_err(failed)
            }
            .boxed(),
        )
        .await
    }

    async fn rows(&self, connection: &mut AnyConnection, as_of: Time) -> Result<BTreeMap<String, Rows>, StateError> {
        const SELECT: &str = "SELECT rotation_id, number, verdict, judged_at FROM keytrail_verdicts";
        let stored: Vec<(String, i64, String, i64)> =
            sqlx::query_as(SELECT).fetch_all(connection).await.map_err(|error| self.database.error(&error))?;
        let mut rows: BTreeMap<String, Rows> = BTreeMap::new();
        for (id, number, verdict, judged_at) in stored {
            let of_rotation = rows.entry(id).or_default();
            of_rotation.last = of_rotation.last.max(number);
            if judged_at <= as_of.timestamp_micros() {
                of_rotation.newest = of_rotation.newest.take().max(Some((judged_at, number, verdict)));
            }
        }
        Ok(rows)
    }
}

/// Adds `rows` rows. Of two scans that add the same number at once, one does; the other's next scan finds its own.
fn insert(rows: usize) -> String {
    let mut sql = String::from("INSERT INTO keytrail_verdicts (judged_at, rotation_id, number, item, verdict) VALUES ");
    for row in 0..rows {
        let first = 2 + 4 * row;
        let comma = if row == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}($1, ${first}, ${}, ${}, ${})", first + 1, first + 2, first + 3);
    }
    sql.push_str(" ON CONFLICT DO NOTHING");
    sql
}

fn read(verdict: &str) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|known| known.as_str() == verdict)
}
