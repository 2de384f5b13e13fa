//! One transaction of the journal, and what the errors of its database mean.

use keytrail_rules::model::Time;
use sha2::{Digest, Sha256};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection};

use super::SqlJournal;
use crate::failure::Failure;
use crate::journal::seal::hex;

/// Tables of which rows are only added.
const ONLY_ADDED: [&str; 4] =
    ["keytrail_rotation_notes", "keytrail_rotation_fingerprints", "keytrail_ledger", "keytrail_ledger_checkpoints"];

/// A transaction that writes.
pub(super) struct Transaction<'c, 'j> {
    pub(super) sql: sqlx::Transaction<'c, Any>,
    pub(super) journal: &'j SqlJournal,
    is_postgres: bool,
}

impl<'c, 'j> Transaction<'c, 'j> {
    pub(super) async fn begin(connection: &'c mut AnyConnection, journal: &'j SqlJournal) -> Result<Self, Failure> {
        let is_postgres = connection.backend_name() == "PostgreSQL";
        // In SQLite a transaction that begins with reading may not write later, once another has written.
        let begin = if is_postgres { connection.begin().await } else { connection.begin_with("BEGIN IMMEDIATE").await };
        Ok(Self { sql: begin.map_err(|error| failed(&error))?, journal, is_postgres })
    }

    /// Commits what was done, or takes all of it back.
    pub(super) async fn end<T>(mut self, done: Result<T, Failure>) -> Result<T, Failure> {
        match done {
            Ok(done) => self.sql.commit().await.map(|()| done).map_err(|error| failed(&error)),
            Err(failure) => {
                // A full disk has SQLite roll back by itself, and sqlx counts a transaction on where there is none to end:
                // a savepoint is one in any case.
                if !self.is_postgres {
                    let _ = sqlx::raw_sql("SAVEPOINT keytrail_end").execute(&mut *self.sql).await;
                }
                // Were it only dropped, PostgreSQL would keep the locks until the connection is used again. A server that
                // cannot be reached has let them go.
                let _ = self.sql.rollback().await;
                Err(failure)
            }
        }
    }

    /// A `SELECT` that locks its rows. SQLite has locked the whole file.
    pub(super) fn locking(&self, select: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(if self.is_postgres { format!("{select} FOR UPDATE") } else { select.to_owned() })
    }

    /// Microseconds since 1970, by the clock that decides about leases.
    pub(super) async fn lease_clock(&mut self) -> Result<i64, Failure> {
        const CLOCK: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        if !self.is_postgres {
            return Ok(self.now().timestamp_micros());
        }
        sqlx::query_scalar(CLOCK).fetch_one(&mut *self.sql).await.map_err(|error| failed(&error))
    }

    /// The time.
    pub(super) fn now(&self) -> Time {
        (self.journal.now)()
    }

    /// See [`SqlJournal::prepare`].
    pub(super) async fn prepare(&mut self) -> Result<(), Failure> {
        const OTHER: &str = "SELECT run FROM keytrail_rotation_sealed WHERE key_id <> $1 ORDER BY run LIMIT 1";
        let other: Option<String> = sqlx::query_scalar(OTHER)
            .bind(self.journal.key.id().to_owned())
            .fetch_optional(&mut *self.sql)
            .await
            .map_err(|error| failed(&error))?;
        if let Some(run) = other {
            return Err(other_key(&run));
        }
        for table in ONLY_ADDED {
            self.guard(table).await?;
        }
        Ok(())
    }

    /// Makes the triggers by which a table refuses that its rows are changed.
    async fn guard(&mut self, table: &str) -> Result<(), Failure> {
        let (is_there, make) = if self.is_postgres {
            let is_there = format!(
                "SELECT COUNT(*) FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND tgname = '{table}_guard'"
            );
            (
                is_there,
                vec![
                    "CREATE OR REPLACE FUNCTION keytrail_only_added() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME; END $$"
                        .to_owned(),
                    format!(
                        "CREATE TRIGGER {table}_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
                     FOR EACH STATEMENT EXECUTE FUNCTION keytrail_only_added()"
                    ),
                ],
            )
        } else {
            let is_there =
                format!("SELECT COUNT(*) / 2 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'");
            let trigger = |act: &str| {
                format!(
                    "CREATE TRIGGER IF NOT EXISTS {table}_{act} BEFORE {act} ON {table} \
                     BEGIN SELECT RAISE(ABORT, 'rows of {table} are only added'); END"
                )
            };
            (is_there, vec![trigger("update"), trigger("delete")])
        };
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(is_there))
            .fetch_one(&mut *self.sql)
            .await
            .map_err(|error| failed(&error))?;
        if count > 0 {
            return Ok(());
        }
        for statement in make {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// What stands for a name in keys.
pub(super) fn digest(name: &str) -> String {
    hex(&Sha256::digest(name.as_bytes()))
}

/// A name for people: PostgreSQL keeps no NUL.
pub(super) fn shown(name: &str) -> String {
    name.replace('\0', "%00")
}

pub(super) fn other_key(run: &str) -> Failure {
    Failure::not_done(format!("the values of run {run} were sealed with another key")).hint(
        "put the key back (rotation.key, or KEYTRAIL_ROTATION_KEY): without it the run cannot be ended by Keytrail",
    )
}

pub(super) fn damaged() -> Failure {
    Failure::not_done("the state database is damaged: what a rotation wrote there cannot be read")
        .hint("restore it from a backup; do not rotate before")
}

/// What an error of the database means. Nothing of the statement or its values is quoted. Codes:
/// <https://www.sqlite.org/rescode.html>, <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
pub(super) fn failed(error: &sqlx::Error) -> Failure {
    let sqlx::Error::Database(refusal) = error else {
        return match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => damaged(),
            _ => Failure::unknown("the state database cannot be reached any more")
                .hint("check that it runs, and resume the rotation"),
        };
    };
    let code = refusal.code().unwrap_or_default();
    // SQLite has numbers, of which the low byte is the primary code; PostgreSQL has five characters.
    let primary = (code.len() < 5).then(|| code.parse::<i32>().ok()).flatten().map(|code| code & 0xff);
    match (primary, &*code) {
        (Some(5 | 6), _) | (_, "55P03" | "40P01" | "40001") => {
            Failure::not_done("another process is using the state database").hint("wait for it to end, and try again")
        }
        (Some(13), _) | (_, "53100") => Failure::not_done("no room is left for the state database")
            .hint("make room, and resume the rotation; nothing that was written is lost"),
        (Some(8), _) | (_, "25006") => {
            Failure::not_done("the state database may not be written").hint("open it for writing")
        }
        (Some(11 | 26), _) => damaged(),
        // A disk that fails in the middle of a commit leaves it open what is on it.
        (Some(10), _) => Failure::unknown("the disk of the state database fails").hint("check the disk"),
        (None, code) if code.starts_with("08") || code.starts_with("57P") => {
            Failure::unknown(format!("the state database ended the connection ({code})"))
                .hint("check that it runs, and resume the rotation")
        }
        _ => Failure::not_done(format!("the state database refused with code {code}"))
            .hint("check the rights of its user, and that nobody else changed its tables"),
    }
}
