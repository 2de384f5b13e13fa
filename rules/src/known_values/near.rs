//! Values that would be found by chance anywhere: searched for only as whole words, soon after a name of their item.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::PlainHit;
use super::grams::MIN_PATTERN;
use super::proof::{Proof, Prover};
use crate::model::Key;

/// How far after a name a value may start. In bytes.
pub(super) const MAX_DISTANCE: usize = 64;
/// A name is at most this long. In bytes.
const MAX_NAME: usize = 96;
/// A name is at least this long. In bytes.
const MIN_NAME: usize = 3;

/// What of a text a value near its name takes up at most, with the bytes beside it. In bytes.
pub(super) const MAX_SPAN: usize = MAX_NAME + MAX_DISTANCE + super::spellings::MAX_PATTERN + 2;

/// A value near a name: which, where, and all that it depends on.
pub(super) struct NearHit {
    id: u32,
    value: Range<usize>,
    name_start: usize,
}

impl NearHit {
    pub(super) fn in_text(self, text: &[u8]) -> PlainHit {
        let depends = self.name_start.saturating_sub(1)..(self.value.end + 2).min(text.len());
        PlainHit { id: self.id, value: self.value, depends }
    }
}

/// The names of items, and the values that are searched for near each.
#[derive(Default)]
pub(super) struct Names {
    numbers: BTreeMap<Key, u32>,
    /// By the number of the name.
    values: Vec<Vec<(u32, Proof)>>,
    /// The names that are too short for the filter of grams.
    short: Option<AhoCorasick>,
    short_numbers: Vec<u32>,
}

/// The spellings in which code, configuration and prose write a name, long ones and short ones.
fn spellings(key: &Key, given: &str) -> Vec<String> {
    let words: Vec<String> = key.words().map(str::to_lowercase).collect();
    let capital = |word: &String| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    let pascal: String = words.iter().map(capital).collect();
    let camel = words.first().cloned().unwrap_or_default() + &words.iter().skip(1).map(capital).collect::<String>();
    let mut all: Vec<String> = [given.to_owned(), key.as_str().to_owned(), pascal, camel].into();
    for separator in ["_", "-", ".", " ", ""] {
        all.push(words.join(separator));
        all.push(words.join(separator).to_uppercase());
    }
    all.push(words.iter().map(capital).collect::<Vec<_>>().join(" "));
    all.retain(|name| (MIN_NAME..=MAX_NAME).contains(&name.len()));
    all.sort_unstable();
    all.dedup();
    all
}

impl Names {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds a value near a name; says whether the name can be searched for. `long` takes the new spellings for the
    /// filter of grams, with the number of the name.
    pub(super) fn add(&mut self, name: &str, id: u32, value: &Proof, long: &mut Vec<(String, u32)>) -> bool {
        let key = Key::new(name);
        if let Some(number) = self.numbers.get(&key) {
            self.values[*number as usize].push((id, value.clone()));
            return true;
        }
        let spellings = spellings(&key, name.trim());
        if spellings.is_empty() {
            return false;
        }
        let number = self.values.len() as u32;
        long.extend(spellings.into_iter().filter(|name| name.len() >= MIN_PATTERN).map(|name| (name, number)));
        self.numbers.insert(key, number);
        self.values.push(vec![(id, value.clone())]);
        true
    }

    /// To be called when all have been added.
    pub(super) fn finish(&mut self) {
        let mut short: Vec<(String, u32)> = Vec::new();
        for (key, number) in &self.numbers {
            let names = spellings(key, key.as_str()).into_iter().map(|name| name.to_lowercase());
            short.extend(names.filter(|name| name.len() < MIN_PATTERN).map(|name| (name, *number)));
        }
        short.sort_unstable();
        short.dedup();
        if !short.is_empty() {
            // A few thousand names of seven letters fit in any automaton.
            self.short = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(short.iter().map(|(name, _)| name.as_bytes()))
                .ok();
            self.short_numbers = short.into_iter().map(|(_, number)| number).collect();
        }
    }

    /// Looks for the short names. The others come from the filter of grams.
    pub(super) fn search_short(
        &self,
        text: &[u8],
        changed: Range<usize>,
        prover: &Prover,
        found: &mut impl FnMut(NearHit),
    ) {
        let Some(short) = &self.short else { return };
        let from = changed.start.saturating_sub(MAX_SPAN);
        for name in short.find_overlapping_iter(&text[from..(changed.end + MAX_NAME).min(text.len())]) {
            let number = self.short_numbers[name.pattern().as_usize()];
            self.search_after(text, from + name.start()..from + name.end(), number, prover, found);
        }
    }

    /// Looks for the values of the name that stands at `name`.
    pub(super) fn search_after(
        &self,
        text: &[u8],
        name: Range<usize>,
        number: u32,
        prover: &Prover,
        found: &mut impl FnMut(NearHit),
    ) {
        let Range { start, end } = name;
        let joins = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
        if joins(end) || text.get(end) == Some(&b'_') || (start > 0 && joins(start - 1)) {
            return;
        }
        for at in end + 1..(end + MAX_DISTANCE + 1).min(text.len()) {
            if is_word(text, at - 1) {
                continue;
            }
            for (id, value) in &self.values[number as usize] {
                let stop = at + value.length();
                if stop <= text.len() && !is_word(text, stop) && prover.proves(value, &text[at..stop]) {
                    found(NearHit { id: *id, value: at..stop, name_start: start });
                }
            }
        }
    }
}

/// Whether the byte at a place would make a value beside it part of a longer word.
fn is_word(text: &[u8], at: usize) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/$".contains(byte) || *byte >= 0x80;
    match text.get(at) {
        // A full stop ends a sentence, or goes on as in `10.0.0.1`.
        Some(b'.') => text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric),
        Some(byte) => is_name(byte),
        None => false,
    }
}
