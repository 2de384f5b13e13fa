//! What is read of the journal, also by who may not write: over a connection to the state database.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::transaction::{damaged, digest, failed, other_key};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::job::Job;
use crate::journal::seal::{Label, SealKey};
use crate::journal::{Note, Saved, Which};
use crate::ledger::tree::Hash;
use crate::ledger::verify::Ledger;
use crate::state::State;

/// A row of the notes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", untagged)]
pub(super) enum Written {
    /// From one state to the next.
    Advance { from: State, to: State },
    /// See [`Note`].
    Note { state: State, act: String, done: bool, fact: Option<String> },
}

impl Written {
    pub(super) fn of(note: &Note) -> Self {
        Self::Note { state: note.state, act: note.act.clone(), done: note.done, fact: note.fact.clone() }
    }
}

type Run = (String, String, i64);

/// Every run that has not ended, oldest first.
///
/// # Errors
/// A database that cannot be read, or is damaged.
pub async fn unfinished(connection: &mut AnyConnection) -> Result<Vec<Saved>, Failure> {
    const SELECT: &str =
        "SELECT job, state, touched_at FROM keytrail_rotation_runs WHERE ended = 0 ORDER BY begun_at, run";
    let rows: Vec<Run> = sqlx::query_as(SELECT).fetch_all(&mut *connection).await.map_err(|error| failed(&error))?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        runs.push(saved(connection, row).await?);
    }
    Ok(runs)
}

/// A run.
///
/// # Errors
/// A database that cannot be read, or is damaged.
pub async fn run(connection: &mut AnyConnection, run: &str) -> Result<Option<Saved>, Failure> {
    const SELECT: &str = "SELECT job, state, touched_at FROM keytrail_rotation_runs WHERE run = $1";
    let row = sqlx::query_as(SELECT).bind(run.to_owned()).fetch_optional(&mut *connection).await;
    match row.map_err(|error| failed(&error))? {
        Some(row) => saved(connection, row).await.map(Some),
        None => Ok(None),
    }
}

async fn saved(connection: &mut AnyConnection, (text, state_text, touched): Run) -> Result<Saved, Failure> {
    const SELECT: &str = "SELECT note FROM keytrail_rotation_notes WHERE run = $1 ORDER BY number";
    let job = job(&text)?;
    let state = state(&state_text)?;
    let touched = DateTime::from_timestamp_micros(touched).ok_or_else(damaged)?;
    let notes: Vec<String> =
        sqlx::query_scalar(SELECT).bind(job.run.clone()).fetch_all(connection).await.map_err(|error| failed(&error))?;
    let (mut facts, mut open) = (BTreeMap::new(), Vec::new());
    for text in notes {
        let Written::Note { state: of, act, done, fact } = serde_json::from_str(&text).map_err(|_| damaged())? else {
            continue;
        };
        open.retain(|begun| *begun != act);
        match (done, fact) {
            (true, Some(fact)) => drop(facts.insert(act, fact)),
            (true, None) => {}
            (false, _) if of == state => open.push(act),
            (false, _) => {}
        }
    }
    Ok(Saved { job, state, facts, open, touched })
}

/// A credential that was kept.
///
/// # Errors
/// A key that does not open the seal; a seal that was tampered with; a database that cannot be read.
pub async fn kept(
    connection: &mut AnyConnection,
    key: &SealKey,
    run: &str,
    item: &str,
    which: Which,
) -> Result<Option<Credential>, Failure> {
    match sealed(connection, run, item, which).await? {
        None => Ok(None),
        Some((id, _)) if id != key.id() => Err(other_key(run)),
        Some((_, sealed)) => key.open(Label { run, item, which }, &sealed).map(Some),
    }
}

