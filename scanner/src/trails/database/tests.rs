use keytrail_rules::model::GapReason;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};

use super::super::json::tests::config;
use super::super::workload_runs::KIND;
use super::*;

/// A config of a trail with that URL and that variable.
fn trail(url: Option<&str>, variable: Option<&str>) -> TrailConfig {
    TrailConfig { url: url.map(str::to_owned), url_env: variable.map(str::to_owned), ..config(&KIND) }
}

fn refused(config: &TrailConfig, variable: Option<(&str, Option<String>)>) -> Gap {
    Database::with(config, variable).err().expect("a gap")
}

#[test]
fn a_url_that_is_none_is_not_repeated() {
    for url in ["", "mysql://user:planted@host/db", "postgres://planted:planted@:x/", "sqlite:", "sqlite::memory:"] {
        let gap = refused(&trail(Some(url), None), None);
        assert_eq!(gap.reason, GapReason::Malformed, "{url}");
        assert!(gap.hint.is_some() && !format!("{gap:?}").contains("planted"), "{gap:?}");
        let gap = refused(&trail(None, Some("LEDGER")), Some(("LEDGER", Some(url.to_owned()))));
        assert!(!format!("{gap:?}").contains("planted"), "{gap:?}");
    }
}

#[test]
fn a_variable_that_is_not_set_is_a_gap() {
    let gap = refused(&trail(None, Some("LEDGER")), Some(("LEDGER", None)));
    assert_eq!(gap.reason, GapReason::Unauthenticated);
    assert_eq!(gap.message, "the environment variable LEDGER is not set");
}

#[test]
fn a_name_shows_neither_user_nor_password() {
    let url = "postgres://planted:planted@db.example:5433/ledger";
    let database = Database::with(&trail(Some(url), None), None).expect("a database");
    assert_eq!(database.name, "postgres://db.example:5433/ledger");
    let held = Some(("LEDGER", Some(url.to_owned())));
    let database = Database::with(&trail(None, Some("LEDGER")), held).expect("a database");
    assert_eq!(database.name, "postgres://db.example:5433/ledger");
    // With a URL, the variable holds its password.
    let held = Some(("LEDGER", Some("planted".to_owned())));
    let config = trail(Some("postgres://ana@db.example/ledger"), Some("LEDGER"));
    let database = Database::with(&config, held).expect("a database");
    assert_eq!(database.name, "postgres://db.example:5432/ledger");
}

/// A folder with a database of that SQL, and the config of a trail there.
async fn sqlite(sql: &'static str) -> (tempfile::TempDir, TrailConfig) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteConnectOptions::new().filename(folder.path().join("ledger.db")).create_if_missing(true);
    let mut connection = options.connect().await.expect("a database");
    connection.execute(sql).await.expect("SQL");
    let config = TrailConfig { root: folder.path().to_owned(), ..trail(Some("sqlite:ledger.db"), None) };
    (folder, config)
}

#[tokio::test]
async fn rows_of_sqlite_keep_their_types() {
    let sql = "CREATE TABLE runs (id TEXT, seq INTEGER, at DATETIME, targets TEXT, approver TEXT, share REAL);
        INSERT INTO runs VALUES ('r1', 1, '2026-03-01T08:00:00Z', '[\"vault:secret/a#b\"]', NULL, 0.5)";
    let (_folder, config) = sqlite(sql).await;
    let database = Database::of(&config).expect("a database");
    let rows = database.rows("SELECT * FROM runs; ").await.expect("rows");
    let expected = r#"[{"approver":null,"at":"2026-03-01T08:00:00Z","id":"r1","seq":1,"share":"0.5","targets":["vault:secret/a#b"]}]"#;
    assert_eq!(Value::from(rows), serde_json::from_str::<Value>(expected).expect("JSON"));
}

#[tokio::test]
async fn a_database_is_neither_made_nor_changed() {
    let (folder, config) = sqlite("CREATE TABLE runs (id TEXT); INSERT INTO runs VALUES ('r1')").await;
    let database = Database::of(&config).expect("a database");
    for query in
        ["SELECT 1); DELETE FROM runs; SELECT * FROM (SELECT 1", "DELETE FROM runs RETURNING id", "nonsense", ""]
    {
        let gap = database.rows(query).await.expect_err("a gap");
        assert_eq!(gap.reason, GapReason::Malformed, "{query}");
    }
    assert_eq!(database.rows("SELECT * FROM runs -- all").await.map(|rows| rows.len()), Ok(1));

    let absent = TrailConfig { url: Some("sqlite:absent.db".to_owned()), ..config };
    let gap = Database::of(&absent).expect("a database").rows("SELECT 1").await.expect_err("a gap");
    assert_eq!(gap.reason, GapReason::Unreachable);
    assert!(!folder.path().join("absent.db").exists());
}
