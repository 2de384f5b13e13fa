//! The audit log of a Kubernetes API server, `audit.k8s.io/v1`: a JSON object a line, or lists of them as a webhook
//! gets them.
//!
//! # What is read
//! Writes, deletions and reads of secrets, and workloads that are started anew. At the level `Metadata` a new value and
//! a new label look the same: such a write is a *maybe*. At the levels `Request` and `RequestResponse` the keys are
//! known, and the values stand in the log in plain text, which events say in their details.
//!
//! # Guarantees
//! No value is copied or kept. Of whole objects that are written, the values are compared with those that were written
//! before by a hash whose key lives as long as the reading, so that an unchanged key is no write.
//!
//! Format: <https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/>.

mod record;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role, Time};

use super::postgres_log::run;
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};
use record::{Key, Object, Record, Reference, Written, rfc3339};

/// The kind of trail.
pub static KIND: TrailKind = TrailKind {
    name: "kubernetes-audit",
    role: Role::Store,
    delay: TimeDelta::zero(),
    watches: &["kubernetes:"],
    requires: &["paths"],
    reads: Reads::Records { framing: Framing::Json(&["items"]), parser: open },
};

/// No more values than this are compared.
const MAX_VALUES: usize = 100_000;

fn open<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    let store = opening.config.store.as_deref().unwrap_or("kubernetes");
    Box::new(KubernetesAudit { store, values: HashMap::new(), hasher: RandomState::new() })
}

struct KubernetesAudit<'a> {
    /// The source of the places.
    store: &'a str,
    /// What was last written to a place, hashed.
    values: HashMap<Place, u64>,
    hasher: RandomState,
}

impl Parser for KubernetesAudit<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let json = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record).trim_ascii();
        if json.is_empty() {
            return;
        }
        let Ok(read) = serde_json::from_slice::<Record<'_>>(json) else {
            return out.broken("it is no JSON record of a Kubernetes audit log");
        };
        let Some(time) = read.time().and_then(rfc3339) else { return out.broken("its time is none") };
        out.time = Some(time);
        if read.audit_id.is_empty() {
            return out.broken("it has no auditID");
        }
        let Some(object) = read.object_ref.as_ref().filter(|object| object.subresource.is_none()) else { return };
        // What is not there yet, or is only tried out, changes nothing.
        if read.stage != "ResponseComplete" || read.query("dryRun").is_some() {
            return;
        }
        match (&*object.api_group, &*object.resource) {
            ("", "secrets") => self.secret(&read, object, time, out),
            ("apps", "deployments") => self.workload(&read, object, "deployment", time, out),
            ("apps", "statefulsets") => self.workload(&read, object, "statefulset", time, out),
            ("apps", "daemonsets") => self.workload(&read, object, "daemonset", time, out),
            _ => {}
        }
    }
}

impl KubernetesAudit<'_> {
    fn secret(&mut self, read: &Record<'_>, object: &Reference<'_>, time: Time, out: &mut Out) {
        let sent = read.request_object.map(Object::read);
        let named = sent.as_ref().and_then(Object::name);
        let name = Some(&*object.name).filter(|name| !name.is_empty()).or(named.as_deref());
        let Some(name) = name else { return };
        let path = format!("{}/secret/{name}", object.namespace);
        let whole = Place::of_path(self.store, &path);
        let outcome = read.outcome();
        match &*read.verb {
            "get" | "list" | "watch" if outcome == Outcome::Done => {
                out.event(draft(read, EventKind::Read, whole, time));
            }
            "delete" => out.event(draft(read, EventKind::Deleted, whole, time)),
            "create" | "update" | "patch" => match sent {
                Some(sent) => self.written(read, &path, &sent, time, out),
                None if read.verb == "create" => out.event(draft(read, EventKind::Created, whole, time)),
                None => out.event(draft(read, EventKind::MaybeWritten, whole, time)),
            },
            _ => {}
        }
    }

    /// A write whose content is in the log.
    fn written(&mut self, read: &Record<'_>, path: &str, sent: &Object<'_>, time: Time, out: &mut Out) {
        for (key, written) in sent.keys() {
            let place = match &key {
                Key::Whole => Place::of_path(self.store, path),
                Key::One(key) => Place::new(self.store, path, key),
            };
            let known = match written {
                Written::Value(value) if read.outcome() == Outcome::Done => self.is_known(&place, value),
                _ => false,
            };
            if known && read.verb == "update" {
                continue;
            }
            let kind = match written {
                Written::Removed => EventKind::Deleted,
                _ if read.verb == "create" => EventKind::Created,
                _ => EventKind::Written,
            };
            let mut event = draft(read, kind, place, time);
            if matches!(written, Written::Value(_)) {
                event.details.push(("plaintext-in-audit", "the log holds the value".to_owned()));
            }
            out.event(event);
        }
    }

    /// Whether that is what was written there before; remembers it.
    fn is_known(&mut self, place: &Place, value: &str) -> bool {
        let hash = self.hasher.hash_one(value);
        if self.values.len() >= MAX_VALUES && !self.values.contains_key(place) {
            self.values.clear();
        }
        self.values.insert(place.clone(), hash) == Some(hash)
    }

    /// A patch of the template of its pods starts a workload anew; a whole object holds the template anyhow, changed or
    /// not.
    fn workload(&self, read: &Record<'_>, object: &Reference<'_>, kind: &str, time: Time, out: &mut Out) {
        let rollout = read.query("fieldManager").as_deref() == Some("kubectl-rollout");
        let template = || read.request_object.is_some_and(|sent| Object::read(sent).patches_template());
        let restarts = match &*read.verb {
            "patch" => template() || rollout && read.request_object.is_none(),
            "update" => rollout,
            _ => false,
        };
        if !restarts || object.name.is_empty() {
            return;
        }
        let place = Place::of_path(self.store, &format!("{}/{kind}/{}", object.namespace, object.name));
        let mut event = draft(read, EventKind::Restarted, place, time);
        event.consumer = Some(event.target.as_str().into());
        out.event(event);
    }
}

fn draft(read: &Record<'_>, kind: EventKind, target: Place, time: Time) -> Draft {
    let mut details = Vec::new();
    if let Some(address) = read.source_ips.first() {
        details.push(("address", address.to_string()));
    }
    if let Some(user) = read.impersonated_user.as_ref().filter(|user| !user.username.is_empty()) {
        details.push(("acts-as", user.username.to_string()));
    }
    Draft {
        outcome: read.outcome(),
        actor: Some(read.user.username.to_string()).filter(|name| !name.is_empty()),
        run: read.query("fieldManager").and_then(|manager| run(&manager)),
        details,
        ..Draft::new(kind, target, time, &*read.audit_id)
    }
}

#[cfg(test)]
mod tests;
