//! What the calls of each engine do to credentials.

use std::sync::Arc;

use keytrail_rules::model::{EventKind, Outcome, Time, ValueMark};
use serde_json::value::RawValue;

use super::super::{Draft, Out};
use super::Call;
use super::record::{Auth, Fields, Request, mark, number, rfc3339, text};

/// A secrets engine or a login method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Engine {
    Kv,
    Database,
    Transit,
    AppRole,
    Other,
}

/// What the paths of an engine begin with, after the mount.
const VERBS: [(Engine, &[&str]); 4] = [
    (Engine::Kv, &["data", "metadata", "delete", "undelete", "destroy"]),
    (Engine::Database, &["static-roles", "static-creds", "rotate-role", "rotate-root", "config"]),
    (Engine::Transit, &["keys"]),
    (Engine::AppRole, &["role", "login"]),
];

impl Engine {
    /// The engine that a request went to. Records of old servers do not name it; then the path of a KV or database
    /// engine has words that no other has.
    pub(super) fn of(request: &Request<'_>) -> Self {
        match request.mount_type.as_deref() {
            Some("kv" | "generic") => Self::Kv,
            Some("database") => Self::Database,
            Some("transit") => Self::Transit,
            Some("approle") => Self::AppRole,
            Some(kind) if !kind.is_empty() => Self::Other,
            _ if ["auth", "sys", "identity", "cubbyhole"].contains(&first(&request.path)) => Self::Other,
            _ => [Self::Kv, Self::Database]
                .into_iter()
                .find(|engine| engine.verb(&request.path).is_some_and(|(_, rest)| first(rest) != "config"))
                .unwrap_or(Self::Other),
        }
    }

    /// The mount of a request, and the path within it.
    pub(super) fn split<'r>(self, request: &'r Request<'_>) -> (&'r str, &'r str) {
        let path = request.path.trim_matches('/');
        let mount = request.mount_point.as_deref().unwrap_or_default().trim_matches('/');
        let named = path.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/')).filter(|_| !mount.is_empty());
        match named {
            Some(rest) => (mount, rest),
            None => self.verb(path).or_else(|| path.split_once('/')).unwrap_or((path, "")),
        }
    }

    /// Splits a path before the first of the words that the paths of the engine begin with.
    fn verb(self, path: &str) -> Option<(&str, &str)> {
        let (_, verbs) = VERBS.iter().find(|(engine, _)| *engine == self)?;
        let cuts = path.match_indices('/').map(|(at, _)| (&path[..at], &path[at + 1..]));
        cuts.into_iter().find(|(_, rest)| verbs.contains(&first(rest)))
    }
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// Says what a call did.
pub(super) fn events(call: &Call<'_>, out: &mut Out) {
    match call.engine {
        Engine::Kv => kv(call, out),
        Engine::Database => database(call, out),
        Engine::Transit => transit(call, out),
        Engine::AppRole => approle(call, out),
        Engine::Other => {}
    }
}

impl Call<'_> {
    fn writes(&self) -> bool {
        matches!(self.operation, "create" | "update" | "patch")
    }

    fn answered(&self, key: &str) -> Option<&RawValue> {
        self.response.and_then(|fields| fields.get(key).copied())
    }

    fn answered_time(&self, key: &str) -> Option<Time> {
        rfc3339(&self.answered(key).and_then(text)?)
    }

    /// The mark of a value, where the trail shows one and what it was made under.
    fn mark(&self, value: Option<&RawValue>) -> Option<ValueMark> {
        let (scope, mark) = (self.salt.as_deref()?, mark(value?)?);
        let known = self.marks.values.get(mark).cloned();
        Some(ValueMark { scope: Arc::from(scope), mark: Arc::from(mark), known })
    }

    /// The number of a version, or the mark of it where the store was not asked what that is.
    fn version(&self, raw: &RawValue) -> Option<String> {
        let number = number(raw)?;
        Some(self.marks.versions.get(&number).cloned().unwrap_or(number))
    }

    /// Says that something was done to a path, and nothing more.
    fn done(&self, kind: EventKind, path: &str, out: &mut Out) {
        out.event(self.draft(kind, path, None));
    }

    /// Says the same of every key.
    fn written(&self, path: &str, keys: &Fields<'_>, version: Option<&String>, time: Time, out: &mut Out) {
        let about = |draft: Draft| Draft { version: version.cloned(), time, ..draft };
        let write = if version.is_some_and(|version| version == "1") { EventKind::Created } else { EventKind::Written };
        if keys.is_empty() {
            out.event(about(self.draft(write, path, None)));
        }
        for (key, value) in keys {
            // In a patch, `null` takes a key away.
            let gone = self.operation == "patch" && value.get() == "null";
            let kind = if gone { EventKind::Deleted } else { write };
            let value = self.mark(Some(value)).filter(|_| self.outcome == Outcome::Done);
            out.event(Draft { value, ..about(self.draft(kind, path, Some(key))) });
        }
    }
}