/// The id of the key, and what is under seal.
pub(super) async fn sealed(
    connection: &mut AnyConnection,
    run: &str,
    item: &str,
    which: Which,
) -> Result<Option<(String, String)>, Failure> {
    const SELECT: &str =
        "SELECT key_id, sealed FROM keytrail_rotation_sealed WHERE run = $1 AND item_sha256 = $2 AND which = $3";
    let query = sqlx::query_as(SELECT).bind(run.to_owned()).bind(digest(item)).bind(which.as_str());
    query.fetch_optional(connection).await.map_err(|error| failed(&error))
}

/// See [`Journal::is_earlier`](crate::journal::Journal::is_earlier).
pub(super) async fn is_earlier(
    connection: &mut AnyConnection,
    key: &SealKey,
    item: &str,
    credential: &Credential,
) -> Result<bool, Failure> {
    const SELECT: &str = "SELECT COUNT(*) FROM keytrail_rotation_fingerprints \
         WHERE item_sha256 = $1 AND key_id = $2 AND fingerprint = $3";
    let Some(value) = credential.value() else {
        return Ok(false);
    };
    let query = sqlx::query_scalar(SELECT).bind(digest(item)).bind(key.id().to_owned());
    let count = query.bind(key.fingerprint(item, value)).fetch_one(connection).await;
    count.map(|count: i64| count > 0).map_err(|error| failed(&error))
}

/// Rows of the ledger with the hashes that were kept beside them.
pub(super) async fn rows(
    connection: &mut AnyConnection,
    from: u64,
    limit: u64,
) -> Result<Vec<(String, Option<Hash>)>, Failure> {
    const SELECT: &str = "SELECT entry, hash FROM keytrail_ledger WHERE number >= $1 ORDER BY number LIMIT $2";
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows: Vec<(String, String)> = sqlx::query_as(SELECT)
        .bind(number(from))
        .bind(number(limit))
        .fetch_all(connection)
        .await
        .map_err(|error| failed(&error))?;
    // A hash that is none is another one than that of the row.
    Ok(rows.into_iter().map(|(text, hash)| (text, Some(hash.parse().unwrap_or(Hash::ZERO)))).collect())
}

/// Everything that the ledger holds.
///
/// # Errors
/// A database that cannot be read.
pub async fn ledger(connection: &mut AnyConnection) -> Result<Ledger, Failure> {
    const CHECKPOINTS: &str = "SELECT size, note FROM keytrail_ledger_checkpoints ORDER BY size";
    const COUNTED: &str = "SELECT value FROM keytrail_rotation_counters WHERE name = 'ledger'";
    // Checkpoints first: rows that come in between are signed later.
    let checkpoints: Vec<(i64, String)> =
        sqlx::query_as(CHECKPOINTS).fetch_all(&mut *connection).await.map_err(|error| failed(&error))?;
    let counted: Option<i64> =
        sqlx::query_scalar(COUNTED).fetch_optional(&mut *connection).await.map_err(|error| failed(&error))?;
    let rows = rows(connection, 0, u64::MAX).await?;
    let size = |size: i64| u64::try_from(size).unwrap_or(u64::MAX);
    let checkpoints = checkpoints.into_iter().map(|(rows, note)| (size(rows), note)).collect();
    Ok(Ledger { rows, checkpoints, counted: size(counted.unwrap_or(-1)) })
}

/// How many rows a receiver has taken.
pub(super) async fn sent(connection: &mut AnyConnection, sink: &str) -> Result<u64, Failure> {
    const SELECT: &str = "SELECT size FROM keytrail_ledger_sent WHERE sink = $1";
    let size: Option<i64> =
        sqlx::query_scalar(SELECT).bind(sink.to_owned()).fetch_optional(connection).await.map_err(|e| failed(&e))?;
    Ok(size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
}

pub(super) fn job(text: &str) -> Result<Job, Failure> {
    serde_json::from_str(text).map_err(|_| damaged())
}

pub(super) fn state(text: &str) -> Result<State, Failure> {
    State::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(damaged)
}
