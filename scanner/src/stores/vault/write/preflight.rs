//! What would keep a write from working. Nothing is changed: the server is asked what the token may do, and the path is
//! read.

use std::collections::BTreeMap;

use keytrail_rotation::failure::Failure;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::v2::{self, Newest};
use super::{At, KvVersion, refusal, v1};
use crate::stores::vault::answer::{Body, Meaning, read as meaning};
use crate::stores::vault::values::RawValues;

/// The value before, the new one, and one that somebody writes between.
const NEEDED_VERSIONS: u64 = 3;

/// How many versions a mount keeps that says nothing.
/// <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#configure-the-kv-engine>
const USUAL_VERSIONS: u64 = 10;

pub(super) async fn obstacles(at: &At, keys: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(missing_right(at).await);
    let read = async {
        let body = match at.mount.version {
            KvVersion::V1 => v1::get(at).await?,
            KvVersion::V2 => v2::newest(at).await.map_err(|failure| refusal::of_read(at, failure))?,
        };
        of_keys(at, &body, keys)
    };
    match read.await {
        Ok(of_keys) => found.extend(of_keys),
        Err(failure) => found.push(failure.what),
    }
    if at.mount.version == KvVersion::V2 {
        found.extend(too_few_versions(at).await);
    }
    found
}

fn of_keys(at: &At, body: &Body, keys: &[String]) -> Result<Vec<String>, Failure> {
    let unreadable = |failed| refusal::of(&at.full, failed);
    let data: Option<RawValues<'_>> = match at.mount.version {
        KvVersion::V1 => Some(body.data().map_err(unreadable)?),
        KvVersion::V2 => body.data::<Newest<'_>>().map_err(unreadable)?.data,
    };
    let data = data.ok_or_else(|| refusal::gone(at))?;
    let of_key = |key: &String| match data.get(key) {
        None => Some(format!("{} has no key {key}", at.full)),
        Some(value) if !value.get().starts_with('"') => Some(format!("{key} of {} is no text", at.full)),
        Some(_) => None,
    };
    Ok(keys.iter().filter_map(of_key).collect())
}

/// What the token may not do, where the server tells.
/// <https://developer.hashicorp.com/vault/api-docs/system/capabilities-self>
async fn missing_right(at: &At) -> Option<String> {
    let (path, patches) = match at.mount.version {
        KvVersion::V1 => (at.full.clone(), false),
        KvVersion::V2 => (format!("{}/data/{}", at.mount.path, at.path), true),
    };
    let body = Zeroizing::new(serde_json::json!({ "paths": [path] }).to_string().into_bytes());
    let answer = at.session.change(&["sys/capabilities-self"], at.change(body, false)).await.ok()?;
    let Meaning::Success(body) = meaning(answer) else {
        return None;
    };
    let rights: BTreeMap<String, Vec<String>> = body.data().ok()?;
    let has =
        |right: &str| rights.get(&path).is_none_or(|rights| rights.iter().any(|has| has == right || has == "root"));
    // Whether it may read is seen by reading.
    let what = if patches { "neither patch nor update" } else { "not update" };
    let may = has("update") || (patches && has("patch"));
    (!may).then(|| format!("the token may {what} {path}"))
}

/// Whether the path keeps too few versions, as far as the token may see.
async fn too_few_versions(at: &At) -> Option<String> {
    let of_path = max_versions(at, &["metadata", &at.path]).await?;
    let of_mount = max_versions(at, &["config"]).await.filter(|max| *max > 0).unwrap_or(USUAL_VERSIONS);
    let kept = if of_path == 0 { of_mount } else { of_path };
    (kept < NEEDED_VERSIONS).then(|| {
        format!(
            "{} keeps {kept} version(s), and the old value may be lost: raise max_versions to {NEEDED_VERSIONS}",
            at.full
        )
    })
}

async fn max_versions(at: &At, path: &[&str]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Limits {
        #[serde(default)]
        max_versions: u64,
    }
    let path: Vec<&str> = std::iter::once(at.mount.path.as_str()).chain(path.iter().copied()).collect();
    let body = at.session.get(&path, "").await.ok()?;
    body.data::<Limits>().ok().map(|limits| limits.max_versions)
}
