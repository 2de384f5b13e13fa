//! PostgreSQL servers: sessions that carry the name of the run, what a refusal means, and texts in statements.
//!
//! # Guarantees
//! 1. Every session is a new connection, and has a time limit for each thing that is asked of it.
//! 2. A credential counts as rejected only where the server said so of the credential itself: `28P01`, or `28000` from the
//!    function that looks at the role (a role that may not log in, or that is not there). A server that lets nobody in
//!    from here (`pg_hba.conf` has the same `28000`) or has no connection left says nothing of it. Source:
//!    <https://www.postgresql.org/docs/current/errcodes-appendix.html>, `src/backend/utils/init/miscinit.c`.
//! 3. No statement is logged here, and of what a server answers only the code is told.
//!
//! # Assumptions
//! 1. `sqlx` keeps the password of a connection in plain memory while it is made, and not after.
//! 2. Roles that log in have names without a comma, and names and passwords that SASLprep takes: with others `sqlx` cannot
//!    log in, and the answer is unknown.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use keytrail_rules::model::Secret;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::context::Context;
use crate::failure::Failure;
use crate::settings::Given;
use crate::state::Answer;

pub(crate) mod console;
pub(crate) mod scram;

/// Where a server is and who logs in, in the config: `{ url = "postgres://admin@host/db", password = { env = "NAME" } }`,
/// or `{ env = "NAME" }`, `{ file = "PATH" }` of a whole URL.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Address {
    /// A URL of the config, which holds no password.
    Parts(Parts),
    /// A URL that is given, with its password.
    Given(Given),
}

/// See [`Address::Parts`].
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    url: String,
    password: Option<Given>,
}

impl Address {
    /// The server, with the password where one is given.
    ///
    /// # Errors
    /// A URL that is none, or holds a password in the config; a password that cannot be had.
    pub(crate) fn server(&self) -> Result<Server, Failure> {
        match self {
            Self::Parts(parts) => {
                let server = Server::at(&parts.url)?;
                Ok(match &parts.password {
                    Some(given) => server.with_password(&given.get()?),
                    None => server,
                })
            }
            Self::Given(given) => Server::parse(given.get()?.expose()),
        }
    }
}

/// A server, a database of it, and who logs in.
#[derive(Clone)]
pub(crate) struct Server {
    options: PgConnectOptions,
}

impl Server {
    /// The server of a URL of the config.
    ///
    /// # Errors
    /// A text that is no such URL; one that holds a password.
    pub(crate) fn at(url: &str) -> Result<Self, Failure> {
        let authority = url.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || url.contains("password=") {
            let failure = Failure::not_done("the URL of a PostgreSQL server in the config holds a password");
            return Err(failure.hint("take it out, and change it; give it with password = { env = \"NAME\" }"));
        }
        Self::parse(url)
    }

    fn parse(url: &str) -> Result<Self, Failure> {
        // What the parser says may quote the URL.
        let parsed = url.starts_with("postgres").then(|| PgConnectOptions::from_str(url).ok()).flatten();
        let options = parsed.ok_or_else(|| {
            Failure::not_done("the URL of a PostgreSQL server is not understood")
                .hint("write postgres://user@host:5432/database")
        })?;
        Ok(Self { options: options.disable_statement_logging() })
    }

    /// `postgres://host:5432/database`: no user and no password.
    pub(crate) fn name(&self) -> String {
        let place = match self.options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        };
        format!("postgres://{place}/{}", self.options.get_database().unwrap_or_default())
    }

    /// Who logs in.
    pub(crate) fn user(&self) -> &str {
        self.options.get_username()
    }

    /// The same with another role and its password.
    pub(crate) fn as_role(&self, role: &str, password: &Secret) -> Self {
        Self { options: self.options.clone().username(role) }.with_password(password)
    }

    fn with_password(&self, password: &Secret) -> Self {
        Self { options: self.options.clone().password(password.expose()) }
    }

    /// The same with another database.
    pub(crate) fn in_database(&self, database: &str) -> Self {
        Self { options: self.options.clone().database(database) }
    }

    /// The same for PgBouncer, which refuses a start with settings that it does not know.
    pub(crate) fn through_pooler(mut self) -> Self {
        self.options = self.options.extra_float_digits(None).statement_cache_capacity(0);
        self
    }

    /// A new session, whose `application_name` is the run.
    pub(crate) async fn connect(&self, context: &Context) -> Result<Session, Trouble> {
        let options = self.options.clone().application_name(&context.run);
        let name = self.name();
        match tokio::time::timeout(context.timeout, options.connect()).await {
            Ok(Ok(connection)) => Ok(Session { connection, name, timeout: context.timeout }),
            Ok(Err(error)) => Err(Trouble::of(&error, &name)),
            Err(_) => Err(Trouble::silent(&name, context.timeout)),
        }
    }

    /// Whether it lets this role in with this password, over a new connection.
    pub(crate) async fn admits(&self, context: &Context, role: &str, password: &Secret) -> Answer {
        match self.as_role(role, password).connect(context).await {
            Ok(session) => {
                session.close().await;
                Answer::Works
            }
            Err(trouble) => trouble.answer,
        }
    }
}

/// A connection.
pub(crate) struct Session {
    connection: PgConnection,
    name: String,
    timeout: Duration,
}

