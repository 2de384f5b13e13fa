//! Counts lines, columns and offsets up to a place of a stream.

use super::Origin;

/// A place of a stream, in lines and columns.
#[derive(Clone, Copy, Default)]
pub(super) struct Counter {
    lines: u64,
    /// UTF-16 units since the start of the line.
    units: u64,
    offset: u64,
    utf16: bool,
}

impl Counter {
    /// The start of the stream.
    pub(super) fn new(origin: &Origin<'_>) -> Self {
        Self { lines: origin.lines, units: 0, offset: origin.offset, utf16: origin.utf16 }
    }

    /// Goes on by these bytes.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        self.offset += if self.utf16 { 2 * utf16_units(bytes) } else { bytes.len() as u64 };
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        match memchr::memrchr(b'\n', bytes) {
            Some(end) => self.units = utf16_units(&bytes[end + 1..]),
            None => self.units += utf16_units(bytes),
        }
    }

    /// 1-based.
    pub(super) fn line(&self) -> u64 {
        self.lines + 1
    }

    /// 1-based; the last one there is, where the line is longer.
    pub(super) fn column(&self) -> u32 {
        u32::try_from(self.units + 1).unwrap_or(u32::MAX)
    }

    /// The column after `bytes`, or after its first line.
    pub(super) fn column_after(&self, bytes: &[u8]) -> u32 {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        u32::try_from(self.units + 1 + utf16_units(line)).unwrap_or(u32::MAX)
    }

    /// Bytes of the source before the place.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

/// UTF-16 units of a UTF-8 text. In other encodings of one byte a character, most characters count as one.
fn utf16_units(text: &[u8]) -> u64 {
    // Small blocks, so that the sums fit in bytes and the loop becomes vector instructions.
    let block = |block: &[u8]| {
        let units = block.iter().map(|byte| u8::from(byte & 0xc0 != 0x80) + u8::from((0xf0..0xf5).contains(byte)));
        u64::from(units.fold(0, u8::wrapping_add))
    };
    text.chunks(127).map(block).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::utf16_units;

    proptest! {
        #[test]
        fn units_are_those_of_the_text(text in "(a|é|€|😀|\n){0,400}") {
            prop_assert_eq!(utf16_units(text.as_bytes()), text.encode_utf16().count() as u64);
        }
    }
}
