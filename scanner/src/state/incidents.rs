//! Which incidents were filed, so that none is filed twice.

use chrono::DateTime;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::Time;
use sqlx::Arguments;
use sqlx::any::AnyArguments;

use super::{Mode, State, StateError, within};

/// How far an incident has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IncidentStatus {
    /// About to be filed; whether it was is not known yet.
    Intent,
    /// Filed.
    Filed,
    /// About to be resolved; whether it was is not known yet.
    Resolving,
    /// Resolved.
    Resolved,
}

impl IncidentStatus {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Intent, "intent"),
        (Self::Filed, "filed"),
        (Self::Resolving, "resolving"),
        (Self::Resolved, "resolved"),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, text)| text)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == text).map(|(status, _)| *status)
    }
}

/// One incident.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncidentRow {
    /// What was scanned, where several share a database; else empty.
    pub estate: String,
    /// The name of the `[[incident]]`.
    pub sink: String,
    /// The fingerprint of the finding.
    pub fingerprint: String,
    /// The rule of the finding.
    pub rule: String,
    /// The finding in a line, without any value.
    pub summary: String,
    /// How far it has come.
    pub status: IncidentStatus,
    /// How the receiver calls it.
    pub reference: Option<String>,
    /// How many times the finding came, this time included.
    pub occurrence: u64,
    /// When it was about to be filed.
    pub intent_at: Time,
    /// When it was filed.
    pub filed_at: Option<Time>,
    /// When it was resolved.
    pub resolved_at: Option<Time>,
    /// Until when the scan that changed it last may go on with it.
    pub leased_until: Time,
    /// How often it was changed.
    pub revision: i64,
}

/// Where the engine keeps what it files. A change is durable when it returns.
pub trait Ledger: Sync {
    /// Every incident of a sink.
    fn incidents<'a>(&'a self, estate: &'a str, sink: &'a str) -> BoxFuture<'a, Result<Vec<IncidentRow>, StateError>>;

    /// Adds one; `false` if there is one for the finding already.
    fn add<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>>;

    /// Replaces one whose revision is still that of `row`, and counts that up; `false` if another changed it.
    fn replace<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>>;

    /// Removes one whose revision is still that of `row`; `false` if another changed it.
    fn remove<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>>;
}

type Columns = (String, String, String, String, Option<String>, i64, i64, Option<i64>, Option<i64>, i64, i64);

const COLUMNS: &str = "fingerprint, rule, summary, status, reference, occurrence, intent_at, filed_at, resolved_at, \
                       leased_until, revision";

impl Ledger for State {
    fn incidents<'a>(&'a self, estate: &'a str, sink: &'a str) -> BoxFuture<'a, Result<Vec<IncidentRow>, StateError>> {
        let read = async move {
            let sql = format!(
                "SELECT {COLUMNS} FROM keytrail_incidents WHERE estate = $1 AND sink = $2 ORDER BY fingerprint"
            );
            let mut connection = self.connection.lock().await;
            let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(estate.to_owned()).bind(sink.to_owned());
            let rows: Vec<Columns> =
                query.fetch_all(&mut *connection).await.map_err(|error| self.database.error(&error))?;
            rows.into_iter().map(|columns| row(estate, sink, columns).ok_or_else(|| self.damaged())).collect()
        };
        within(&self.database, self.limits, read.boxed()).boxed()
    }

    fn add<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>> {
        let sql = format!(
            "INSERT INTO keytrail_incidents (estate, sink, {COLUMNS}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING"
        );
        self.change(sql, row, row.revision)
    }

    fn replace<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>> {
        const UPDATE: &str = "UPDATE keytrail_incidents SET rule = $4, summary = $5, status = $6, reference = $7, \
             occurrence = $8, intent_at = $9, filed_at = $10, resolved_at = $11, leased_until = $12, revision = $13 \
             WHERE estate = $1 AND sink = $2 AND fingerprint = $3 AND revision = $13 - 1";
        self.change(UPDATE.to_owned(), row, row.revision + 1)
    }

    fn remove<'a>(&'a self, row: &'a IncidentRow) -> BoxFuture<'a, Result<bool, StateError>> {
        const DELETE: &str = "DELETE FROM keytrail_incidents \
             WHERE estate = $1 AND sink = $2 AND fingerprint = $3 AND revision = $4";
        let mut arguments = AnyArguments::default();
        let bound = [&row.estate, &row.sink, &row.fingerprint]
            .into_iter()
            .try_for_each(|text| arguments.add(text.clone()))
            .and_then(|()| arguments.add(row.revision));
        self.execute(DELETE.to_owned(), arguments, bound)
    }
}

