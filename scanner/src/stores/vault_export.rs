//! The inventory of a Vault or OpenBao from files, for CI jobs that must not reach the store itself.
//!
//! `paths` of the `[[store]]` are globs of files that hold one JSON object a path, one after the other: an object a
//! line, or objects over several lines. An object is
//!
//! ```json
//! {"mount": "secret", "path": "app/db", "keys": ["password"], "metadata": {"current_version": 1, "versions": {…}}}
//! ```
//!
//! * `path`: required; without `mount` it begins with the mount: `"secret/app/db"`.
//! * `keys`: the names of the keys; without them, or with `null`, only the path is known.
//! * `metadata`: the `data` of what `vault kv metadata get -format=json` prints; a KV v1 path has none.
//!
//! A folder is exported by
//!
//! ```sh
//! for p in $(vault kv list -format=json secret/app | jq -r '.[] | select(endswith("/") | not)'); do
//!   { vault kv metadata get -format=json "secret/app/$p"; vault read -format=json "secret/subkeys/app/$p"; } |
//!     jq -cs --arg p "secret/app/$p" '{path: $p, metadata: .[0].data,
//!       keys: (try (.[1].data.subkeys | keys) catch null)}'
//! done > vault-export.jsonl
//! ```
//!
//! No value is ever part of it: `subkeys` has none, and a field that is not named above is not read.

use std::collections::BTreeSet;

use futures::FutureExt;
use keytrail_rules::model::{
    CopyKind, Environment, Facts, Gap, GapReason, History, Location, Place, ScopeEntry, SecretCopy, Time,
};
use keytrail_rules::value::Value;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::vault::metadata::{Metadata, is_there};
use super::{StoreKind, files_of};
use crate::config::StoreConfig;
use crate::source::SourceFile;

/// Files that were exported from Vault or OpenBao.
pub static KIND: StoreKind = StoreKind {
    name: "vault-export",
    requires: &["paths"],
    read: |config, reader| std::future::ready(read(config, reader.as_of)).boxed(),
    open_for_writing: None,
};

/// After so many broken objects a file is left: it is no export.
const MAX_BROKEN: usize = 20;

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    mount: Option<String>,
    path: String,
    #[serde(default)]
    keys: Option<BTreeSet<String>>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

fn read(config: &StoreConfig, now: Time) -> Facts {
    let mut facts = Facts::default();
    let mut gone = 0;
    let files = files_of(config, &mut facts.gaps);
    for path in files {
        gone += read_file(config, &path, now, &mut facts);
    }
    let held = facts.copies.len() as u64 + facts.declarations.len() as u64 + gone;
    facts.scope.push(ScopeEntry { source: config.name.clone(), kind: KIND.name.to_owned(), held });
    facts
}

/// Reads a file into `facts`. Returns how many of its paths hold nothing now.
fn read_file(config: &StoreConfig, path: &str, now: Time, facts: &mut Facts) -> u64 {
    match SourceFile::read(&config.root, path) {
        Ok(file) => read_entries(config, &file, now, facts),
        Err(gap) => {
            facts.gaps.push(Gap { source: config.name.clone(), ..gap });
            0
        }
    }
}

/// Reads the entries of a file into `facts`. Returns how many of its paths hold nothing at the instant `now`.
pub fn read_entries(config: &StoreConfig, file: &SourceFile, now: Time, facts: &mut Facts) -> u64 {
    let gap = |line, message: String| {
        let at = Gap::at(file.at(line), GapReason::Malformed, message);
        Gap { source: config.name.clone(), ..at }
    };
    let (mut gone, mut broken) = (0, 0);
    for (line, object) in objects(file) {
        let entry = object.and_then(|raw| serde_json::from_str::<Entry>(raw.get()).ok());
        match entry.filter(|entry| !entry.path.trim_matches('/').is_empty()) {
            Some(entry) => gone += read_entry(config, &file.at(line), entry, now, facts),
            None if broken == MAX_BROKEN => {
                facts.gaps.push(gap(line, format!("more than {MAX_BROKEN} entries are broken; the rest was not read")));
                break;
            }
            None => {
                broken += 1;
                facts.gaps.push(
                    gap(line, "not an entry of an export".into())
                        .hint("an entry is {\"path\": \"MOUNT/PATH\", \"keys\": […], \"metadata\": {…}}"),
                );
            }
        }
    }
    gone
}

/// The JSON values of a file, one after the other, with their lines; `None` for what is no JSON. After that, reading
/// goes on at the next line that begins with `{`.
fn objects(file: &SourceFile) -> impl Iterator<Item = (u32, Option<&RawValue>)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let text = file.text().get(start..)?;
        let blank = text.len() - text.trim_start().len();
        if blank == text.len() {
            return None;
        }
        let line = file.line_of(start + blank);
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        let value = values.next().and_then(Result::ok);
        start += match value {
            Some(_) => values.byte_offset(),
            None => text[blank..].find("\n{").map_or(text.len(), |next| blank + next + 1),
        };
        Some((line, value))
    })
}

fn read_entry(config: &StoreConfig, line: &Location, entry: Entry, now: Time, facts: &mut Facts) -> u64 {
    let Entry { mount, path, keys, metadata } = entry;
    let parts = mount.iter().chain([&path]).map(|part| part.trim_matches('/')).filter(|part| !part.is_empty());
    let path = parts.collect::<Vec<_>>().join("/");
    let mut problems = Vec::new();
    let versions = metadata.as_ref().map(|metadata| metadata.versions(now, &mut problems));
    let there = versions.as_ref().is_none_or(|versions| is_there(versions));
    let environment = metadata.as_ref().and_then(Metadata::environment);
    let environment = config.environment.clone().or(environment).or_else(|| Environment::in_path(&path));
    let kind = if versions.is_some() { CopyKind::VaultKv2 } else { CopyKind::VaultKv1 };
    let history = History { versions: versions.unwrap_or_default() };
    let places: Vec<Place> = match keys {
        _ if !there => Vec::new(),
        Some(keys) => keys.iter().map(|key| Place::new(&config.name, &path, key)).collect(),
        None => vec![Place::of_path(&config.name, &path)],
    };
    facts.copies.extend(places.iter().map(|place| SecretCopy {
        environment: environment.clone(),
        history: history.clone(),
        ..SecretCopy::new(place.clone(), kind, Some(line.clone()), Value::unread())
    }));
    let declared = metadata.filter(|_| there).and_then(|metadata| metadata.declaration(&path, places, &mut problems));
    facts.declarations.extend(declared);
    facts.gaps.extend(problems.into_iter().map(|problem| {
        let at = Gap::at(line.clone(), GapReason::Malformed, format!("{problem} {path}"));
        Gap { source: config.name.clone(), place: Some(Place::of_path(&config.name, &path)), ..at }
    }));
    u64::from(!there)
}

#[cfg(test)]
mod tests;
