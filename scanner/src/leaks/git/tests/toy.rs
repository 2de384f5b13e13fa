//! A search with one detector of each sort that the sources must cope with.

use std::ops::Range;

use keytrail_rules::search::{Found, Hit, Hits, LongAnchor, Search};

use super::super::SecretKey;

/// Finds `tok_` and eight letters between other bytes; `SECRETVAL` with `key` in the 20 bytes before; `PEM{…}` of at
/// most 300 bytes, wherever it ends; and the known value `hunter2hunter2`.
pub(crate) struct Toy;

const TOKEN: u32 = 0;
const NEAR: u32 = 1;
const LONG: u32 = 2;
const NEAR_BYTES: usize = 20;
const LONG_BYTES: usize = 300;

/// Which secret a hit is: its bytes.
pub(crate) fn identify(text: &[u8], hit: &Hit) -> SecretKey {
    let value = &text[hit.value.clone()];
    let fold = |sum: u128, byte: &u8| sum.wrapping_mul(0x0001_0000_01b3).wrapping_add(u128::from(*byte) + 1);
    SecretKey(value.iter().fold(u128::from(hit.value.len() as u64), fold))
}

fn hit(found: Found, value: Range<usize>, depends: Range<usize>) -> Hit {
    Hit { found, value, depends, decoded: None }
}

impl Toy {
    fn at(text: &[u8], at: usize, out: &mut Hits) {
        let rest = &text[at..];
        let is_word = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
        if rest.starts_with(b"tok_") && rest.len() >= 12 && rest[4..12].iter().all(u8::is_ascii_alphanumeric) {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            if !is_word(before) && !is_word(text.get(at + 12)) {
                let depends = at.saturating_sub(1)..(at + 13).min(text.len());
                out.hits.push(hit(Found::Detector(TOKEN), at..at + 12, depends));
            }
        }
        if rest.starts_with(b"SECRETVAL") {
            let start = at.saturating_sub(NEAR_BYTES);
            if text[start..at].windows(3).any(|window| window == b"key") {
                out.hits.push(hit(Found::Detector(NEAR), at..at + 9, start..at + 9));
            }
        }
        if rest.starts_with(b"hunter2hunter2") {
            out.hits.push(hit(Found::Known(0), at..at + 14, at..at + 14));
        }
        if rest.starts_with(b"PEM{") {
            Self::long(text, at, out);
        }
    }

    fn long(text: &[u8], at: usize, out: &mut Hits) {
        let end = (at + LONG_BYTES).min(text.len());
        let close = text[at..end].iter().position(|byte| *byte == b'}').map(|close| at + close + 1);
        let depends = at..close.unwrap_or(end);
        if let Some(close) = close {
            out.hits.push(hit(Found::Detector(LONG), at..close, depends.clone()));
        }
        out.long.push(LongAnchor { at, detector: LONG, depends });
    }
}

impl Search for Toy {
    type Scratch = ();

    fn margin(&self) -> usize {
        32
    }

    fn reach(&self) -> usize {
        LONG_BYTES
    }

    fn search(&self, text: &[u8], changed: Range<usize>, _: &mut (), out: &mut Hits) {
        for at in changed.start.saturating_sub(14)..(changed.end + NEAR_BYTES).min(text.len()) {
            Self::at(text, at, out);
        }
    }

    fn recheck(&self, text: &[u8], anchor: &LongAnchor, _: &mut (), out: &mut Hits) {
        if text[anchor.at..].starts_with(b"PEM{") {
            Self::long(text, anchor.at, out);
        }
    }

    fn settle(&self, hits: &mut Vec<Hit>) {
        let rank = |hit: &Hit| (!matches!(hit.found, Found::Known(_)), std::cmp::Reverse(hit.value.len()), hit.found);
        hits.sort_by_key(|hit| (rank(hit), hit.value.start));
        let mut kept: Vec<Hit> = Vec::new();
        for hit in hits.drain(..) {
            let overlaps = |other: &Hit| hit.value.start < other.value.end && other.value.start < hit.value.end;
            if !kept.iter().any(overlaps) {
                kept.push(hit);
            }
        }
        kept.sort_by_key(|hit| hit.value.start);
        *hits = kept;
    }
}
