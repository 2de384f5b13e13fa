//! Writes KV secrets.
//!
//! # Guarantees
//! * Version 2: the server compares the version and writes, both at once (`options.cas`). It merges the new keys into the
//!   old ones; where the token may not patch, the whole secret is written, with the siblings as they were read.
//!   A path that has no current version is refused, never brought back.
//! * Version 1 has no versions: the secret is read, compared and written whole, and read again. A writer between is found
//!   out, but may be overwritten.
//! * No change is sent twice. What is not a plain refusal may have been done: it is [`Outcome::Unknown`].
//! * The run is part of the user agent, which the server's audit keeps if it is told to
//!   (`sys/config/auditing/request-headers/user-agent`), and of the custom metadata (`keytrail_run`) where the token
//!   may write that; a write does not fail because it may not.
//! * A token that Keytrail got by logging in is kept for the next act, and ends when its time is over.
//!
//! [`Outcome::Unknown`]: keytrail_rotation::failure::Outcome::Unknown

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use keytrail_rotation::context::{Act, Context};
use keytrail_rotation::failure::Failure;
use keytrail_rotation::store::{Abilities, Held, Store, Version};
use keytrail_rules::model::Secret;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::connection::Connection;
use super::mounts::{self, KvVersion, Mount};
use super::session::{Change, Session};
use super::{auth, environment};
use crate::config::StoreConfig;
use crate::stores::Writable;

mod body;
mod preflight;
pub(super) mod refusal;
mod v1;
mod v2;

/// A server that is written.
struct Vault {
    config: StoreConfig,
    session: Mutex<Option<Arc<Session>>>,
    /// Whether a path of KV version 1 was asked for.
    has_v1: AtomicBool,
    /// Whether the token was refused to write custom metadata: then it is not asked again.
    no_metadata: AtomicBool,
}

/// Opens the store of a table. It logs in at the first use.
#[expect(clippy::unnecessary_wraps, reason = "the table's type")]
pub(super) fn open(config: &StoreConfig) -> Writable {
    Ok(Arc::new(Vault {
        config: config.clone(),
        session: Mutex::default(),
        has_v1: AtomicBool::default(),
        no_metadata: AtomicBool::default(),
    }))
}

impl Store for Vault {
    /// Which version a path is of, only the server knows: one of version 1 that was asked for tells for all.
    fn abilities(&self) -> Abilities {
        Abilities { reads: true, compares: !self.has_v1.load(Ordering::Relaxed), stages: false }
    }

    fn preflight<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>> {
        async move {
            Ok(match self.at(context, path).await {
                Ok(at) => preflight::obstacles(&at, keys).await,
                Err(failure) => vec![failure.what],
            })
        }
        .boxed()
    }

    fn read<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held> {
        async move {
            let at = self.at(context, path).await?;
            let (version, mut values) = match at.mount.version {
                KvVersion::V1 => v1::read(&at).await?,
                KvVersion::V2 => v2::read(&at).await?,
            };
            values.retain(|key, _| keys.contains(key));
            Ok(Held { version, values })
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        context: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
        expected: &'a Version,
    ) -> Act<'a, Version> {
        async move {
            let at = self.at(context, path).await?;
            match at.mount.version {
                KvVersion::V1 => v1::write(&at, values, expected).await,
                KvVersion::V2 => {
                    let made = v2::write(&at, values, expected).await?;
                    if !self.no_metadata.load(Ordering::Relaxed) && !v2::note_run(&at, &context.run).await {
                        self.no_metadata.store(true, Ordering::Relaxed);
                    }
                    Ok(made)
                }
            }
        }
        .boxed()
    }
}

/// A path of the server.
struct At {
    session: Arc<Session>,
    agent: HeaderValue,
    mount: Mount,
    /// Below the mount.
    path: String,
    /// With the mount, as messages name it.
    full: String,
}

impl At {
    fn change(&self, body: Zeroizing<Vec<u8>>, patch: bool) -> Change<'_> {
        Change { body, patch, agent: &self.agent }
    }
}

impl Vault {
    async fn at(&self, context: &Context, full: &str) -> Result<At, Failure> {
        let full = full.trim_matches('/').to_owned();
        if full.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Failure::not_done(format!("{full} is no path")).hint("correct the place in `copies`"));
        }
        let session = self.session().await?;
        let mount =
            mounts::named(&session, &full).await.map_err(|failure| refusal::of_mount(&full, failure, &session))?;
        let path = full.strip_prefix(&mount.path).and_then(|rest| rest.strip_prefix('/'));
        let path = path.filter(|path| !path.is_empty()).map(str::to_owned).ok_or_else(|| {
            Failure::not_done(format!("{full} is a mount, not a path in one")).hint("correct the place in `copies`")
        })?;
        self.has_v1.fetch_or(mount.version == KvVersion::V1, Ordering::Relaxed);
        let agent = HeaderValue::from_str(&context.user_agent())
            .map_err(|_| Failure::not_done("the run has characters that no HTTP header can hold"))?;
        Ok(At { session, agent, mount, path, full })
    }

    /// The session; a new one where there is none yet, or it was lost.
    async fn session(&self) -> Result<Arc<Session>, Failure> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| session.lost().is_none()) {
            return Ok(session.clone());
        }
        let log_in = async {
            let connection = Connection::new(&self.config, &environment)?;
            auth::check_health(&connection).await?;
            let token = auth::login(&self.config, &connection, &environment).await?;
            Ok(Arc::new(Session::new(connection, token, self.config.concurrency.max(1))))
        };
        let made = log_in.await.map_err(|failed| refusal::of(&self.config.name, failed))?;
        *session = Some(made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests;
