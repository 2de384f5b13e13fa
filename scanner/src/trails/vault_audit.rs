//! The audit log of Vault and OpenBao: a JSON object a line, each call as a `request` and a `response`.
//!
//! # What is read
//! Answers only: a request is written before it is carried out, and may fail. KV version 2 and 1, static roles and root
//! rotation of the database engine, transit, AppRole. Automatic rotations of static roles are in no record of this
//! trail; a look at one (`static-creds`) gives the time of the last.
//!
//! # Guarantees
//! * No value is copied, not even where `log_raw` or `audit_non_hmac_*_keys` leave one in the log: marks have the form
//!   of an HMAC, or are not there.
//! * Marks are compared only within one salt, which is proven and not assumed: see `salt`. Two devices, or one that
//!   was disabled and enabled again, never compare; but for values that the store itself was asked about: see
//!   [`super::ask`].
//! * Each device repeats a call under the same `request.id`, which is the id of its events.
//!
//! Format: <https://developer.hashicorp.com/vault/docs/audit/schema>, <https://openbao.org/docs/audit/>.

mod engines;
mod record;

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role, Time};

use super::ask::STORE;
use super::config::KnownMarks;
use super::{Draft, Framing, Missing, Opening, Out, Parser, Reads, TrailKind};
use engines::Engine;
use record::{Auth, Fields, Record, Request, is_mark, rfc3339, text};

/// The kind of trail.
pub static KIND: TrailKind = TrailKind {
    name: "vault-audit",
    role: Role::Store,
    delay: TimeDelta::zero(),
    watches: &["vault:"],
    requires: &["paths"],
    reads: Reads::Records { framing: Framing::Lines, parser: open },
};

fn open<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    let namespace = opening.config.namespace.as_deref().unwrap_or_default();
    Box::new(VaultAudit {
        store: opening.config.store.as_deref().unwrap_or(STORE),
        namespace: namespace.trim_matches('/'),
        marks: &opening.config.marks,
        disabled: false,
    })
}

struct VaultAudit<'a> {
    /// The source of the places.
    store: &'a str,
    /// The namespace of the store, whose paths stand as the store spells them; others begin with their namespace.
    namespace: &'a str,
    marks: &'a KnownMarks,
    /// Whether the record before disabled an audit device.
    disabled: bool,
}

/// A call that was answered.
struct Call<'a> {
    store: &'a str,
    /// With the namespace, without a slash at the end.
    mount: String,
    engine: Engine,
    operation: &'a str,
    /// The path within the mount.
    rest: &'a str,
    request: &'a Fields<'a>,
    /// What was answered; `None` for nothing.
    response: Option<&'a Fields<'a>>,
    /// What a login gave.
    login: Option<&'a Auth<'a>>,
    /// The answer was put behind a token that reads it once.
    wrapped: bool,
    outcome: Outcome,
    /// What its marks were made under.
    salt: Option<String>,
    /// What marks are known to be of.
    marks: &'a KnownMarks,
    actor: Option<String>,
    run: Option<String>,
    address: Option<String>,
    time: Time,
    id: &'a str,
}

impl Parser for VaultAudit<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(json) = json_of(record, out) else { return };
        let Ok(read) = serde_json::from_slice::<Record<'_>>(json) else {
            return out.broken("it is no JSON record of an audit device");
        };
        let Some(time) = rfc3339(&read.time) else { return out.broken("its time is none") };
        out.time = Some(time);
        let Some(request) = &read.request else {
            if read.is_call() {
                out.broken("it has no request");
            }
            return;
        };
        self.note_gap(&read, request, out);
        if read.kind != "response" {
            return;
        }
        match self.call(&read, request, time) {
            Some(call) => engines::events(&call, out),
            None => out.broken("its request has no id or path"),
        }
    }
}

impl<'a> VaultAudit<'a> {
    /// A device that is disabled logs the request for it and nothing after; the first record of one that is enabled is
    /// of the path `sys/audit/…`. When one follows the other, nothing tells what was done in between.
    fn note_gap(&mut self, read: &Record<'_>, request: &Request<'_>, out: &mut Out) {
        let device = request.path.starts_with("sys/audit/");
        if device && request.operation == "delete" {
            self.disabled = read.error().is_none();
        } else {
            if self.disabled && device && request.operation != "read" {
                let reason = "the audit device was disabled and enabled again, and recorded nothing in between";
                out.missing_before = Some(Missing { reason: reason.to_owned(), tampered: false });
            }
            self.disabled = false;
        }
    }

