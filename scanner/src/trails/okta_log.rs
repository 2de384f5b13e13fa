//! The System Log of Okta: an array of the API, or JSON lines of a log stream, which wrap each event in `detail`.
//!
//! Sources: <https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/>,
//! <https://developer.okta.com/docs/reference/api/event-types/>,
//! <https://developer.okta.com/docs/guides/client-secret-rotation-key/main/>.
//!
//! An app has up to two secrets, so that a new one revokes no old one. The event of a new secret may hold the secret itself
//! among its debug data, of which nothing is read.

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role};
use serde_json::Value;

use super::json::{self, at, first_text, items, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `okta-log`.
pub static KIND: TrailKind = TrailKind {
    name: "okta-log",
    role: Role::Store,
    delay: TimeDelta::minutes(5),
    watches: &["okta:"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["events"]), parser },
};

struct OktaLog<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(OktaLog { store: json::store(opening, "okta") })
}

impl Parser for OktaLog<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(record) = json::parse(record, out) else { return };
        let entry = at(&record, &["detail"]).filter(|detail| detail.get("eventType").is_some()).unwrap_or(&record);
        let Some(when) = time(entry, &["published"]) else { return out.broken("it has no time") };
        out.time = Some(when);
        let outcome = outcome(entry);
        let Some(kind) = kind_of(text(entry, &["eventType"]).unwrap_or_default(), outcome, entry) else { return };
        let Some(target) = self.target(entry, kind) else { return out.broken("it names no app and no token") };
        let id = first_text(entry, &[&["uuid"]]).unwrap_or_else(|| json::fingerprint(entry));
        let mut draft = Draft::new(kind, target, when, id);
        // To be refused is what happened, not what failed to happen.
        draft.outcome = if kind == EventKind::Refused { Outcome::Done } else { outcome };
        draft.version = credential(entry);
        draft.actor = first_text(entry, &[&["actor", "alternateId"], &["actor", "displayName"], &["actor", "id"]]);
        draft.run = text(entry, &["client", "userAgent", "rawUserAgent"]).and_then(json::run_of_agent);
        draft.details.extend(first_text(entry, &[&["client", "ipAddress"]]).map(|ip| ("address", ip)));
        out.event(draft);
    }
}

impl OktaLog<'_> {
    fn target(&self, entry: &Value, kind: EventKind) -> Option<Place> {
        let target = |is: fn(&str) -> bool| {
            let mut targets = items(entry, &["target"]);
            targets.find(|target| text(target, &["type"]).is_some_and(is)).and_then(|target| text(target, &["id"]))
        };
        let path = if text(entry, &["eventType"])?.starts_with("system.api_token.") {
            format!("token/{}", target(|kind| kind.eq_ignore_ascii_case("token"))?)
        } else if kind.role() == Role::Application {
            format!("app/{}", text(entry, &["actor", "id"])?)
        } else {
            format!("app/{}", target(is_app)?)
        };
        Some(Place::of_path(self.store, &path))
    }
}

fn is_app(kind: &str) -> bool {
    matches!(kind, "AppInstance" | "PublicClientApp")
}

fn kind_of(event: &str, outcome: Outcome, entry: &Value) -> Option<EventKind> {
    Some(match event {
        "system.api_token.create" | "app.oauth2.credentials.lifecycle.create" => EventKind::Issued,
        "system.api_token.revoke"
        | "app.oauth2.credentials.lifecycle.deactivate"
        | "app.oauth2.credentials.lifecycle.delete" => EventKind::Revoked,
        "app.oauth2.credentials.lifecycle.activate" => EventKind::Restored,
        "app.oauth2.client.read_client_secret" => EventKind::Read,
        // A token for the app itself, which it asked for with its own credential.
        "app.oauth2.token.grant" | "app.oauth2.as.token.grant"
            if text(entry, &["actor", "type"]) == Some("PublicClientApp") =>
        {
            match outcome {
                Outcome::Done => EventKind::Loaded,
                _ if is_wrong_secret(entry) => EventKind::Refused,
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn is_wrong_secret(entry: &Value) -> bool {
    let reason = text(entry, &["outcome", "reason"]).unwrap_or_default();
    ["invalid_client", "client_secret"].iter().any(|part| reason.contains(part))
}

fn outcome(entry: &Value) -> Outcome {
    match text(entry, &["outcome", "result"]) {
        None | Some("SUCCESS" | "ALLOW") => Outcome::Done,
        Some(_) => Outcome::Failed,
    }
}

/// The id of the secret or key among the targets.
fn credential(entry: &Value) -> Option<String> {
    let mut targets = items(entry, &["target"]);
    let is_credential = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        ["secret", "credential", "jwk"].iter().any(|part| kind.contains(part))
    };
    let found = targets.find(|target| text(target, &["type"]).is_some_and(is_credential))?;
    text(found, &["id"]).map(str::to_owned)
}

#[cfg(test)]
mod tests;
