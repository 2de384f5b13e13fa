//! Tenant logs of Auth0: an array of the Management API, or JSON lines of a log stream, which wrap each event in `data`.
//!
//! Sources: <https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes>,
//! <https://auth0.com/docs/api/management/v2/logs/get-logs>,
//! <https://auth0.com/docs/api/management/v2/clients/post-rotate-secret>.
//!
//! `client_id` at the top is who called, and for calls of the Management API never the client that was changed: that one is
//! in the path of the request. For an exchange of a token it is the client that logged in.

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role, Time};
use serde_json::Value;

use super::json::{self, at, first_text, items, number, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `auth0-log`.
pub static KIND: TrailKind = TrailKind {
    name: "auth0-log",
    role: Role::Store,
    delay: TimeDelta::minutes(5),
    watches: &["auth0:client/"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["logs"]), parser },
};

/// How `feccft` begins where the secret was right, and something else was not.
const RIGHT_SECRET: [&str; 2] = ["Client is not authorized to access", "Service not found"];

struct Auth0Log<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(Auth0Log { store: json::store(opening, "auth0") })
}

impl Parser for Auth0Log<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(record) = json::parse(record, out) else { return };
        let wrapped = [&["data"] as &[_], &["detail", "data"]].into_iter().find_map(|path| at(&record, path));
        let entry = wrapped.filter(|data| data.get("type").is_some()).unwrap_or(&record);
        let Some(when) = time(entry, &["date"]) else { return out.broken("it has no time") };
        out.time = Some(when);
        let draft = match text(entry, &["type"]) {
            Some("sapi" | "fapi" | "mgmt_api_read") => self.call(entry, when),
            Some("seccft") => self.exchange(entry, when, EventKind::Loaded),
            Some("feccft") => {
                let why = text(entry, &["description"]).unwrap_or_default();
                if RIGHT_SECRET.iter().any(|text| why.starts_with(text)) {
                    return;
                }
                self.exchange(entry, when, EventKind::Refused)
            }
            _ => return,
        };
        let Some(mut draft) = draft else { return };
        draft.run = text(entry, &["user_agent"]).and_then(json::run_of_agent);
        draft.details.extend(first_text(entry, &[&["ip"]]).map(|ip| ("address", ip)));
        out.event(draft);
    }
}

impl Auth0Log<'_> {
    /// A client that asked for a token with its secret.
    fn exchange(&self, entry: &Value, when: Time, kind: EventKind) -> Option<Draft> {
        let client = text(entry, &["client_id"])?;
        let mut draft = self.draft(kind, client, entry, when);
        draft.actor = first_text(entry, &[&["client_name"], &["client_id"]]);
        Some(draft)
    }

    /// A call of the Management API.
    fn call(&self, entry: &Value, when: Time) -> Option<Draft> {
        let request = at(entry, &["details", "request"])?;
        let path = text(request, &["path"])?.split(['?', '#']).next()?;
        let mut parts = path.trim_matches('/').split('/');
        if [parts.next(), parts.next(), parts.next()] != [Some("api"), Some("v2"), Some("clients")] {
            return None;
        }
        let method = text(request, &["method"])?.to_ascii_uppercase();
        let parts: Vec<&str> = parts.collect();
        let created = text(entry, &["details", "response", "body", "client_id"]);
        let (kind, client) = match (method.as_str(), parts.as_slice()) {
            ("POST", [client, "rotate-secret"]) => (EventKind::Issued, *client),
            ("POST", []) => (EventKind::Issued, created?),
            ("PATCH", [client]) => (patch(request)?, *client),
            ("DELETE", [client]) => (EventKind::Destroyed, *client),
            ("GET", [client]) if shows_secret(entry) => (EventKind::Read, *client),
            _ => return None,
        };
        let mut draft = self.draft(kind, client, entry, when);
        draft.outcome = match (text(entry, &["type"]), number(entry, &["details", "response", "statusCode"])) {
            (_, Some(status)) if status >= 400 => json::http_outcome(status),
            (Some("fapi"), _) => Outcome::Failed,
            _ => Outcome::Done,
        };
        draft.actor = first_text(
            entry,
            &[
                &["details", "request", "auth", "user", "email"],
                &["details", "request", "auth", "user", "name"],
                &["details", "request", "auth", "user", "user_id"],
                &["client_name"],
                &["client_id"],
            ],
        );
        Some(draft)
    }

    fn draft(&self, kind: EventKind, client: &str, entry: &Value, when: Time) -> Draft {
        let id = first_text(entry, &[&["log_id"], &["_id"]]).unwrap_or_else(|| json::fingerprint(entry));
        Draft::new(kind, Place::of_path(self.store, &format!("client/{client}")), when, id)
    }
}

/// What an update of a client does to its secret; its body names what was changed.
fn patch(request: &Value) -> Option<EventKind> {
    match at(request, &["body"]).and_then(Value::as_object) {
        Some(body) => body.contains_key("client_secret").then_some(EventKind::Issued),
        None => Some(EventKind::MaybeWritten),
    }
}

fn shows_secret(entry: &Value) -> bool {
    items(entry, &["details", "accessedSecrets"]).any(|name| name.as_str() == Some("client_secret"))
}

#[cfg(test)]
mod tests;
