//! The ledger of workload runs: who asked for a change, who approved it, and what became of it.
//!
//! A row is a JSON object:
//!
//! | field | what |
//! |---|---|
//! | `id` | the run; what it did carries this id |
//! | `requested_at` | when it was asked for |
//! | `started_at`, `finished_at` | when it was begun and ended |
//! | `status` | `requested`, `approved`, `running`, `succeeded`, `failed`, `cancelled`, … |
//! | `requester`, `approver`, `reason` | who asked, who agreed, and why |
//! | `targets` | what is to be changed: places as `vault:secret/app#password`, or keys of variables; a list or one text |
//! | `recorded_at` | when the row was written, where that is known |
//! | `seq` | the number of the row: consecutive numbers prove that no row is missing between them |
//! | `hash`, `prev_hash` | a mark of the row, and that of the row before: a chain that proves the same |
//!
//! Times are RFC 3339, or seconds or milliseconds since 1970. A run may have several rows, as a ledger that is only
//! added to has. `createdAt` and the other camel-case spellings, and `spec.…` and `status.phase` of Kubernetes, are known;
//! `fields` of the `[[trail]]` names others. `events = { finished = ["closed"] }` adds texts of `status`.
//!
//! The hashes are compared, not computed: what they are made of is the ledger's own affair.

use std::sync::Arc;

use chrono::{FixedOffset, TimeDelta};
use keytrail_rules::model::{Covered, EventKind, Place, Proof, Role, Time};
use serde_json::Value;

use super::fields::{self, Field};
use super::{Draft, Framing, Missing, Opening, Out, Parser, Reads, TrailConfig, TrailKind};

/// The kind.
pub static KIND: TrailKind = TrailKind {
    name: "workload-runs",
    role: Role::Ledger,
    delay: TimeDelta::zero(),
    watches: &[],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["items", "runs", "rows"]), parser },
};

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(Ledger { columns: Columns::new(opening.config), sequence: Sequence::default() })
}

/// A row of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The run.
    pub id: String,
    /// When it was asked for.
    pub requested_at: Time,
    /// When it was begun.
    pub started_at: Option<Time>,
    /// When it ended, well or not.
    pub finished_at: Option<Time>,
    /// When the row was written, where that is known.
    pub recorded_at: Option<Time>,
    /// What became of it.
    pub status: Status,
    /// Who asked.
    pub requester: Option<String>,
    /// Who agreed.
    pub approver: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What is to be changed.
    pub targets: Vec<Place>,
    /// The number of the row.
    pub seq: Option<u64>,
    /// A mark of the row.
    pub hash: Option<String>,
    /// The mark of the row before.
    pub prev_hash: Option<String>,
}

/// What became of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It is not at its end.
    Open,
    /// It was carried out.
    Finished,
    /// It failed, was refused or was given up.
    Abandoned,
}

impl Status {
    /// Reads the usual words.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_lowercase().replace(['_', ' '], "-").as_str() {
            "requested" | "created" | "new" | "open" | "pending" | "queued" | "approved" | "scheduled" | "started"
            | "running" | "in-progress" => Self::Open,
            "finished" | "succeeded" | "success" | "successful" | "complete" | "completed" | "done" | "ok" => {
                Self::Finished
            }
            "abandoned" | "failed" | "failure" | "error" | "errored" | "cancelled" | "canceled" | "rejected"
            | "denied" | "aborted" | "expired" | "timed-out" => Self::Abandoned,
            _ => return None,
        })
    }
}

impl Row {
    /// The newest time that it states.
    pub fn newest(&self) -> Time {
        let others = [self.started_at, self.finished_at].into_iter().flatten();
        self.recorded_at.unwrap_or_else(|| others.fold(self.requested_at, Time::max))
    }

    /// The oldest.
    fn oldest(&self) -> Time {
        self.recorded_at.unwrap_or(self.requested_at)
    }
}

/// The events of a row: one for each target that it was asked for, and one for each that it ended. Events of the rows of
/// one run have the same ids, so that it does not matter how many there are.
pub fn drafts(row: &Row) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let details = [("requester", &row.requester), ("approver", &row.approver), ("reason", &row.reason)];
    let details: Vec<_> = details.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect();
    let ended = match row.status {
        Status::Open => None,
        Status::Finished => Some(EventKind::Finished),
        Status::Abandoned => Some(EventKind::Abandoned),
    };
    let ended = ended.map(|kind| (kind, row.finished_at.unwrap_or_else(|| row.newest())));
    for (kind, time) in std::iter::once((EventKind::Requested, row.requested_at)).chain(ended) {
        let id: Arc<str> = format!("{}/{}", row.id, kind.as_str()).into();
        drafts.extend(row.targets.iter().map(|target| Draft {
            actor: row.requester.clone(),
            run: Some(row.id.clone()),
            details: details.clone(),
            ..Draft::new(kind, target.clone(), time, id.clone())
        }));
    }
    drafts
}

/// Where the columns of a row are in a JSON object.
#[derive(Clone, Debug)]
pub struct Columns {
    zone: Option<FixedOffset>,
    id: Field,
    requested_at: Field,
    started_at: Field,
    finished_at: Field,
    recorded_at: Field,
    status: Field,
    requester: Field,
    approver: Field,
    reason: Field,
    targets: Field,
    seq: Field,
    hash: Field,
    prev_hash: Field,
    /// Texts of the status that the config adds.
    words: Vec<(String, Status)>,
}

