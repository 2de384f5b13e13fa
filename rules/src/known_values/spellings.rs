//! The spellings in which a value is searched for literally. Others (percent, `\u`, numeric entities, UTF-16, double
//! encodings) are found by decoding the text instead: see [`crate::decode`].

use zeroize::Zeroizing;

use super::grams::{MIN_PATTERN, variety};
use crate::model::hex;

/// A longer pattern is represented by a piece of this length. In bytes.
pub(super) const MAX_PATTERN: usize = 256;

/// Bytes that are wiped when they are no longer needed.
pub(super) type Bytes = Zeroizing<Vec<u8>>;

/// Every spelling of a value, no two of them equal, each of 8 to 256 bytes.
pub(super) fn spellings(value: &str) -> Vec<Bytes> {
    let piece = most_varied_piece(value.as_bytes(), MAX_PATTERN);
    let mut all = vec![Bytes::new(piece.to_vec())];
    let mut add = |spelling: Bytes| {
        if spelling.len() >= MIN_PATTERN && !all.contains(&spelling) {
            all.push(spelling);
        }
    };
    let short = most_varied_piece(piece, MAX_PATTERN / 4 * 3 - 2);
    for alignment in 0..3 {
        add(base64(short, alignment, STANDARD));
        add(base64(short, alignment, URL));
    }
    let short = most_varied_piece(piece, MAX_PATTERN / 2);
    add(hex_digits(short, false));
    add(hex_digits(short, true));
    for escape in ESCAPES {
        add(cut(escaped(piece, *escape)));
    }
    add(cut(escaped(&escaped(piece, json), json)));
    if !value.is_ascii() {
        for big_endian in [false, true] {
            add(cut(utf16(value, big_endian)));
        }
    }
    all
}

/// How a byte is spelt where it is not spelt as itself.
type Escape = fn(u8) -> Option<&'static str>;

/// JSON and most languages' strings, the same as PHP writes it, XML and HTML, the quoting styles of shells, and the
/// doubled quotes of SQL, YAML and CSV.
const ESCAPES: &[Escape] = &[
    json,
    |byte| if byte == b'/' { Some("\\/") } else { json(byte) },
    |byte| markup(byte, "&quot;", "&apos;"),
    |byte| markup(byte, "&quot;", "'"),
    |byte| markup(byte, "\"", "'"),
    |byte| (byte == b'\'').then_some("'\\''"),
    |byte| (byte == b'\'').then_some("'\"'\"'"),
    |byte| (byte == b'\'').then_some("\\'"),
    |byte| (byte == b'\'').then_some("''"),
    |byte| (byte == b'"').then_some("\"\""),
    in_double_quotes,
    bare_in_shell,
    |byte| (byte == b'$').then_some("$$"),
];

fn json(byte: u8) -> Option<&'static str> {
    match byte {
        b'"' => Some("\\\""),
        b'\\' => Some("\\\\"),
        b'\n' => Some("\\n"),
        b'\r' => Some("\\r"),
        b'\t' => Some("\\t"),
        _ => None,
    }
}

fn markup(byte: u8, quote: &'static str, apostrophe: &'static str) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some(quote),
        b'\'' => Some(apostrophe),
        _ => None,
    }
}

fn in_double_quotes(byte: u8) -> Option<&'static str> {
    match byte {
        b'"' => Some("\\\""),
        b'\\' => Some("\\\\"),
        b'$' => Some("\\$"),
        b'`' => Some("\\`"),
        _ => None,
    }
}

/// What `printf %q` of bash writes.
fn bare_in_shell(byte: u8) -> Option<&'static str> {
    const SPECIAL: &str = "\\ \\!\\\"\\#\\$\\&\\'\\(\\)\\*\\,\\;\\<\\>\\?\\[\\\\\\]\\^\\`\\{\\|\\}\\~";
    SPECIAL.as_bytes().chunks(2).position(|pair| pair[1] == byte).map(|at| &SPECIAL[2 * at..2 * at + 2])
}

fn escaped(value: &[u8], escape: Escape) -> Bytes {
    let mut spelt = Bytes::new(Vec::with_capacity(value.len() * 6));
    for byte in value {
        match escape(*byte) {
            Some(text) => spelt.extend_from_slice(text.as_bytes()),
            None => spelt.push(*byte),
        }
    }
    spelt
}

fn cut(mut spelling: Bytes) -> Bytes {
    spelling.truncate(MAX_PATTERN);
    spelling
}

fn hex_digits(value: &[u8], upper: bool) -> Bytes {
    let mut digits = hex(value).into_bytes();
    if upper {
        digits.make_ascii_uppercase();
    }
    Bytes::new(digits)
}

fn utf16(value: &str, big_endian: bool) -> Bytes {
    let unit = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    let mut spelt = Bytes::new(Vec::with_capacity(value.len() * 2));
    spelt.extend(value.encode_utf16().flat_map(unit));
    spelt
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters of base64 that a value fully determines where `alignment` bytes stand before it, modulo three.
fn base64(value: &[u8], alignment: usize, alphabet: &[u8; 64]) -> Bytes {
    let bit = |at: usize| value[at / 8] >> (7 - at % 8) & 1;
    let skipped = (alignment * 8).next_multiple_of(6) - alignment * 8;
    let letters = (value.len() * 8).saturating_sub(skipped) / 6;
    let mut spelt = Bytes::new(Vec::with_capacity(letters));
    for letter in 0..letters {
        let index = (0..6).fold(0, |index, at| index << 1 | bit(skipped + letter * 6 + at));
        spelt.push(alphabet[usize::from(index)]);
    }
    spelt
}

/// The piece of a long value that tells it best from others: that whose bytes vary most.
fn most_varied_piece(value: &[u8], longest: usize) -> &[u8] {
    const STEP: usize = 16;
    let last = value.len().saturating_sub(longest);
    let piece = |at: usize| &value[at..(at + longest).min(value.len())];
    let best = (0..=last.div_ceil(STEP)).map(|step| (step * STEP).min(last)).max_by_key(|at| variety(piece(*at)));
    piece(best.unwrap_or(0))
}