/// KV. Version 2 keeps values under `data/`; version 1 under any path, so that one that happens to be called so is told
/// by what the calls hold: in version 2, values are in a field `data` of the request, and a version is answered.
fn kv(call: &Call<'_>, out: &mut Out) {
    let (verb, path) = call.rest.split_once('/').unwrap_or((call.rest, ""));
    match (verb, call.operation) {
        ("data", "create" | "update" | "patch") => kv2_write(call, path, out),
        ("data", "read") => kv2_read(call, path, out),
        ("data", "delete") => call.done(EventKind::Deleted, path, out),
        ("delete", _) if call.writes() => versions(call, EventKind::Deleted, path, out),
        ("undelete", _) if call.writes() => versions(call, EventKind::Restored, path, out),
        ("destroy", _) if call.writes() => versions(call, EventKind::Destroyed, path, out),
        ("metadata", "delete") => call.done(EventKind::Destroyed, path, out),
        ("data" | "delete" | "undelete" | "destroy" | "metadata" | "subkeys" | "detailed-metadata", _) => {}
        ("config", _) if path.is_empty() => {}
        _ => kv1(call, out),
    }
}

fn kv2_write(call: &Call<'_>, path: &str, out: &mut Out) {
    let values: Option<Fields<'_>> = call.request.get("data").and_then(|raw| serde_json::from_str(raw.get()).ok());
    let version = call.answered("version").and_then(number);
    if values.is_none() && version.is_none() && !call.request.is_empty() {
        return kv1(call, out);
    }
    let time = call.answered_time("created_time").unwrap_or(call.time);
    call.written(path, &values.unwrap_or_default(), version.as_ref(), time, out);
}

/// A path without a value is answered too: with a status, as the server passes it on, or with metadata alone.
fn kv2_read(call: &Call<'_>, path: &str, out: &mut Out) {
    let values = call.answered("data").filter(|raw| raw.get() != "null");
    if call.outcome != Outcome::Done || values.is_none() && !call.wrapped {
        return;
    }
    let metadata: Option<Fields<'_>> = call.answered("metadata").and_then(|raw| serde_json::from_str(raw.get()).ok());
    let version = metadata.and_then(|fields| fields.get("version").copied().and_then(number));
    out.event(Draft { version, ..call.draft(EventKind::Read, path, None) });
}

/// One event for each version of the request's list.
fn versions(call: &Call<'_>, kind: EventKind, path: &str, out: &mut Out) {
    let listed: Vec<&RawValue> =
        call.request.get("versions").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let versions: Vec<String> = listed.into_iter().filter_map(|raw| call.version(raw)).collect();
    if versions.is_empty() {
        call.done(kind, path, out);
    }
    for version in versions {
        let id = Arc::from(format!("{}/{version}", call.id));
        out.event(Draft { version: Some(version), id, ..call.draft(kind, path, None) });
    }
}

