//! Finds the places where any of many literals stands, in one pass.
//!
//! Each literal is known by four of its bytes, those that are rarest in text. A bitmap of hashed groups of four says
//! for nearly every place that no literal stands there; what is left is looked up and compared. Letters are folded to
//! lower case first, so that literals of any case cost no more.

use std::ops::Range;

use super::Literal;
use super::rarity;
use crate::simd::{GRAM, GramSet, gram, hash};

/// Literals, prepared to be found.
pub(crate) struct Prefilter {
    grams: GramSet,
    /// Slots of a table with open addressing, a power of two of them, at least half of them empty.
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    literals: Vec<Text>,
    /// How far into its literal a group of four may stand.
    farthest: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    gram: u32,
    /// The entries of the gram. Empty: the slot is free.
    first: u32,
    last: u32,
}

struct Entry {
    gram: u32,
    literal: u32,
    offset: u32,
}

struct Text {
    /// As it is spelt; in lower case where `any_case` is set.
    bytes: Box<[u8]>,
    any_case: bool,
}

impl Prefilter {
    /// Prepares literals of at least [`GRAM`] bytes; shorter ones are never found.
    pub(crate) fn new<'l>(literals: impl Iterator<Item = &'l Literal>) -> Self {
        let literals: Vec<Text> = literals
            .map(|literal| Text { bytes: literal.text.as_bytes().into(), any_case: literal.any_case })
            .collect();
        let mut entries: Vec<Entry> = (0..)
            .zip(&literals)
            .filter_map(|(literal, text)| {
                let (offset, gram) = rarest(&text.bytes)?;
                Some(Entry { gram, literal, offset: offset as u32 })
            })
            .collect();
        entries.sort_unstable_by_key(|entry| (entry.gram, entry.literal));
        let mut grams = GramSet::new();
        let mut slots = vec![Slot::default(); (entries.len() * 2).next_power_of_two().max(2)];
        let mut first = 0;
        for group in entries.chunk_by(|a, b| a.gram == b.gram) {
            let gram = group[0].gram;
            grams.insert(gram);
            let mut slot = hash(gram) as usize % slots.len();
            while slots[slot].first != slots[slot].last {
                slot = (slot + 1) % slots.len();
            }
            let last = first + group.len() as u32;
            slots[slot] = Slot { gram, first, last };
            first = last;
        }
        let farthest = entries.iter().map(|entry| entry.offset as usize).max().unwrap_or(0);
        Self { grams, slots, entries, literals, farthest }
    }

    /// Calls `found` with the index of every literal that starts in `range` and where it starts.
    pub(crate) fn scan(&self, text: &[u8], range: Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let places = range.start..range.end.saturating_add(self.farthest);
        self.grams.scan(text, places, &mut |at| self.candidate(text, at, &range, found));
    }

    #[inline(never)]
    fn candidate(&self, text: &[u8], at: usize, range: &Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let gram = gram(text, at);
        let mut slot = hash(gram) as usize % self.slots.len();
        loop {
            let Slot { gram: known, first, last } = self.slots[slot];
            if first == last {
                return;
            }
            if known == gram {
                for entry in &self.entries[first as usize..last as usize] {
                    let start = at.wrapping_sub(entry.offset as usize);
                    if range.contains(&start) && self.literals[entry.literal as usize].stands(text, start) {
                        found(entry.literal, start);
                    }
                }
                return;
            }
            slot = (slot + 1) % self.slots.len();
        }
    }
}

impl Text {
    fn stands(&self, text: &[u8], start: usize) -> bool {
        let Some(there) = text.get(start..start + self.bytes.len()) else {
            return false;
        };
        if self.any_case { there.eq_ignore_ascii_case(&self.bytes) } else { *there == *self.bytes }
    }
}

/// The four bytes of a literal that are rarest in text, folded, and where they stand.
fn rarest(literal: &[u8]) -> Option<(usize, u32)> {
    let starts = 0..(literal.len() + 1).checked_sub(GRAM)?;
    let offset = starts.min_by_key(|start| rarity::frequency(&literal[*start..start + GRAM]))?;
    Some((offset, gram(literal, offset)))
}

#[cfg(test)]
mod tests;
