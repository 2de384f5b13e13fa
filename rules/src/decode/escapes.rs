//! Escapes among plain text: percent signs, backslashes, character references.

use std::ops::Range;

use super::layer::{Layer, Source};
use super::tables::digit;
use super::{AROUND, MAX_PIECE};

/// A way to escape.
pub(super) trait Escaping {
    /// What every escape starts with.
    const SIGN: u8;

    /// Whether a text of this kind ends at a place.
    fn ends(text: &[u8], at: usize) -> bool;

    /// The escape at a place where the sign is: how long it is, and what it stands for.
    fn read(text: &[u8], at: usize) -> Option<(usize, Meaning)>;
}

/// What an escape stands for.
pub(super) enum Meaning {
    Byte(u8),
    Char(char),
}

/// No escape is longer.
const MAX_ESCAPE: usize = 20;

/// `%41` (RFC 3986).
pub(super) struct Percent;

impl Escaping for Percent {
    const SIGN: u8 = b'%';

    fn ends(text: &[u8], at: usize) -> bool {
        matches!(text[at], 0..=b' ' | 0x7f | b'"' | b'<' | b'>' | b'`')
    }

    fn read(text: &[u8], at: usize) -> Option<(usize, Meaning)> {
        let digits = text.get(at + 1..at + 3)?;
        Some((3, Meaning::Byte(digit(digits[0])? << 4 | digit(digits[1])?)))
    }
}

/// `\u0041`, `\u{41}`, `\U00000041`, `\x41`, `\"` and the like; also with the backslash itself escaped, once or more.
pub(super) struct Backslash;

impl Escaping for Backslash {
    const SIGN: u8 = b'\\';

    fn ends(text: &[u8], at: usize) -> bool {
        is_control(text[at]) || (text[at] == b'"' && (at == 0 || text[at - 1] != b'\\'))
    }

    fn read(text: &[u8], at: usize) -> Option<(usize, Meaning)> {
        read_backslash(text, at)
    }
}

/// `&#65;`, `&#x41;` and the five names of XML.
pub(super) struct Entity;

impl Escaping for Entity {
    const SIGN: u8 = b'&';

    fn ends(text: &[u8], at: usize) -> bool {
        is_control(text[at]) || matches!(text[at], b'<' | b'>')
    }

    fn read(text: &[u8], at: usize) -> Option<(usize, Meaning)> {
        read_entity(text, at)
    }
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t'
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    let digits = str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

fn read_backslash(text: &[u8], at: usize) -> Option<(usize, Meaning)> {
    const MOST: usize = 8;
    let slashes = text[at..].iter().take(MOST).take_while(|byte| **byte == b'\\').count();
    if slashes == 0 {
        return None;
    }
    let letter = at + slashes;
    let hex = |from: usize, count: usize| number(text.get(from..from + count)?, 16);
    // `\\\u0022` is a backslash and a quote; `\\u0022` is a quote that was escaped twice.
    let long = match *text.get(letter)? {
        _ if slashes % 2 == 1 && slashes > 1 => None,
        b'u' if text.get(letter + 1) == Some(&b'{') => {
            let count = text[letter + 2..].iter().take(7).position(|byte| *byte == b'}').filter(|count| *count > 0)?;
            hex(letter + 2, count).map(|c| (slashes + 3 + count, Meaning::Char(c)))
        }
        b'u' => hex(letter + 1, 4).map(|c| (slashes + 5, Meaning::Char(c))),
        b'U' => hex(letter + 1, 8).map(|c| (slashes + 9, Meaning::Char(c))),
        b'x' => hex(letter + 1, 2).map(|c| (slashes + 3, Meaning::Byte(c as u8))),
        _ => None,
    };
    let short = || {
        let byte = match text.get(at + 1)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            byte @ (b'"' | b'\'' | b'\\' | b'/') => *byte,
            _ => return None,
        };
        Some((2, Meaning::Byte(byte)))
    };
    long.or_else(short)
}

fn read_entity(text: &[u8], at: usize) -> Option<(usize, Meaning)> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\'')];
    let rest = text[at..].strip_prefix(b"&")?;
    let Some(rest) = rest.strip_prefix(b"#") else {
        let (name, byte) = NAMES.into_iter().find(|(name, _)| text[at..].starts_with(name))?;
        return Some((name.len(), Meaning::Byte(byte)));
    };
    let (prefix, radix) = if rest.first().is_some_and(|byte| byte | 0x20 == b'x') { (1, 16) } else { (0, 10) };
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let digits = rest[prefix..].iter().take(8).take_while(is_digit).count();
    let c = number(&rest[prefix..prefix + digits], radix)?;
    let semicolon = usize::from(rest.get(prefix + digits) == Some(&b';'));
    Some((2 + prefix + digits + semicolon, Meaning::Char(c)))
}

/// Decodes the text around the escape at `at`: to its ends, or to where no escape is near.
pub(super) fn decode<E: Escaping>(source: Source<'_>, at: usize, done: usize, layer: &mut Layer) -> Range<usize> {
    let text = source.text;
    let floor = done.max(at.saturating_sub(AROUND));
    let mut start = at;
    while start > floor && !E::ends(text, start - 1) {
        start -= 1;
    }
    let start = if start == floor { skip_cut_escape::<E>(text, start) } else { start };
    layer.restart(source, start);
    let (mut next, mut last) = (start, at);
    let read = |at: usize| if text[at] == E::SIGN { E::read(text, at) } else { None };
    while next < text.len() && next <= last + AROUND && next - start < MAX_PIECE {
        if let Some((length, meaning)) = read(next) {
            let from = next..next + length;
            match meaning {
                Meaning::Byte(byte) => layer.push(source, byte, from),
                Meaning::Char(c) => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        layer.push(source, byte, from.clone());
                    }
                }
            }
            next += length;
            last = next;
        } else if E::ends(text, next) {
            break;
        } else {
            let plain = 1 + text[next + 1..text.len().min(last + AROUND + 1).max(next + 1)]
                .iter()
                .enumerate()
                .take_while(|(by, byte)| **byte != E::SIGN && !E::ends(text, next + 1 + by))
                .count();
            layer.copy(source, next..next + plain);
            next += plain;
        }
    }
    start..next
}

/// A text that starts within an escape starts behind it instead.
fn skip_cut_escape<E: Escaping>(text: &[u8], start: usize) -> usize {
    let first = start.saturating_sub(MAX_ESCAPE);
    let signs = (first..start).filter(|at| text[*at] == E::SIGN);
    let mut ends = signs.filter_map(|at| E::read(text, at).map(|(length, _)| at + length));
    ends.find(|end| *end > start).unwrap_or(start)
}
