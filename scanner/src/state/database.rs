//! Connections to the state database, its schema, and what its errors mean.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Url;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, Connection, Executor, SqlSafeStr};

use super::{FOLDER, Mode, StateError, private};
use crate::config::StateConfig;

/// Where the schema's history is kept. Not sqlx's own name, which another program may use in the same Postgres.
const MIGRATIONS_TABLE: &str = "keytrail_migrations";

/// The steps of the schema, oldest first: one line each. A step that was released never changes.
pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    ("sightings", include_str!("migrations/0001_sightings.sql")),
    ("searched", include_str!("migrations/0002_searched.sql")),
    ("verdicts", include_str!("migrations/0003_verdicts.sql")),
    ("incidents", include_str!("migrations/0004_incidents.sql")),
    ("rotations", keytrail_rotation::journal::sql::SCHEMA),
    ("history", include_str!("migrations/0006_history.sql")),
];

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |(number, (name, sql)): (i64, &(&'static str, &'static str))| {
        Migration::new(number, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations((1..).zip(MIGRATIONS).map(migration).collect());
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
});

/// The number of the newest step.
fn newest_schema() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// How long to wait.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// For a server to take the connection.
    pub(super) connect: Duration,
    /// For another process to let the database go.
    pub(super) busy: Duration,
    /// For any one operation as a whole.
    pub(super) operation: Duration,
}

impl Limits {
    pub(super) const USUAL: Self =
        Self { connect: Duration::from_secs(10), busy: Duration::from_secs(20), operation: Duration::from_secs(60) };
}

/// Which database.
pub(super) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Url),
}

/// What a read-only SQLite file looked like before it was opened as one that does not change.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    has_log: bool,
}

