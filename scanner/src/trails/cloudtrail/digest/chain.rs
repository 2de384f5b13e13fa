//! Verifies the digests of one chain.

use keytrail_rules::model::{Hole, Time};

use super::keys::PublicKeys;
use super::{Digest, Found, base};

/// Whether a digest is what CloudTrail wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Its signature fits.
    Proven,
    /// Its signature is not known, or no keys are.
    Unsigned,
    /// Somebody changed it, or another made it.
    Tampered,
}

/// A digest, and how it stands to the one before.
pub(super) struct Link {
    pub(super) found: Found,
    pub(super) standing: Standing,
    /// Whether the digest before is the one that it names, unchanged.
    pub(super) follows: bool,
    /// What is wrong with it, or missing before it.
    pub(super) holes: Vec<Hole>,
}

/// Verifies the digests of a chain; gives them oldest first.
pub(super) fn verify(mut found: Vec<Found>, keys: Option<&PublicKeys>) -> Vec<Link> {
    found.sort_by(|a, b| (a.digest.digest_end_time, &a.name).cmp(&(b.digest.digest_end_time, &b.name)));
    // The same digest, found twice.
    found.dedup_by(|a, b| a.hash == b.hash && base(&a.name) == base(&b.name));
    let signatures: Vec<Option<String>> = (0..found.len())
        .map(|at| {
            let repeated = found.get(at + 1).filter(|next| names(&next.digest, &found[at].digest));
            found[at].signature.clone().or_else(|| repeated?.digest.previous_digest_signature.clone())
        })
        .collect();
    let mut links: Vec<Link> = Vec::with_capacity(found.len());
    for (found, signature) in found.into_iter().zip(signatures) {
        let mut holes = Vec::new();
        let wrong = wrong(&found, signature.as_deref(), keys);
        if let Some(reason) = wrong {
            let Digest { digest_start_time, digest_end_time, .. } = found.digest;
            holes.push(hole(digest_start_time, digest_end_time, format!("the digest {} {reason}", found.name), true));
        }
        let standing = match (wrong, &signature, keys) {
            (Some(_), _, _) => Standing::Tampered,
            (None, Some(_), Some(_)) => Standing::Proven,
            _ => Standing::Unsigned,
        };
        let break_before = links.last().and_then(|before| break_between(&before.found, &found));
        let follows = links.last().is_some_and(|before| before.standing == Standing::Proven) && break_before.is_none();
        holes.extend(break_before);
        links.push(Link { found, standing, follows, holes });
    }
    links
}

/// Whether a digest names another as the one before.
fn names(digest: &Digest, before: &Digest) -> bool {
    digest.previous_digest_s3_object.as_ref() == Some(&before.digest_s3_object)
        && digest.previous_digest_s3_bucket.as_ref() == Some(&before.digest_s3_bucket)
}

/// What is wrong with a digest.
fn wrong(found: &Found, signature: Option<&str>, keys: Option<&PublicKeys>) -> Option<&'static str> {
    let digest = &found.digest;
    if base(&digest.digest_s3_object) != base(&found.name) {
        return Some("lies under the name of another");
    }
    if digest.digest_signature_algorithm != "SHA256withRSA" {
        return Some("is signed in a way that CloudTrail does not use");
    }
    let (signature, keys) = (signature?, keys?);
    let signature = unhex(signature);
    let verified = keys.verify(&digest.digest_public_key_fingerprint, signed(found).as_bytes(), &signature);
    match verified {
        Some(true) => None,
        Some(false) => Some("does not fit its signature"),
        None => Some("is signed with a key that is none of the public keys"),
    }
}

/// What the signature is of.
fn signed(found: &Found) -> String {
    let Digest { digest_end_time, digest_s3_bucket, digest_s3_object, previous_digest_signature, .. } = &found.digest;
    let time = digest_end_time.format("%Y-%m-%dT%H:%M:%SZ");
    let previous = previous_digest_signature.as_deref().unwrap_or("null");
    format!("{time}\n{digest_s3_bucket}/{digest_s3_object}\n{}\n{previous}", found.hash)
}

/// Bytes of hexadecimal digits; none where they are something else, which no key has signed with.
fn unhex(text: &str) -> Vec<u8> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.unwrap_or_default();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8)).collect()
}

/// What is wrong between two digests, the later of which should name the earlier one.
fn break_between(before: &Found, found: &Found) -> Option<Hole> {
    let (from, to) = (before.digest.digest_end_time, found.digest.digest_start_time);
    let digest = &found.digest;
    let Some(previous) = &digest.previous_digest_s3_object else {
        return Some(hole(from, to, format!("the chain of digests begins anew with {}", found.name), false));
    };
    if !names(digest, &before.digest) {
        let reason = format!("the digest {}, which {} names as the one before, is missing", base(previous), found.name);
        return Some(hole(from, to, reason, false));
    }
    let hash = digest.previous_digest_hash_value.as_deref().unwrap_or_default();
    if !hash.eq_ignore_ascii_case(&before.hash) {
        let reason = format!("the digest {} is not the one that {} names", before.name, found.name);
        return Some(hole(before.digest.digest_start_time, from, reason, true));
    }
    let apart = format!("the digests {} and {} do not follow on each other", before.name, found.name);
    (from != to).then(|| hole(from, to, apart, false))
}

/// A hole; of two instants the earlier is its beginning.
fn hole(one: Time, other: Time, reason: String, tampered: bool) -> Hole {
    let to = one.max(other).max(one.min(other) + chrono::TimeDelta::seconds(1));
    Hole { from: Some(one.min(other)), to: Some(to), reason, tampered, raw: None }
}
