//! Keys of several lines, each of which a collector prefixed: a time stamp, a host, the start of a JSON object.

use super::Region;
use super::derived::Derived;

/// The longest key has fewer lines.
const MAX_LINES: usize = 300;

/// Longer prefixes are not looked for.
const MAX_PREFIX_BYTES: usize = 512;

/// Takes the prefixes off the lines from each `-----BEGIN` that has one to its `-----END`.
pub(super) fn decode(region: &Region<'_>, derived: &mut Derived) {
    let (text, mut at) = (&region.text[..region.range.end], region.range.start);
    while let Some(found) = memchr::memmem::find(&text[at..], b"-----BEGIN ") {
        let begin = at + found;
        let start = memchr::memrchr(b'\n', &text[at..begin]).map_or(at, |newline| at + newline + 1);
        at = begin + 1;
        let prefix = &text[start..begin];
        if !prefix.is_empty() && prefix.len() <= MAX_PREFIX_BYTES {
            let mark = derived.mark();
            derived.part();
            at = at.max(unwrap(text, begin, prefix, derived));
            if !derived.changed_since(mark) {
                derived.back_to(mark);
            }
        }
    }
}

/// Adds the key that starts at `begin`, and gives where it ends.
fn unwrap(text: &[u8], begin: usize, prefix: &[u8], derived: &mut Derived) -> usize {
    let mut start = begin;
    for _ in 0..MAX_LINES {
        let stop = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |newline| start + newline);
        let held = start + text[start..stop].iter().take_while(|byte| is_of_key(**byte)).count();
        derived.copy(text, start..held);
        let next = stop + 1 + prefix.len();
        let is_last = text[start..held].starts_with(b"-----END ") || next > text.len();
        if is_last || !is_alike(&text[stop + 1..next], prefix) {
            return held;
        }
        derived.replace(held..next, b"\n");
        start = next;
    }
    start
}

/// Whether the bytes are of base64, or of the lines around it.
fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b' ' | b':' | b',')
}

/// Whether two prefixes differ in digits alone.
fn is_alike(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other || one.is_ascii_digit() && other.is_ascii_digit())
}
