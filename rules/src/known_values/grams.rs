//! The filter: which places of a text may hold one of very many patterns.
//!
//! Every pattern has at least `m` bytes, so a text that is probed at every `s`-th byte, with grams of `m - s + 1`
//! bytes, meets one of the `s` grams that each pattern has in the table. Two bitmaps that fit in the second-level
//! cache turn nearly every probe down; what passes is looked up, and gives the places where a pattern may start.

use std::ops::Range;

use siphasher::sip::SipHasher13;
use zeroize::Zeroize;

/// How much of a text is probed: `(shortest pattern, stride, bytes of a gram)`.
const STRIDES: [(usize, usize, usize); 3] = [(20, 13, 8), (12, 7, 6), (8, 4, 5)];
/// The shortest pattern that can be searched for. In bytes.
pub(super) const MIN_PATTERN: usize = 8;
/// Places of a pattern that are considered for its grams.
const WINDOWS: usize = 6;
/// Bits of a bitmap for each gram: under 5 % of them are set.
const BITS_PER_GRAM: usize = 16;
/// Probes whose outcomes are collected at once.
const BATCH: usize = 256;
const PATTERN_BITS: u32 = 24;
const OFFSET_BITS: u32 = 4;

/// The grams of all patterns, as keyed hashes.
///
/// # Guarantees
/// Nothing in it gives a gram back without the key: bitmaps hold keyed, truncated hashes, the table 36 bits of a
/// SipHash. All of it is wiped on drop.
pub(super) struct Grams {
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
    pub(super) first: u64,
    pub(super) second: u64,
    pub(super) gram: SipHasher13,
}

/// A set of hashes that says no for certain, and yes by chance now and then.
struct Bitmap {
    words: Vec<u64>,
    shift: u32,
}

impl Bitmap {
    fn new(grams: usize) -> Self {
        let bits = (grams * BITS_PER_GRAM).next_power_of_two().max(1 << 12);
        Self { words: vec![0; bits / 64], shift: 64 - bits.trailing_zeros() }
    }

    fn insert(&mut self, hash: u64) {
        let bit = hash >> self.shift;
        let mask = self.words.len() - 1;
        self.words[(bit >> 6) as usize & mask] |= 1 << (bit & 63);
    }

    /// Whether a hash may be there, in the lowest bit.
    #[inline(always)]
    fn bit(&self, hash: u64) -> u64 {
        let bit = hash >> self.shift;
        self.words[(bit >> 6) as usize & (self.words.len() - 1)] >> (bit & 63)
    }

    #[inline(always)]
    fn contains(&self, hash: u64) -> bool {
        self.bit(hash) & 1 != 0
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
        let used_shift = 64 - used.len().trailing_zeros();
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
    fn first_hash(&self, word: u64) -> u64 {
        mix(self.narrow(word), self.keys.first)
    }

    #[inline(always)]
    fn spread(&self, gram: u64) -> u64 {
        mix(gram, self.keys.second)
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
        if self.entries.is_empty() {
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
        // Which probes pass is not predictable, so they are collected without a branch, twice, and then looked up.
        let mut passed = [0_u32; BATCH];
        let mut at = from;
        while at + STRIDE * BATCH + 8 <= to {
            let batch = &text[at..at + STRIDE * BATCH + 8];
            let first = self.collect::<STRIDE>(batch, &mut passed);
            let second = self.reduce(batch, &mut passed, first);
            for place in &passed[..second] {
                self.look_up(text, at + *place as usize, found);
            }
            at += STRIDE * BATCH;
        }
        for at in (at..to).step_by(STRIDE) {
            let word = load(text, at);
            if self.first.contains(self.first_hash(word)) && self.may_hold(word) != 0 {
                self.look_up(text, at, found);
            }
        }
    }

    /// Puts the places that pass the first bitmap into `passed`; gives their number.
    #[inline(always)]
    fn collect<const STRIDE: usize>(&self, batch: &[u8], passed: &mut [u32; BATCH]) -> usize {
        let mask = u64::MAX >> (64 - 8 * self.width);
        let (key, shift) = (self.keys.first, self.first.shift);
        let words = self.first.words.as_slice();
        let last = words.len() - 1;
        let mut count = 0;
        for step in 0..BATCH {
            let bit = mix(load(batch, step * STRIDE) & mask, key) >> shift;
            passed[count & (BATCH - 1)] = (step * STRIDE) as u32;
            count += (words[(bit >> 6) as usize & last] >> (bit & 63) & 1) as usize;
        }
        count
    }

    /// Leaves the places that pass the second bitmap too; gives their number.
    #[inline(always)]
    fn reduce(&self, batch: &[u8], passed: &mut [u32; BATCH], count: usize) -> usize {
        let mut kept = 0;
        for at in 0..count {
            let place = passed[at & (BATCH - 1)];
            passed[kept & (BATCH - 1)] = place;
            kept += self.may_hold(load(batch, place as usize)) as usize;
        }
        kept
    }

    /// Whether the second bitmap has a gram, wide or narrow, in the lowest bit.
    #[inline(always)]
    fn may_hold(&self, word: u64) -> u64 {
        (self.second.bit(self.spread(word)) | self.second.bit(self.spread(self.narrow(word)))) & 1
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
        (self.first.words.len() + self.second.words.len() + self.entries.len()) * 8
            + self.starts.len() * 4
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

/// A multiplicative hash whose upper bits depend on all bytes of a gram.
#[inline(always)]
fn mix(gram: u64, key: u64) -> u64 {
    gram.wrapping_mul(key)
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
