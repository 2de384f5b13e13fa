//! KV version 1. <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1>
//!
//! It counts no versions, so that a version is a digest of the values. It may lie in a journal, where it must not help to
//! guess a weak value: it is as slow to compute as passwords' digests are, and takes all values of the path at once.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use keytrail_rotation::failure::Failure;
use keytrail_rotation::store::Version;
use keytrail_rules::model::Secret;

use super::At;
use super::body::object;
use super::refusal::{self, Change, denied, gone, of_change, of_read, overtaken};
use crate::stores::vault::answer::Body;
use crate::stores::vault::values::{RawValues, values};

/// What OWASP asks of PBKDF2 with HMAC-SHA-256.
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#pbkdf2>
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();

pub(super) async fn get(at: &At) -> Result<Body, Failure> {
    at.session.get(&[&at.mount.path, &at.path], "").await.map_err(|failure| of_read(at, failure))
}

fn data<'a>(at: &At, body: &'a Body) -> Result<RawValues<'a>, Failure> {
    body.data().map_err(|failed| refusal::of(&at.full, failed))
}

pub(super) async fn read(at: &At) -> Result<(Version, BTreeMap<String, Secret>), Failure> {
    let body = get(at).await?;
    let data = data(at, &body)?;
    Ok((version(at, &data), values(data)))
}

pub(super) async fn write(at: &At, values: &BTreeMap<String, &Secret>, expected: &Version) -> Result<Version, Failure> {
    let before = get(at).await?;
    let data = self::data(at, &before)?;
    if version(at, &data) != *expected {
        return Err(overtaken(at));
    }
    let whole = object(&data, values);
    let written: RawValues<'_> =
        serde_json::from_slice(&whole).map_err(|_| Failure::not_done(format!("{} cannot be written", at.full)))?;
    let path = [at.mount.path.as_str(), &at.path];
    match of_change(at, at.session.change(&path, at.change(whole.clone(), false)).await) {
        Change::Done(_) => {}
        Change::Missing => return Err(gone(at)),
        Change::Denied => return Err(denied(at, "update")),
        Change::Failed(failure) => return Err(failure),
    }
    let later = |what: &str| Failure::unknown(format!("{} was written, and {what}", at.full));
    let after = get(at).await.map_err(|_| later("cannot be read again"))?;
    let made = version(at, &self::data(at, &after)?);
    if made == version(at, &written) { Ok(made) } else { Err(later("somebody else changed it at once")) }
}

fn version(at: &At, data: &RawValues<'_>) -> Version {
    // In the order of the keys, so that the same values have the same version.
    let canonical = object(&RawValues::new(), &texts(data).iter().map(|(key, value)| (key.clone(), value)).collect());
    let mut digest = [0; 16];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, at.full.as_bytes(), &canonical, &mut digest);
    Version(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn texts(data: &RawValues<'_>) -> BTreeMap<String, Secret> {
    values(data.iter().map(|(key, value)| (key.clone(), *value)).collect())
}
