//! Backslash escapes, as JSON (RFC 8259, section 7) and most languages write them, and the colours of terminals
//! (ECMA-48, section 5.4).

use super::Region;
use super::derived::Derived;

const ESCAPE: u8 = 0x1b;

/// Decodes the lines that hold escapes. Lines are decoded whatever they are: what is no string gives no hit.
pub(super) fn decode(region: &Region<'_>, derived: &mut Derived) {
    let (text, end) = (region.text, region.range.end);
    let mut at = region.range.start;
    let mut adjacent = true;
    while let Some(found) = memchr::memchr2(b'\\', ESCAPE, &text[at..end]) {
        let start = memchr::memrchr(b'\n', &text[at..at + found]).map_or(at, |newline| at + newline + 1);
        let stop = memchr::memchr(b'\n', &text[at + found..end]).map_or(end, |newline| at + found + newline + 1);
        adjacent &= start == at;
        let mark = derived.mark();
        if !adjacent {
            derived.part();
        }
        decode_line(region, start, stop, derived);
        adjacent = derived.changed_since(mark);
        if !adjacent {
            derived.back_to(mark);
        }
        at = stop;
    }
}

fn decode_line(region: &Region<'_>, start: usize, stop: usize, derived: &mut Derived) {
    let text = &region.text[..stop];
    let mut at = start;
    let mut copied = start;
    while let Some(found) = memchr::memchr2(b'\\', ESCAPE, &text[at..]) {
        at += found;
        let Some((length, replacement)) = escape(&text[at..]) else {
            at += 1;
            continue;
        };
        let next = at + length;
        if !is_line_end(&text[at..]) || touches_hit(region, at) {
            derived.copy(text, copied..at);
            let mut utf8 = [0; 4];
            derived.replace(at..next, replacement.map_or(&[], |char| char.encode_utf8(&mut utf8).as_bytes()));
            copied = next;
        }
        at = next;
    }
    derived.copy(text, copied..stop);
}

/// Whether a line end is all that is left of the string, as in what container logs say of every line. To decode it would
/// change nothing but what touches it.
fn is_line_end(text: &[u8]) -> bool {
    text.starts_with(br#"\n""#) || text.starts_with(br#"\r\n""#)
}

fn touches_hit(region: &Region<'_>, at: usize) -> bool {
    let before = region.hits.partition_point(|(start, _)| *start <= at);
    before.checked_sub(1).is_some_and(|last| region.hits[last].1 >= at)
}

/// The length of the escape that the text starts with, and what it stands for.
fn escape(text: &[u8]) -> Option<(usize, Option<char>)> {
    if text[0] == ESCAPE {
        return colour(&text[1..]).map(|length| (1 + length, None));
    }
    let (length, char) = match text.get(1)? {
        b'"' => (2, '"'),
        b'\'' => (2, '\''),
        b'\\' => (2, '\\'),
        b'/' => (2, '/'),
        b'n' => (2, '\n'),
        b'r' => (2, '\r'),
        b't' => (2, '\t'),
        b'b' => (2, '\x08'),
        b'f' => (2, '\x0c'),
        b'e' => (2, '\x1b'),
        b'x' => (4, char::from(u8::try_from(hex(text.get(2..4)?)?).ok().filter(u8::is_ascii)?)),
        b'u' => unicode(text)?,
        _ => return None,
    };
    match colour(&text[length..]) {
        Some(more) if char == '\x1b' => Some((length + more, None)),
        _ => Some((length, Some(char))),
    }
}

/// `\uXXXX`, or two of them for one character.
fn unicode(text: &[u8]) -> Option<(usize, char)> {
    let first = hex(text.get(2..6)?)?;
    if let Some(char) = char::from_u32(first) {
        return Some((6, char));
    }
    let second = text.get(6..12).filter(|more| more.starts_with(b"\\u")).and_then(|more| hex(&more[2..]))?;
    let units = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let char = char::decode_utf16(units).next()?.ok()?;
    Some((12, char))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// The length of what follows an escape character where the two are a control sequence: parameters, and one last byte.
fn colour(text: &[u8]) -> Option<usize> {
    let parameters = text.strip_prefix(b"[")?;
    let length = parameters.iter().take(32).take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    matches!(parameters.get(length)?, 0x40..=0x7e).then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn escapes_stand_for_characters() {
        type Case = (&'static [u8], Option<(usize, Option<char>)>);
        let cases: &[Case] = &[
            (br#"\"x"#, Some((2, Some('"')))),
            (br"\\", Some((2, Some('\\')))),
            (br"\u0026", Some((6, Some('&')))),
            (br"\ud83d\ude00!", Some((12, Some('😀')))),
            (br"\ud83d!", None),
            (br"\ud83d\u0041", None),
            (br"\u00g0", None),
            (br"\u12", None),
            (br"\x41", Some((4, Some('A')))),
            (br"\xff", None),
            (br"\q", None),
            (b"\\", None),
            (b"\x1b[1;31mred", Some((7, None))),
            (br"\u001b[0mred", Some((9, None))),
            (br"\x1b[0m", Some((7, None))),
            (b"\x1b]8", None),
            (b"\x1b[", None),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), *expected, "{}", text.escape_ascii());
        }
    }
}
