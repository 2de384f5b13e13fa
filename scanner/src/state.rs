//! What Keytrail keeps between scans: which values it saw where, and when, how it judged rotations, and what
//! scans found. SQLite in `.keytrail/` of the scanned folder, or Postgres by URL; the SQL is the same.
//!
//! # Guarantees
//! Only fingerprints are kept, never a value. A record is whole or not there at all, whatever is killed and whenever;
//! records of any scans in any order, and more than once, give the same rows. Only what scans found is kept in their
//! order: see `history`.

mod database;
mod error;
mod fingerprint_key;
mod history;
mod incidents;
mod private;
mod rotations;
mod searched;
#[cfg(test)]
mod tests;
mod verdicts;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::Path;

use chrono::DateTime;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{Fingerprint, Place, Sighting, Time};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tokio::sync::Mutex;

use crate::config::StateConfig;
use database::{Database, Limits, Stamp};

pub use error::StateError;
pub use fingerprint_key::{KEY_VARIABLE, fingerprint_key};
pub use history::{Past, estate};
pub use incidents::{IncidentRow, IncidentStatus, Ledger};
pub use rotations::{SEAL_VARIABLE, ledger_key, ledger_verifier, seal_key};
pub use searched::SearchId;

/// Makes the folder of the state.
///
/// # Errors
/// It cannot be made, or is another user's.
pub(crate) fn make_folder(path: &Path) -> Result<(), StateError> {
    private::make_folder(path)
}

/// The folder of the state in the scanned folder.
pub const FOLDER: &str = ".keytrail";

/// Whether the state may be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Nothing is made and nothing changes.
    ReadOnly,
    /// What is not there is made, and an older schema brought up to date.
    ReadWrite,
}

/// A value that a scan sees in a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The place.
    pub place: Place,
    /// The value.
    pub fingerprint: Fingerprint,
    /// The version of the path, for a store that counts them.
    pub version: Option<u64>,
}

/// An open state database.
pub struct State {
    database: Database,
    connection: Mutex<AnyConnection>,
    mode: Mode,
    limits: Limits,
    /// For a file that was opened as one that does not change.
    stamp: Option<Stamp>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("database", &self.database.name()).field("mode", &self.mode).finish()
    }
}

type Row = (String, String, Option<i64>, i64, i64);

impl State {
    /// Opens the state of `root`. [`Mode::ReadOnly`] gives `None` where there is none yet.
    ///
    /// # Errors
    /// A database that cannot be reached, is not Keytrail's own, is newer than this Keytrail or is damaged; a folder or
    /// file that belongs to another user.
    pub async fn open(config: &StateConfig, root: &Path, mode: Mode) -> Result<Option<Self>, StateError> {
        Self::open_within(config, root, mode, Limits::USUAL).await
    }

    async fn open_within(
        config: &StateConfig,
        root: &Path,
        mode: Mode,
        limits: Limits,
    ) -> Result<Option<Self>, StateError> {
        let database = Database::of(config, root)?;
        if let (Database::Sqlite(path), Mode::ReadWrite) = (&database, mode) {
            database::prepare_file(path, config.url.is_none())?;
        }
        let connecting = database.connect(mode, limits).boxed();
        let connected = within(&database, limits, connecting).await?;
        Ok(connected.map(|(connection, stamp)| Self {
            connection: Mutex::new(connection),
            database,
            mode,
            limits,
            stamp,
        }))
    }

    /// What earlier scans saw under the fingerprint key of that id, by place, oldest first.
    ///
    /// # Errors
    /// A database that cannot be read, or that changed under a reader who may not lock it.
    pub async fn sightings(&self, key_id: &str) -> Result<BTreeMap<Place, Vec<Sighting>>, StateError> {
        const SELECT: &str =
            "SELECT place, fingerprint, version, first_seen, last_seen FROM keytrail_sightings WHERE key_id = $1";
        let rows: Vec<Row> = within(
            &self.database,
            self.limits,
            async {
                let mut connection = self.connection.lock().await;
                let query = sqlx::query_as(SELECT).bind(key_id.to_owned());
                query.fetch_all(&mut *connection).await.map_err(|error| self.database.error(&error))
            }
            .boxed(),
        )
        .await?;
        if self.stamp.as_ref().is_some_and(|before| self.database.has_changed(before)) {
            return Err(StateError::Locked(self.database.name()));
        }
        let mut sightings: BTreeMap<Place, Vec<Sighting>> = BTreeMap::new();
        for (place, fingerprint, version, first_seen, last_seen) in rows {
            let time = |micros| DateTime::from_timestamp_micros(micros).ok_or(self.damaged());
            sightings.entry(read_place(&place)).or_default().push(Sighting {
                first_seen: time(first_seen)?,
                last_seen: time(last_seen)?,
                fingerprint: Fingerprint::from_stored(fingerprint),
                version: version.and_then(|version| u64::try_from(version).ok()),
            });
        }
        // The order of the fields is the order of age.
        sightings.values_mut().for_each(|seen| seen.sort());
        Ok(sightings)
    }

