//! A filter of groups of four bytes, probed at every place of a text with vector instructions where the processor has
//! them. The one module with unsafe code.
#![allow(unsafe_code, reason = "vector instructions are unsafe functions")]

mod masks;

use std::ops::Range;

pub(crate) use masks::*;
pub use masks::{BLOCK, Set, masks};

/// Bytes of a group.
pub(crate) const GRAM: usize = 4;

/// A set of groups of four bytes that may say yes to one that is not in it: a bitmap over a hash.
pub(crate) struct GramSet {
    /// The upper 15 bits of a hash name the word, the next five the bit, from the highest. 128 KiB: what text asks for
    /// of them stays in a first-level cache, and 4,000 groups fill little enough.
    words: Box<[u32; WORDS]>,
    instructions: Instructions,
}

/// What the processor can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

const WORD_BITS: u32 = 15;
const WORDS: usize = 1 << WORD_BITS;
const MULTIPLIER: u32 = 0x9e37_79b1;
/// Makes letters lower case. Some other bytes become equal too, which only costs a comparison.
const FOLD: u32 = 0x2020_2020;

/// The hash of a group, for other tables too.
pub(crate) fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(MULTIPLIER)
}

/// The four bytes at a place, folded.
pub(crate) fn gram(text: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]) | FOLD
}

fn word(hash: u32) -> usize {
    (hash >> (32 - WORD_BITS)) as usize
}

fn bit(hash: u32) -> u32 {
    hash >> (32 - WORD_BITS - 5) & 31
}

impl GramSet {
    /// A set with nothing in it.
    pub(crate) fn new() -> Self {
        Self { words: Box::new([0; WORDS]), instructions: Instructions::detect() }
    }

    /// Adds a folded group.
    pub(crate) fn insert(&mut self, gram: u32) {
        let hash = hash(gram);
        self.words[word(hash)] |= 1 << 31 >> bit(hash);
    }

    /// Whether a folded group may be in the set.
    #[inline]
    fn has(&self, gram: u32) -> bool {
        let hash = hash(gram);
        ((self.words[word(hash)] << bit(hash)) as i32) < 0
    }

    /// Calls `found` with each place of `range` whose group may be in the set. No place is nearer to the end of the
    /// text than a group is long.
    pub(crate) fn scan(&self, text: &[u8], range: Range<usize>, found: &mut impl FnMut(usize)) {
        let range = range.start..range.end.min((text.len() + 1).saturating_sub(GRAM));
        let start = match self.instructions {
            Instructions::Portable => range.start,
            // SAFETY: the processor has AVX2, or `detect` would not have said so.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { avx2::scan(&self.words, text, range.clone(), found) },
        };
        self.scan_portably(text, start..range.end, found);
    }

    fn scan_portably(&self, text: &[u8], range: Range<usize>, found: &mut impl FnMut(usize)) {
        /// Places that are probed before one branch.
        const BLOCK: usize = 8;
        let mut at = range.start;
        while let Some(block) = text.get(at..at + BLOCK + GRAM - 1).filter(|_| at + BLOCK <= range.end) {
            let any = (0..BLOCK).fold(false, |any, place| any | self.has(gram(block, place)));
            if any {
                (0..BLOCK).filter(|place| self.has(gram(block, *place))).for_each(|place| found(at + place));
            }
            at += BLOCK;
        }
        (at..range.end).filter(|at| self.has(gram(text, *at))).for_each(found);
    }
}

impl Instructions {
    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self::Avx2;
        }
        Self::Portable
    }
}

/// Eight places at a time: their groups are shuffled into lanes, hashed, and the words of the bitmap gathered.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_castsi256_ps,
        _mm256_i32gather_epi32, _mm256_movemask_ps, _mm256_mullo_epi32, _mm256_or_si256, _mm256_set1_epi32,
        _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_sllv_epi32, _mm256_srli_epi32,
    };
    use std::ops::Range;

    use super::{FOLD, MULTIPLIER, WORD_BITS, WORDS};

    /// Places that are probed before one branch.
    const BLOCK: usize = 32;

    /// As [`super::GramSet::scan`], up to the last whole block; returns where it stopped.
    #[target_feature(enable = "avx2")]
    pub(super) fn scan(words: &[u32; WORDS], text: &[u8], range: Range<usize>, found: &mut impl FnMut(usize)) -> usize {
        let mut at = range.start;
        // The last of the four loads ends 8 bytes after the block.
        while at + BLOCK <= range.end && at + BLOCK + 8 <= text.len() {
            let mut mask = 0;
            for part in 0..4 {
                // SAFETY: 16 bytes from `at + 8 * part` on end at most 8 bytes after the block, within the text.
                let bytes = unsafe { _mm_loadu_si128(text.as_ptr().add(at + 8 * part).cast()) };
                mask |= probe(words, _mm256_broadcastsi128_si256(bytes)) << (8 * part);
            }
            while mask != 0 {
                found(at + mask.trailing_zeros() as usize);
                mask &= mask - 1;
            }
            at += BLOCK;
        }
        at
    }

    /// A bit for each of eight places whose group may be in the set.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn probe(words: &[u32; WORDS], bytes: __m256i) -> u32 {
        let places = _mm256_setr_epi8(
            0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10,
        );
        let grams = _mm256_or_si256(_mm256_shuffle_epi8(bytes, places), _mm256_set1_epi32(FOLD as i32));
        let hashes = _mm256_mullo_epi32(grams, _mm256_set1_epi32(MULTIPLIER as i32));
        let word = _mm256_srli_epi32::<{ 32 - WORD_BITS as i32 }>(hashes);
        let bit = _mm256_and_si256(_mm256_srli_epi32::<{ 32 - WORD_BITS as i32 - 5 }>(hashes), _mm256_set1_epi32(31));
        // SAFETY: an index is less than 2^WORD_BITS, the length of the array.
        let held = unsafe { _mm256_i32gather_epi32::<4>(words.as_ptr().cast(), word) };
        _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(held, bit))) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_and_plain_code_find_what_a_naive_probe_finds(
            text in proptest::collection::vec(prop_oneof![3 => 97_u8..105, 1 => any::<u8>()], 0..300),
            grams in proptest::collection::vec(proptest::collection::vec(97_u8..105, GRAM), 0..40),
            ends in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let mut set = GramSet::new();
            grams.iter().for_each(|bytes| set.insert(gram(bytes, 0)));
            let (a, b) = (ends.0.index(text.len() + 1), ends.1.index(text.len() + 1));
            let range = a.min(b)..a.max(b);
            let naive: Vec<usize> =
                range.clone().filter(|at| at + GRAM <= text.len() && set.has(gram(&text, *at))).collect();
            for instructions in [Instructions::detect(), Instructions::Portable] {
                set.instructions = instructions;
                let mut found = Vec::new();
                set.scan(&text, range.clone(), &mut |at| found.push(at));
                prop_assert_eq!(&found, &naive);
            }
            for bytes in &grams {
                prop_assert!(set.has(gram(bytes, 0)));
            }
        }
    }
}