impl Database {
    /// The database of the config.
    pub(super) fn of(config: &StateConfig, root: &Path) -> Result<Self, StateError> {
        let Some(url) = config.url.as_deref() else {
            return Ok(Self::Sqlite(root.join(FOLDER).join("state.db")));
        };
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains('?') || path.contains(":memory:") {
                return Err(StateError::Url("sqlite: takes the path of a file"));
            }
            return Ok(Self::Sqlite(root.join(path)));
        }
        let url = Url::parse(url).map_err(|_| StateError::Url("it is not a URL"))?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Postgres(url)),
            _ => Err(StateError::Url("it is neither postgres: nor sqlite:")),
        }
    }

    /// The name for messages: without user and password.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => {
                let port = url.port().map_or(String::new(), |port| format!(":{port}"));
                format!("postgres://{}{port}{}", url.host_str().unwrap_or_default(), url.path())
            }
        }
    }

    /// Connects; `None` if only reading is asked for and there is nothing to read.
    pub(super) async fn connect(
        &self,
        mode: Mode,
        limits: Limits,
    ) -> Result<Option<(AnyConnection, Option<Stamp>)>, StateError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        match (self, mode) {
            (Self::Sqlite(path), Mode::ReadWrite) => {
                let mut connection = self.connect_to(&sqlite_url(path, "mode=rw")?, limits).await?;
                let busy = format!("PRAGMA busy_timeout = {}", limits.busy.as_millis());
                self.run(&mut connection, busy).await?;
                let schema = self.check_schema(&mut connection).await?;
                // Only now is the file known to be Keytrail's own.
                tighten_files(path)?;
                // Every value must survive a power cut, and a scan commits once: FULL, the default, stays.
                self.use_log(&mut connection, limits).await?;
                if schema < newest_schema() {
                    self.migrate(&mut connection).await?;
                }
                Ok(Some((connection, None)))
            }
            (Self::Sqlite(path), Mode::ReadOnly) => {
                let Some(stamp) = self.settled(path).await? else {
                    return Ok(None);
                };
                // An index must not be made beside a log, nor a log beside a file that had none.
                let options = if stamp.has_log { "mode=ro" } else { "mode=ro&immutable=1" };
                let mut connection = self.connect_to(&sqlite_url(path, options)?, limits).await?;
                let busy = format!("PRAGMA busy_timeout = {}", limits.busy.as_millis());
                self.run(&mut connection, busy).await?;
                let there = self.check_schema(&mut connection).await? > 0;
                Ok(there.then_some((connection, (!stamp.has_log).then_some(stamp))))
            }
            (Self::Postgres(url), _) => {
                let mut connection = self.connect_to(url, limits).await?;
                let schema = self.check_schema(&mut connection).await?;
                if mode == Mode::ReadWrite {
                    if schema < newest_schema() {
                        self.migrate(&mut connection).await?;
                    }
                    return Ok(Some((connection, None)));
                }
                let read_only = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
                self.run(&mut connection, read_only.to_owned()).await?;
                Ok((schema > 0).then_some((connection, None)))
            }
        }
    }

    async fn connect_to(&self, url: &Url, limits: Limits) -> Result<AnyConnection, StateError> {
        match tokio::time::timeout(limits.connect, AnyConnection::connect(url.as_str())).await {
            Ok(connected) => connected.map_err(|error| self.error(&error)),
            Err(_) => Err(self.no_answer(limits.connect)),
        }
    }

    async fn run(&self, connection: &mut AnyConnection, sql: String) -> Result<(), StateError> {
        connection.execute(sqlx::AssertSqlSafe(sql)).await.map(drop).map_err(|error| self.error(&error))
    }

    /// Bounds how long PostgreSQL waits for a lock. SQLite is told when it is connected to.
    pub(super) async fn guard_waiting(&self, connection: &mut AnyConnection, limits: Limits) -> Result<(), StateError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.run(connection, format!("SET lock_timeout = {}", limits.busy.as_millis())).await,
        }
    }

    /// Switches an SQLite file to a write-ahead log, which lets others read while one writes. SQLite does not wait for
    /// the lock that this takes, so this does.
    async fn use_log(&self, connection: &mut AnyConnection, limits: Limits) -> Result<(), StateError> {
        let end = tokio::time::Instant::now() + limits.busy;
        loop {
            match self.run(connection, "PRAGMA journal_mode = WAL".into()).await {
                Err(StateError::Locked(_)) if tokio::time::Instant::now() < end => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                done => return done,
            }
        }
    }

    /// The number of the newest step of the schema: 0 where there is none.
    pub(super) async fn check_schema(&self, connection: &mut AnyConnection) -> Result<i64, StateError> {
        let tables = match self {
            Self::Sqlite(_) => "SELECT CAST(name AS TEXT) FROM sqlite_master WHERE type = 'table'",
            // A database on a server may well be shared.
            Self::Postgres(_) => {
                "SELECT to_regclass('keytrail_migrations')::text WHERE to_regclass('keytrail_migrations') IS NOT NULL"
            }
        };
        let tables: Vec<String> =
            sqlx::query_scalar(tables).fetch_all(&mut *connection).await.map_err(|error| self.error(&error))?;
        if !tables.iter().any(|table| table == MIGRATIONS_TABLE) {
            return if tables.is_empty() { Ok(0) } else { Err(StateError::Foreign(self.name())) };
        }
        let applied =
            connection.list_applied_migrations(MIGRATIONS_TABLE).await.map_err(|error| self.migrate_error(error))?;
        let known = newest_schema();
        let found = applied.iter().map(|step| step.version).max().unwrap_or(0);
        if found > known {
            return Err(StateError::Newer { name: self.name(), found, known });
        }
        let same = |step: &sqlx::migrate::AppliedMigration| {
            MIGRATOR.iter().any(|known| known.version == step.version && known.checksum == step.checksum)
        };
        if applied.iter().all(same) { Ok(found) } else { Err(StateError::Foreign(self.name())) }
    }

    /// Brings the schema up to date. Of many who do it at once, one does and the others find it done.
    async fn migrate(&self, connection: &mut AnyConnection) -> Result<(), StateError> {
        match self {
            Self::Sqlite(_) => {
                // sqlx takes no lock on SQLite, so the first statement does; then look again at what is there.
                let mut transaction =
                    connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.error(&error))?;
                self.check_schema(&mut transaction).await?;
                run_migrations(&mut transaction).await.map_err(|error| self.migrate_error(error))?;
                transaction.commit().await.map_err(|error| self.error(&error))
            }
            // sqlx takes an advisory lock.
            Self::Postgres(_) => run_migrations(connection).await.map_err(|error| self.migrate_error(error)),
        }
    }

    /// What an SQLite file looks like; `None` where there is nothing to read.
    /// What the file looks like once nobody is in the middle of closing it: SQLite deletes the index before the log.
    async fn settled(&self, path: &Path) -> Result<Option<Stamp>, StateError> {
        /// Deleting a file takes no longer, and one that a crash left without its index is not waited for.
        const CLOSING: Duration = Duration::from_millis(500);
        let end = Instant::now() + CLOSING;
        loop {
            match self.stamp(path) {
                Err(StateError::Unrecovered(_)) if Instant::now() < end => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                stamp => return stamp,
            }
        }
    }

    fn stamp(&self, path: &Path) -> Result<Option<Stamp>, StateError> {
        let Some(metadata) = private::find_file(path)?.filter(|metadata| metadata.len() > 0) else {
            return Ok(None);
        };
        let has_log = fs::symlink_metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
        if has_log && fs::symlink_metadata(beside(path, "-shm")).is_err() {
            return Err(StateError::Unrecovered(self.name()));
        }
        Ok(Some(Stamp { length: metadata.len(), modified: metadata.modified().ok(), has_log }))
    }

    /// Whether a file that was opened as one that does not change has changed.
    pub(super) fn has_changed(&self, before: &Stamp) -> bool {
        match self {
            Self::Sqlite(path) => !self.stamp(path).is_ok_and(|now| now.as_ref() == Some(before)),
            Self::Postgres(_) => false,
        }
    }

    /// A server that does not answer within the limit.
    pub(super) fn no_answer(&self, limit: Duration) -> StateError {
        StateError::Unreachable { name: self.name(), reason: format!("no answer within {} s", limit.as_secs()) }
    }

    fn migrate_error(&self, error: MigrateError) -> StateError {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => self.error(&error),
            _ => StateError::Foreign(self.name()),
        }
    }

    /// What a database error means. Result codes: <https://www.sqlite.org/rescode.html>,
    /// <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
    pub(super) fn error(&self, error: &sqlx::Error) -> StateError {
        let name = self.name();
        let sqlx::Error::Database(refusal) = error else {
            return match error {
                // Its text may quote the URL.
                sqlx::Error::Configuration(_) => StateError::Url("one of its parts is wrong"),
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StateError::Damaged(name),
                error => StateError::Unreachable { name, reason: error.to_string() },
            };
        };
        let code = refusal.code().unwrap_or_default();
        let reason = refusal.message().to_owned();
        match self {
            // The low byte is the primary code.
            Self::Sqlite(_) => match code.parse::<i32>().map(|code| code & 0xff) {
                Ok(5 | 6) => StateError::Locked(name),
                Ok(11 | 26) => StateError::Damaged(name),
                Ok(13) => StateError::Full(name),
                _ => StateError::Refused { name, reason },
            },
            Self::Postgres(_) => match &*code {
                "53100" => StateError::Full(name),
                "55P03" | "40P01" => StateError::Locked(name),
                _ => StateError::Refused { name, reason },
            },
        }
    }
}

