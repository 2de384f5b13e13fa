//! Vector instructions, where they are worth it. The one module in which unsafe code is allowed; each function has a
//! portable twin that does the same.
#![allow(unsafe_code)]

/// The bytes of a mask.
pub(crate) const BLOCK: usize = 64;

/// A set of ASCII bytes: for each low half of a byte, which high halves (0 to 7) make one of the set.
#[derive(Clone, Copy)]
pub(crate) struct Set([u8; 16]);

impl Set {
    /// The set of some ASCII bytes.
    pub(crate) const fn new(bytes: &[u8]) -> Self {
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
pub(crate) fn masks<const N: usize>(text: &[u8], sets: &[Set; N], out: &mut [[u64; N]]) -> usize {
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
        _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm512_and_si512,
        _mm512_broadcast_i32x4, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_shuffle_epi8, _mm512_srli_epi16,
        _mm512_test_epi8_mask,
    };

    use super::{BLOCK, Set};

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
    use super::{BLOCK, Set, masks_of_blocks, masks_of_blocks_portable};

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
