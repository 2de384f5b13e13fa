//! A table of workload runs that others keep, PostgreSQL or SQLite, as the trail `workload-runs-sql` reads it: a row a run,
//! which the last row of the ledger completes.
//!
//! | column | what |
//! |---|---|
//! | `id` | the run |
//! | `requested_at`, `finished_at` | when it was asked for, and when it ended |
//! | `status` | `requested`, `succeeded` or `cancelled` |
//! | `requester`, `approver`, `reason` | who asked, who agreed, and why |
//! | `targets` | the items, as a JSON list of `item:ID`; a list in PostgreSQL |
//!
//! `columns = { id = "run_id" }` names others. In PostgreSQL values become what the type of their column is.
//!
//! # Guarantees
//! A row that is given twice changes nothing more.

use std::collections::BTreeMap;

use futures::FutureExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use super::{Sink, SinkKind};
use crate::context::{Act, Context};
use crate::failure::{Failure, Opened};
use crate::ledger::{Entry, Status};
use crate::settings::{Given, Settings};

/// Tables of workload runs.
pub(super) static KIND: SinkKind =
    SinkKind { name: "workload-runs-sql", about: "a row a run in a table, PostgreSQL or SQLite", open };

const COLUMNS: [&str; 8] =
    ["id", "requested_at", "finished_at", "status", "requester", "approver", "reason", "targets"];

/// The table of the config.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// `postgres://user@host/db` or `sqlite:PATH`, without a password.
    url: Option<String>,
    /// Where the URL comes from, if it has a password.
    url_from: Option<Given>,
    /// The name of the table.
    #[serde(default = "usual_table")]
    table: String,
    /// How its columns are called.
    #[serde(default)]
    columns: BTreeMap<String, String>,
}

fn usual_table() -> String {
    "workload_runs".into()
}

fn open(settings: &Settings) -> Opened<dyn Sink> {
    let table: Table = settings.read()?;
    if table.url.is_some() == table.url_from.is_some() {
        return Err(Failure::not_done("a table of workload runs needs either `url` or `url_from`"));
    }
    if let Some(unknown) = table.columns.keys().find(|column| !COLUMNS.contains(&column.as_str())) {
        return Err(Failure::not_done(format!("workload runs have no column {unknown}"))
            .hint(format!("those that can be named are {}", COLUMNS.join(", "))));
    }
    let mut names = table.columns.values().map(String::as_str).chain(table.table.split('.'));
    if !names.all(is_name) {
        return Err(Failure::not_done("names of tables and columns are letters, digits and _"));
    }
    Ok(Box::new(table))
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_letter)
}

impl Table {
    fn column(&self, usual: &'static str) -> &str {
        self.columns.get(usual).map_or(usual, String::as_str)
    }

