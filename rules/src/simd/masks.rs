//! Which bytes of a text are of some sets, and where grams may stand, many at a time.

/// The bytes of a mask.
pub const BLOCK: usize = 64;

/// A set of ASCII bytes: for each low half of a byte, which high halves (0 to 7) make one of the set.
#[derive(Clone, Copy)]
pub struct Set([u8; 16]);

impl Set {
    /// The set of some ASCII bytes.
    pub const fn new(bytes: &[u8]) -> Self {
        let mut table = [0; 16];
        let mut at = 0;
        while at < bytes.len() {
            table[(bytes[at] & 15) as usize] |= 1 << (bytes[at] >> 4);
            at += 1;
        }
        Self(table)
    }

    fn contains(&self, byte: u8) -> bool {
        byte < 0x80 && self.0[usize::from(byte & 15)] >> (byte >> 4) & 1 != 0
    }
}

/// For each block of 64 bytes of a text, and each set, which bytes are of the set: the first byte is the lowest bit.
/// Bytes after the end are of no set. Gives the number of blocks, of which `out` must have as many.
pub fn masks<const N: usize>(text: &[u8], sets: &[Set; N], out: &mut [[u64; N]]) -> usize {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let (whole, partial) = out.split_at_mut(blocks.len());
    masks_of_blocks(blocks, sets, whole);
    if rest.is_empty() {
        return blocks.len();
    }
    let mut last = [0xff; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    masks_of_blocks(&[last], sets, &mut partial[..1]);
    blocks.len() + 1
}

fn masks_of_blocks<const N: usize>(blocks: &[[u8; BLOCK]], sets: &[Set; N], out: &mut [[u64; N]]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has AVX-512 BW.
            return unsafe { x86::masks_of_blocks_avx512(blocks, sets, out) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { x86::masks_of_blocks_avx2(blocks, sets, out) };
        }
    }
    masks_of_blocks_portable(blocks, sets, out);
}

fn masks_of_blocks_portable<const N: usize>(blocks: &[[u8; BLOCK]], sets: &[Set; N], out: &mut [[u64; N]]) {
    for (block, out) in blocks.iter().zip(out) {
        let mask = |set: &Set| (0..BLOCK).fold(0, |mask, at| mask | u64::from(set.contains(block[at])) << at);
        *out = std::array::from_fn(|number| mask(&sets[number]));
    }
}

/// A set of hashes as a bitmap: it says no for certain, and yes by chance now and then. What is hashed are the four
/// bytes at a place and the four bytes that are `second` farther.
pub(crate) struct Filter<'a> {
    /// A power of two of words.
    pub(crate) words: &'a [u32],
    /// How far a hash is to be shifted to make the number of a bit.
    pub(crate) shift: u32,
    /// Two odd numbers that nobody knows.
    pub(crate) keys: [u32; 2],
    /// At most 4.
    pub(crate) second: usize,
}

impl Filter<'_> {
    /// The hash of the bytes of `word`, the first of them the lowest.
    #[inline(always)]
    pub(crate) fn hash(keys: [u32; 2], second: usize, word: u64) -> u32 {
        let later = (word >> (8 * second)) as u32;
        (word as u32).wrapping_mul(keys[0]).wrapping_add(later.wrapping_mul(keys[1]))
    }

    /// Whether the bitmap has a hash, in the lowest bit.
    #[inline(always)]
    fn bit(&self, hash: u32) -> u32 {
        let bit = hash >> self.shift;
        self.words[(bit >> 5) as usize & (self.words.len() - 1)] >> (bit & 31)
    }
}

/// Places that are probed at once.
pub(crate) const PROBES: usize = 256;
/// Room for the places that pass, and for what a vector writes behind them.
pub(crate) type Passed = [u32; PROBES + 16];

