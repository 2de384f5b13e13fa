//! Keytrail's own ledger: who asked it for which rotation, and how that ended.
//!
//! It is read from the state database of the scanned folder, or from the one of `url`; or from the file of `path`, which
//! holds a row a line, as the ledger's `jsonl` receiver writes it. A rotation that changed something is in it: rows are
//! numbered, each holds the hash of the one before, and checkpoints are signed with a key that is not in the database.
//! So it is complete from its first row to now, or the first row that is wrong is named.
//!
//! Checkpoints are checked with `.keytrail/ledger.key`, or with the verifier keys in the file of `public_keys`, one a
//! line; those that others signed are passed over. A file has no checkpoints.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rotation::ledger::note::Verifier;
use keytrail_rotation::ledger::verify::{Audit, Ledger, LedgerError};
use keytrail_rotation::ledger::{Entry as LedgerEntry, Status as LedgerStatus};
use keytrail_rules::model::{Covered, Entry, Gap, GapReason, Hole, Place, Proof, Raw, Role, Time};
use sha2::{Digest, Sha256};

use super::workload_runs::{self, Row, Status};
use super::{Answer, Opening, Reads, TrailConfig, TrailKind};
use crate::config::{Config, StateConfig};
use crate::state::{self, Mode, State, StateError};

/// The kind.
pub static KIND: TrailKind = TrailKind {
    name: "keytrail-ledger",
    role: Role::Ledger,
    delay: TimeDelta::zero(),
    watches: &[],
    requires: &[],
    reads: Reads::Server(read),
};

/// A ledger file is read into memory.
const MAX_BYTES: u64 = 256 << 20;

/// Adds the ledger of the state to the trails of a config that has some, but not this one; and tells one that says neither
/// `url` nor `path` where the state is.
pub fn complete(config: &mut Config, root: &Path, has_rows: bool) {
    let is_own = |trail: &TrailConfig| trail.kind == KIND.name;
    if has_rows && !config.trails.is_empty() && !config.trails.iter().any(is_own) {
        let location = keytrail_rules::model::Location::of_file("keytrail.toml");
        config.trails.push(TrailConfig::new(KIND.name, KIND.name, root, location));
    }
    for trail in config.trails.iter_mut().filter(|trail| is_own(trail) && trail.paths.is_empty()) {
        trail.url = trail.url.take().or_else(|| config.state.url.clone());
    }
}

fn read<'a>(opening: &'a Opening<'a>) -> BoxFuture<'a, Answer> {
    async move {
        let found = match opening.config.paths.first() {
            Some(path) => of_file(&opening.config.root.join(path)).map(|ledger| (path.clone(), ledger, Vec::new())),
            None => of_state(opening.config).await,
        };
        match found {
            Ok((source, ledger, verifiers)) => (entries(opening, &source, &ledger, &verifiers), Vec::new()),
            Err(gap) => (Vec::new(), vec![gap]),
        }
    }
    .boxed()
}

async fn of_state(config: &TrailConfig) -> Result<(String, Ledger, Vec<Verifier>), Gap> {
    let root = &config.root;
    let failed = |error: StateError| {
        Gap::new(&config.name, GapReason::Unreachable, format!("the ledger cannot be read: {error}")).hint(error.hint())
    };
    let verifiers = match &config.public_keys {
        Some(path) => verifiers(&root.join(path))?,
        None => state::ledger_verifier(root).map_err(failed)?.into_iter().collect(),
    };
    let place = StateConfig { url: config.url.clone(), ..StateConfig::default() };
    let state = State::open(&place, root, Mode::ReadOnly).await.map_err(failed)?;
    let Some(state) = state else {
        return Ok((config.name.clone(), Ledger::default(), verifiers));
    };
    let ledger = state.rotation_ledger().await.map_err(failed)?;
    state.close().await.map_err(failed)?;
    Ok((config.name.clone(), ledger, verifiers))
}

fn of_file(path: &Path) -> Result<Ledger, Gap> {
    let text = text(path, MAX_BYTES)?;
    let rows: Vec<_> = text.split_inclusive('\n').map(|line| (line.trim_end_matches('\n').to_owned(), None)).collect();
    Ok(Ledger { counted: rows.len() as u64, rows, checkpoints: BTreeMap::new() })
}