fn kv1(call: &Call<'_>, out: &mut Out) {
    let read = call.outcome == Outcome::Done && (call.wrapped || call.response.is_some_and(|data| !data.is_empty()));
    match call.operation {
        "read" if read => call.done(EventKind::Read, call.rest, out),
        "delete" => call.done(EventKind::Destroyed, call.rest, out),
        _ if call.writes() => call.written(call.rest, call.request, None, call.time, out),
        _ => {}
    }
}

/// The database engine: who has it rotate a role gives it a new password at once.
fn database(call: &Call<'_>, out: &mut Out) {
    let Some((verb, name)) = call.rest.split_once('/') else { return };
    let role = || format!("static-roles/{name}");
    match (verb, call.operation) {
        ("static-roles", "create") => {
            call.done(EventKind::Written, &role(), out);
            out.event(beside(call, call.draft(EventKind::AutoRotationOn, &role(), None)));
        }
        ("static-roles", "delete") => call.done(EventKind::AutoRotationOff, &role(), out),
        ("rotate-role", _) if call.writes() => call.done(EventKind::Written, &role(), out),
        ("rotate-root", _) if call.writes() => call.done(EventKind::Written, &format!("config/{name}"), out),
        ("config", _) if call.writes() => {
            if let Some(password) = call.request.get("password") {
                let value = call.mark(Some(password)).filter(|_| call.outcome == Outcome::Done);
                out.event(Draft { value, ..call.draft(EventKind::Written, call.rest, None) });
            }
        }
        ("static-creds", "read") => {
            let Some(time) = call.answered_time("last_vault_rotation") else { return };
            call.done(EventKind::Read, &role(), out);
            let value = call.mark(call.answered("password"));
            // Who looked is not who set it.
            let state = Draft { time, value, actor: None, run: None, ..call.draft(EventKind::State, &role(), None) };
            out.event(beside(call, Draft { details: Vec::new(), ..state }));
        }
        _ => {}
    }
}

/// A second event of a record about the same credential.
fn beside(call: &Call<'_>, draft: Draft) -> Draft {
    Draft { id: Arc::from(format!("{}/{}", call.id, draft.kind.as_str())), ..draft }
}

fn transit(call: &Call<'_>, out: &mut Out) {
    let Some(name) = call.rest.strip_prefix("keys/") else { return };
    if let Some(key) = name.strip_suffix("/rotate").filter(|_| call.writes()) {
        let version = call.answered("latest_version").and_then(number);
        out.event(Draft { version, ..call.draft(EventKind::Written, &format!("keys/{key}"), None) });
    } else if call.operation == "delete" && !name.contains('/') {
        call.done(EventKind::Destroyed, call.rest, out);
    }
}

/// AppRole: a role honours each secret id that was made for it, until that is destroyed. The version of an event is the
/// accessor of the secret id, hashed.
fn approle(call: &Call<'_>, out: &mut Out) {
    if call.rest == "login" {
        if let Some(role) = call.login.filter(|_| call.outcome == Outcome::Done).and_then(role_of) {
            let value = call.mark(call.request.get("secret_id").copied());
            out.event(Draft { value, ..call.draft(EventKind::Loaded, &format!("role/{role}"), None) });
        }
        return;
    }
    let Some((name, verb)) = call.rest.strip_prefix("role/").and_then(|rest| rest.split_once('/')) else { return };
    let role = format!("role/{name}");
    match verb {
        "secret-id" | "custom-secret-id" if call.writes() => {
            let version = call.answered("secret_id_accessor").and_then(mark).map(str::to_owned);
            let value = call.mark(call.answered("secret_id"));
            out.event(Draft { version, value, ..call.draft(EventKind::Issued, &role, None) });
        }
        "secret-id-accessor/destroy" | "secret-id/destroy" if call.writes() || call.operation == "delete" => {
            let version = call.request.get("secret_id_accessor").copied().and_then(mark).map(str::to_owned);
            let value = call.mark(call.request.get("secret_id").copied());
            out.event(Draft { version, value, ..call.draft(EventKind::Revoked, &role, None) });
        }
        _ => {}
    }
}

fn role_of(login: &Auth<'_>) -> Option<String> {
    login.metadata("role_name")
}