impl Columns {
    /// The usual ones, and those that the config names.
    pub fn new(config: &TrailConfig) -> Self {
        let field = |name, usual: &[&str]| Field::of(config, name, usual);
        let status_of = |name: &str| match name {
            "requested" => Some(Status::Open),
            "finished" => Some(Status::Finished),
            "abandoned" => Some(Status::Abandoned),
            _ => None,
        };
        let words = config.events.iter().filter_map(|(name, texts)| Some((status_of(name)?, texts)));
        Self {
            zone: fields::zone(config),
            id: field("id", &["id", "run_id", "runId", "run", "metadata.name"]),
            requested_at: field(
                "requested_at",
                &[
                    "requested_at",
                    "requestedAt",
                    "spec.requestedAt",
                    "created_at",
                    "createdAt",
                    "metadata.creationTimestamp",
                    "time",
                ],
            ),
            started_at: field("started_at", &["started_at", "startedAt", "status.startedAt", "status.startTime"]),
            finished_at: field(
                "finished_at",
                &["finished_at", "finishedAt", "completed_at", "status.finishedAt", "status.completionTime"],
            ),
            recorded_at: field("recorded_at", &["recorded_at", "recordedAt"]),
            status: field("status", &["status", "state", "status.phase", "status.state"]),
            requester: field("requester", &["requester", "requested_by", "requestedBy", "spec.requester"]),
            approver: field("approver", &["approver", "approved_by", "approvedBy", "spec.approver"]),
            reason: field("reason", &["reason", "spec.reason"]),
            targets: field(
                "targets",
                &["targets", "target", "secrets", "secret", "spec.targets", "spec.target", "spec.secret"],
            ),
            seq: field("seq", &["seq", "sequence"]),
            hash: field("hash", &["hash"]),
            prev_hash: field("prev_hash", &["prev_hash", "prevHash", "previous_hash"]),
            words: words.flat_map(|(status, texts)| texts.iter().map(move |text| (text.clone(), status))).collect(),
        }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Why it is none, without anything of it.
    pub fn row(&self, object: &Value) -> Result<Row, &'static str> {
        if !object.is_object() {
            return Err("not a JSON object");
        }
        let time = |field: &Field| field.time(object, self.zone);
        let seq = self.seq.text(object);
        Ok(Row {
            id: self.id.text(object).ok_or("the run has no id")?,
            requested_at: time(&self.requested_at)?.ok_or("the run has no time of its request")?,
            started_at: time(&self.started_at)?,
            finished_at: time(&self.finished_at)?,
            recorded_at: time(&self.recorded_at)?,
            status: self.status(object)?,
            requester: self.requester.text(object),
            approver: self.approver.text(object),
            reason: self.reason.text(object),
            targets: self.targets.texts(object).iter().map(|text| fields::target(text)).collect(),
            seq: seq.map(|text| text.parse().map_err(|_| "its `seq` is no number")).transpose()?,
            hash: self.hash.text(object),
            prev_hash: self.prev_hash.text(object),
        })
    }

    fn status(&self, object: &Value) -> Result<Status, &'static str> {
        let Some(text) = self.status.text(object) else {
            return Ok(Status::Open);
        };
        let own = self.words.iter().find(|(word, _)| *word == text).map(|(_, status)| *status);
        own.or_else(|| Status::parse(&text)).ok_or("its status is not understood")
    }
}

/// Follows the numbers and the hashes of rows.
#[derive(Debug, Default)]
pub struct Sequence {
    last: Option<Numbered>,
}

#[derive(Debug)]
struct Numbered {
    seq: Option<u64>,
    hash: Option<String>,
    /// Up to where the trail is complete.
    complete: Time,
}

impl Sequence {
    /// Takes the next row: says what it proves, or what is missing before it.
    pub fn row(&mut self, row: &Row, out: &mut Out) {
        if row.seq.is_none() && row.hash.is_none() {
            return;
        }
        let fresh = |complete| Numbered { seq: row.seq, hash: row.hash.clone(), complete };
        let Some(last) = self.last.take() else {
            self.last = Some(fresh(row.newest()));
            return;
        };
        let follows = match (last.seq, row.seq) {
            // A copy of what was read before.
            (Some(before), Some(now)) if now <= before => {
                let complete = if now == before { last.complete } else { row.newest() };
                self.last = Some(fresh(complete));
                return;
            }
            (Some(before), Some(now)) => (now - before == 1).then_some(()).ok_or((before + 1, now - 1)),
            _ => Ok(()),
        };
        let chained = match (&last.hash, &row.prev_hash) {
            (Some(before), Some(said)) => before == said,
            _ => true,
        };
        let missing = match follows {
            Err((first, end)) if first == end => Some((format!("row {first} of the ledger is missing"), false)),
            Err((first, end)) => Some((format!("rows {first} to {end} of the ledger are missing"), false)),
            Ok(()) if !chained => {
                Some(("the row does not follow the one before: their hashes do not match".to_owned(), true))
            }
            Ok(()) => None,
        };
        let proves = row.seq.is_some() && last.seq.is_some() || last.hash.is_some() && row.prev_hash.is_some();
        if let Some((reason, tampered)) = missing {
            out.missing_before = Some(Missing { reason, tampered });
            self.last = Some(fresh(row.newest()));
        } else if proves {
            let to = last.complete.max(row.oldest());
            if last.complete < to {
                out.covered.push(Covered { from: last.complete, to, proof: Proof::Sequence });
            }
            self.last = Some(fresh(to));
        } else {
            self.last = Some(fresh(row.newest()));
        }
    }
}

struct Ledger {
    columns: Columns,
    sequence: Sequence,
}

impl Parser for Ledger {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let row = serde_json::from_slice(record).map_err(|_| "not JSON").and_then(|object| self.columns.row(&object));
        match row {
            Ok(row) => {
                out.time = Some(row.newest());
                self.sequence.row(&row, out);
                out.events = drafts(&row);
            }
            Err(why) => out.broken(why),
        }
    }
}

#[cfg(test)]
mod tests;
