//! KV version 2. <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>

use std::collections::BTreeMap;

use keytrail_rotation::failure::Failure;
use keytrail_rotation::store::Version;
use keytrail_rules::model::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::At;
use super::body::{object, versioned};
use super::refusal::{self, Change, gone, of_change, of_read, overtaken, unknown};
use crate::stores::vault::answer::{Body, Meaning, read as meaning};
use crate::stores::vault::session;
use crate::stores::vault::values::{RawValues, values};

/// The newest version, as the server wrote it.
#[derive(Deserialize)]
pub(super) struct Newest<'a> {
    #[serde(borrow)]
    pub(super) data: Option<RawValues<'a>>,
    metadata: Number,
}

#[derive(Deserialize)]
struct Number {
    version: u64,
}

/// The newest version. It is borrowed from the body.
pub(super) async fn newest(at: &At) -> Result<Body, session::Failure> {
    at.session.get(&[&at.mount.path, "data", &at.path], "").await
}

pub(super) async fn read(at: &At) -> Result<(Version, BTreeMap<String, Secret>), Failure> {
    let body = newest(at).await.map_err(|failure| of_read(at, failure))?;
    let Newest { data, metadata } = body.data().map_err(|failed| refusal::of(&at.full, failed))?;
    Ok((Version(metadata.version.to_string()), values(data.ok_or_else(|| gone(at))?)))
}

pub(super) async fn write(at: &At, values: &BTreeMap<String, &Secret>, expected: &Version) -> Result<Version, Failure> {
    // 0 would create it, which nobody asked for.
    let expected = expected.0.parse().ok().filter(|version| *version > 0);
    let expected = expected.ok_or_else(|| Failure::not_done(format!("no version of {} is expected", at.full)))?;
    let patch = versioned(&object(&RawValues::new(), values), expected);
    match send(at, patch, true).await {
        Change::Done(body) => made(at, &body),
        // It was there when its version was read.
        Change::Missing => Err(overtaken(at)),
        Change::Denied => write_whole(at, values, expected).await,
        Change::Failed(failure) => Err(failure),
    }
}

/// Writes the whole secret: the token may not patch it, or the server knows no patch.
async fn write_whole(at: &At, values: &BTreeMap<String, &Secret>, expected: u64) -> Result<Version, Failure> {
    let body = match newest(at).await {
        Ok(body) => body,
        Err(session::Failure::Missing) => return Err(overtaken(at)),
        Err(failure) => return Err(of_read(at, failure)),
    };
    let Newest { data, metadata } = body.data().map_err(|failed| refusal::of(&at.full, failed))?;
    let data = data.filter(|_| metadata.version == expected).ok_or_else(|| overtaken(at))?;
    match send(at, versioned(&object(&data, values), expected), false).await {
        Change::Done(body) => made(at, &body),
        Change::Missing => Err(overtaken(at)),
        Change::Denied => Err(refusal::denied(at, "patch or update")),
        Change::Failed(failure) => Err(failure),
    }
}

async fn send(at: &At, body: Zeroizing<Vec<u8>>, patch: bool) -> Change {
    let path = [at.mount.path.as_str(), "data", &at.path];
    of_change(at, at.session.change(&path, at.change(body, patch)).await)
}

fn made(at: &At, body: &Body) -> Result<Version, Failure> {
    let made: Number = body.data().map_err(|failed| unknown(at, &failed.what))?;
    Ok(Version(made.version.to_string()))
}

/// Notes the run in the custom metadata of the path. `false` where the token may not.
pub(super) async fn note_run(at: &At, run: &str) -> bool {
    let body = serde_json::json!({ "custom_metadata": { "keytrail_run": run } });
    let change = at.change(Zeroizing::new(body.to_string().into_bytes()), true);
    let answer = at.session.change(&[&at.mount.path, "metadata", &at.path], change).await;
    !matches!(answer.map(meaning), Ok(Meaning::Denied))
}
