//! Which bytes of a text are of some sets, 64 at a time.

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
/// Bytes after the end are of no set. Gives the number of blocks, of which `out` has at least as many.
pub(crate) fn masks<const N: usize>(text: &[u8], sets: &[Set; N], out: &mut [[u64; N]]) -> usize {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (block, out) in blocks.iter().zip(out.iter_mut()) {
        *out = masks_of_block(block, sets);
    }
    if rest.is_empty() {
        return blocks.len();
    }
    let mut last = [0xff; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    out[blocks.len()] = masks_of_block(&last, sets);
    blocks.len() + 1
}

fn masks_of_block<const N: usize>(block: &[u8; BLOCK], sets: &[Set; N]) -> [u64; N] {
    let mask = |set: &Set| (0..BLOCK).fold(0, |mask, at| mask | u64::from(set.contains(block[at])) << at);
    std::array::from_fn(|number| mask(&sets[number]))
}
