//! Diagnostic logs of Azure Key Vault, category `AuditEvent`: JSON lines in blobs of `insights-logs-auditevent`, or
//! `{"records":[…]}` from an event hub and in old blobs.
//!
//! Sources: <https://learn.microsoft.com/azure/key-vault/general/logging>,
//! <https://learn.microsoft.com/azure/azure-monitor/reference/tables/azkvauditlogs>.
//!
//! A record comes at most 10 minutes late. Each client asks once without a token and is told 401 before it logs in: that is
//! no attempt. Resource ids are in capitals, so the vault is named by the host of the request. Names of vaults and secrets
//! have no case: events have both in small letters, and say which spelling is the same.

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role};
use serde_json::Value;

use super::json::{self, at, first_text, number, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `azure-key-vault`.
pub static KIND: TrailKind = TrailKind {
    name: "azure-key-vault",
    role: Role::Store,
    delay: TimeDelta::minutes(10),
    watches: &["azure-key-vault:"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["records"]), parser },
};

/// Who asked, the most telling first.
const CLAIMS: [&[&str]; 6] = [
    &["identity", "claim", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"],
    &["identity", "claim", "upn"],
    &["identity", "claim", "unique_name"],
    &["identity", "claim", "appid"],
    &["identity", "claim", "http://schemas.microsoft.com/identity/claims/objectidentifier"],
    &["identity", "claim", "oid"],
];

struct AzureKeyVault<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(AzureKeyVault { store: json::store(opening, "azure-key-vault") })
}

/// `https://VAULT.vault.azure.net/secrets/NAME/VERSION?api-version=…`, taken apart.
struct Object<'a> {
    vault: &'a str,
    name: &'a str,
    version: Option<String>,
}

impl<'a> Object<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let (host, path) = url.split_once("://")?.1.split_once('/')?;
        let mut parts = path.split(['?', '#']).next()?.split('/').filter(|part| !part.is_empty());
        let collection = parts.next()?;
        if !matches!(collection, "secrets" | "deletedsecrets") {
            return None;
        }
        let vault = host.split('.').next()?;
        let name = parts.next()?;
        // What follows may be a verb instead, as in `/deletedsecrets/NAME/recover`.
        let is_version = |part: &&str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let version = parts.next().filter(is_version).map(str::to_ascii_lowercase);
        (!vault.is_empty()).then_some(Self { vault, name, version })
    }
}

impl Parser for AzureKeyVault<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(entry) = json::parse(record, out) else { return };
        let Some(when) = time(&entry, &["time"]) else { return out.broken("it has no time") };
        out.time = Some(when);
        if text(&entry, &["category"]).is_some_and(|category| category != "AuditEvent") {
            return;
        }
        let Some(kind) = kind_of(&entry) else { return };
        let status = number(&entry, &["properties", "httpStatusCode"]);
        if status == Some(401) {
            return;
        }
        let asked = text(&entry, &["properties", "requestUri"]).and_then(Object::parse);
        let made = text(&entry, &["properties", "id"]).and_then(Object::parse);
        let version = made.as_ref().and_then(|one| one.version.clone());
        let Some(object) = made.or(asked) else { return out.broken("it names no secret") };
        let spelled = format!("{}/{}", object.vault, object.name);
        let target = Place::of_path(self.store, &spelled.to_ascii_lowercase());
        if target.path() != spelled {
            out.same.push((target.clone(), Place::of_path(self.store, &spelled)));
        }
        let mut draft = Draft::new(kind, target, when, json::fingerprint(&entry));
        draft.outcome = outcome(&entry, status);
        draft.version = version.or(object.version);
        draft.actor = first_text(&entry, &CLAIMS);
        draft.run = first_text(&entry, &[&["correlationId"]]);
        draft.details.extend(first_text(&entry, &[&["callerIpAddress"]]).map(|ip| ("address", ip)));
        out.event(draft);
    }
}

/// What an operation does to a value. `SecretUpdate` changes attributes, of which only the switch matters.
fn kind_of(entry: &Value) -> Option<EventKind> {
    const ENABLED: [&str; 4] = ["properties", "secretProperties", "attributes", "enabled"];
    Some(match text(entry, &["operationName"])? {
        "SecretSet" => EventKind::Written,
        "SecretGet" => EventKind::Read,
        "SecretDelete" => EventKind::Deleted,
        "SecretPurge" => EventKind::Destroyed,
        "SecretRecover" | "SecretRestore" => EventKind::Restored,
        "SecretUpdate" if at(entry, &ENABLED).and_then(Value::as_bool) == Some(false) => EventKind::Deleted,
        _ => return None,
    })
}

fn outcome(entry: &Value, status: Option<i64>) -> Outcome {
    match status {
        Some(status) => json::http_outcome(status),
        None if text(entry, &["resultType"]).is_some_and(|result| result != "Success") => Outcome::Failed,
        None => Outcome::Done,
    }
}

#[cfg(test)]
mod tests;