    fn call<'r>(&'r self, read: &'r Record<'r>, request: &'r Request<'r>, time: Time) -> Option<Call<'r>> {
        if request.id.is_empty() || request.path.is_empty() {
            return None;
        }
        let engine = Engine::of(request);
        let (mount, rest) = engine.split(request);
        let namespace = request.namespace.as_ref().and_then(|one| one.path.as_deref()).unwrap_or_default();
        let namespace = namespace.trim_matches('/');
        let mount = match namespace {
            "" => mount.to_owned(),
            own if own == self.namespace => mount.to_owned(),
            other => format!("{other}/{mount}"),
        };
        let response = read.response.as_ref();
        let auth = read.auth.as_ref();
        Some(Call {
            store: self.store,
            mount,
            engine,
            operation: &request.operation,
            rest,
            request: &request.data,
            response: response.and_then(|one| one.data.as_ref()),
            login: response.and_then(|one| one.auth.as_ref()),
            wrapped: response.is_some_and(|one| one.wrap_info.is_some()),
            outcome: outcome(read, request),
            salt: salt(read, request),
            marks: self.marks,
            actor: auth.and_then(Auth::name),
            run: request.run().or_else(|| auth.and_then(Auth::run)),
            address: request.remote_address.as_deref().filter(|one| !one.is_empty()).map(str::to_owned),
            time,
            id: &request.id,
        })
    }
}

/// The JSON of a line, without the prefix that a device may be told to write (`@cee: `).
fn json_of<'r>(record: &'r [u8], out: &mut Out) -> Option<&'r [u8]> {
    let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record).trim_ascii();
    let zeros = record.iter().take_while(|byte| **byte == 0).count();
    if zeros > 0 {
        let reason = "zero bytes stand in its place: the file was truncated while the server wrote to it";
        out.missing_before = Some(Missing { reason: reason.to_owned(), tampered: false });
    }
    let record = &record[zeros..];
    match memchr::memchr(b'{', record) {
        Some(start) => Some(&record[start..]),
        None if record.is_empty() => None,
        None => {
            out.broken("it is no JSON record of an audit device");
            None
        }
    }
}

/// Whether a call was carried out. The error stands beside the response; where the engine answered with one and no
/// more, it is all that the response holds.
fn outcome(read: &Record<'_>, request: &Request<'_>) -> Outcome {
    let data = read.response.as_ref().and_then(|response| response.data.as_ref());
    let only_error = data.is_some_and(|data| data.len() == 1 && data.contains_key("error"));
    let status = data.and_then(|data| data.get("http_status_code")?.get().parse::<u16>().ok());
    match read.error() {
        Some(error) if error.contains("rate limit quota exceeded") => Outcome::Throttled,
        Some(_) => Outcome::Failed,
        None if only_error && request.operation != "read" => Outcome::Failed,
        None if status.is_some_and(|status| status >= 400) => Outcome::Failed,
        None => Outcome::Done,
    }
}

/// What identifies the salt of the device that wrote a record.
///
/// A device hashes every string with a key of its own. Two records were hashed with one key when they show the same
/// hash of a text that is known to be the same: the empty `deletion_time` of every KV version that does not expire;
/// where there is none, the caller's token, by which at least the records of one token can be compared.
fn salt(read: &Record<'_>, request: &Request<'_>) -> Option<String> {
    let data = read.response.as_ref().and_then(|response| response.data.as_ref());
    let empty = data.and_then(|data| {
        data.get("deletion_time").copied().and_then(text).or_else(|| {
            let metadata: Fields<'_> = serde_json::from_str(data.get("metadata")?.get()).ok()?;
            metadata.get("deletion_time").copied().and_then(text)
        })
    });
    let empty = empty.filter(|mark| is_mark(mark)).map(|mark| format!("salt {mark}"));
    empty.or_else(|| request.client_token.as_deref().filter(|mark| is_mark(mark)).map(|mark| format!("token {mark}")))
}

impl Call<'_> {
    /// An event about a key of a path in the mount, or all of the path.
    fn draft(&self, kind: EventKind, path: &str, key: Option<&str>) -> Draft {
        let path = format!("{}/{}", self.mount, path.trim_matches('/'));
        let target = match key {
            Some(key) => Place::new(self.store, &path, key),
            None => Place::of_path(self.store, &path),
        };
        Draft {
            outcome: self.outcome,
            actor: self.actor.clone(),
            run: self.run.clone(),
            details: self.address.iter().map(|address| ("address", address.clone())).collect(),
            ..Draft::new(kind, target, self.time, self.id)
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
