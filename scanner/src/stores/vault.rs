//! HashiCorp Vault and OpenBao: the KV secrets engines, version 1 and 2.
//!
//! # What is read
//! Every mount that the token can see, or those that `mounts` names (`secret`, or a folder of it: `secret/app`), in
//! one namespace. Of a KV v2 path its metadata (versions, custom metadata), and the names of its keys through
//! `subkeys`, in which values never leave the server. With `read_values = true` the values of every version that can
//! be read are compared as keyed fingerprints; a value lives in memory for as long as it takes to fingerprint it. KV v1
//! remembers nothing: without `read_values` only its paths are known.
//!
//! # Guarantees
//! * The token goes to the configured host and nowhere else. No redirect is followed, and no proxy of the environment
//!   (`HTTP_PROXY`, …) is used: what stands between Keytrail and the store would see every secret. Certificates are
//!   always checked; `VAULT_SKIP_VERIFY` is not looked at.
//! * No message quotes what the server sent, nor the token.
//! * Every request ends within the store's `timeout`, its repetitions included, and every answer within
//!   32 MiB. A server that stops answering, or a token that runs out, ends the scan of the store with one gap; what
//!   was read before stands.
//!
//! The calls that the `vaultrs` crate describes are taken from there (health, AppRole login, KV v2 metadata); `subkeys`,
//! the mounts of a plain token and KV data with values that are wiped are not among them. The transport is
//! our own: that of `vaultrs` follows redirects, reads answers of any size, and drops `.` and `..` segments of a path.

mod answer;
pub(crate) mod audit;
mod auth;
mod connection;
mod contents;
mod gaps;
pub(super) mod metadata;
mod mounts;
mod session;
mod transit;
mod values;
mod walk;
mod write;

use std::sync::atomic::AtomicUsize;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use keytrail_rules::model::{Facts, Gap, ScopeEntry};

use connection::{Connection, Env, Failed};
use contents::{Contents, Found, Lost};
use mounts::Mount;
use session::{Failure, Session};
use walk::Listing;

pub use transit::Transit;
use write::refusal;

use super::StoreKind;
use crate::config::StoreConfig;
use crate::source::Reader;

/// Vault and OpenBao.
pub static KIND: StoreKind = StoreKind {
    name: "vault",
    requires: &[],
    read: |config, reader| async move { read(config, reader, &environment).await }.boxed(),
    open_for_writing: Some(write::open),
};

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn read(config: &StoreConfig, reader: &Reader<'_>, env: Env<'_>) -> Facts {
    let mut found = Found::default();
    let lost = scan(config, reader, env, &mut found).await.err();
    let Found { mut facts, missed, gone } = found;
    facts.copies.sort_by(|a, b| a.place.cmp(&b.place));
    facts.declarations.sort_by(|a, b| a.places.cmp(&b.places));
    facts.gaps = gaps::gaps(&config.name, missed);
    facts
        .gaps
        .extend(lost.map(|Failed { reason, what, hint, .. }| Gap { hint, ..Gap::new(&config.name, reason, what) }));
    let held = facts.copies.len() as u64 + facts.declarations.len() as u64 + gone;
    facts.scope.push(ScopeEntry { source: config.name.clone(), kind: KIND.name.to_owned(), held });
    facts
}

/// Reads all of the store into `found`. What it could not begin, or had to give up, is its error.
async fn scan(config: &StoreConfig, reader: &Reader<'_>, env: Env<'_>, found: &mut Found) -> Result<(), Failed> {
    let connection = Connection::new(config, env)?;
    auth::check_health(&connection).await?;
    let token = auth::login(config, &connection, env).await?;
    let session = Session::new(connection, token, config.concurrency.max(1));
    let outcome = read_mounts(config, reader, &session, found).await;
    session.close().await;
    outcome
}

async fn read_mounts(
    config: &StoreConfig,
    reader: &Reader<'_>,
    session: &Session,
    found: &mut Found,
) -> Result<(), Failed> {
    let at_once = config.concurrency.max(1);
    let mounts = match mounts::find(session, &config.mounts).await {
        Ok((mounts, missed)) => {
            found.missed.extend(missed);
            mounts
        }
        Err(Failure::Failed(failed)) => return Err(failed),
        Err(Failure::Lost | Failure::Denied | Failure::Missing) => {
            return Err(session.lost().unwrap_or_else(|| answer::not_json(b"")));
        }
    };
    let entries = &AtomicUsize::new(0);
    let lists: FuturesUnordered<_> = mounts.iter().map(|mount| list(session, mount, entries, at_once)).collect();
    let listings: Vec<(&Mount, Listing)> = lists.collect().await;
    let total: usize = listings.iter().map(|(_, listing)| listing.paths.len()).sum();
    if let Some(lost) = session.lost() {
        let what = format!("{}; {total} paths were listed, and none was read", lost.what);
        return Err(Failed { what, ..lost });
    }

    let contents = Contents { session, config, reader, now: reader.as_of };
    let mut paths = Vec::with_capacity(total);
    for (mount, listing) in &listings {
        found.missed.extend(listing.missed.iter().cloned());
        paths.extend(listing.paths.iter().map(|path| (*mount, path.as_str())));
    }
    let mut unread = 0;
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < at_once
            && let Some((mount, path)) = paths.pop()
        {
            under_way.push(contents.read(mount, path));
        }
        match under_way.next().await {
            Some(Ok(one)) => found.extend(one),
            Some(Err(Lost)) => unread += 1,
            None => break,
        }
    }
    match session.lost() {
        Some(lost) => {
            let what = format!("{}; {unread} of {total} paths were not read", lost.what);
            Err(Failed { what, ..lost })
        }
        None => Ok(()),
    }
}

async fn list<'a>(session: &Session, mount: &'a Mount, entries: &AtomicUsize, at_once: usize) -> (&'a Mount, Listing) {
    (mount, walk::list(session, mount, entries, at_once).await)
}

#[cfg(test)]
pub(super) mod tests;
