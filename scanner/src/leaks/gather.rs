//! Brings the hits of all sources together: one leak for a value, with every place that it was seen in.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keytrail_rules::model::{Detected, Fingerprint, FingerprintKey, Leak, Occurrence, Secret};
use keytrail_rules::search::{Found, Hit};
use sha2::{Digest, Sha256};

use super::accepted::AcceptedElsewhere;
use super::git::SecretKey;

/// Collects hits from several threads.
///
/// # Guarantees
/// Keeps fingerprints, never a value.
pub struct Gatherer<'a> {
    key: &'a FingerprintKey,
    known: &'a [Fingerprint],
    seen: Mutex<HashMap<SecretKey, Seen>>,
}

struct Seen {
    fingerprint: Fingerprint,
    tag: u16,
    /// The detectors that recognised it; none for a value that only the inventory knows.
    detectors: Vec<u32>,
    allowed: Option<String>,
    occurrences: Vec<Occurrence>,
}

impl<'a> Gatherer<'a> {
    /// Collects nothing yet. `known` are the fingerprints of the values that [`Found::Known`] counts.
    pub fn new(key: &'a FingerprintKey, known: &'a [Fingerprint]) -> Self {
        Self { key, known, seen: Mutex::default() }
    }

    /// Which secret a hit in a text is.
    pub fn identify(&self, text: &[u8], hit: &Hit) -> SecretKey {
        let (fingerprint, tag, detector) = match hit.found {
            Found::Known(id) => (self.known[id as usize].clone(), 0, None),
            Found::Detector(detector) => {
                let spelt = || Secret::new(String::from_utf8_lossy(&text[hit.value.clone()]).into_owned());
                let (fingerprint, tag) = match &hit.decoded {
                    Some(secret) => (self.key.fingerprint(secret), tag(secret)),
                    None => {
                        let secret = spelt();
                        (self.key.fingerprint(&secret), tag(&secret))
                    }
                };
                (fingerprint, tag, Some(detector))
            }
        };
        let allowed = allowed(text, &hit.value);
        let key = secret_key(&fingerprint, allowed.as_deref());
        let mut seen = self.lock();
        let seen = seen.entry(key).or_insert_with(|| Seen {
            fingerprint,
            tag,
            detectors: Vec::new(),
            allowed,
            occurrences: Vec::new(),
        });
        if let Some(detector) = detector.filter(|detector| !seen.detectors.contains(detector)) {
            seen.detectors.push(detector);
            seen.tag = tag;
        }
        key
    }

    /// Adds a place that a secret was seen in.
    pub fn add(&self, key: SecretKey, occurrence: Occurrence) {
        if let Some(seen) = self.lock().get_mut(&key) {
            seen.occurrences.push(occurrence);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretKey, Seen>> {
        // A thread that panicked left the map whole: it only ever gains entries.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leaks, by fingerprint. `describe` says what a detector is, the most specific of several first; `admits`,
    /// whether one looks at a file of that path.
    pub fn finish(
        self,
        describe: impl Fn(&[u32]) -> Option<Detected>,
        admits: impl Fn(u32, &str) -> bool,
        elsewhere: &AcceptedElsewhere,
    ) -> Vec<Leak> {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut leaks: BTreeMap<Fingerprint, (Leak, Vec<u32>)> = BTreeMap::new();
        for mut seen in seen.into_values() {
            let detectors = &seen.detectors;
            let looked_at =
                |path: &str| detectors.is_empty() || detectors.iter().any(|detector| admits(*detector, path));
            seen.occurrences.retain(|occurrence| looked_at(&occurrence.location.file));
            if seen.occurrences.is_empty() {
                continue;
            }
            let (leak, detectors) = leaks.entry(seen.fingerprint.clone()).or_insert_with(|| {
                let accepted = elsewhere.reason(&seen.fingerprint).map(str::to_owned);
                let fingerprint = seen.fingerprint.clone();
                (Leak { fingerprint, tag: 0, detector: None, occurrences: Vec::new(), accepted }, Vec::new())
            });
            leak.tag = leak.tag.max(seen.tag);
            detectors.extend(&seen.detectors);
            leak.occurrences.extend(seen.occurrences.into_iter().map(|mut occurrence| {
                occurrence.allowed = occurrence.allowed.or_else(|| seen.allowed.clone());
                elsewhere.mark(&mut occurrence);
                occurrence
            }));
        }
        leaks
            .into_values()
            .map(|(mut leak, mut detectors)| {
                detectors.sort_unstable();
                detectors.dedup();
                leak.detector = describe(&detectors);
                // What no commit brought in comes last, where it was not brought in by one.
                leak.occurrences.sort_by(|a, b| (a.commit.is_none(), a).cmp(&(b.commit.is_none(), b)));
                leak.occurrences.dedup();
                leak
            })
            .collect()
    }
}

/// So few bits that no value can be guessed by them, and enough to tell that a value changed.
fn tag(secret: &Secret) -> u16 {
    let mut digest = Sha256::new();
    digest.update(b"keytrail/leak-tag/v1\0");
    digest.update(secret.expose().as_bytes());
    let digest = digest.finalize();
    u16::from_be_bytes([digest[0], digest[1]]) >> 4
}

fn secret_key(fingerprint: &Fingerprint, allowed: Option<&str>) -> SecretKey {
    let mut digest = Sha256::new();
    digest.update(fingerprint.as_str().as_bytes());
    digest.update([u8::from(allowed.is_some())]);
    digest.update(allowed.unwrap_or_default().as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&digest.finalize()[..16]);
    SecretKey(u128::from_be_bytes(key))
}

/// The reason of a `keytrail:allow REASON` on the line of a value. One without a reason allows nothing.
fn allowed(text: &[u8], value: &Range<usize>) -> Option<String> {
    /// A longer line was not written by a person.
    const REACH: usize = 1_000;
    /// What the mark is looked for by.
    const MARK: &[u8] = b"keytrail:allow";
    let before = &text[value.start.saturating_sub(REACH)..value.start];
    let start = value.start - before.iter().rev().position(|byte| *byte == b'\n').unwrap_or(before.len());
    let after = &text[value.end..text.len().min(value.end + REACH)];
    let end = value.end + after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
    let line = &text[start..end];
    let at = line.windows(MARK.len()).position(|window| window == MARK)?;
    let reason = String::from_utf8_lossy(&line[at + MARK.len()..]).into_owned();
    let reason = reason.trim_start_matches([':', '=', '(']).trim();
    let reason = ["*/", "-->", "#}", "%>", "--}}", "\"", "'", ")"]
        .iter()
        .fold(reason, |reason, close| reason.strip_suffix(close).unwrap_or(reason).trim_end());
    reason.chars().any(char::is_alphanumeric).then(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn an_allowance_needs_a_reason_and_the_line_of_the_value() {
        let text = b"a = VALUE # keytrail:allow a test account\nb = VALUE /* keytrail:allow */\nc = VALUE\n";
        let at = |number: usize| {
            let start = text.windows(5).enumerate().filter(|(_, w)| *w == b"VALUE").nth(number).expect("a value").0;
            allowed(text, &(start..start + 5))
        };
        assert_eq!(at(0).as_deref(), Some("a test account"));
        assert_eq!(at(1), None);
        assert_eq!(at(2), None);
        let html = b"<x>VALUE</x> <!-- keytrail:allow: sample -->";
        assert_eq!(allowed(html, &(3..8)).as_deref(), Some("sample"));
    }
}
