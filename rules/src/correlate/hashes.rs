//! Hashes of names that are looked up for every record: several times as fast as those of the standard library.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// Makes hashes under a key that no trail knows, so that names cannot be chosen to collide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed {
    start: u64,
    key: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Self { start: random.hash_one(0), key: random.hash_one(1) }
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding { state: self.start, key: self.key }
    }
}

/// Multiplies 16 bytes at a time, and adds both halves of the product (as wyhash does).
pub(super) struct Folding {
    state: u64,
    key: u64,
}

/// An odd number with no pattern in its bits: the golden ratio.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Folding {
    fn fold(&mut self, a: u64, b: u64) {
        let product = u128::from(a ^ self.key) * u128::from(b ^ self.state);
        self.state = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        self.state = self.state.wrapping_add(bytes.len() as u64).wrapping_mul(ODD);
        let (chunks, rest) = bytes.as_chunks::<16>();
        for chunk in chunks {
            let whole = u128::from_le_bytes(*chunk);
            self.fold(whole as u64, (whole >> 64) as u64);
        }
        // With the length, the first and the last bytes tell the rest, where they overlap too.
        if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
            self.fold(u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        } else if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
            self.fold(u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into());
        } else if !rest.is_empty() {
            self.fold(rest.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0);
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.fold(number.into(), ODD);
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(number.into(), ODD);
    }

    fn write_u64(&mut self, number: u64) {
        self.fold(number, ODD);
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64, ODD);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

/// For tables of what [`Keyed`] made.
pub(super) type AsIs = BuildHasherDefault<Same>;

/// Gives back a hash as it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Same(u64);

impl Hasher for Same {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::Keyed;

    proptest! {
        #[test]
        fn texts_that_differ_in_one_byte_have_different_hashes(text in "[a-z/]{1,70}", at in 0_usize..70) {
            let keyed = Keyed::default();
            let mut other = text.clone().into_bytes();
            let at = at % other.len();
            other[at] ^= 1;
            prop_assert_ne!(keyed.hash_one(text.as_bytes()), keyed.hash_one(other.as_slice()));
        }
    }

    #[test]
    fn hashes_of_names_that_are_alike_are_spread_over_all_bits() {
        let keyed = Keyed::default();
        let hashes: Vec<u64> = (0..4096).map(|at| keyed.hash_one(format!("vault:secret/app{at}#password"))).collect();
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
        for bit in 0..64 {
            let ones = hashes.iter().filter(|hash| *hash >> bit & 1 == 1).count();
            assert!((1700..2400).contains(&ones), "bit {bit}: {ones}");
        }
    }
}
