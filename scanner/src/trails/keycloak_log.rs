//! Events of Keycloak, of users and of administrators: arrays of the Admin API, or JSON lines of an event listener.
//!
//! Sources: <https://www.keycloak.org/docs-api/latest/rest-api/index.html> (`EventRepresentation`,
//! `AdminEventRepresentation`), <https://www.keycloak.org/docs/latest/server_admin/#auditing-admin-events>.
//!
//! A path names a client by its internal id, a login by its client id; an update whose representation is kept names both.
//! A representation may hold a secret, of which nothing is read. Keycloak's own console log has its events as text, not as
//! JSON: they cannot be read from there.

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role, Time};
use serde_json::Value;

use super::json::{self, at, first_text, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `keycloak-events`.
pub static KIND: TrailKind = TrailKind {
    name: "keycloak-events",
    role: Role::Store,
    delay: TimeDelta::minutes(1),
    watches: &["keycloak:"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&[]), parser },
};

/// Events of clients that prove who they are.
const LOGINS: [&str; 3] = ["CLIENT_LOGIN", "CODE_TO_TOKEN", "REFRESH_TOKEN"];

/// Errors that mean a wrong secret.
const WRONG_SECRET: [&str; 4] =
    ["invalid_client_credentials", "invalid_client", "unauthorized_client", "invalid_credentials"];

struct Keycloak<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(Keycloak { store: json::store(opening, "keycloak") })
}

impl Parser for Keycloak<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(entry) = json::parse(record, out) else { return };
        let when = time(&entry, &["time"]).or_else(|| time(&entry, &["timestamp"]));
        let Some(when) = when else { return out.broken("it has no time") };
        out.time = Some(when);
        let Some(realm) = text(&entry, &["realmName"]).or_else(|| text(&entry, &["realmId"])) else {
            if text(&entry, &["loggerName"]) == Some("org.keycloak.events") {
                out.broken("its event is text in a message, not JSON");
            }
            return;
        };
        let place = |client: &str| Place::of_path(self.store, &format!("{realm}/client/{client}"));
        let draft = match text(&entry, &["type"]) {
            Some(kind) => login(&entry, kind, when, place),
            None => administration(&entry, when, place, out),
        };
        out.events.extend(draft);
    }
}

/// What a client did itself.
fn login(entry: &Value, name: &str, when: Time, place: impl Fn(&str) -> Place) -> Option<Draft> {
    let (name, failed) = name.strip_suffix("_ERROR").map_or((name, false), |name| (name, true));
    if !LOGINS.contains(&name) {
        return None;
    }
    let method = text(entry, &["details", "client_auth_method"]);
    // Only the login of a client always has a credential; a client may also be public, or sign with a key.
    let with_secret = method.map_or(name == "CLIENT_LOGIN", |method| method.starts_with("client-secret"));
    let kind = if !failed {
        with_secret.then_some(EventKind::Loaded)?
    } else if text(entry, &["error"]).is_none_or(|error| WRONG_SECRET.contains(&error)) {
        EventKind::Refused
    } else {
        return None;
    };
    let client = text(entry, &["clientId"])?;
    let mut draft = Draft::new(kind, place(client), when, id(entry));
    draft.actor = Some(client.to_owned());
    draft.details.extend(first_text(entry, &[&["ipAddress"]]).map(|ip| ("address", ip)));
    Some(draft)
}

/// What an administrator did to a client.
fn administration(entry: &Value, when: Time, place: impl Fn(&str) -> Place, out: &mut Out) -> Option<Draft> {
    let path: Vec<&str> = text(entry, &["resourcePath"])?.trim_matches('/').split('/').collect();
    let ["clients", client, below @ ..] = path.as_slice() else { return None };
    let representation = representation(entry);
    if below.is_empty()
        && let Some(name) = representation.as_ref().and_then(|one| text(one, &["clientId"]))
        && name != *client
    {
        out.same.push((place(client), place(name)));
    }
    let kind = match (text(entry, &["operationType"])?, below) {
        ("ACTION" | "UPDATE" | "CREATE", ["client-secret"]) | ("CREATE", []) => EventKind::Issued,
        ("DELETE", ["client-secret", "rotated"]) => EventKind::Revoked,
        ("DELETE", []) => EventKind::Destroyed,
        // The console sends the secret with every other change.
        ("UPDATE", []) if representation.as_ref().is_none_or(|one| one.get("secret").is_some()) => {
            EventKind::MaybeWritten
        }
        _ => return None,
    };
    let mut draft = Draft::new(kind, place(client), when, id(entry));
    draft.outcome = if text(entry, &["error"]).is_some() { Outcome::Failed } else { Outcome::Done };
    draft.actor =
        first_text(entry, &[&["authDetails", "username"], &["authDetails", "userId"], &["authDetails", "clientId"]]);
    draft.details.extend(first_text(entry, &[&["authDetails", "ipAddress"]]).map(|ip| ("address", ip)));
    Some(draft)
}

/// The object that was sent, which is JSON in a text unless a listener took it out; `None` where it was not kept.
fn representation(entry: &Value) -> Option<Value> {
    let value = match at(entry, &["representation"])? {
        Value::String(text) => serde_json::from_str(text).ok()?,
        value => value.clone(),
    };
    value.is_object().then_some(value)
}

fn id(entry: &Value) -> String {
    first_text(entry, &[&["id"]]).unwrap_or_else(|| json::fingerprint(entry))
}

#[cfg(test)]
mod tests;
