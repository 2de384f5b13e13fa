//! Finds the places where any of many literals stands, in one pass.
//!
//! Each literal is known by four of its bytes, those that are rarest in text. A bitmap of hashed groups of four says
//! for nearly every place that no literal stands there; what is left is looked up and compared. Letters are folded to
//! lower case first, so that literals of any case cost no more.

use std::ops::Range;

use super::Literal;
use super::rarity;
use crate::simd::{GramSet, gram, hash};

/// Makes letters lower case, and some other bytes equal.
const FOLD: u8 = 0x20;

/// Literals, prepared to be found.
pub(crate) struct Prefilter {
    grams: GramSet,
    /// Slots of a table with open addressing, a power of two of them, at least half of them empty.
    slots: Vec<Slot>,
    /// By how much a hash is shifted to be the number of a slot.
    shift: u32,
    entries: Vec<Entry>,
    texts: Vec<Text>,
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

/// A literal whose rarest group is that of the slot.
struct Entry {
    /// Its first eight bytes, or all, folded as in a group.
    start: u64,
    /// Which of the eight bytes count.
    mask: u64,
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
    pub(crate) fn new<'l>(literals: impl Iterator<Item = &'l Literal> + Clone) -> Self {
        let text = |literal: &Literal| Text { bytes: literal.text.as_bytes().into(), any_case: literal.any_case };
        let texts: Vec<Text> = literals.clone().map(text).collect();
        let mut anchored: Vec<(u32, Entry)> = (0..)
            .zip(literals)
            .filter_map(|(index, literal)| {
                let bytes = literal.text.as_bytes();
                let offset = usize::from(literal.anchor.or_else(|| rarity::rarest(bytes))?);
                let (start, mask) = start(bytes);
                Some((gram(bytes, offset), Entry { start, mask, literal: index, offset: offset as u32 }))
            })
            .collect();
        anchored.sort_unstable_by_key(|(gram, entry)| (*gram, entry.literal));
        let farthest = anchored.iter().map(|(_, entry)| entry.offset as usize).max().unwrap_or(0);
        let mut grams = GramSet::new();
        let mut slots = vec![Slot::default(); (anchored.len() * 2).next_power_of_two().max(2)];
        let shift = 32 - slots.len().trailing_zeros();
        let mut first = 0;
        for group in anchored.chunk_by(|a, b| a.0 == b.0) {
            let gram = group[0].0;
            grams.insert(gram);
            let mut slot = (hash(gram) >> shift) as usize;
            while slots[slot].first != slots[slot].last {
                slot = (slot + 1) & (slots.len() - 1);
            }
            let last = first + group.len() as u32;
            slots[slot] = Slot { gram, first, last };
            first = last;
        }
        let entries = anchored.into_iter().map(|(_, entry)| entry).collect();
        Self { grams, slots, shift, entries, texts, farthest }
    }

    /// Calls `found` with the index of every literal that starts in `range` and where it starts.
    pub(crate) fn scan(&self, text: &[u8], range: Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let places = range.start..range.end.saturating_add(self.farthest);
        self.grams.scan(text, places, &mut |at| self.candidate(text, at, &range, found));
    }

    #[inline(never)]
    fn candidate(&self, text: &[u8], at: usize, range: &Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let gram = gram(text, at);
        let mut slot = (hash(gram) >> self.shift) as usize;
        loop {
            let Slot { gram: known, first, last } = self.slots[slot];
            if first == last {
                return;
            }
            if known == gram {
                for entry in &self.entries[first as usize..last as usize] {
                    let start = at.wrapping_sub(entry.offset as usize);
                    if range.contains(&start)
                        && entry.may_start(text, start)
                        && self.texts[entry.literal as usize].stands(text, start)
                    {
                        found(entry.literal, start);
                    }
                }
                return;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

impl Entry {
    /// Whether the first bytes of the literal stand at a place, so far as the text goes on.
    fn may_start(&self, text: &[u8], start: usize) -> bool {
        let eight = text.get(start..).and_then(|rest| rest.first_chunk());
        eight.is_none_or(|eight| (u64::from_le_bytes(*eight) | u64::from_le_bytes([FOLD; 8])) & self.mask == self.start)
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

/// The first bytes of a literal, folded, and which of the eight there are.
fn start(literal: &[u8]) -> (u64, u64) {
    let (mut start, mut mask) = ([0; 8], [0; 8]);
    for ((byte, counts), given) in start.iter_mut().zip(&mut mask).zip(literal) {
        *byte = given | FOLD;
        *counts = 0xff;
    }
    (u64::from_le_bytes(start), u64::from_le_bytes(mask))
}

#[cfg(test)]
mod tests;