    async fn write(&self, entry: &Entry) -> Result<(), Failure> {
        let url = match (&self.url, &self.url_from) {
            (Some(url), _) => keytrail_rules::model::Secret::from(url.as_str()),
            (None, Some(given)) => given.get()?,
            (None, None) => return Err(Failure::not_done("a table of workload runs needs `url`")),
        };
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url.expose()).await.map_err(|error| failed(&error))?;
        let is_postgres = connection.backend_name() == "PostgreSQL";
        let begin = if is_postgres { connection.begin().await } else { connection.begin_with("BEGIN IMMEDIATE").await };
        let mut transaction = begin.map_err(|error| failed(&error))?;
        let row = self.row(entry, is_postgres);
        let id = self.column("id");
        let exists = format!("SELECT COUNT(*) FROM {} WHERE {id} = $1", self.table);
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(exists))
            .bind(entry.row.run.clone())
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| failed(&error))?;
        match (count > 0, entry.row.status.is_last()) {
            // A copy of the first row: the last one may be there already.
            (true, false) => {}
            (false, _) => self.insert(&mut transaction, &row, is_postgres).await?,
            (true, true) => self.update(&mut transaction, &row, &entry.row.run, is_postgres).await?,
        }
        transaction.commit().await.map_err(|error| failed(&error))?;
        connection.close().await.map_err(|error| failed(&error))
    }

    /// The row, by the names of its columns.
    fn row(&self, entry: &Entry, is_postgres: bool) -> Map<String, Value> {
        let row = &entry.row;
        let targets: Vec<String> = row.items.iter().map(|item| format!("item:{item}")).collect();
        let targets = if is_postgres { json!(targets) } else { json!(json!(targets).to_string()) };
        let status = match row.status {
            Status::Requested => "requested",
            Status::Succeeded => "succeeded",
            Status::RolledBack => "cancelled",
        };
        let mut columns = vec![("id", json!(row.run)), ("status", json!(status)), ("targets", targets)];
        if row.status.is_last() {
            columns.push(("finished_at", json!(row.at)));
        } else {
            columns.extend([("requester", json!(row.by)), ("approver", json!(row.approver))]);
            columns.extend([("requested_at", json!(row.at)), ("reason", json!(row.reason))]);
        }
        columns.into_iter().map(|(name, value)| (self.column(name).to_owned(), value)).collect()
    }

    async fn insert(
        &self,
        connection: &mut AnyConnection,
        row: &Map<String, Value>,
        is_postgres: bool,
    ) -> Result<(), Failure> {
        let names = names(row);
        let values = if is_postgres {
            format!("SELECT {names} FROM json_populate_record(NULL::{}, CAST($1 AS json))", self.table)
        } else {
            let places: Vec<String> = (1..=row.len()).map(|at| format!("${at}")).collect();
            format!("VALUES ({})", places.join(", "))
        };
        let sql = format!("INSERT INTO {} ({names}) {values}", self.table);
        execute(connection, sql, row, None, is_postgres).await
    }

    async fn update(
        &self,
        connection: &mut AnyConnection,
        row: &Map<String, Value>,
        run: &str,
        is_postgres: bool,
    ) -> Result<(), Failure> {
        let (names, id) = (names(row), self.column("id"));
        let sql = if is_postgres {
            format!(
                "UPDATE {0} SET ({names}) = (SELECT {names} FROM json_populate_record(NULL::{0}, CAST($1 AS json))) \
                 WHERE {id} = $2",
                self.table
            )
        } else {
            let sets: Vec<String> = (1..).zip(row.keys()).map(|(at, name)| format!("{name} = ${at}")).collect();
            format!("UPDATE {} SET {} WHERE {id} = ${}", self.table, sets.join(", "), row.len() + 1)
        };
        execute(connection, sql, row, Some(run), is_postgres).await
    }
}

fn names(row: &Map<String, Value>) -> String {
    row.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

async fn execute(
    connection: &mut AnyConnection,
    sql: String,
    row: &Map<String, Value>,
    run: Option<&str>,
    is_postgres: bool,
) -> Result<(), Failure> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    if is_postgres {
        // PostgreSQL keeps no NUL.
        query = query.bind(Value::Object(row.clone()).to_string().replace("\\u0000", "%00"));
    } else {
        for value in row.values() {
            query = query.bind(value.as_str().map(str::to_owned));
        }
    }
    if let Some(run) = run {
        query = query.bind(run.to_owned());
    }
    query.execute(connection).await.map(drop).map_err(|error| failed(&error))
}

impl Sink for Table {
    fn take<'a>(&'a self, context: &'a Context, entry: &'a Entry) -> Act<'a, ()> {
        async move {
            tokio::time::timeout(context.timeout, self.write(entry).boxed())
                .await
                .unwrap_or_else(|_| Err(Failure::unknown("the database of the workload runs gave no answer")))
        }
        .boxed()
    }
}

/// What an error of the database means, without the URL or a value.
fn failed(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            Failure::not_done(format!("the database of the workload runs refused with code {code}"))
                .hint("check the table, its columns and the rights of the user")
        }
        sqlx::Error::Configuration(_) => Failure::not_done("the url of the workload runs is not understood"),
        _ => Failure::unknown("the database of the workload runs cannot be reached")
            .hint("check its url, and that it runs; the row is written with the next rotation"),
    }
}

#[cfg(test)]
mod tests;
