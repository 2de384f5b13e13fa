//! Keys that a verifier trusts, in the form that `ssh-keygen -Y verify` reads: ALLOWED SIGNERS of ssh-keygen(1).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::PublicKey;

/// A key, and of which times its signatures count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedKey {
    /// It.
    pub key: PublicKey,
    /// First instant.
    pub valid_after: Option<DateTime<Utc>>,
    /// First instant after the last.
    pub valid_before: Option<DateTime<Utc>>,
}

impl TrustedKey {
    /// A key that is trusted at all times.
    pub fn always(key: PublicKey) -> Self {
        Self { key, valid_after: None, valid_before: None }
    }

    /// Whether its signatures of an instant count.
    pub fn holds_at(&self, time: DateTime<Utc>) -> bool {
        self.valid_after.is_none_or(|after| after <= time) && self.valid_before.is_none_or(|before| time < before)
    }
}

/// The line of a key for one principal and namespace.
pub fn allowed_signer(principal: &str, namespace: &str, trusted: &TrustedKey) -> String {
    let time = |name: &str, time: Option<DateTime<Utc>>| {
        time.map_or(String::new(), |time| format!(",{name}=\"{}Z\"", time.format("%Y%m%d%H%M%S")))
    };
    let (after, before) = (time("valid-after", trusted.valid_after), time("valid-before", trusted.valid_before));
    format!("{principal} namespaces=\"{namespace}\"{after}{before} {}\n", trusted.key.ssh_text())
}

/// Reads a file of allowed signers: the Ed25519 keys in it that may sign in the namespace.
///
/// # Errors
/// The 1-based line that is not understood.
pub fn read_allowed_signers(namespace: &str, text: &str) -> Result<Vec<TrustedKey>, usize> {
    let mut keys = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            keys.extend(read_line(namespace, line).ok_or(number)?);
        }
    }
    Ok(keys)
}

/// The key of a line; none within, where it is of another kind or for something else.
fn read_line(namespace: &str, line: &str) -> Option<Option<TrustedKey>> {
    let (_principals, rest) = line.split_once([' ', '\t'])?;
    let mut words = words(rest.trim_start())?.into_iter();
    let first = words.next()?;
    let is_kind = |word: &str| ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| word.starts_with(kind));
    let (options, kind) = if is_kind(&first) { (String::new(), first) } else { (first, words.next()?) };
    let blob = BASE64_STANDARD.decode(words.next()?).ok()?;
    let mut key = match kind.as_str() {
        "ssh-ed25519" => TrustedKey::always(PublicKey::from_ssh_blob(&blob)?),
        _ => return Some(None),
    };
    for option in split_outside_quotes(&options, ',') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = value.trim_matches('"');
        match name.to_ascii_lowercase().as_str() {
            "" => {}
            "namespaces" if !value.split(',').any(|pattern| pattern == namespace || pattern == "*") => {
                return Some(None);
            }
            "namespaces" => {}
            "valid-after" => key.valid_after = Some(time(value)?),
            "valid-before" => key.valid_before = Some(time(value)?),
            // An option that is not understood may limit the key.
            _ => return None,
        }
    }
    Some(Some(key))
}

/// The parts between spaces that are not within quotes.
fn words(text: &str) -> Option<Vec<String>> {
    let balanced = text.matches('"').count().is_multiple_of(2);
    let parts = split_outside_quotes(text, ' ').into_iter().filter(|part| !part.is_empty()).map(str::to_owned);
    balanced.then(|| parts.collect())
}

fn split_outside_quotes(text: &str, at: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        c == at && !quoted
    })
    .collect()
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in UTC: without a `Z` ssh-keygen would take the time of this machine, which says nothing.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.strip_suffix('Z')?;
    match text.len() {
        8 => NaiveDate::parse_from_str(text, "%Y%m%d").ok()?.and_hms_opt(0, 0, 0),
        12 => NaiveDateTime::parse_from_str(&format!("{text}00"), "%Y%m%d%H%M%S").ok(),
        _ => NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S").ok(),
    }
    .map(|time| time.and_utc())
}