impl State {
    /// Runs a statement with every column of a row as a parameter.
    fn change<'a>(
        &'a self,
        sql: String,
        row: &'a IncidentRow,
        revision: i64,
    ) -> BoxFuture<'a, Result<bool, StateError>> {
        let mut arguments = AnyArguments::default();
        let mut bind = || {
            for text in [&row.estate, &row.sink, &row.fingerprint, &row.rule, &row.summary] {
                arguments.add(text.clone())?;
            }
            arguments.add(row.status.as_str().to_owned())?;
            arguments.add(row.reference.clone())?;
            arguments.add(i64::try_from(row.occurrence).unwrap_or(i64::MAX))?;
            arguments.add(row.intent_at.timestamp_micros())?;
            arguments.add(row.filed_at.map(|at| at.timestamp_micros()))?;
            arguments.add(row.resolved_at.map(|at| at.timestamp_micros()))?;
            arguments.add(row.leased_until.timestamp_micros())?;
            arguments.add(revision)
        };
        let bound = bind();
        self.execute(sql, arguments, bound)
    }

    /// Whether a statement changed a row. It is one transaction, as every statement alone is.
    fn execute(
        &self,
        sql: String,
        arguments: AnyArguments,
        bound: Result<(), sqlx::error::BoxDynError>,
    ) -> BoxFuture<'_, Result<bool, StateError>> {
        let run = async move {
            if self.mode == Mode::ReadOnly {
                return Err(StateError::ReadOnly(self.database.name()));
            }
            let failed = |error: sqlx::Error| self.database.error(&error);
            bound.map_err(|error| failed(sqlx::Error::Encode(error)))?;
            let mut connection = self.connection.lock().await;
            let query = sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments);
            let done = query.execute(&mut *connection).await.map_err(failed)?;
            Ok(done.rows_affected() == 1)
        };
        within(&self.database, self.limits, run.boxed()).boxed()
    }
}

fn row(estate: &str, sink: &str, columns: Columns) -> Option<IncidentRow> {
    let (fingerprint, rule, summary, status, reference, occurrence, intent_at, filed_at, resolved_at, lease, revision) =
        columns;
    let optional = |micros: Option<i64>| micros.map_or(Some(None), |at| DateTime::from_timestamp_micros(at).map(Some));
    Some(IncidentRow {
        estate: estate.to_owned(),
        sink: sink.to_owned(),
        fingerprint,
        rule,
        summary,
        status: IncidentStatus::parse(&status)?,
        reference,
        occurrence: u64::try_from(occurrence).ok()?,
        intent_at: DateTime::from_timestamp_micros(intent_at)?,
        filed_at: optional(filed_at)?,
        resolved_at: optional(resolved_at)?,
        leased_until: DateTime::from_timestamp_micros(lease)?,
        revision,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{IncidentRow, IncidentStatus, Ledger};
    use crate::config::StateConfig;
    use crate::state::{Mode, State};

    fn intent() -> IncidentRow {
        let time = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        IncidentRow {
            estate: String::new(),
            sink: "issues".into(),
            fingerprint: "f".repeat(64),
            rule: "no-owner".into(),
            summary: "Nobody owns DB_PASSWORD.".into(),
            status: IncidentStatus::Intent,
            reference: None,
            occurrence: 1,
            intent_at: time(1_000),
            filed_at: None,
            resolved_at: None,
            leased_until: time(1_900),
            revision: 0,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_scans_one_has_the_incident() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = StateConfig::default();
        let open = async || State::open(&config, folder.path(), Mode::ReadWrite).await.expect("a state").expect("one");
        let (one, other) = (open().await, open().await);
        let row = intent();
        assert!(one.add(&row).await.expect("added"));
        assert!(!other.add(&row).await.expect("not added"), "one for a finding");
        assert_eq!(other.incidents("", "issues").await.expect("rows"), std::slice::from_ref(&row));
        assert_eq!(other.incidents("", "pager").await.expect("rows"), []);
        assert_eq!(other.incidents("shop", "issues").await.expect("rows"), []);

        let filed = IncidentRow {
            status: IncidentStatus::Filed,
            reference: Some("o/r#1".into()),
            filed_at: Some(row.intent_at),
            ..row.clone()
        };
        assert!(one.replace(&filed).await.expect("replaced"));
        assert!(!other.replace(&row).await.expect("not replaced"), "another changed it");
        assert!(!other.remove(&row).await.expect("not removed"), "another changed it");
        let rows = other.incidents("", "issues").await.expect("rows");
        assert_eq!(rows, [IncidentRow { revision: 1, ..filed }]);
        assert!(other.remove(&rows[0]).await.expect("removed"));
        assert_eq!(one.incidents("", "issues").await.expect("rows"), []);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_files_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = StateConfig::default();
        State::open(&config, folder.path(), Mode::ReadWrite).await.expect("a state");
        let state = State::open(&config, folder.path(), Mode::ReadOnly).await.expect("a state").expect("one");
        assert!(state.add(&intent()).await.is_err());
        assert_eq!(state.incidents("", "issues").await.expect("rows"), []);
    }
}
