//! Databases that are not Keytrail's own: one transaction that reads, and what their errors mean.

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use futures::TryStreamExt;
use keytrail_rules::model::{Gap, GapReason};
use serde_json::{Map, Value};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Executor, Row, TypeInfo, ValueRef};

use super::TrailConfig;

/// How long a server may take to answer at all.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take for everything.
const WHOLE: Duration = Duration::from_secs(120);
/// The same for one statement, by the server's own clock.
const STATEMENT: &str = "SET LOCAL statement_timeout = '60s'";
/// So many rows are taken at most.
const MAX_ROWS: usize = 1_000_000;

/// A database.
pub(super) struct Database {
    /// The trail.
    trail: String,
    /// For reports: without user and password.
    pub(super) name: String,
    options: Options,
}

enum Options {
    Postgres(Box<PgConnectOptions>),
    Sqlite(PathBuf),
}

impl Database {
    /// The database at `url`, whose password may be in the variable `url_env`, or else the one at the URL in `url_env`.
    pub(super) fn of(config: &TrailConfig) -> Result<Self, Gap> {
        let variable = config.url_env.as_deref().map(|name| (name, env::var(name).ok()));
        Self::with(config, variable)
    }

    /// [`Database::of`], with what the variable holds.
    pub(super) fn with(config: &TrailConfig, variable: Option<(&str, Option<String>)>) -> Result<Self, Gap> {
        let gap = |reason, message: String, hint: &str| Err(Gap::new(&config.name, reason, message).hint(hint));
        if let Some((name, None)) = variable {
            let message = format!("the environment variable {name} is not set");
            return gap(GapReason::Unauthenticated, message, "set it where Keytrail runs");
        }
        let held = variable.and_then(|(_, value)| value);
        let (url, password) = match &config.url {
            Some(url) => (url.clone(), held),
            None => (held.unwrap_or_default(), None),
        };
        let trail = config.name.clone();
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains('?') || path.contains(":memory:") {
                let message = "sqlite: takes the path of a file".to_owned();
                return gap(GapReason::Malformed, message, "write url = \"sqlite:PATH\"");
            }
            let name = format!("sqlite:{path}");
            return Ok(Self { trail, name, options: Options::Sqlite(config.root.join(path)) });
        }
        // What the parser says may quote the URL.
        let parsed = url.starts_with("postgres").then(|| PgConnectOptions::from_str(&url).ok()).flatten();
        let Some(mut options) = parsed else {
            let message = "the URL of the database is not understood".to_owned();
            return gap(GapReason::Malformed, message, "write postgres://user@host/database or sqlite:PATH");
        };
        if let Some(password) = password {
            options = options.password(&password);
        }
        let database = options.get_database().unwrap_or_default();
        let name = format!("postgres://{}:{}/{database}", options.get_host(), options.get_port());
        let options = options.application_name("keytrail").disable_statement_logging();
        Ok(Self { trail, name, options: Options::Postgres(Box::new(options)) })
    }

    /// What came of it within the time that there is.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, Gap>>) -> Result<T, Gap> {
        match tokio::time::timeout(WHOLE, work).await {
            Ok(done) => done,
            Err(_) => Err(self.silent(WHOLE)),
        }
    }

    /// The rows that a query gives, as JSON objects, whatever the types of their columns.
    pub(super) async fn rows(&self, query: &str) -> Result<Vec<Value>, Gap> {
        let query = query.trim().trim_end_matches(';');
        self.within(async {
            match &self.options {
                Options::Postgres(_) => self.postgres_rows(query).await,
                Options::Sqlite(path) => self.sqlite_rows(path, query).await,
            }
        })
        .await
    }

    /// A connection to a PostgreSQL server, in a transaction that can only read and that ends with the connection.
    pub(super) async fn read_only(&self) -> Result<PgConnection, Gap> {
        let Options::Postgres(options) = &self.options else {
            let gap = Gap::new(&self.trail, GapReason::Unsupported, "the database is no PostgreSQL server");
            return Err(gap.hint("write url = \"postgres://user@host/database\""));
        };
        let mut connection = match tokio::time::timeout(CONNECT, options.connect()).await {
            Ok(connected) => connected.map_err(|error| self.error(&error))?,
            Err(_) => return Err(self.silent(CONNECT)),
        };
        for statement in ["BEGIN TRANSACTION READ ONLY", STATEMENT, "SET LOCAL TimeZone = 'UTC'"] {
            connection.execute(statement).await.map_err(|error| self.error(&error))?;
        }
        Ok(connection)
    }

    async fn postgres_rows(&self, query: &str) -> Result<Vec<Value>, Gap> {
        // The line end closes a comment at the end of the query.
        let query = format!("SELECT row_to_json(keytrail_row)::text FROM (\n{query}\n) AS keytrail_row");
        let mut connection = self.read_only().await?;
        let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch(&mut connection);
        let mut found = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(|error| self.error(&error))? {
            found.push(serde_json::from_str(&row).unwrap_or_default());
            self.check_count(found.len())?;
        }
        Ok(found)
    }

    async fn sqlite_rows(&self, path: &Path, query: &str) -> Result<Vec<Value>, Gap> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false);
        let options = options.busy_timeout(CONNECT).disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| self.error(&error))?;
        let query = AssertSqlSafe(format!("SELECT * FROM (\n{query}\n)"));
        let mut found = Vec::new();
        let mut rows = sqlx::query(query).fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(|error| self.error(&error))? {
            found.push(sqlite_object(&row));
            self.check_count(found.len())?;
        }
        Ok(found)
    }

    fn check_count(&self, rows: usize) -> Result<(), Gap> {
        if rows <= MAX_ROWS {
            return Ok(());
        }
        let gap = Gap::new(&self.trail, GapReason::TooLarge, format!("the query gives more than {MAX_ROWS} rows"));
        Err(gap.hint("let the query leave out what is long past"))
    }

    fn silent(&self, limit: Duration) -> Gap {
        let message = format!("{} does not answer within {} s", self.name, limit.as_secs());
        Gap::new(&self.trail, GapReason::TimedOut, message).hint("check the URL, and that the server runs")
    }

    /// What an error means, without what the server says where that may quote a value. Codes:
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>, <https://www.sqlite.org/rescode.html>.
    pub(super) fn error(&self, error: &sqlx::Error) -> Gap {
        let name = &self.name;
        let gap = |reason, message: String, hint: &str| Gap::new(&self.trail, reason, message).hint(hint);
        let sqlx::Error::Database(refusal) = error else {
            let message = format!("{name} cannot be reached");
            return gap(GapReason::Unreachable, message, "check the URL, and that the server runs");
        };
        let code = refusal.code().unwrap_or_default();
        let grant = "check the user of the URL, its password (PGPASSWORD, or the variable of url_env) and its rights";
        match (&self.options, &*code) {
            (Options::Postgres(_), "28P01" | "28000") => {
                gap(GapReason::Unauthenticated, format!("{name} refuses the login"), grant)
            }
            (Options::Postgres(_), "42501") => {
                gap(GapReason::PermissionDenied, format!("{name} denies the query"), grant)
            }
            (Options::Postgres(_), "57014") => {
                let hint = "make the query faster, or let it leave out what is long past";
                gap(GapReason::TimedOut, format!("{name} gave the query up after 60 s"), hint)
            }
            (Options::Postgres(_), "25006") => {
                gap(GapReason::Malformed, "the query would write".to_owned(), "write a query that only reads")
            }
            (Options::Postgres(_), "3D000") => {
                gap(GapReason::Unreachable, format!("{name} does not exist"), "check the URL")
            }
            (Options::Sqlite(_), "14") => {
                gap(GapReason::Unreachable, format!("{name} cannot be opened"), "check the path and its rights")
            }
            (Options::Sqlite(_), "5" | "6") => {
                gap(GapReason::TimedOut, format!("another process keeps {name} locked"), "try again later")
            }
            // Syntax, and names that are not there: of the query, not of its rows.
            (Options::Postgres(_), code) if code.starts_with("42") => {
                let message = format!("{name} does not take the query: {}", refusal.message());
                gap(GapReason::Malformed, message, "check the query of the trail")
            }
            (_, code) => {
                gap(GapReason::Malformed, format!("{name} reports error {code}"), "check the query of the trail")
            }
        }
    }
}

/// A row by the names of its columns. A column has no type in SQLite: each value has its own.
fn sqlite_object(row: &SqliteRow) -> Value {
    let mut object = Map::new();
    for column in row.columns() {
        let at = column.ordinal();
        let kind = row.try_get_raw(at).map(|value| value.type_info().name().to_owned()).unwrap_or_default();
        let number = (kind == "INTEGER").then(|| row.try_get_unchecked::<Option<i64>, _>(at).ok().flatten()).flatten();
        let text = || row.try_get_unchecked::<Option<String>, _>(at).ok().flatten();
        let value = number.map(Value::from).or_else(|| text().map(Value::from)).unwrap_or_default();
        object.insert(column.name().to_owned(), list(value));
    }
    Value::Object(object)
}

/// SQLite has no lists: a text that is a JSON array is one.
fn list(value: Value) -> Value {
    let parsed = value.as_str().filter(|text| text.starts_with('[')).and_then(|text| serde_json::from_str(text).ok());
    parsed.unwrap_or(value)
}

#[cfg(test)]
mod tests;
