//! Connections to a Redis server, for the issuer that changes its users and the probe that logs in.
//!
//! # Guarantees
//! A connection is never used for more than one login, so that each asks the server anew. Passwords go into `AUTH` alone;
//! users are changed by the digests of their passwords, so that no log, monitor or replica sees one.
//!
//! # Assumptions
//! The client library does not wipe the buffers in which it sends `AUTH`.

use std::fmt::Write as _;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value, cmd};
use keytrail_rules::model::Secret;
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::failure::Failure;
use crate::state::Answer;

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    client: Client,
    name: String,
}

/// Who logs in.
pub(crate) struct Login<'a> {
    /// The user: `default` where servers have but one.
    pub(crate) user: &'a str,
    /// The password; `None` for a user that needs none.
    pub(crate) password: Option<&'a Secret>,
}

impl Node {
    /// The server of a URL without a password: `redis://127.0.0.1:6379`, `rediss://cache.example.com`.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::not_done(format!("the URL of the Redis server {why}"));
        let parsed = reqwest::Url::parse(url).map_err(|_| wrong("is none"))?;
        if parsed.password().is_some() || !parsed.username().is_empty() {
            return Err(wrong("has a user or a password").hint("leave them out, and name the variable that holds it"));
        }
        if !matches!(parsed.scheme(), "redis" | "rediss" | "unix" | "redis+unix") {
            return Err(wrong("is none of Redis").hint("write redis://host:6379, or rediss:// for TLS"));
        }
        let client = Client::open(url).map_err(|_| wrong("is not understood").hint("write redis://host:6379"))?;
        let name = parsed.host_str().map_or_else(
            || parsed.path().to_owned(),
            |host| parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
        );
        Ok(Self { client, name })
    }

    /// `127.0.0.1:6379`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A new connection, logged in; the error of the login itself is inside.
    pub(crate) async fn connect(
        &self,
        context: &Context,
        login: &Login<'_>,
    ) -> Result<Result<Session<'_>, RedisError>, Failure> {
        let limit = context.timeout;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limit.min(Duration::from_secs(10))))
            .set_response_timeout(Some(limit));
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let connection = connected.map_err(|error| self.unreachable(&error))?;
        let mut session = Session { connection, node: self };
        if let Some(password) = login.password {
            let auth = session.send(cmd("AUTH").arg(login.user).arg(password.expose())).await;
            if let Err(error) = auth {
                return Ok(Err(error));
            }
        }
        // Not every user may do so, and nothing hangs on it.
        let _ = session.send(cmd("CLIENT").arg("SETNAME").arg(format!("keytrail:{}", context.run))).await;
        Ok(Ok(session))
    }

    /// Whether a login works.
    pub(crate) async fn answers(&self, context: &Context, login: &Login<'_>) -> Result<Answer, Failure> {
        let Ok(connected) = self.connect(context, login).await else {
            return Ok(Answer::Unknown);
        };
        let error = match connected {
            Ok(mut session) => match session.send(&cmd("PING")).await {
                // A user may be allowed nothing, not even this: it is logged in all the same.
                Ok(_) => return Ok(Answer::Works),
                Err(error) if error.code() == Some("NOPERM") => return Ok(Answer::Works),
                Err(error) => error,
            },
            Err(error) => error,
        };
        Ok(match error.code() {
            Some("WRONGPASS" | "NOAUTH") => Answer::Rejected,
            _ => Answer::Unknown,
        })
    }

    fn unreachable(&self, error: &RedisError) -> Failure {
        let why = if error.is_timeout() { "does not answer" } else { "cannot be reached" };
        Failure::unknown(format!("the Redis server {} {why}", self.name)).hint("check its address, and that it runs")
    }
}

/// A connection that is logged in.
pub(crate) struct Session<'a> {
    connection: MultiplexedConnection,
    node: &'a Node,
}

impl Session<'_> {
    /// Sends a command.
    pub(crate) async fn send(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        command.query_async(&mut self.connection).await
    }

    /// Sends a command that is to work. `what` is it in words.
    pub(crate) async fn perform(&mut self, command: &Cmd, what: &str) -> Result<Value, Failure> {
        let sent = self.send(command).await;
        sent.map_err(|error| self.node.failure(&error, what))
    }
}

impl Node {
    /// What an error means. Texts of the server are not quoted: `ACL` quotes its arguments in them.
    pub(crate) fn failure(&self, error: &RedisError, what: &str) -> Failure {
        let name = &self.name;
        match error.code() {
            Some(code @ ("LOADING" | "BUSY" | "TRYAGAIN" | "MASTERDOWN" | "CLUSTERDOWN")) => {
                Failure::unknown(format!("the Redis server {name} cannot {what} now ({code})"))
            }
            Some("NOPERM") => Failure::not_done(format!("the Redis server {name} does not let this user {what}"))
                .hint("give the administrator `+acl +config` (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/)"),
            Some(code) => Failure::not_done(format!("the Redis server {name} refused to {what} ({code})")),
            None => self.unreachable(error),
        }
    }
}

/// SHA-256 of a password, as `ACL` takes and shows it: 64 hexadecimal digits.
pub(crate) fn digest(password: &Secret) -> String {
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(password.expose().as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
