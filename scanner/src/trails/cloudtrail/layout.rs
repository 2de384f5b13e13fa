//! What a file of a trail is, by its path, and of which time.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use chrono::NaiveDateTime;
use keytrail_rules::model::Time;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// Records.
    Log,
    /// A signed list of files of records.
    Digest,
    /// Something about a digest.
    Beside,
    /// No file of CloudTrail: a bucket holds logs of other services too.
    Other,
}

impl Sort {
    pub(super) fn of(path: &Path) -> Self {
        let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
        let name = parts.last().copied().unwrap_or_default();
        if [SIGNATURE, METADATA].iter().any(|end| name.ends_with(end)) {
            Self::Beside
        } else if parts.contains(&"CloudTrail-Digest") || name.contains("_CloudTrail-Digest_") {
            Self::Digest
        } else if parts.contains(&"AWSLogs") && !parts.contains(&"CloudTrail") {
            Self::Other
        } else {
            Self::Log
        }
    }
}

/// End of the name of a file that holds the signature of a digest, in hexadecimal.
pub(super) const SIGNATURE: &str = ".signature";
/// End of the name of a file that holds what `aws s3api head-object` prints of a digest.
pub(super) const METADATA: &str = ".metadata.json";

/// The account whose folder a file lies in.
pub(super) fn account(path: &Path) -> Option<&str> {
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    let at = parts.iter().position(|part| *part == "CloudTrail")?;
    let account = parts.get(at.checked_sub(1)?)?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(*account)
}

/// The last part of a path or of the key of an object.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// When a file was delivered, by its name.
pub(super) fn stamp(name: &str) -> Option<Time> {
    name.split(['_', '.']).find_map(parse_stamp)
}

fn parse_stamp(part: &str) -> Option<Time> {
    let digits = part.strip_suffix('Z')?;
    let whole = if digits.len() == 13 { format!("{digits}00") } else { digits.to_owned() };
    NaiveDateTime::parse_from_str(&whole, "%Y%m%dT%H%M%S").ok().map(|time| time.and_utc())
}

/// The name of a digest without its time: the same for all digests of one chain.
pub(super) fn chain(name: &str) -> String {
    let parts = base(name).split(['_', '.']).filter(|part| parse_stamp(part).is_none());
    parts.collect::<Vec<_>>().join("_")
}

/// Whether a file was delivered late, for a time long before.
pub(super) fn is_backfill(name: &str) -> bool {
    base(name).contains("_backfill")
}

/// Bytes of the start of a file in which a first time is searched for.
const START: u64 = 64 << 10;

/// The first time in a file of which the name says none.
pub(super) fn first_time(path: &Path) -> Option<Time> {
    let file = File::open(path).ok()?;
    let reader = super::opened::inflated(Box::new(BufReader::new(file.take(START))), false).ok()?;
    let mut start = Vec::new();
    // A file that breaks off shows what it has.
    let _ = reader.take(START).read_to_end(&mut start);
    super::record::time(&start)
}
