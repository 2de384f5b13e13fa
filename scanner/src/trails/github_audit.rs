//! The audit log of a GitHub organisation or enterprise: the array of the API or an export, or the JSON lines of a stream.
//!
//! Sources:
//! <https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization>,
//! <https://docs.github.com/en/rest/orgs/orgs#get-the-audit-log-for-an-organization>.
//!
//! `key` is the name of the secret. There is neither a value nor a version. Events of an environment may leave out which.

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Place, Role};
use serde_json::Value;

use super::json::{self, first_text, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `github-audit`.
pub static KIND: TrailKind = TrailKind {
    name: "github-audit",
    role: Role::Store,
    delay: TimeDelta::minutes(15),
    watches: &["github:"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&[]), parser },
};

struct GithubAudit<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(GithubAudit { store: json::store(opening, "github") })
}

/// Whose secret it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Organisation,
    Repository,
    Environment,
}

impl Parser for GithubAudit<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(entry) = json::parse(record, out) else { return };
        let Some(when) = time(&entry, &["created_at"]).or_else(|| time(&entry, &["@timestamp"])) else {
            return out.broken("it has no time");
        };
        out.time = Some(when);
        let Some((scope, kind)) = text(&entry, &["action"]).and_then(action) else { return };
        let Some((owner, named)) = owner(&entry, scope) else { return out.broken("it names no owner") };
        let (kind, target) = match text(&entry, &["key"]).filter(|_| named) {
            Some(key) => (kind, Place::new(self.store, &owner, key)),
            // One of the secrets there was written; that one is gone says nothing of any.
            None if kind == EventKind::Written => (EventKind::MaybeWritten, Place::of_path(self.store, &owner)),
            None => return out.broken("it names no secret"),
        };
        let id = first_text(&entry, &[&["_document_id"]]).unwrap_or_else(|| json::fingerprint(&entry));
        let mut draft = Draft::new(kind, target, when, id);
        draft.actor = first_text(&entry, &[&["actor"], &["user"]]);
        draft.run = text(&entry, &["user_agent"]).and_then(json::run_of_agent);
        draft.details.extend(first_text(&entry, &[&["actor_ip"]]).map(|ip| ("address", ip)));
        out.event(draft);
    }
}

/// `repo.update_actions_secret`, and the same for Dependabot and Codespaces, whose secrets are those of an integration.
fn action(name: &str) -> Option<(Scope, EventKind)> {
    let (scope, verb) = name.split_once('.')?;
    let (verb, what) = verb.split_once('_')?;
    let scope = match (scope, what) {
        ("org", "actions_secret" | "integration_secret") | ("codespaces", "an_org_secret") => Scope::Organisation,
        ("repo", "actions_secret" | "integration_secret") => Scope::Repository,
        ("environment", "actions_secret") => Scope::Environment,
        _ => return None,
    };
    let kind = match verb {
        "create" | "update" => EventKind::Written,
        "remove" => EventKind::Destroyed,
        _ => return None,
    };
    Some((scope, kind))
}

/// Where the secret lies, and whether that is all of it.
fn owner(entry: &Value, scope: Scope) -> Option<(String, bool)> {
    if scope == Scope::Organisation {
        return Some((text(entry, &["org"])?.to_owned(), true));
    }
    let repo = first_text(entry, &[&["repo"], &["repository"]])?;
    let environment = first_text(entry, &[&["environment_name"], &["environment"]]);
    Some(match (scope, environment) {
        (Scope::Environment, Some(environment)) => (format!("{repo}/{environment}"), true),
        (Scope::Environment, None) => (repo, false),
        _ => (repo, true),
    })
}

#[cfg(test)]
mod tests;
