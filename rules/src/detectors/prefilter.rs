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
    /// Of each literal, in the order in which they were given.
    entries: Vec<Entry>,
    /// The literals, one after another.
    bytes: Vec<u8>,
    /// How far into its literal a group of four may stand.
    farthest: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    gram: u32,
    /// The last literal with that group, or [`NONE`]: the slot is free.
    last: u32,
}

/// No literal.
const NONE: u32 = u32::MAX;

/// A literal.
struct Entry {
    /// Its first eight bytes, or all, folded as in a group.
    start: u64,
    /// Which of the eight bytes count.
    mask: u64,
    /// The one before it with the same group, or [`NONE`].
    before: u32,
    /// Where its bytes stand in those of all; in lower case where `any_case` is set.
    first: u32,
    length: u32,
    /// Where its rarest group starts.
    offset: u8,
    any_case: bool,
}

impl Prefilter {
    /// Prepares literals of at least four bytes; shorter ones are never found.
    pub(crate) fn new<'l>(literals: impl Iterator<Item = &'l Literal> + Clone) -> Self {
        let slots = (literals.clone().count() * 2).next_power_of_two().max(2);
        let mut prefilter = Self {
            grams: GramSet::new(),
            slots: vec![Slot { gram: 0, last: NONE }; slots],
            shift: 32 - slots.trailing_zeros(),
            entries: Vec::with_capacity(slots / 2),
            bytes: Vec::new(),
            farthest: 0,
        };
        for literal in literals {
            prefilter.add(literal);
        }
        prefilter
    }

    fn add(&mut self, literal: &Literal) {
        let bytes = literal.text.as_bytes();
        let (number, first) = (self.entries.len() as u32, self.bytes.len() as u32);
        let (start, mask) = start(bytes);
        let anchor = literal.anchor.or_else(|| rarity::rarest(bytes));
        let (offset, any_case, length) = (anchor.unwrap_or(0), literal.any_case, bytes.len() as u32);
        let mut before = NONE;
        if anchor.is_some() {
            let gram = gram(bytes, usize::from(offset));
            self.grams.insert(gram);
            let slot = self.slot(gram);
            before = self.slots[slot].last;
            self.slots[slot] = Slot { gram, last: number };
            self.farthest = self.farthest.max(offset.into());
        }
        self.entries.push(Entry { start, mask, before, first, length, offset, any_case });
        self.bytes.extend(bytes);
    }

    /// The slot of a group, or the free one where it would be.
    fn slot(&self, gram: u32) -> usize {
        let mut slot = (hash(gram) >> self.shift) as usize;
        while self.slots[slot].last != NONE && self.slots[slot].gram != gram {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    /// Calls `found` with the index of every literal that starts in `range` and where it starts.
    pub(crate) fn scan(&self, text: &[u8], range: Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let places = range.start..range.end.saturating_add(self.farthest);
        self.grams.scan(text, places, &mut |at| self.candidate(text, at, &range, found));
    }

    #[inline(never)]
    fn candidate(&self, text: &[u8], at: usize, range: &Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let mut number = self.slots[self.slot(gram(text, at))].last;
        while let Some(entry) = self.entries.get(number as usize) {
            let start = at.wrapping_sub(entry.offset.into());
            if range.contains(&start) && entry.may_start(text, start) && self.stands(entry, text, start) {
                found(number, start);
            }
            number = entry.before;
        }
    }

    /// Whether a literal stands at a place.
    fn stands(&self, entry: &Entry, text: &[u8], start: usize) -> bool {
        let bytes = &self.bytes[entry.first as usize..][..entry.length as usize];
        let there = text.get(start..start + bytes.len());
        there.is_some_and(|there| if entry.any_case { there.eq_ignore_ascii_case(bytes) } else { there == bytes })
    }
}

impl Entry {
    /// Whether the first bytes of the literal stand at a place, so far as the text goes on.
    fn may_start(&self, text: &[u8], start: usize) -> bool {
        let eight = text.get(start..).and_then(|rest| rest.first_chunk());
        eight.is_none_or(|eight| (u64::from_le_bytes(*eight) | u64::from_le_bytes([FOLD; 8])) & self.mask == self.start)
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
