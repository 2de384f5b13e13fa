//! The encodings of texts: UTF-16 is turned into UTF-8 on its way to the search.

use std::io::{self, Read};

use zeroize::Zeroize;

/// How the units of UTF-16 are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Little,
    Big,
}

/// What a text is encoded in, and the bytes of the mark that says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    /// UTF-8, or anything else that is searched as it is.
    Bytes {
        mark: usize,
    },
    Utf16 {
        order: Order,
        mark: usize,
    },
}

/// Fewer units say nothing.
const MIN_UNITS: usize = 8;

/// Tells the encoding by a byte order mark; where there is none, UTF-16 by the zero bytes of the ASCII characters in it.
pub(super) fn detect(head: &[u8]) -> Encoding {
    if head.starts_with(b"\xef\xbb\xbf") {
        return Encoding::Bytes { mark: 3 };
    }
    // The mark of UTF-32 starts with that of UTF-16.
    if head.starts_with(b"\xff\xfe") && !head.starts_with(b"\xff\xfe\0\0") {
        return Encoding::Utf16 { order: Order::Little, mark: 2 };
    }
    if head.starts_with(b"\xfe\xff") {
        return Encoding::Utf16 { order: Order::Big, mark: 2 };
    }
    let orders = [Order::Little, Order::Big];
    let utf16 = orders.into_iter().find(|order| looks_like_text(head, *order));
    utf16.map_or(Encoding::Bytes { mark: 0 }, |order| Encoding::Utf16 { order, mark: 0 })
}

/// Whether nearly all units are printable ASCII characters or line ends.
fn looks_like_text(head: &[u8], order: Order) -> bool {
    let units = head.chunks_exact(2).map(|bytes| unit(bytes, order));
    let printable = units.clone().filter(|unit| matches!(unit, 0x20..=0x7e | 0x09 | 0x0a | 0x0d)).count();
    units.len() >= MIN_UNITS && printable * 10 >= units.len() * 9
}

fn unit(bytes: &[u8], order: Order) -> u16 {
    match order {
        Order::Little => u16::from_le_bytes([bytes[0], bytes[1]]),
        Order::Big => u16::from_be_bytes([bytes[0], bytes[1]]),
    }
}

/// How much is read at once.
const RAW_BYTES: usize = 64 * 1024;

/// A unit becomes three bytes at most, and so does a last half of one.
const MAX_UNIT_BYTES: usize = 3;

/// Reads UTF-16 as UTF-8. What is no character becomes U+FFFD.
pub(super) struct Transcoder<R> {
    reader: R,
    order: Order,
    raw: Vec<u8>,
    /// Bytes at the start of `raw` that belong to a character whose rest has not been read.
    kept: usize,
    text: String,
    used: usize,
    ended: bool,
}

impl<R> Drop for Transcoder<R> {
    fn drop(&mut self) {
        self.raw.zeroize();
        self.text.zeroize();
    }
}

impl<R: Read> Transcoder<R> {
    pub(super) fn new(reader: R, order: Order) -> Self {
        let text = String::with_capacity((RAW_BYTES / 2 + 1) * MAX_UNIT_BYTES);
        Self { reader, order, raw: vec![0; RAW_BYTES], kept: 0, text, used: 0, ended: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        let read = self.reader.read(&mut self.raw[self.kept..])?;
        self.ended = read == 0;
        let filled = self.kept + read;
        let mut whole = filled & !1;
        // A first half of a pair waits for the second.
        if !self.ended && whole >= 2 && matches!(unit(&self.raw[whole - 2..whole], self.order), 0xd800..=0xdbff) {
            whole -= 2;
        }
        self.text.clear();
        self.used = 0;
        let order = self.order;
        let units = self.raw[..whole].chunks_exact(2).map(|bytes| unit(bytes, order));
        self.text.extend(char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)));
        if self.ended && whole < filled {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        self.kept = if self.ended { 0 } else { filled - whole };
        self.raw.copy_within(whole..whole + self.kept, 0);
        Ok(())
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.used == self.text.len() && !self.ended {
            self.refill()?;
        }
        let rest = &self.text.as_bytes()[self.used..];
        let length = rest.len().min(space.len());
        space[..length].copy_from_slice(&rest[..length]);
        self.used += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::{Encoding, Order, Transcoder, detect};

    /// Gives a few bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(space.len());
            self.0.read(&mut space[..length])
        }
    }

    fn bytes(units: &[u16], order: Order) -> Vec<u8> {
        let each = |unit: &u16| if order == Order::Little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        units.iter().flat_map(each).collect()
    }

    proptest! {
        #[test]
        fn utf_16_is_read_in_any_pieces(units in proptest::collection::vec(
            prop_oneof![any::<u16>(), 0x20_u16..0x7f, 0xd7ff_u16..0xe001], 0..300), piece in 1_usize..9, big in any::<bool>()) {
            let order = if big { Order::Big } else { Order::Little };
            let mut text = Vec::new();
            let raw = bytes(&units, order);
            Transcoder::new(Dripping(&raw, piece), order).read_to_end(&mut text).expect("text");
            prop_assert_eq!(String::from_utf8(text).expect("UTF-8"), String::from_utf16_lossy(&units));
        }
    }

    #[test]
    fn an_encoding_is_told_by_its_mark_or_its_zeros() {
        let text: Vec<u16> = "password = whisper\r\n".encode_utf16().collect();
        for order in [Order::Little, Order::Big] {
            let plain = bytes(&text, order);
            assert_eq!(detect(&plain), Encoding::Utf16 { order, mark: 0 });
            let marked = bytes(&[&[0xfeff], &text[..]].concat(), order);
            assert_eq!(detect(&marked), Encoding::Utf16 { order, mark: 2 });
        }
        for (head, mark) in [(&b"\xef\xbb\xbfk=v"[..], 3), (b"k=v", 0), (b"", 0), (b"\xff\xfe\0\0k\0\0\0", 0)] {
            assert_eq!(detect(head), Encoding::Bytes { mark });
        }
        assert_eq!(detect(&[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0]), Encoding::Bytes { mark: 0 });
    }

    #[test]
    fn half_a_unit_at_the_end_is_no_character() {
        let mut text = String::new();
        Transcoder::new(&b"a\0b"[..], Order::Little).read_to_string(&mut text).expect("text");
        assert_eq!(text, "a\u{fffd}");
    }
}
