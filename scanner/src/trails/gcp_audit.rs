//! Cloud Audit Logs of Google's Secret Manager: `LogEntry` with an `AuditLog` as `protoPayload`.
//!
//! Sources: <https://cloud.google.com/secret-manager/docs/audit-logging>,
//! <https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry>,
//! <https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog>.
//!
//! Reads are Data Access logs, which are off unless somebody switched them on. The version of a read is what was asked for,
//! often `latest`, which names none. A secret lies under the number of its project or under its id.

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role};
use serde_json::Value;

use super::json::{self, at, first_text, number, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `gcp-audit`.
pub static KIND: TrailKind = TrailKind {
    name: "gcp-audit",
    role: Role::Store,
    delay: TimeDelta::minutes(10),
    watches: &["gcp-secret-manager:"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["entries"]), parser },
};

const SERVICE: &str = "secretmanager.googleapis.com";

/// `RESOURCE_EXHAUSTED`, <https://cloud.google.com/apis/design/errors>.
const EXHAUSTED: i64 = 8;

struct GcpAudit<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(GcpAudit { store: json::store(opening, "gcp-secret-manager") })
}

/// `projects/P/secrets/NAME`, perhaps with a location before `secrets`, and a version behind.
struct Resource<'a> {
    project: &'a str,
    /// From behind the project: `/secrets/NAME`.
    rest: &'a str,
    version: Option<&'a str>,
}

impl<'a> Resource<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = match name.split_once("/versions/") {
            Some((path, version)) => (path, Some(version)),
            None => (name, None),
        };
        let project = path.strip_prefix("projects/")?.split('/').next()?;
        let rest = path.strip_prefix("projects/")?.strip_prefix(project)?;
        let (_, secret) = rest.split_once("/secrets/")?;
        let numbered = |version: &&str| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        (!project.is_empty() && !secret.is_empty() && !secret.contains('/')).then_some(Self {
            project,
            rest,
            version: version.filter(numbered),
        })
    }

    fn place(&self, store: &str, project: &str) -> Place {
        Place::of_path(store, &format!("projects/{project}{}", self.rest))
    }
}

impl Parser for GcpAudit<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(entry) = json::parse(record, out) else { return };
        let Some(when) = time(&entry, &["timestamp"]).or_else(|| time(&entry, &["receiveTimestamp"])) else {
            return out.broken("it has no time");
        };
        out.time = Some(when);
        let Some(payload) = at(&entry, &["protoPayload"]) else { return };
        if text(payload, &["serviceName"]) != Some(SERVICE) {
            return;
        }
        let method = text(payload, &["methodName"]).unwrap_or_default();
        let Some(kind) = kind_of(method.rsplit('.').next().unwrap_or_default(), payload) else { return };
        // The answer names the version; the request of AddSecretVersion only the secret.
        let answer = text(payload, &["response", "name"]).and_then(Resource::parse);
        let asked = text(payload, &["resourceName"]).and_then(Resource::parse);
        let version = answer.as_ref().and_then(|one| one.version).or(asked.as_ref().and_then(|one| one.version));
        let Some(resource) = asked.as_ref().or(answer.as_ref()) else {
            return out.broken("it names no secret");
        };

        let target = resource.place(self.store, resource.project);
        if let Some(id) = text(&entry, &["resource", "labels", "project_id"]).filter(|id| *id != resource.project) {
            out.same.push((target.clone(), resource.place(self.store, id)));
        }
        let insert_id = text(&entry, &["insertId"]).map(|id| format!("{id}@{}", when.to_rfc3339()));
        let mut draft = Draft::new(kind, target, when, insert_id.unwrap_or_else(|| json::fingerprint(&entry)));
        draft.outcome = outcome(payload);
        draft.version = version.map(str::to_owned);
        draft.actor = first_text(
            payload,
            &[&["authenticationInfo", "principalEmail"], &["authenticationInfo", "principalSubject"]],
        );
        let agent = text(payload, &["requestMetadata", "callerSuppliedUserAgent"]);
        draft.run = agent.and_then(json::run_of_agent);
        draft.details.extend(first_text(payload, &[&["requestMetadata", "callerIp"]]).map(|ip| ("address", ip)));
        draft.details.extend(first_text(&entry, &[&["receiveTimestamp"]]).map(|time| ("received", time)));
        if draft.kind == EventKind::Written && draft.version.as_deref() == Some("1") {
            draft.kind = EventKind::Created;
        }
        out.event(draft);
    }
}

/// What a method does to a value. `CreateSecret` and `UpdateSecret` bring none.
fn kind_of(method: &str, payload: &Value) -> Option<EventKind> {
    Some(match method {
        "AddSecretVersion" => EventKind::Written,
        "EnableSecretVersion" => EventKind::Restored,
        "DisableSecretVersion" => EventKind::Deleted,
        // A secret may have a delay: the version is only disabled until then.
        "DestroySecretVersion" if text(payload, &["response", "scheduledDestroyTime"]).is_some() => EventKind::Deleted,
        "DestroySecretVersion" | "DeleteSecret" => EventKind::Destroyed,
        "AccessSecretVersion" => EventKind::Read,
        _ => return None,
    })
}

fn outcome(payload: &Value) -> Outcome {
    match number(payload, &["status", "code"]) {
        None | Some(0) => Outcome::Done,
        Some(EXHAUSTED) => Outcome::Throttled,
        Some(_) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests;
