//! The filter: which places of a text may hold one of very many patterns.
//!
//! Every pattern has at least `m` bytes, so a text that is probed at every `s`-th byte, with grams of `m - s + 1`
//! bytes, meets one of the `s` grams that each pattern has in the table. Two bitmaps that fit in the second-level
//! cache turn nearly every probe down; what passes is looked up, and gives the places where a pattern may start.

use std::ops::Range;

use siphasher::sip::SipHasher13;
use zeroize::Zeroize;

use crate::simd::{Filter, PROBES, probe};

/// How much of a text is probed: `(shortest pattern, stride, bytes of a gram)`.
const STRIDES: [(usize, usize, usize); 3] = [(20, 13, 8), (12, 7, 6), (8, 4, 5)];
/// The shortest pattern that can be searched for. In bytes.
pub(super) const MIN_PATTERN: usize = 8;
/// Places of a pattern that are considered for its grams.
const WINDOWS: usize = 6;
/// Bits of a bitmap for each gram: at most 6 % of them are set.
const BITS_PER_GRAM: usize = 16;
/// The same for so few grams that the bitmap is small all the same.
const BITS_PER_GRAM_OF_FEW: usize = 64;
/// So few grams. In all.
const SMALL: usize = 1 << 15;
const PATTERN_BITS: u32 = 24;
const OFFSET_BITS: u32 = 4;

/// The grams of all patterns, as keyed hashes.
///
/// # Guarantees
/// Nothing in it gives a gram back without the key: bitmaps hold keyed, truncated hashes, the table 36 bits of a
/// SipHash. All of it is wiped on drop.
pub(super) struct Grams {
    shortest: usize,
    stride: usize,
    width: usize,
    keys: Keys,
    first: Bitmap,
    second: Bitmap,
    /// Where the entries of each leading part of a hash start.
    starts: Vec<u32>,
    starts_shift: u32,
    /// The hash of a gram, its pattern, and which of the pattern's grams it is.
    entries: Vec<u64>,
    /// Where in a pattern its first gram starts.
    windows: Vec<u8>,
}

/// The keys of the hashes.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) first: [u32; 2],
    pub(super) second: u64,
    pub(super) gram: SipHasher13,
}

/// A set of hashes that says no for certain, and yes by chance now and then.
struct Bitmap {
    words: Vec<u32>,
    shift: u32,
}

impl Bitmap {
    fn new(grams: usize) -> Self {
        let each = if grams < SMALL { BITS_PER_GRAM_OF_FEW } else { BITS_PER_GRAM };
        let bits = (grams * each).next_power_of_two().clamp(1 << 12, 1 << 31);
        Self { words: vec![0; bits / 32], shift: 32 - bits.trailing_zeros() }
    }

    fn insert(&mut self, hash: u32) {
        let bit = hash >> self.shift;
        self.words[(bit >> 5) as usize] |= 1 << (bit & 31);
    }

    #[inline(always)]
    fn contains(&self, hash: u32) -> bool {
        let bit = hash >> self.shift;
        self.words[(bit >> 5) as usize & (self.words.len() - 1)] >> (bit & 31) & 1 != 0
    }
}

/// The eight bytes from `at`; those after the end are 0.
#[inline(always)]
fn load(text: &[u8], at: usize) -> u64 {
    match text.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => u64::from_le_bytes(bytes),
        None => load_end(text, at),
    }
}

#[cold]
fn load_end(text: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    let rest = text.get(at..).unwrap_or_default();
    let rest = &rest[..rest.len().min(8)];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(bytes)
}

impl Grams {
    /// Makes the table. Every pattern has at least [`MIN_PATTERN`] bytes and at most 256; their number is under 2^24.
    pub(super) fn new(patterns: &[&[u8]], keys: Keys) -> Self {
        let shortest = patterns.iter().map(|pattern| pattern.len()).min().unwrap_or(STRIDES[0].0);
        let (_, stride, width) =
            STRIDES.into_iter().find(|(least, ..)| *least <= shortest).unwrap_or(STRIDES[STRIDES.len() - 1]);
        let grams = patterns.len() * stride;
        let mut table = Self {
            shortest,
            stride,
            width,
            keys,
            first: Bitmap::new(grams),
            second: Bitmap::new(grams),
            starts: Vec::new(),
            starts_shift: 0,
            entries: Vec::with_capacity(grams),
            windows: Vec::with_capacity(patterns.len()),
        };
        table.fill(patterns);
        table
    }

