//! PgBouncer's admin console: a database called `pgbouncer` that speaks the simple protocol alone.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Address, Session, identifier};
use crate::context::Context;
use crate::failure::Failure;

/// A session of the console.
pub(crate) struct Console {
    session: Session,
    user: String,
}

/// A line of `SHOW DATABASES`.
pub(crate) struct Database {
    /// The user that it logs in as, whoever the client is.
    pub(crate) forced: Option<String>,
    /// Whether clients wait.
    pub(crate) paused: bool,
}

impl Console {
    /// Logs in.
    pub(crate) async fn open(address: &Address, context: &Context) -> Result<Self, Failure> {
        let server = address.server()?.through_pooler();
        let user = server.user().to_owned();
        Ok(Self { session: server.connect(context).await?, user })
    }

    /// A database.
    ///
    /// # Errors
    /// It has none of that name.
    pub(crate) async fn database(&mut self, name: &str) -> Result<Database, Failure> {
        let rows = self.session.show("SHOW DATABASES").await?;
        let row = rows.iter().find(|row| text(row, "name").as_deref() == Some(name)).ok_or_else(|| {
            Failure::not_done(format!("PgBouncer has no database {name}")).hint("correct `database` or `admin`")
        })?;
        let forced = text(row, "force_user").filter(|user| !user.is_empty());
        Ok(Database { forced, paused: text(row, "paused").as_deref() == Some("1") })
    }

    /// How many clients are logged in as a role, whether or not they have a session at the server now.
    pub(crate) async fn clients(&mut self, role: &str) -> Result<usize, Failure> {
        let rows = self.session.show("SHOW CLIENTS").await?;
        Ok(rows.iter().filter(|row| text(row, "user").as_deref() == Some(role)).count())
    }

    /// Lets no client of a database begin anything, and waits until all have ended what they began. Where that takes
    /// longer than `limit` it fails, and the database may be paused.
    pub(crate) async fn pause(mut self, name: &str, limit: Duration) -> Result<Self, Failure> {
        match tokio::time::timeout(limit, self.session.run(&format!("PAUSE {}", identifier(name)))).await {
            Ok(done) => done.map(|()| self),
            Err(_) => {
                let seconds = limit.as_secs();
                let failure = Failure::not_done(format!("the transactions of {name} did not end within {seconds} s"));
                Err(failure.hint("raise pause_limit, or use pool_mode = transaction; nothing was changed"))
            }
        }
    }

    /// Lets the clients of a database go on, if it is paused.
    pub(crate) async fn resume(&mut self, name: &str) -> Result<(), Failure> {
        if !self.database(name).await?.paused {
            return Ok(());
        }
        let resumed = self.session.run(&format!("RESUME {}", identifier(name))).await;
        // The guard may have been faster.
        if resumed.is_err() && !self.database(name).await?.paused { Ok(()) } else { resumed }
    }

    /// Makes it read its files.
    pub(crate) async fn reload(&mut self) -> Result<(), Failure> {
        self.session.run("RELOAD").await
    }

    /// What of its settings would be in the way.
    pub(crate) async fn obstacles(&mut self, pause_limit: u64, pauses: bool) -> Result<Vec<String>, Failure> {
        let rows = self.session.show("SHOW CONFIG").await?;
        let setting = |key: &str| {
            rows.iter().find(|row| text(row, "key").as_deref() == Some(key)).and_then(|row| text(row, "value"))
        };
        let mut wrong = Vec::new();
        let admins = setting("admin_users").unwrap_or_default();
        if !admins.split(',').any(|admin| admin.trim() == self.user) {
            wrong.push(format!("{} is not one of PgBouncer's admin_users", self.user));
        }
        for key in ["query_wait_timeout", "query_timeout"] {
            let seconds = setting(key).and_then(|value| value.parse::<f64>().ok()).unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "pause_limit is at most 60")]
            if pauses && seconds > 0.0 && seconds <= pause_limit as f64 {
                wrong.push(format!("{key} of PgBouncer is within pause_limit: clients that wait would be refused"));
            }
        }
        Ok(wrong)
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        self.session.close().await;
    }
}

/// A field; all are texts, whatever type they are said to be.
fn text(row: &PgRow, name: &str) -> Option<String> {
    row.try_get_unchecked::<Option<String>, _>(name).ok().flatten()
}
