//! How a new value gets into a place. Values come from standard input: arguments are seen by every process and kept by
//! the shell's history.

use std::collections::BTreeMap;

use keytrail_rules::model::{CopyKind, Place};

use super::PlannedCopy;
use super::command::{Builder, Command};

/// How many writes the plan has for each path so far: each makes a new version of the path.
#[derive(Default)]
pub(super) struct Writes {
    by_path: BTreeMap<Place, u64>,
}

impl Writes {
    /// The version that a path has when its next write comes; `None` where the scan saw none.
    fn next_version(&mut self, copies: &[PlannedCopy]) -> Option<u64> {
        let path = copies.first()?.place.whole_path();
        let before = self.by_path.entry(path).or_default();
        let seen = copies.iter().filter_map(|copy| copy.version).max();
        let version = seen.and_then(|seen| seen.checked_add(*before));
        *before += 1;
        version
    }
}

/// The commands that write some copies of one kind and path.
pub(super) fn commands(copies: &[PlannedCopy], writes: &mut Writes) -> Vec<Command> {
    let Some(first) = copies.first() else { return Vec::new() };
    let keys: Option<Vec<String>> = copies.iter().map(|copy| copy.place.key()).collect();
    let path = first.place.path();
    match (first.kind, keys) {
        (CopyKind::VaultKv2, keys) => {
            // Counted even where there is no command for it: a person writes it all the same.
            let version = writes.next_version(copies);
            keys.and_then(|keys| vault_patch(&path, &keys, version)).into_iter().collect()
        }
        (CopyKind::VaultKv1, Some(keys)) => vault_put(&path, &keys).into_iter().collect(),
        (CopyKind::KubernetesSecret, Some(keys)) => kubernetes_patch(&path, &keys).into_iter().collect(),
        (CopyKind::GithubSecret, Some(keys)) => keys.iter().filter_map(|key| github_secret(&path, key)).collect(),
        _ => Vec::new(),
    }
}

/// The commands that make a copy follow which is filled from elsewhere.
pub(super) fn follow_commands(copy: &PlannedCopy) -> Vec<Command> {
    let path = copy.place.path();
    let parts: Vec<&str> = path.split('/').collect();
    let &[namespace, _, name] = parts.as_slice() else { return Vec::new() };
    if copy.kind != CopyKind::SealedSecret {
        return Vec::new();
    }
    let command = Builder::new(&["kubeseal", "--raw", "--namespace"]).name(namespace).word("--name").name(name);
    command.word("--from-file=/dev/stdin").build(Some("the new value".to_owned())).into_iter().collect()
}

/// `patch` leaves the other keys of the path alone, where `put` would remove them; check-and-set fails where somebody
/// else wrote in between (<https://developer.hashicorp.com/vault/docs/commands/kv/patch>).
fn vault_patch(path: &str, keys: &[String], version: Option<u64>) -> Option<Command> {
    let mut command = vault("patch", path)?;
    if let Some(version) = version {
        command = command.word(&format!("-cas={version}"));
    }
    let command = command.name(secret_path(path)?);
    match keys {
        // The CLI reads `@…` as a file and takes what comes before the first `=` for the key.
        [key] if !key.starts_with(['@', '-']) && !key.contains('=') => {
            command.name(&format!("{key}=-")).build(Some("the new value".to_owned()))
        }
        keys => command.word("-").build(Some(object(keys))),
    }
}

/// Version 1 of the engine has neither patch nor check-and-set: what is not written again is lost.
fn vault_put(path: &str, keys: &[String]) -> Option<Command> {
    let reads = format!("the whole object of the path with every other key as it is, and {}", object(keys));
    vault("put", path)?.name(secret_path(path)?).word("-").build(Some(reads))
}

fn vault(verb: &str, path: &str) -> Option<Builder> {
    let (mount, _) = path.split_once('/')?;
    Some(Builder::new(&["vault", "kv", verb]).option("-mount", mount))
}

fn secret_path(path: &str) -> Option<&str> {
    path.split_once('/').map(|(_, rest)| rest)
}

/// `shop/secret/db`: namespace, kind, name.
fn kubernetes_patch(path: &str, keys: &[String]) -> Option<Command> {
    let parts: Vec<&str> = path.split('/').collect();
    let &[namespace, _, name] = parts.as_slice() else { return None };
    let command = Builder::new(&["kubectl", "-n"]).name(namespace).word("patch").word("secret").name(name);
    let reads = format!("{{\"stringData\": {}}}", object(keys));
    command.word("--type=merge").word("--patch-file=/dev/stdin").build(Some(reads))
}

/// `actions`, or `environment/production`.
fn github_secret(path: &str, name: &str) -> Option<Command> {
    let command = Builder::new(&["gh", "secret", "set"]).name(name);
    let command = match (path, path.strip_prefix("environment/")) {
        ("actions", _) => command,
        (_, Some(environment)) => command.option("--env", environment),
        _ => return None,
    };
    command.build(Some(format!("the new value of {name}")))
}

/// A JSON object with values left out: `{"password": …, "url": …}`.
fn object(keys: &[String]) -> String {
    let members: Vec<String> = keys.iter().map(|key| format!("{key:?}: …")).collect();
    format!("{{{}}}", members.join(", "))
}