    fn fill(&mut self, patterns: &[&[u8]]) {
        let mut used = vec![0_u8; (patterns.len() * 8).next_power_of_two().max(64)];
        let used_shift = 32 - used.len().trailing_zeros();
        let mut hashed = Vec::with_capacity(patterns.len() * self.stride);
        for (number, pattern) in patterns.iter().enumerate() {
            let window = self.pick_window(pattern, &used, used_shift);
            self.windows.push(window as u8);
            let wide = self.is_wide(pattern.len());
            for offset in 0..self.stride {
                let word = load(pattern, window + offset);
                let gram = if wide { word } else { self.narrow(word) };
                let slot = &mut used[(self.spread(gram) >> used_shift) as usize];
                *slot = slot.saturating_add(1);
                self.first.insert(self.first_hash(word));
                self.second.insert(self.spread(gram));
                hashed.push(self.entry(self.tag(gram), number, offset));
            }
        }
        self.index(&hashed);
        hashed.zeroize();
    }

    /// Where the grams of a pattern are best taken: where no other pattern has the same, and where the bytes vary most.
    fn pick_window(&self, pattern: &[u8], used: &[u8], used_shift: u32) -> usize {
        let wide = self.is_wide(pattern.len());
        let needed = self.stride - 1 + if wide { 8 } else { self.width };
        let last = pattern.len() - needed;
        let score = |window: &usize| {
            let word = load(pattern, window + self.stride / 2);
            let gram = if wide { word } else { self.narrow(word) };
            let shared = used[(self.spread(gram) >> used_shift) as usize];
            (shared, usize::MAX - variety(&pattern[*window..window + needed]))
        };
        let steps = WINDOWS.min(last + 1);
        (0..steps).map(|step| if steps == 1 { 0 } else { last * step / (steps - 1) }).min_by_key(score).unwrap_or(0)
    }

    /// Brings the entries into the order of their hashes.
    fn index(&mut self, hashed: &[u64]) {
        let bits = hashed.len().max(2).ilog2();
        self.starts_shift = 64 - bits;
        self.starts = vec![0; (1 << bits) + 1];
        for entry in hashed {
            self.starts[(entry >> self.starts_shift) as usize + 1] += 1;
        }
        for at in 1..self.starts.len() {
            self.starts[at] += self.starts[at - 1];
        }
        let mut next = self.starts.clone();
        self.entries = vec![0; hashed.len()];
        for entry in hashed {
            let place = &mut next[(entry >> self.starts_shift) as usize];
            self.entries[*place as usize] = *entry;
            *place += 1;
        }
    }

    /// Whether a pattern is long enough for grams of eight bytes.
    fn is_wide(&self, length: usize) -> bool {
        length >= self.stride - 1 + 8
    }

    /// A gram of `width` bytes.
    #[inline(always)]
    fn narrow(&self, word: u64) -> u64 {
        word & (u64::MAX >> (64 - 8 * self.width))
    }

    #[inline(always)]
    fn first_hash(&self, word: u64) -> u32 {
        Filter::hash(self.keys.first, self.width - 4, word)
    }

    #[inline(always)]
    fn spread(&self, gram: u64) -> u32 {
        (gram.wrapping_mul(self.keys.second) >> 32) as u32
    }

    /// The upper 36 bits of a keyed hash.
    fn tag(&self, gram: u64) -> u64 {
        self.keys.gram.hash(&gram.to_le_bytes()) >> (PATTERN_BITS + OFFSET_BITS)
    }

    fn entry(&self, tag: u64, pattern: usize, offset: usize) -> u64 {
        tag << (PATTERN_BITS + OFFSET_BITS) | (pattern as u64) << OFFSET_BITS | offset as u64
    }