    /// Refuses a state of which everything was seen under other keys than the one of that id.
    ///
    /// # Errors
    /// [`StateError::OtherKey`]; a database that cannot be read.
    pub async fn refuse_other_keys(&self, key_id: &str) -> Result<(), StateError> {
        const SELECT: &str = "SELECT place FROM keytrail_sightings WHERE key_id <> $1 LIMIT 1";
        let other: Option<(String,)> = within(
            &self.database,
            self.limits,
            async {
                let mut connection = self.connection.lock().await;
                let query = sqlx::query_as(SELECT).bind(key_id.to_owned());
                query.fetch_optional(&mut *connection).await.map_err(|error| self.database.error(&error))
            }
            .boxed(),
        )
        .await?;
        other.map_or(Ok(()), |_| Err(StateError::OtherKey(self.database.name())))
    }

    /// Adds what a scan sees as of an instant, in one transaction. Times are kept to the microsecond. A version larger
    /// than a database can count is kept as none.
    ///
    /// # Errors
    /// A database that cannot be written; then nothing is added.
    pub async fn record(&self, key_id: &str, as_of: Time, seen: &[Seen]) -> Result<(), StateError> {
        /// Rows of one statement, which may have 32,766 parameters in SQLite.
        const BATCH: usize = 500;
        if self.mode == Mode::ReadOnly {
            return Err(StateError::ReadOnly(self.database.name()));
        }
        // One row for a place and a value, in one order for all scans, so that two of them never wait for each other.
        let mut rows = BTreeMap::new();
        for seen in seen {
            let version = seen.version.and_then(|version| i64::try_from(version).ok());
            let kept: &mut Option<i64> = rows.entry((hash(&seen.place), &seen.fingerprint, &seen.place)).or_default();
            *kept = version.max(*kept);
        }
        let rows: Vec<_> = rows.into_iter().collect();
        within(
            &self.database,
            self.limits,
            async {
                let mut connection = self.connection.lock().await;
                let failed = |error: sqlx::Error| self.database.error(&error);
                // A transaction that begins with reading may not write later, once another has written.
                let begin = match self.database {
                    Database::Sqlite(_) => connection.begin_with("BEGIN IMMEDIATE").await,
                    Database::Postgres(_) => connection.begin().await,
                };
                let mut transaction = begin.map_err(failed)?;
                for batch in rows.chunks(BATCH) {
                    let mut query = sqlx::query(AssertSqlSafe(upsert(batch.len())))
                        .bind(key_id.to_owned())
                        .bind(as_of.timestamp_micros());
                    for ((hash, fingerprint, place), version) in batch {
                        query = query.bind(hash.clone()).bind(fingerprint.as_str().to_owned());
                        query = query.bind(write_place(place)).bind(*version);
                    }
                    query.execute(&mut *transaction).await.map_err(failed)?;
                }
                transaction.commit().await.map_err(failed)
            }
            .boxed(),
        )
        .await
    }

    /// Closes the database in order; one that is dropped is closed in the background, if the process lives on.
    ///
    /// # Errors
    /// A database that cannot be reached any more.
    pub async fn close(self) -> Result<(), StateError> {
        let closing = async { self.connection.into_inner().close().await.map_err(|error| self.database.error(&error)) };
        within(&self.database, self.limits, closing.boxed()).await
    }

    fn damaged(&self) -> StateError {
        StateError::Damaged(self.database.name())
    }
}

async fn within<T>(
    database: &Database,
    limits: Limits,
    operation: BoxFuture<'_, Result<T, StateError>>,
) -> Result<T, StateError> {
    tokio::time::timeout(limits.operation, operation)
        .await
        .unwrap_or_else(|_| Err(database.no_answer(limits.operation)))
}

/// Adds `rows` rows. Times widen, and the version is that of the last sighting; the greater of two at one instant. So
/// the outcome hangs neither on the order nor on the number of times that a row is added.
fn upsert(rows: usize) -> String {
    let mut sql = String::from(
        "INSERT INTO keytrail_sightings AS old \
         (key_id, first_seen, last_seen, place_sha256, fingerprint, place, version) VALUES ",
    );
    for row in 0..rows {
        let first = 3 + 4 * row;
        let comma = if row == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{comma}($1, $2, $2, ${first}, ${}, ${}, ${})", first + 1, first + 2, first + 3);
    }
    sql.push_str(
        " ON CONFLICT (key_id, place_sha256, fingerprint) DO UPDATE SET \
         version = CASE WHEN excluded.last_seen > old.last_seen OR (excluded.last_seen = old.last_seen \
             AND COALESCE(excluded.version, -1) > COALESCE(old.version, -1)) \
             THEN excluded.version ELSE old.version END, \
         first_seen = CASE WHEN excluded.first_seen < old.first_seen THEN excluded.first_seen ELSE old.first_seen END, \
         last_seen = CASE WHEN excluded.last_seen > old.last_seen THEN excluded.last_seen ELSE old.last_seen END",
    );
    sql
}

fn hash(place: &Place) -> String {
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(place.as_str().as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Text as both databases keep it: Postgres keeps no NUL, for which its picture stands.
fn kept(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

/// Postgres keeps no NUL. A place has `%` only before `23` and `25`, so `%00` is free to stand for it.
fn write_place(place: &Place) -> String {
    place.as_str().replace('\0', "%00")
}

fn read_place(text: &str) -> Place {
    Place::from_stored(text.replace("%00", "\0"))
}