/// Probes every `STRIDE`-th byte of a text that has 8 bytes more than `STRIDE` times [`PROBES`]; puts the places that
/// pass into `passed`, and gives their number.
#[inline(always)]
pub(crate) fn probe<const STRIDE: usize>(text: &[u8], filter: &Filter<'_>, passed: &mut Passed) -> usize {
    assert!(text.len() >= STRIDE * PROBES + 8 && filter.second <= 4);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512 F, and the text is as long as it has to be.
        return unsafe { x86::probe_avx512::<STRIDE>(text, filter, passed) };
    }
    probe_portable::<STRIDE>(text, filter, passed)
}

fn probe_portable<const STRIDE: usize>(text: &[u8], filter: &Filter<'_>, passed: &mut Passed) -> usize {
    let mut count = 0;
    // Which probes pass is not predictable, so they are collected without a branch.
    for place in (0..PROBES).map(|probe| probe * STRIDE) {
        let word = text[place..place + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        passed[count] = place as u32;
        count += (filter.bit(Filter::hash(filter.keys, filter.second, word)) & 1) as usize;
    }
    count
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_cvtsi32_si128, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
        _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_shuffle_epi8, _mm256_srli_epi16,
        _mm512_add_epi32, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_i32gather_epi32, _mm512_loadu_si512,
        _mm512_maskz_compress_epi32, _mm512_mullo_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setr_epi32,
        _mm512_shuffle_epi8, _mm512_sllv_epi32, _mm512_srl_epi32, _mm512_srli_epi16, _mm512_srli_epi32,
        _mm512_storeu_si512, _mm512_test_epi8_mask, _mm512_test_epi32_mask,
    };

    use super::{BLOCK, Filter, PROBES, Passed, Set};

    /// # Safety
    /// The text has at least `STRIDE * PROBES + 8` bytes, and the filter's second bytes are at most 4 farther.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn probe_avx512<const STRIDE: usize>(
        text: &[u8],
        filter: &Filter<'_>,
        passed: &mut Passed,
    ) -> usize {
        const LANES: usize = 16;
        let keys = filter.keys.map(|key| _mm512_set1_epi32(key as i32));
        let shift = _mm_cvtsi32_si128(filter.shift as i32);
        let last_word = _mm512_set1_epi32((filter.words.len() - 1) as i32);
        let steps = _mm512_mullo_epi32(
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
            _mm512_set1_epi32(STRIDE as i32),
        );
        let mut count = 0;
        for start in (0..PROBES / LANES).map(|batch| batch * LANES * STRIDE) {
            let places = _mm512_add_epi32(steps, _mm512_set1_epi32(start as i32));
            let bytes_at = |offset: usize| {
                let base = text.as_ptr().wrapping_add(offset);
                // SAFETY: the last lane reads four bytes from at most `(PROBES - 1) * STRIDE + 4`.
                unsafe {
                    if STRIDE == 4 {
                        _mm512_loadu_si512(base.wrapping_add(start).cast())
                    } else {
                        _mm512_i32gather_epi32::<1>(places, base.cast())
                    }
                }
            };
            let first = _mm512_mullo_epi32(bytes_at(0), keys[0]);
            let hash = _mm512_add_epi32(first, _mm512_mullo_epi32(bytes_at(filter.second), keys[1]));
            let bit = _mm512_srl_epi32(hash, shift);
            let word = _mm512_and_si512(_mm512_srli_epi32::<5>(bit), last_word);
            // SAFETY: the number of a word is less than the number of words.
            let words = unsafe { _mm512_i32gather_epi32::<4>(word, filter.words.as_ptr().cast()) };
            let bit = _mm512_and_si512(bit, _mm512_set1_epi32(31));
            let passes = _mm512_test_epi32_mask(words, _mm512_sllv_epi32(_mm512_set1_epi32(1), bit));
            let packed = _mm512_maskz_compress_epi32(passes, places);
            // SAFETY: before the last batch at most `PROBES - LANES` places have passed, and there is room for more.
            unsafe { _mm512_storeu_si512(passed.as_mut_ptr().add(count).cast(), packed) };
            count += passes.count_ones() as usize;
        }
        count
    }

    /// The bit of each high half. What is not ASCII has all, and the table of a set has none for it.
    const HIGH: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

    #[target_feature(enable = "avx512bw")]
    pub(super) fn masks_of_blocks_avx512<const N: usize>(
        blocks: &[[u8; BLOCK]],
        sets: &[Set; N],
        out: &mut [[u64; N]],
    ) {
        // SAFETY: each load reads as many bytes as the array behind the pointer has.
        let load = |table: &[u8; 16]| _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(table.as_ptr().cast()) });
        let high_bits = load(&HIGH);
        let tables = sets.map(|set| load(&set.0));
        for (block, out) in blocks.iter().zip(out) {
            // SAFETY: a block has 64 bytes.
            let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), _mm512_set1_epi8(15));
            let high = _mm512_shuffle_epi8(high_bits, high);
            for (table, out) in tables.iter().zip(out) {
                // A shuffle gives 0 for a byte that is not ASCII.
                *out = _mm512_test_epi8_mask(_mm512_shuffle_epi8(*table, bytes), high);
            }
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn masks_of_blocks_avx2<const N: usize>(blocks: &[[u8; BLOCK]], sets: &[Set; N], out: &mut [[u64; N]]) {
        // SAFETY: each load reads as many bytes as the array behind the pointer has.
        let load = |table: &[u8; 16]| _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) });
        let high_bits = load(&HIGH);
        for (block, out) in blocks.iter().zip(out) {
            let (halves, _) = block.as_chunks::<32>();
            *out = [0; N];
            for (number, half) in halves.iter().enumerate() {
                // SAFETY: half a block has 32 bytes.
                let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), _mm256_set1_epi8(15));
                let high = _mm256_shuffle_epi8(high_bits, high);
                for (set, out) in sets.iter().zip(out.iter_mut()) {
                    let low = _mm256_shuffle_epi8(load(&set.0), bytes);
                    let of_set = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), high);
                    *out |= u64::from(_mm256_movemask_epi8(of_set) as u32) << (32 * number);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Filter, PROBES, Set, masks_of_blocks, masks_of_blocks_portable, probe, probe_portable};

    fn probes_agree<const STRIDE: usize>(second: usize) {
        let mut number = 1_u32;
        let mut next = || {
            number = number.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15);
            number.rotate_left(13)
        };
        let words: Vec<u32> = (0..64).map(|_| next() & next() & next()).collect();
        let text: Vec<u8> = (0..STRIDE * PROBES + 8).map(|_| next() as u8).collect();
        let filter = Filter { words: &words, shift: 21, keys: [0x9e37_79b1, 0x85eb_ca77], second };
        let (mut wanted, mut found) = ([0; PROBES + 16], [0; PROBES + 16]);
        let count = probe_portable::<STRIDE>(&text, &filter, &mut wanted);
        assert!(count > 0 && count < PROBES);
        assert_eq!(probe::<STRIDE>(&text, &filter, &mut found), count);
        assert_eq!(found[..count], wanted[..count]);
    }

    #[test]
    fn vectors_and_words_pass_the_same_places() {
        probes_agree::<4>(1);
        probes_agree::<7>(2);
        probes_agree::<13>(4);
    }

    /// Every way to make masks that this processor has does the same.
    #[test]
    fn vectors_and_bytes_agree() {
        let sets = [Set::new(b"abc\0"), Set::new(b"0123456789+/AZaz"), Set::new(b"\x7f \n~")];
        let blocks: Vec<[u8; BLOCK]> =
            (0..64).map(|block: usize| std::array::from_fn(|at| (at * 37 + block * 101 + at * block) as u8)).collect();
        let mut wanted = vec![[0; 3]; blocks.len()];
        masks_of_blocks_portable(&blocks, &sets, &mut wanted);
        let mut found = vec![[0; 3]; blocks.len()];
        masks_of_blocks(&blocks, &sets, &mut found);
        assert_eq!(found, wanted);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { super::x86::masks_of_blocks_avx2(&blocks, &sets, &mut found) };
            assert_eq!(found, wanted);
        }
    }
}
