//! An application's own audit log: JSON, whose fields the config names.
//!
//! ```toml
//! [[trail]]
//! name = "api"
//! kind = "json-log"
//! path = "logs/api/*.jsonl"
//! consumer = "kubernetes:shop/deployment/api"
//! fields = { time = "ts", kind = "event.name", target = "secret" }
//! events = { loaded = ["secret.loaded"], refused = ["secret.rejected"] }
//! ```
//!
//! Fields are `time`, `kind`, `target` (a place as `postgres:role/app`, or the key of a variable; `key` is the same), `consumer`,
//! `actor`, `run`, `version`, `id` and `outcome`. Without `events`, the texts of `kind` are those of
//! [`EventKind`]: `loaded`, `written`, …

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{FixedOffset, TimeDelta};
use keytrail_rules::model::{EventKind, Outcome, Role};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fields::{self, Field};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailConfig, TrailKind};

/// The kind.
pub static KIND: TrailKind = TrailKind {
    name: "json-log",
    role: Role::Application,
    delay: TimeDelta::zero(),
    watches: &[],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["events", "records", "Records"]), parser },
};

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(JsonLog::new(opening.config))
}

struct JsonLog {
    zone: Option<FixedOffset>,
    time: Field,
    kind: Field,
    target: Field,
    key: Field,
    consumer: Field,
    actor: Field,
    run: Field,
    version: Field,
    id: Field,
    outcome: Field,
    events: HashMap<String, EventKind>,
}

impl JsonLog {
    fn new(config: &TrailConfig) -> Self {
        let field = |name, usual: &[&str]| Field::of(config, name, usual);
        let events = if config.events.is_empty() {
            EventKind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), kind)).collect()
        } else {
            let named = |name: &str| EventKind::ALL.into_iter().find(|kind| kind.as_str() == name);
            let mapped = config.events.iter().filter_map(|(name, texts)| Some((named(name)?, texts)));
            mapped.flat_map(|(kind, texts)| texts.iter().map(move |text| (text.clone(), kind))).collect()
        };
        Self {
            zone: fields::zone(config),
            time: field("time", &["time", "timestamp", "ts", "@timestamp"]),
            kind: field("kind", &["event", "kind", "type", "action"]),
            target: field("target", &["target", "secret", "key"]),
            key: field("key", &[]),
            consumer: field("consumer", &["consumer", "service"]),
            actor: field("actor", &["actor", "user"]),
            run: field("run", &["run", "run_id", "request_id"]),
            version: field("version", &["version"]),
            id: field("id", &["event_id"]),
            outcome: field("outcome", &["outcome", "result"]),
            events,
        }
    }

    fn read(&self, record: &[u8], out: &mut Out) -> Result<(), &'static str> {
        let value: Value = serde_json::from_slice(record).map_err(|_| "not JSON")?;
        if !value.is_object() {
            return Err("not a JSON object");
        }
        let time = self.time.time(&value, self.zone)?;
        out.time = time;
        let Some(kind) = self.kind.text(&value).and_then(|text| self.events.get(&text).copied()) else {
            return Ok(());
        };
        let time = time.ok_or("it has no time")?;
        let mut targets = self.target.texts(&value);
        targets.extend(self.key.texts(&value));
        if targets.is_empty() {
            return Err("it names no credential");
        }
        let outcome = self.outcome.text(&value).map_or(Ok(Outcome::Done), |text| outcome(&text))?;
        let id: Arc<str> = self.id.text(&value).unwrap_or_else(|| digest(record)).into();
        for target in targets {
            out.event(Draft {
                outcome,
                version: self.version.text(&value),
                actor: self.actor.text(&value),
                run: self.run.text(&value),
                consumer: self.consumer.text(&value).map(Arc::from),
                ..Draft::new(kind, fields::target(&target), time, id.clone())
            });
        }
        Ok(())
    }
}

impl Parser for JsonLog {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        if let Err(why) = self.read(record, out) {
            out.broken(why);
        }
    }
}

/// Whether it was done.
fn outcome(text: &str) -> Result<Outcome, &'static str> {
    match text.to_lowercase().as_str() {
        "success" | "succeeded" | "ok" | "done" | "true" | "allowed" | "granted" => Ok(Outcome::Done),
        "failure" | "failed" | "error" | "false" | "denied" | "rejected" | "refused" => Ok(Outcome::Failed),
        "throttled" | "rate-limited" => Ok(Outcome::Throttled),
        _ => Err("its outcome is not understood"),
    }
}

/// What the copies of a record have in common, where it has no id.
fn digest(record: &[u8]) -> String {
    Sha256::digest(record)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