/// Runs the steps of the schema that are missing. Not `Migrator::run`: the future of that cannot move between threads, as
/// far as the compiler can tell (<https://github.com/rust-lang/rust/issues/102211>).
fn run_migrations(connection: &mut AnyConnection) -> BoxFuture<'_, Result<(), MigrateError>> {
    MIGRATOR.run_direct(None, connection, false).boxed()
}

/// Makes the file of an SQLite database where there is none. `is_default`: it lies in the folder of the state.
pub(super) fn prepare_file(path: &Path, is_default: bool) -> Result<(), StateError> {
    if is_default && let Some(folder) = path.parent() {
        private::make_folder(folder)?;
    }
    match private::find_file(path)? {
        Some(metadata) if !private::is_ours(&metadata) => Err(StateError::OtherOwner(path.to_owned())),
        Some(_) => Ok(()),
        None => private::make_file(path, b""),
    }
}

/// Tightens the file of an SQLite database and what SQLite keeps beside it.
fn tighten_files(path: &Path) -> Result<(), StateError> {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        if let Some(metadata) = private::find_file(&file)? {
            private::tighten(&file, &metadata, 0o600)?;
        }
    }
    Ok(())
}

/// `state.db-wal` beside `state.db`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sqlite_url(path: &Path, options: &str) -> Result<Url, StateError> {
    let path = path.canonicalize().map_err(|error| StateError::file(path, error))?;
    let file = Url::from_file_path(&path).map_err(|()| StateError::Url("the path is not absolute"))?;
    Url::parse(&format!("sqlite://{}?{options}", file.path())).map_err(|_| StateError::Url("the path is not a URL's"))
}