fn verifiers(path: &Path) -> Result<Vec<Verifier>, Gap> {
    let text = text(path, 64 << 10)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(Verifier::parse).collect::<Option<_>>().ok_or_else(|| {
        let message = format!("{} holds a line that is no verifier key", path.display());
        Gap::new(path.display().to_string(), GapReason::Malformed, message).hint("write NAME+ID+KEY, one a line")
    })
}

fn text(path: &Path, limit: u64) -> Result<String, Gap> {
    let name = path.display().to_string();
    let gap = |what: String| Gap::new(&name, GapReason::Malformed, what).hint("check `path` of the trail");
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_string(&mut text))
        .map_err(|error| gap(format!("{name} cannot be read: {error}")))?;
    if text.len() as u64 > limit { Err(gap(format!("{name} is too large"))) } else { Ok(text) }
}

/// What the rows say, up to the first that is wrong.
fn entries(opening: &Opening<'_>, source: &str, ledger: &Ledger, verifiers: &[Verifier]) -> Vec<Entry> {
    let mut reading = Reading { opening, source: Arc::from(source), offset: 0, requested: BTreeMap::new() };
    let mut audit = Audit::default();
    let mut entries = Vec::new();
    let (mut first, mut last): (Option<Time>, Option<Time>) = (None, None);
    for (text, hash) in &ledger.rows {
        let raw = reading.raw(text, audit.size());
        let entry = match audit.row(text, *hash) {
            Ok(entry) => entry,
            Err(error) => return reading.broken(entries, first, &error, Some(raw)),
        };
        entries.extend(reading.events(&entry, &raw));
        first = first.or(Some(entry.row.at));
        last = last.max(Some(entry.row.at));
        if let Some(note) = ledger.checkpoints.get(&audit.size())
            && let Err(error) = audit.checkpoint(note, verifiers)
        {
            return reading.broken(entries, first, &error, Some(raw));
        }
    }
    if let Err(error) = audit.end(ledger.counted, ledger.checkpoints.keys().next_back().copied()) {
        return reading.broken(entries, first, &error, None);
    }
    if let Some(from) = first.filter(|from| *from < opening.as_of) {
        entries.push(Entry::Covered(Covered { from, to: opening.as_of, proof: Proof::Sequence }));
    }
    entries
}

/// Makes events of rows.
struct Reading<'a> {
    opening: &'a Opening<'a>,
    source: Arc<str>,
    offset: u64,
    /// When each run was asked for.
    requested: BTreeMap<String, Time>,
}

impl Reading<'_> {
    fn raw(&mut self, text: &str, seq: u64) -> Raw {
        let (offset, length) = (self.offset, text.len() as u64);
        self.offset += length + 1;
        let sha256 = Sha256::digest(text.as_bytes()).into();
        Raw { source: self.source.clone(), offset, length, line: seq + 1, sha256 }
    }

    fn events(&mut self, entry: &LedgerEntry, raw: &Raw) -> Vec<Entry> {
        let row = &entry.row;
        let requested_at = *self.requested.entry(row.run.clone()).or_insert(row.at);
        let (status, finished_at) = match row.status {
            LedgerStatus::Requested => (Status::Open, None),
            LedgerStatus::Succeeded => (Status::Finished, Some(row.at)),
            LedgerStatus::RolledBack => (Status::Abandoned, Some(row.at)),
        };
        let drafts = workload_runs::drafts(&Row {
            id: row.run.clone(),
            requested_at,
            started_at: None,
            finished_at,
            recorded_at: Some(row.at),
            status,
            requester: Some(row.by.clone()),
            approver: row.approver.clone(),
            reason: Some(row.reason.clone()),
            targets: row.items.iter().map(|item| Place::from_stored(format!("item:{item}"))).collect(),
            seq: Some(entry.seq),
            hash: None,
            prev_hash: None,
        });
        drafts.into_iter().map(|draft| self.opening.event(draft, raw.clone())).collect()
    }

    /// What was read, and that the ledger cannot be believed. Its older rows might have been others too.
    fn broken(&self, mut entries: Vec<Entry>, from: Option<Time>, error: &LedgerError, raw: Option<Raw>) -> Vec<Entry> {
        // Of a file the last line may not be written to its end, and its first rows may be kept elsewhere.
        let is_file = !self.opening.config.paths.is_empty();
        let may_be = matches!(error, LedgerError::Unreadable { .. } | LedgerError::Missing { .. });
        let reason = error.to_string();
        entries.push(Entry::Hole(Hole { from, to: None, reason, tampered: !(is_file && may_be), raw }));
        entries
    }
}

#[cfg(test)]
mod tests;
