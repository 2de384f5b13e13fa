//! Digests: signed lists of the log files of an hour, each of which names the one before.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta};
use keytrail_rules::model::{Covered, Entry, Gap, GapReason, Hole, Proof, Time};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::layout::{self, base};
use super::opened::Buffers;
use super::{DELAY, display};
use crate::trails::Opening;

mod chain;
mod keys;

use chain::{Link, Standing};
use keys::PublicKeys;

/// What a digest says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Digest {
    #[serde(deserialize_with = "rfc3339")]
    digest_start_time: Time,
    #[serde(deserialize_with = "rfc3339")]
    digest_end_time: Time,
    digest_s3_bucket: String,
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    digest_signature_algorithm: String,
    previous_digest_s3_bucket: Option<String>,
    previous_digest_s3_object: Option<String>,
    previous_digest_hash_value: Option<String>,
    previous_digest_signature: Option<String>,
    #[serde(default)]
    log_files: Vec<LogFile>,
}

/// What a digest says of one log file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFile {
    s3_object: String,
    hash_value: String,
    #[serde(default, deserialize_with = "rfc3339_or_none")]
    newest_event_time: Option<Time>,
    #[serde(default, deserialize_with = "rfc3339_or_none")]
    oldest_event_time: Option<Time>,
}

/// A time of four digits of a year: hours can be added to it and taken from it.
fn rfc3339<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = Cow::<'_, str>::deserialize(from)?;
    DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(D::Error::custom)
}

fn rfc3339_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
    #[derive(Deserialize)]
    struct Rfc3339(#[serde(deserialize_with = "rfc3339")] Time);
    Ok(Option::<Rfc3339>::deserialize(from)?.map(|Rfc3339(time)| time))
}

/// A digest that lies on disk.
struct Found {
    /// As reports call it.
    name: String,
    digest: Digest,
    /// SHA-256 of its inflated bytes, in lower-case hexadecimal.
    hash: String,
    /// The signature that was found beside it, in hexadecimal.
    signature: Option<String>,
}

/// A log file that a digest lists.
struct Listed {
    hash: String,
    from: Time,
    to: Time,
    digest: String,
    read: bool,
}

/// The digests of a trail, and what they say of its log files.
#[derive(Default)]
pub(super) struct Digests {
    /// By the last part of their keys, which are random enough to be unique.
    listed: HashMap<String, Listed>,
    /// Log files that no digest lists.
    unlisted: BTreeSet<String>,
    /// By account and region: the time that the proven digests span.
    spans: BTreeMap<String, (Time, Time)>,
    covered: Vec<(Time, Time)>,
    holes: Vec<Hole>,
}

/// A digest is smaller; S3 lists some hundreds of log files in one.
const MAX_BYTES: usize = 16 << 20;

