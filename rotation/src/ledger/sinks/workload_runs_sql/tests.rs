use sqlx::Row as _;

use super::*;
use crate::ledger::entry::tests::row;
use crate::ledger::tree::Hash;
use crate::testing::postgres::Postgres;

fn entry(status: Status) -> Entry {
    let mut row = row("kt-1", status);
    row.items = vec!["DB_PASSWORD".into(), "O'Brien \"x\"\0".into()];
    if status.is_last() {
        row.at += chrono::TimeDelta::seconds(60);
    }
    Entry { seq: 0, prev: Hash::ZERO, row }
}

async fn take(table: &Value, status: Status) -> Result<(), Failure> {
    let settings: Settings = serde_json::from_value(table.clone()).unwrap();
    (KIND.open)(&settings)?.take(&Context::new("kt-1"), &entry(status)).await
}

/// Everything in the table as text, a column a line.
async fn rows(url: &str, sql: &'static str) -> Vec<Vec<String>> {
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    let text = |row: &sqlx::any::AnyRow, at| row.try_get::<Option<String>, _>(at).unwrap().unwrap_or("-".into());
    rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect()
}

async fn run_sql(url: &str, sql: &'static str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_run_is_a_row_in_postgres() {
    let server = Postgres::shared();
    let url = server.new_database().await;
    run_sql(
        &url,
        "CREATE SCHEMA ops; CREATE TABLE ops.runs (run_id text PRIMARY KEY, requested_at timestamptz NOT NULL, \
         finished_at timestamptz, status text, requester text, approver text, reason text, targets text[], note text)",
    )
    .await;
    let table = json!({ "url": url, "table": "ops.runs", "columns": { "id": "run_id" } });
    for status in [Status::Requested, Status::Requested, Status::Succeeded, Status::Succeeded, Status::Requested] {
        take(&table, status).await.unwrap();
    }
    let sql = "SELECT run_id, CAST(requested_at AT TIME ZONE 'UTC' AS text), \
               CAST(finished_at AT TIME ZONE 'UTC' AS text), status, requester, approver, reason, \
               CAST(array_length(targets, 1) AS text), targets[1], targets[2] FROM ops.runs";
    let expected = [
        "kt-1",
        "2026-09-21 14:13:20",
        "2026-09-21 14:14:20",
        "succeeded",
        "ada",
        "-",
        "overdue by 3 days",
        "2",
        "item:DB_PASSWORD",
        "item:O'Brien \"x\"%00",
    ];
    assert_eq!(rows(&url, sql).await, [expected]);
}

#[tokio::test]
async fn a_run_is_a_row_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("runs.db").display());
    run_sql(
        &url,
        "CREATE TABLE workload_runs (id TEXT, requested_at TEXT, finished_at TEXT, status TEXT, requester TEXT, \
         approver TEXT, reason TEXT, targets TEXT)",
    )
    .await;
    let table = json!({ "url": url });
    take(&table, Status::Requested).await.unwrap();
    let sql = "SELECT id, requested_at, finished_at, status, targets FROM workload_runs";
    let targets = json!(["item:DB_PASSWORD", "item:O'Brien \"x\"\0"]).to_string();
    let open = ["kt-1", "2026-09-21T14:13:20Z", "-", "requested", &targets];
    assert_eq!(rows(&url, sql).await, [open]);
    take(&table, Status::RolledBack).await.unwrap();
    take(&table, Status::Requested).await.unwrap();
    let ended = ["kt-1", "2026-09-21T14:13:20Z", "2026-09-21T14:14:20Z", "cancelled", &targets];
    assert_eq!(rows(&url, sql).await, [ended]);
}

#[tokio::test]
async fn what_cannot_be_written_is_said() {
    for table in [
        json!({}),
        json!({ "url": "sqlite:x", "table": "a; DROP TABLE b" }),
        json!({ "url": "sqlite:x", "columns": { "id": "a b" } }),
        json!({ "url": "sqlite:x", "columns": { "value": "v" } }),
    ] {
        assert!(take(&table, Status::Requested).await.is_err(), "{table}");
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("runs.db").display());
    let refused = take(&json!({ "url": url }), Status::Requested).await.unwrap_err();
    assert_eq!(refused.what, "the database of the workload runs refused with code 1");
}
