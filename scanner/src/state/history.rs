//! What scans found one after the other.
//!
//! # Guarantees
//! 1. A scan is recorded whole or not at all, in one transaction that no other scan of the database overlaps.
//! 2. Scans follow one another: one that is not later than the last of its estate adds nothing and changes nothing. So a
//!    scan that is recorded twice, or two of one instant, give the rows of one.
//! 3. What a scan did not look at is not gone: not with gaps, not with a part that did not run, not with a rule that was
//!    switched off.
//! 4. Nothing is dropped. What does not change adds no row, and a scan alone one of some 300 bytes.

mod read;
mod write;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::FutureExt;
use keytrail_rules::history::{Changes, Found, Looked, Point, Scan, Span, compare, next_span, trends};
use keytrail_rules::model::Time;
use keytrail_rules::report::Report;
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Connection};

use super::{Database, Mode, State, StateError, kept, within};
use crate::config::StateConfig;
use crate::repository;

/// The step of the schema that made the tables.
const SCHEMA: i64 = 6;

/// What scans before an instant found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Past {
    /// The scans, the oldest first.
    pub scans: Vec<Scan>,
    /// What was there after the last of them.
    pub found: Found,
    /// Fingerprints of findings that were gone at some time.
    pub gone: BTreeSet<String>,
    /// What was known of each secret, the oldest first, by id.
    pub secrets: BTreeMap<String, Vec<Span>>,
    /// The newest scan of all, for one that was not recorded because it is older.
    pub later: Option<Time>,
}

impl Past {
    /// Fills in what is different from the scan before, and the trends over the scans that looked at the same parts.
    /// Without an earlier scan there is neither.
    pub fn tell(mut self, report: &mut Report) {
        report.changes = self.changes(report);
        let now = Scan::of(report, None);
        let alike = self.scans.iter().filter(|scan| scan.facets == now.facets);
        let mut points: Vec<Point> = alike.map(Scan::point).collect();
        if points.is_empty() {
            return;
        }
        points.push(now.point());
        for (item, span) in self.next_spans(report) {
            self.secrets.entry(item).or_default().push(span);
        }
        report.trends = Some(trends(points, self.secrets.values().map(Vec::as_slice)));
    }

    fn changes(&self, report: &Report) -> Option<Changes> {
        let last = self.scans.last()?;
        let mut now = Found::of(report);
        now.items = now.items.into_iter().map(|(id, status)| (kept(&id), status)).collect();
        let mut changes = compare(&self.found, &now, &Looked::of(report), &|id| self.gone.contains(id));
        changes.since = last.as_of;
        Some(changes)
    }

    /// What a report adds to what was known of the secrets.
    fn next_spans(&self, report: &Report) -> Vec<(String, Span)> {
        let looked = Looked::of(report);
        let items: BTreeMap<String, _> = report.items.iter().map(|item| (kept(item.id.as_str()), item)).collect();
        let ids: BTreeSet<&String> = items.keys().chain(self.secrets.keys()).collect();
        let next = |id: &String| {
            let last = self.secrets.get(id).and_then(|spans| spans.last());
            Some((id.clone(), next_span(last, items.get(id).copied(), &looked, report.as_of)?))
        };
        ids.into_iter().filter_map(next).collect()
    }
}

/// The name of what is scanned, where several estates share a database: that of the config; else, on a server, the names of
/// the repository's folder and of the scanned one in it. An SQLite file has one estate unless the config names more.
pub fn estate(config: &StateConfig, root: &Path) -> String {
    /// More would not fit into an index of PostgreSQL.
    const LONGEST: usize = 200;
    let is_server = config.url.as_deref().is_some_and(|url| !url.starts_with("sqlite:"));
    let name = match &config.estate {
        Some(name) => name.clone(),
        None if is_server => repository::name(root),
        None => String::new(),
    };
    if name.len() > LONGEST { digest(&name) } else { kept(&name) }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl State {
    /// What the scans of an estate before an instant found; nothing where the schema is older.
    ///
    /// # Errors
    /// A database that cannot be read, that holds what no Keytrail writes, or that changed under a reader who may not lock
    /// it.
    pub async fn past(&self, estate: &str, as_of: Time) -> Result<Past, StateError> {
        let reading = async {
            let mut connection = self.connection.lock().await;
            // What is only read is not brought up to date.
            if self.mode == Mode::ReadOnly && self.database.check_schema(&mut connection).await? < SCHEMA {
                return Ok(Past::default());
            }
            // One state of the tables, whoever writes meanwhile.
            let begin = match self.database {
                Database::Sqlite(_) => connection.begin().await,
                Database::Postgres(_) => connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await,
            };
            let mut transaction = begin.map_err(|error| self.database.error(&error))?;
            self.read_past(&mut transaction, estate, as_of).await
        };
        let past = within(&self.database, self.limits, reading.boxed()).await?;
        if self.stamp.as_ref().is_some_and(|before| self.database.has_changed(before)) {
            return Err(StateError::Locked(self.database.name()));
        }
        Ok(past)
    }

    /// Every scan of an estate, the oldest first.
    ///
    /// # Errors
    /// Those of [`State::past`].
    pub async fn scans(&self, estate: &str) -> Result<Vec<Scan>, StateError> {
        Ok(self.past(estate, Time::MAX_UTC).await?.scans)
    }

    /// Records what a report found, and returns what the scans before it found. A report that is not later than the last
    /// scan of its estate is not recorded.
    ///
    /// # Errors
    /// A database that cannot be written; then nothing is added.
    pub async fn record_scan(&self, estate: &str, report: &Report) -> Result<Past, StateError> {
        if self.mode == Mode::ReadOnly {
            return Err(StateError::ReadOnly(self.database.name()));
        }
        let recording = async {
            let failed = |error: sqlx::Error| self.database.error(&error);
            let mut connection = self.connection.lock().await;
            self.database.guard_waiting(&mut connection, self.limits).await?;
            let begin = match self.database {
                Database::Sqlite(_) => connection.begin_with("BEGIN IMMEDIATE").await,
                Database::Postgres(_) => connection.begin().await,
            };
            let mut transaction = begin.map_err(failed)?;
            self.lock_scans(&mut transaction).await?;
            let mut past = self.read_past(&mut transaction, estate, report.as_of).await?;
            let newest = self.newest(&mut transaction, estate).await?;
            // What is kept is kept to the microsecond.
            match newest.map(|newest| newest.timestamp_micros().cmp(&report.as_of.timestamp_micros())) {
                Some(Ordering::Greater) => past.later = newest,
                Some(Ordering::Equal) => {}
                Some(Ordering::Less) | None => self.write_scan(&mut transaction, estate, report, &past).await?,
            }
            transaction.commit().await.map_err(failed)?;
            Ok(past)
        };
        within(&self.database, self.limits, recording.boxed()).await
    }

    /// Lets no other scan read and write before this one has written. SQLite is locked as a whole.
    async fn lock_scans(&self, connection: &mut AnyConnection) -> Result<(), StateError> {
        if let Database::Postgres(_) = self.database {
            let lock = sqlx::query("LOCK TABLE keytrail_scans IN SHARE ROW EXCLUSIVE MODE");
            lock.execute(connection).await.map_err(|error| self.database.error(&error))?;
        }
        Ok(())
    }
}
