//! Sets of bytes.

use crate::simd::Set;

/// Of the bytes of a block, which are: of a base64 alphabet, quotes, what may stand between two quoted pieces, ends of
/// a line, backslashes, letters of escapes, signs of escapes, commas, zeros.
pub(super) type Plain = [u64; 9];

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";

pub(super) const PLAIN: [Set; 9] = [
    Set::new(LETTERS),
    Set::new(b"\"'`"),
    Set::new(b" \t\r\n+.\\&|<>-"),
    Set::new(b"\r\n"),
    Set::new(b"\\"),
    Set::new(b"uUxnr"),
    Set::new(b"%&"),
    Set::new(b","),
    Set::new(b"\0"),
];

/// Of the bytes of a block, which may be the first, second, third and fourth letter of three bytes of ASCII in base64;
/// which are the second and the first digit of one in hexadecimal.
pub(super) type Quads = [u64; 6];

pub(super) const ASCII_QUADS: [Set; 6] = [
    Set::new(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"),
    Set::new(b"ABCDEFGHQRSTUVWXghijklmnwxyz0123"),
    Set::new(b"ABEFIJMNQRUVYZcdghklopstwx014589"),
    Set::new(LETTERS),
    Set::new(b"0123456789abcdefABCDEF"),
    Set::new(b"01234567"),
];

/// What no letter of base64 stands for.
pub(super) const NO_SEXTET: u8 = 0xff;

/// What a letter stands for in either alphabet of base64 (RFC 4648).
pub(super) const SEXTETS: [u8; 256] = {
    let mut sextets = [NO_SEXTET; 256];
    let mut at = 0;
    while at < 64 {
        sextets[LETTERS[at] as usize] = at as u8;
        at += 1;
    }
    sextets[b'-' as usize] = 62;
    sextets[b'_' as usize] = 63;
    sextets
};

pub(super) fn is_letter(byte: u8) -> bool {
    SEXTETS[usize::from(byte)] != NO_SEXTET
}

/// What a hexadecimal digit stands for.
pub(super) fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Whether a percent sign is followed by two hexadecimal digits.
pub(super) fn decodes_percent(text: &[u8], at: usize) -> bool {
    text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}
