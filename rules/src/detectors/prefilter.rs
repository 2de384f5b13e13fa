//! Finds the places where any of many literals stands, in one pass.
//!
//! Each literal is known by four of its bytes, those that are rarest in text. A bitmap of hashed groups of four says
//! for nearly every place that no literal stands there; what is left is looked up and compared. Letters are folded to
//! lower case first, so that literals of any case cost no more.

use std::ops::Range;

use super::Literal;
use super::rarity;
use crate::simd::{GramSet, gram, hash};

/// Literals, prepared to be found.
pub(crate) struct Prefilter {
    grams: GramSet,
    /// Slots of a table with open addressing, a power of two of them, at least half of them empty.
    slots: Vec<Slot>,
    /// By how much a hash is shifted to be the number of a slot.
    shift: u32,
    /// Of each literal, by its number.
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
    /// Its first eight bytes, or all.
    start: u64,
    /// Which of the eight bytes count.
    mask: u64,
    /// The bits by which the two cases of its letters differ, where it is met in any case.
    fold: u64,
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
    /// Prepares literals of at least four bytes; shorter ones are never found. Says the number of each too: equal ones
    /// have one.
    pub(crate) fn new<'l>(literals: impl Iterator<Item = &'l Literal> + Clone) -> (Self, Vec<u32>) {
        let slots = (literals.clone().count() * 2).next_power_of_two().max(2);
        let mut prefilter = Self {
            grams: GramSet::new(),
            slots: vec![Slot { gram: 0, last: NONE }; slots],
            shift: 32 - slots.trailing_zeros(),
            entries: Vec::with_capacity(slots / 2),
            bytes: Vec::new(),
            farthest: 0,
        };
        let numbers = literals.map(|literal| prefilter.add(literal)).collect();
        (prefilter, numbers)
    }

    fn add(&mut self, literal: &Literal) -> u32 {
        let bytes = literal.text.as_bytes();
        let (number, first) = (self.entries.len() as u32, self.bytes.len() as u32);
        let (start, mask) = start(bytes);
        let fold = if literal.any_case { start_fold(bytes) } else { 0 };
        let anchor = literal.anchor.or_else(|| rarity::rarest(bytes));
        let (offset, any_case, length) = (anchor.unwrap_or(0), literal.any_case, bytes.len() as u32);
        let mut before = NONE;
        if anchor.is_some() {
            let gram = gram(bytes, usize::from(offset));
            self.grams.insert(gram);
            let slot = self.slot(gram);
            before = self.slots[slot].last;
            if let Some(known) = self.known(before, literal, start) {
                return known;
            }
            self.slots[slot] = Slot { gram, last: number };
            self.farthest = self.farthest.max(offset.into());
        }
        self.entries.push(Entry { start, mask, fold, before, first, length, offset, any_case });
        self.bytes.extend(bytes);
        number
    }

    /// The literal that is equal to one, among those with one group.
    fn known(&self, mut number: u32, literal: &Literal, start: u64) -> Option<u32> {
        while let Some(entry) = self.entries.get(number as usize) {
            let bytes = &self.bytes[entry.first as usize..][..entry.length as usize];
            let alike = entry.start == start && entry.any_case == literal.any_case;
            if alike && bytes == literal.text.as_bytes() {
                return Some(number);
            }
            number = entry.before;
        }
        None
    }

    /// The slot of a group, or the free one where it would be.
    fn slot(&self, gram: u32) -> usize {
        let mut slot = (hash(gram) >> self.shift) as usize;
        while self.slots[slot].last != NONE && self.slots[slot].gram != gram {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    /// How many different literals there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The length of a literal in bytes.
    pub(crate) fn length(&self, literal: u32) -> usize {
        self.entries[literal as usize].length as usize
    }

    /// Calls `found` with the number of every literal that starts in `range` and where it starts.
    pub(crate) fn scan(&self, text: &[u8], range: Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let places = range.start..range.end.saturating_add(self.farthest);
        self.grams.scan(text, places, &mut |at| self.candidate(text, at, &range, found));
    }

    #[inline(never)]
    fn candidate(&self, text: &[u8], at: usize, range: &Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let mut number = self.slots[self.slot(gram(text, at))].last;
        while let Some(entry) = self.entries.get(number as usize) {
            let start = at.wrapping_sub(entry.offset.into());
            if range.contains(&start) && entry.starts(text, start) && self.goes_on(entry, text, start) {
                found(number, start);
            }
            number = entry.before;
        }
    }

    /// Whether the rest of a literal stands after its first eight bytes.
    fn goes_on(&self, entry: &Entry, text: &[u8], start: usize) -> bool {
        const STARTED: usize = 8;
        let length = entry.length as usize;
        if length <= STARTED {
            return true;
        }
        let rest = &self.bytes[entry.first as usize + STARTED..][..length - STARTED];
        let there = text.get(start + STARTED..start + length);
        there.is_some_and(|there| if entry.any_case { there.eq_ignore_ascii_case(rest) } else { there == rest })
    }
}

impl Entry {
    /// Whether the first eight bytes of the literal stand at a place, or all of a shorter one.
    fn starts(&self, text: &[u8], start: usize) -> bool {
        let Some(rest) = text.get(start..).filter(|rest| rest.len() >= self.length as usize) else {
            return false;
        };
        let there = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut eight = [0; 8];
            eight.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
            eight
        });
        (u64::from_le_bytes(there) | self.fold) & self.mask == self.start
    }
}

/// The first bytes of a literal, and which of the eight there are.
fn start(literal: &[u8]) -> (u64, u64) {
    let (mut start, mut mask) = ([0; 8], [0; 8]);
    for ((byte, counts), given) in start.iter_mut().zip(&mut mask).zip(literal) {
        *byte = *given;
        *counts = 0xff;
    }
    (u64::from_le_bytes(start), u64::from_le_bytes(mask))
}

/// The bits by which the letters among the first bytes may differ.
fn start_fold(literal: &[u8]) -> u64 {
    let mut fold = [0; 8];
    fold.iter_mut().zip(literal).for_each(|(fold, byte)| *fold = if byte.is_ascii_lowercase() { 0x20 } else { 0 });
    u64::from_le_bytes(fold)
}

#[cfg(test)]
mod tests;