impl Digests {
    /// Reads and verifies the digests of a trail.
    pub(super) fn read<'a>(
        opening: &Opening<'_>,
        paths: impl Iterator<Item = &'a PathBuf>,
        buffers: &mut Buffers,
    ) -> (Self, Vec<Gap>) {
        let mut digests = Self::default();
        let mut gaps = Vec::new();
        let mut chains: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        for path in paths {
            let name = display(opening, path);
            match find(path, &name, buffers) {
                Ok(found) => chains.entry(layout::chain(&found.digest.digest_s3_object)).or_default().push(found),
                Err((reason, message)) => {
                    let (from, to) = hour_before(&name);
                    digests.hole(from, to, format!("{name}: {message}"), false);
                    gaps.push(Gap::new(name, reason, message));
                }
            }
        }
        if chains.is_empty() {
            return (digests, gaps);
        }
        let keys = PublicKeys::read(opening, &mut gaps);
        let mut unknown_signatures = 0;
        let mut chains_covered = Vec::new();
        for (name, found) in chains {
            let links = chain::verify(found, keys.as_ref());
            unknown_signatures += links.iter().filter(|link| link.standing == Standing::Unsigned).count();
            let covered = digests.follow(&links);
            if !layout::is_backfill(&name) {
                chains_covered.push(covered);
            }
        }
        if unknown_signatures > 0 && keys.is_some() {
            let message = format!("the signatures of {unknown_signatures} digests are not known");
            gaps.push(Gap {
                hint: Some(SIGNATURE_HINT.to_owned()),
                ..Gap::new(&opening.config.name, GapReason::Unsupported, message)
            });
        }
        digests.covered = chains_covered.into_iter().reduce(|one, other| intersect(&one, &other)).unwrap_or_default();
        (digests, gaps)
    }

    fn hole(&mut self, from: Option<Time>, to: Option<Time>, reason: String, tampered: bool) {
        self.holes.push(Hole { from, to, reason, tampered, raw: None });
    }

    /// Takes over what the digests of one chain say, oldest first; gives what they cover.
    fn follow(&mut self, links: &[Link]) -> Vec<(Time, Time)> {
        let mut runs: Vec<(Time, Time)> = Vec::new();
        for link in links {
            self.holes.extend(link.holes.iter().cloned());
            if link.standing != Standing::Tampered {
                self.list(link);
            }
            let digest = &link.found.digest;
            let (from, to) = (digest.digest_start_time, digest.digest_end_time);
            if link.standing != Standing::Proven || to <= from {
                continue;
            }
            let span = self.spans.entry(place(&digest.digest_s3_object)).or_insert((from, to));
            *span = (span.0.min(from), span.1.max(to));
            match runs.last_mut() {
                Some(run) if link.follows && run.1 == from => run.1 = to,
                _ => runs.push((from, to)),
            }
        }
        // The records of the last minutes come with the digest after it.
        runs.into_iter().map(|(from, to)| (from, to - DELAY)).filter(|(from, to)| from < to).collect()
    }

    fn list(&mut self, link: &Link) {
        let digest = &link.found.digest;
        for file in &digest.log_files {
            let from = file.oldest_event_time.unwrap_or(digest.digest_start_time - DELAY);
            let to = file.newest_event_time.unwrap_or(digest.digest_end_time);
            let listed = Listed {
                hash: file.hash_value.to_ascii_lowercase(),
                from: from.min(to),
                to: to.max(from) + TimeDelta::seconds(1),
                digest: link.found.name.clone(),
                read: false,
            };
            self.listed.insert(base(&file.s3_object).to_owned(), listed);
        }
    }

    /// Whether a digest lists a log file, which then has to be exactly what it says.
    pub(super) fn expects(&self, name: &str) -> bool {
        self.listed.contains_key(base(name))
    }

    /// A log file was read; `hash` is that of its bytes, where they could be read to the end.
    pub(super) fn was_read(&mut self, name: &str, hash: Option<[u8; 32]>) {
        let Some(listed) = self.listed.get_mut(base(name)) else {
            if !self.spans.is_empty() {
                self.unlisted.insert(name.to_owned());
            }
            return;
        };
        listed.read = true;
        let (from, to) = (listed.from, listed.to);
        if hash.is_none_or(|hash| hex(&hash) != listed.hash) {
            let reason = format!("{name} is not the file that the digest {} lists", listed.digest);
            self.hole(Some(from), Some(to), reason, true);
        }
    }

    /// What the digests show, now that every log file was read.
    pub(super) fn finish(mut self) -> Vec<Entry> {
        let mut missing: Vec<_> = self.listed.iter().filter(|(_, listed)| !listed.read).collect();
        missing.sort_by_key(|(name, listed)| (listed.from, *name));
        self.holes.extend(missing.into_iter().map(|(name, listed)| Hole {
            from: Some(listed.from),
            to: Some(listed.to),
            reason: format!("the log file {name}, which the digest {} lists, is missing", listed.digest),
            tampered: false,
            raw: None,
        }));
        for name in std::mem::take(&mut self.unlisted) {
            let stamp = layout::stamp(base(&name));
            let within = |span: &(Time, Time)| stamp.is_none_or(|stamp| span.0 <= stamp && stamp < span.1);
            if self.spans.get(&place(&name)).is_some_and(within) {
                let from = stamp.map(|stamp| stamp - DELAY * 2);
                self.hole(from, stamp, format!("{name} is listed by no digest"), false);
            }
        }
        let covered = self.covered.into_iter();
        let covered = covered.map(|(from, to)| Entry::Covered(Covered { from, to, proof: Proof::DigestChain }));
        covered.chain(self.holes.into_iter().map(Entry::Hole)).collect()
    }
}

const SIGNATURE_HINT: &str = "the last digest's is only in S3: save `aws s3api head-object --bucket B --key KEY` as a file \
                              beside it, NAME.json.gz.metadata.json";

/// Account and region, which the names of digests and of log files begin alike with.
fn place(key: &str) -> String {
    let parts: Vec<_> = base(key).split('_').collect();
    let at = |at: usize| parts.get(at).copied().unwrap_or_default();
    format!("{} {}", at(0), at(2))
}

/// The hour that a digest is of, by its name.
fn hour_before(name: &str) -> (Option<Time>, Option<Time>) {
    let stamp = layout::stamp(base(name));
    (stamp.map(|stamp| stamp - TimeDelta::hours(1)), stamp)
}

/// What two sorted lists of stretches have in common.
fn intersect(one: &[(Time, Time)], other: &[(Time, Time)]) -> Vec<(Time, Time)> {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    pairs.filter(|(from, to)| from < to).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a digest, and its signature where that lies beside it.
fn find(path: &Path, name: &str, buffers: &mut Buffers) -> Result<Found, (GapReason, String)> {
    let bytes =
        whole(path, buffers).map_err(|error| (GapReason::Malformed, format!("a digest cannot be read: {error}")))?;
    let digest = serde_json::from_slice(&bytes)
        .map_err(|_| (GapReason::Malformed, "a digest is not what CloudTrail writes".to_owned()))?;
    let hash = hex(self::digest(&SHA256, &bytes).as_ref());
    Ok(Found { name: name.to_owned(), digest, hash, signature: signature(path, buffers) })
}

fn whole(path: &Path, buffers: &mut Buffers) -> io::Result<Vec<u8>> {
    let mut opened = buffers.open(path, true)?;
    while !opened.text().1 && opened.text().0.len() <= MAX_BYTES {
        opened.advance(0)?;
    }
    match opened.text() {
        (text, true) if text.len() <= MAX_BYTES => Ok(text.to_vec()),
        _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 16 MiB")),
    }
}

fn signature(path: &Path, buffers: &mut Buffers) -> Option<String> {
    /// What `aws s3api head-object` prints.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Head {
        metadata: BTreeMap<String, String>,
    }
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    if let Ok(text) = whole(&beside(layout::SIGNATURE), buffers) {
        return String::from_utf8(text).ok().map(|text| text.trim().to_owned());
    }
    let head: Head = serde_json::from_slice(&whole(&beside(layout::METADATA), buffers).ok()?).ok()?;
    head.metadata.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("signature")).map(|(_, signature)| signature)
}