    /// Calls `found` with every pattern that may start at a place such that it meets `changed`, and with that place.
    /// `longest` is the length of the longest pattern.
    pub(super) fn candidates(
        &self,
        text: &[u8],
        changed: Range<usize>,
        longest: usize,
        found: &mut impl FnMut(usize, usize),
    ) {
        if self.entries.is_empty() || text.len() < self.shortest {
            return;
        }
        let from = changed.start.saturating_sub(longest);
        let to = (changed.end + longest).min(text.len());
        match self.stride {
            13 => self.probe::<13>(text, from, to, found),
            7 => self.probe::<7>(text, from, to, found),
            _ => self.probe::<4>(text, from, to, found),
        }
    }

    fn probe<const STRIDE: usize>(&self, text: &[u8], from: usize, to: usize, found: &mut impl FnMut(usize, usize)) {
        let mut at = from;
        if at + STRIDE * PROBES + 8 <= to {
            at = self.probe_batches::<STRIDE>(text, at, to, found);
        }
        for at in (at..to).step_by(STRIDE) {
            let word = load(text, at);
            if self.first.contains(self.first_hash(word)) && self.may_hold(word) {
                self.look_up(text, at, found);
            }
        }
    }

    /// Probes as many places as vectors take at once; gives the first place that is left.
    #[inline(never)]
    fn probe_batches<const STRIDE: usize>(
        &self,
        text: &[u8],
        from: usize,
        to: usize,
        found: &mut impl FnMut(usize, usize),
    ) -> usize {
        let filter =
            Filter { words: &self.first.words, shift: self.first.shift, keys: self.keys.first, second: self.width - 4 };
        let mut passed = [0; PROBES + 16];
        let mut at = from;
        while at + STRIDE * PROBES + 8 <= to {
            let batch = &text[at..at + STRIDE * PROBES + 8];
            let first = probe::<STRIDE>(batch, &filter, &mut passed);
            // Again without a branch: what passes once and not twice is not predictable either.
            let mut count = 0;
            for number in 0..first {
                let place = passed[number];
                passed[count] = place;
                count += usize::from(self.may_hold(load(batch, place as usize)));
            }
            for place in &passed[..count] {
                self.look_up(text, at + *place as usize, found);
            }
            at += STRIDE * PROBES;
        }
        at
    }

    /// Whether the second bitmap has a gram, wide or narrow.
    #[inline(always)]
    fn may_hold(&self, word: u64) -> bool {
        self.second.contains(self.spread(word)) | self.second.contains(self.spread(self.narrow(word)))
    }

    #[inline(never)]
    fn look_up(&self, text: &[u8], at: usize, found: &mut impl FnMut(usize, usize)) {
        let word = load(text, at);
        let narrow = self.narrow(word);
        let grams = [word, narrow];
        // Where the upper bytes are 0 the two are one gram, and looking it up twice would find things twice.
        for gram in &grams[..if narrow == word { 1 } else { 2 }] {
            if !self.second.contains(self.spread(*gram)) {
                continue;
            }
            let tag = self.tag(*gram);
            let slot = (tag << (PATTERN_BITS + OFFSET_BITS) >> self.starts_shift) as usize;
            for entry in &self.entries[self.starts[slot] as usize..self.starts[slot + 1] as usize] {
                if entry >> (PATTERN_BITS + OFFSET_BITS) != tag {
                    continue;
                }
                let pattern = (entry >> OFFSET_BITS) as usize & ((1 << PATTERN_BITS) - 1);
                let offset = (entry & ((1 << OFFSET_BITS) - 1)) as usize;
                if let Some(start) = at.checked_sub(usize::from(self.windows[pattern]) + offset) {
                    found(pattern, start);
                }
            }
        }
    }

    /// What the table takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        (self.first.words.len() + self.second.words.len() + self.starts.len()) * 4
            + self.entries.len() * 8
            + self.windows.len()
    }
}

impl Drop for Grams {
    fn drop(&mut self) {
        self.first.words.zeroize();
        self.second.words.zeroize();
        self.entries.zeroize();
        self.keys.first.zeroize();
        self.keys.second.zeroize();
        self.keys.gram = SipHasher13::new_with_keys(0, 0);
    }
}

/// How much the bytes of a text vary: changes between kinds of letters count, and so do rare ones.
pub(super) fn variety(bytes: &[u8]) -> usize {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let changes = bytes.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    let equal = bytes.windows(2).filter(|pair| pair[0] == pair[1]).count();
    (bytes.len() + 2 * changes).saturating_sub(2 * equal)
}