impl Session {
    /// Begins a transaction that waits neither long for a lock nor at all for ever.
    pub(crate) async fn begin(&mut self) -> Result<(), Failure> {
        self.run("BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '60s'").await
    }

    /// Ends it.
    pub(crate) async fn commit(&mut self) -> Result<(), Failure> {
        self.run("COMMIT").await
    }

    /// Runs statements that give nothing, by the simple protocol, which PgBouncer's console speaks too.
    pub(crate) async fn run(&mut self, statements: &str) -> Result<(), Failure> {
        let work = self.connection.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())));
        match tokio::time::timeout(self.timeout, work).await {
            Ok(done) => done.map(drop).map_err(|error| Trouble::of(&error, &self.name).failure),
            Err(_) => Err(Trouble::silent(&self.name, self.timeout).failure),
        }
    }

    /// The rows of a command, by the simple protocol: every value is a text.
    pub(crate) async fn show(&mut self, command: &str) -> Result<Vec<PgRow>, Failure> {
        let work = self.connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(command.to_owned())));
        match tokio::time::timeout(self.timeout, work).await {
            Ok(done) => done.map_err(|error| Trouble::of(&error, &self.name).failure),
            Err(_) => Err(Trouble::silent(&self.name, self.timeout).failure),
        }
    }

    /// The rows of a query as what its columns are.
    pub(crate) async fn rows<T>(&mut self, query: &'static str, arguments: &[&str]) -> Result<Vec<T>, Failure>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let bound = arguments.iter().fold(sqlx::query_as(query), |bound, argument| bound.bind(*argument));
        match tokio::time::timeout(self.timeout, bound.persistent(false).fetch_all(&mut self.connection)).await {
            Ok(done) => done.map_err(|error| Trouble::of(&error, &self.name).failure),
            Err(_) => Err(Trouble::silent(&self.name, self.timeout).failure),
        }
    }

    /// The one row of a query.
    pub(crate) async fn row<T>(&mut self, query: &'static str, arguments: &[&str]) -> Result<T, Failure>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut rows = self.rows(query, arguments).await?;
        let row = rows.pop().filter(|_| rows.is_empty());
        row.ok_or_else(|| Failure::not_done(format!("{} has not the one row that was asked for", self.name)))
    }

    /// Says goodbye, and does not wait for long.
    pub(crate) async fn close(self) {
        // The server ends the session in any case once the connection is gone.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.connection.close()).await;
    }
}

/// Why a session did not come about or a statement was not carried out.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// What that says of the credential.
    pub(crate) answer: Answer,
    /// For people.
    pub(crate) failure: Failure,
}

impl Trouble {
    fn of(error: &sqlx::Error, name: &str) -> Self {
        let Some(error) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        else {
            let failure = Failure::unknown(format!("{name} does not answer"));
            let failure = failure.hint("check that the server runs, its address, and sslmode of its URL");
            return Self { answer: Answer::Unknown, failure };
        };
        let code = error.code();
        let of_role = code == "28000" && error.routine() == Some("InitializeSessionUserId");
        let answer = if code == "28P01" || of_role { Answer::Rejected } else { Answer::Unknown };
        let what = format!("{name} answers with SQLSTATE {}", Code(code));
        let failure = if is_passing(code) { Failure::unknown(what) } else { Failure::not_done(what) };
        Self { answer, failure: failure.hint(hint(code)) }
    }

    fn silent(name: &str, limit: Duration) -> Self {
        let failure = Failure::unknown(format!("{name} gave no answer within {} s", limit.as_secs()));
        Self { answer: Answer::Unknown, failure: failure.hint("check that the server runs and is not overloaded") }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        trouble.failure
    }
}

/// Whether an error is of the moment: connections, resources, conflicts, shutdowns, the server's own faults.
fn is_passing(code: &str) -> bool {
    ["08", "40", "53", "55P03", "57", "58", "XX"].iter().any(|class| code.starts_with(class)) && code != "08P01"
}

fn hint(code: &str) -> &'static str {
    match code {
        "28P01" | "28000" => "check role, password and pg_hba.conf",
        "42501" => "give the admin role CREATEROLE and, from PostgreSQL 16 on, ADMIN OPTION on the role",
        "42704" => "check the names of the roles",
        "55P03" => "something else holds a lock on it; try again",
        "3D000" => "check the name of the database",
        _ => "the server's log has the message",
    }
}

/// A SQLSTATE: five digits and letters, whatever came.
struct Code<'a>(&'a str);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().filter(char::is_ascii_alphanumeric).take(5).try_for_each(|c| fmt::Write::write_char(f, c))
    }
}

/// The name of a role: at most 63 bytes, past which PostgreSQL would cut it off unseen, and no NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RoleName(String);

impl RoleName {
    /// As it is.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// For a statement.
    pub(crate) fn quoted(&self) -> String {
        identifier(&self.0)
    }
}

impl TryFrom<String> for RoleName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.len() {
            1..=63 if !name.contains('\0') => Ok(Self(name)),
            _ => Err("the name of a role has 1 to 63 bytes".to_owned()),
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name in a statement. PostgreSQL has no name with a NUL.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in a statement, whatever `standard_conforming_strings` is. PostgreSQL has no text with a NUL.
pub(crate) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { format!(" E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

#[cfg(test)]
mod tests;
