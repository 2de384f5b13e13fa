//! `primaryLocationLineHash` as GitHub's upload action computes it, so that its hash and ours are one:
//! <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#providing-data-to-track-code-scanning-alerts-across-runs>.
//!
//! A line's hash is that of up to 100 UTF-16 units from its start, over the lines after it, without spaces and tabs,
//! with a line feed for every line end; and then how many lines before it, and itself, have that hash.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many units a hash is over.
const WINDOW: usize = 100;

/// The base of the polynomial.
const BASE: i64 = 37;

/// What stands for the end of the text.
const END: u16 = u16::MAX;

const LINE_FEED: u16 = b'\n' as u16;

/// Hashes of lines of a text, by number, the first being 1. Lines that are not there have none.
pub fn line_hashes(text: &str, wanted: &BTreeSet<u32>) -> BTreeMap<u32, String> {
    let Some(last) = wanted.last().copied() else {
        return BTreeMap::new();
    };
    let mut state = Rolling::new(wanted);
    let mut is_after_return = false;
    for unit in text.encode_utf16() {
        let is_feed_of_pair = is_after_return && unit == LINE_FEED;
        is_after_return = unit == u16::from(b'\r');
        match unit {
            _ if is_feed_of_pair => {}
            0x20 | 0x09 => {}
            0x0d => state.take(LINE_FEED),
            unit => state.take(unit),
        }
        if state.done > last {
            break;
        }
    }
    state.take(END);
    (0..WINDOW).for_each(|_| state.push(0));
    state.hashes
}

struct Rolling<'a> {
    wanted: &'a BTreeSet<u32>,
    /// The last units.
    window: [u16; WINDOW],
    /// The line that begins with the unit in the same place of the window; 0 for none.
    starts: [u32; WINDOW],
    /// The place of the next unit.
    at: usize,
    hash: i64,
    /// `BASE` to the power of [`WINDOW`].
    out_of_window: i64,
    line: u32,
    is_line_start: bool,
    /// How often a hash was there.
    seen: HashMap<i64, u32>,
    hashes: BTreeMap<u32, String>,
    /// The last line whose hash is known.
    done: u32,
}

impl<'a> Rolling<'a> {
    fn new(wanted: &'a BTreeSet<u32>) -> Self {
        Self {
            wanted,
            window: [0; WINDOW],
            starts: [0; WINDOW],
            at: 0,
            hash: 0,
            out_of_window: (0..WINDOW).fold(1, |power: i64, _| power.wrapping_mul(BASE)),
            line: 0,
            is_line_start: true,
            seen: HashMap::new(),
            hashes: BTreeMap::new(),
            done: 0,
        }
    }

    /// Takes a unit of the text.
    fn take(&mut self, unit: u16) {
        self.finish_line();
        if self.is_line_start {
            self.line = self.line.saturating_add(1);
            self.starts[self.at] = self.line;
        }
        self.is_line_start = unit == LINE_FEED;
        self.roll(unit);
    }

    /// Takes what is behind the text.
    fn push(&mut self, unit: u16) {
        self.finish_line();
        self.roll(unit);
    }

    fn roll(&mut self, unit: u16) {
        let gone = i64::from(std::mem::replace(&mut self.window[self.at], unit));
        let scaled = self.hash.wrapping_mul(BASE).wrapping_add(i64::from(unit));
        self.hash = scaled.wrapping_sub(self.out_of_window.wrapping_mul(gone));
        self.at = (self.at + 1) % WINDOW;
    }

    /// The window is over the line that began a window ago, if one did.
    fn finish_line(&mut self) {
        let line = std::mem::take(&mut self.starts[self.at]);
        if line == 0 {
            return;
        }
        let count = self.seen.entry(self.hash).or_default();
        *count += 1;
        if self.wanted.contains(&line) {
            self.hashes.insert(line, format!("{:x}:{count}", self.hash));
        }
        self.done = line;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::line_hashes;

    #[derive(Deserialize)]
    struct Vector {
        text: String,
        line_hashes: BTreeMap<u32, String>,
    }

    #[test]
    fn hashes_are_those_of_github() {
        let vectors = include_str!("../../fixtures/primary_location_line_hash.json");
        let vectors: Vec<Vector> = serde_json::from_str(vectors).expect("vectors");
        assert!(vectors.len() > 5);
        for Vector { text, line_hashes: expected } in vectors {
            assert_eq!(line_hashes(&text, &expected.keys().copied().collect()), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_that_are_not_there_have_none() {
        assert!(line_hashes("a\n", &BTreeSet::from([0, 3, u32::MAX])).is_empty());
        assert!(line_hashes("a\n", &BTreeSet::new()).is_empty());
    }

    #[test]
    fn equal_lines_are_counted() {
        let text = "x\n".repeat(200);
        let hashes = line_hashes(&text, &BTreeSet::from([1, 2, 3]));
        let endings: Vec<&str> = hashes.values().map(|hash| hash.split_once(':').expect("a count").1).collect();
        assert_eq!(endings, ["1", "2", "3"]);
    }

    proptest! {
        #[test]
        fn a_line_has_one_hash_whatever_else_is_asked_for(text in "[ab \t\r\n]{0,300}", line in 1u32..20) {
            let all = line_hashes(&text, &(1..400).collect());
            let one = line_hashes(&text, &BTreeSet::from([line]));
            prop_assert_eq!(all.get(&line), one.get(&line));
        }

        #[test]
        fn spaces_do_not_matter(line in "[a-z]{1,20}", after in "[a-z\n]{0,20}") {
            let spaced = format!("  {}\t\r\n{after}", line.replace('e', " e "));
            let plain = format!("{line}\n{after}");
            let first = BTreeSet::from([1]);
            prop_assert_eq!(line_hashes(&spaced, &first), line_hashes(&plain, &first));
        }
    }
}
