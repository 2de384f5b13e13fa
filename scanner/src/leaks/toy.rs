//! A search that is easy to see through, for tests.

use std::ops::Range;

use keytrail_rules::search::{Found, Hit, Hits, LongAnchor, Search};

/// How many letters the value of a [`WORD`] has at most.
pub(crate) const MAX_WORD: usize = 12;

/// The detector of `k=` and the letters that follow, unless a letter comes before.
pub(crate) const WORD: u32 = 0;

/// The detector of `<` and up to [`MAX_BLOCK`] bytes to the next `>`; the brackets belong to the value.
pub(crate) const BLOCK: u32 = 1;

/// The detector of four digits with nothing but `#` before, to which the byte behind belongs as well.
pub(crate) const DIGITS: u32 = 2;

/// How many bytes a [`BLOCK`] has at most.
pub(crate) const MAX_BLOCK: usize = 40;

/// Finds the three.
pub(crate) struct Toy;

impl Search for Toy {
    type Scratch = ();

    fn margin(&self) -> usize {
        16
    }

    fn reach(&self) -> usize {
        MAX_BLOCK + 2
    }

    fn search(&self, text: &[u8], changed: Range<usize>, (): &mut (), out: &mut Hits) {
        let from = changed.start.saturating_sub(self.reach());
        let to = (changed.end + self.reach()).min(text.len());
        for at in from..to {
            let hit = match text[at] {
                b'k' => word(text, at),
                b'<' => block(text, at),
                b'#' => digits(text, at),
                _ => None,
            };
            out.hits.extend(hit.filter(|hit| hit.depends.start < changed.end && changed.start < hit.depends.end));
        }
    }

    fn recheck(&self, _: &[u8], _: &LongAnchor, (): &mut (), _: &mut Hits) {}

    fn settle(&self, hits: &mut Vec<Hit>) {
        hits.sort_by_key(|hit| (std::cmp::Reverse(hit.value.len()), hit.value.start, hit.found));
        let mut kept: Vec<Hit> = Vec::new();
        for hit in hits.drain(..) {
            if kept.iter().all(|other| hit.value.end <= other.value.start || other.value.end <= hit.value.start) {
                kept.push(hit);
            }
        }
        kept.sort_by_key(|hit| hit.value.start);
        *hits = kept;
    }
}

fn letters(text: &[u8]) -> usize {
    text.iter().take(MAX_WORD).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'&').count()
}

fn hit(detector: u32, value: Range<usize>, depends: Range<usize>, text: &[u8]) -> Option<Hit> {
    let depends = depends.start..depends.end.min(text.len());
    Some(Hit { found: Found::Detector(detector), value, depends, decoded: None })
}

fn word(text: &[u8], at: usize) -> Option<Hit> {
    let free = at == 0 || !text[at - 1].is_ascii_alphabetic();
    let start = at + 2;
    let length = letters(text.get(start..)?);
    let found = free && text[at + 1] == b'=' && length > 0;
    found.then(|| hit(WORD, start..start + length, at.saturating_sub(1)..start + length + 1, text)).flatten()
}

fn block(text: &[u8], at: usize) -> Option<Hit> {
    let length = text[at..].iter().take(MAX_BLOCK).position(|byte| *byte == b'>')? + 1;
    hit(BLOCK, at..at + length, at..at + length, text)
}

fn digits(text: &[u8], at: usize) -> Option<Hit> {
    let found = text.get(at + 1..at + 5)?.iter().all(u8::is_ascii_digit);
    found.then(|| hit(DIGITS, at + 1..at + 5, at..at + 6, text)).flatten()
}
