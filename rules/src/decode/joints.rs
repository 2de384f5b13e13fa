//! Values in pieces: strings that are joined by a program, lines that go on after a backslash, encodings that are wrapped.

use std::ops::Range;

use super::layer::{Layer, Source};
use super::tables::is_letter;
use super::{AROUND, MAX_PIECE};

/// What stands between two pieces is at most this long. In bytes.
const MAX_JOINT: usize = 80;
/// A line of letters that is wrapped has at least so many of them.
const MIN_LINE: usize = 24;
/// How far the closing quote of the next piece is looked for.
const MAX_KEY: usize = 64;

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_joiner(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'+' | b'.' | b'\\' | b'&' | b'|' | b'<' | b'>' | b'-')
}

/// Where the joint ends that starts at `at`.
fn joint_from(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        quote if is_quote(quote) => between_quotes(text, at),
        b'\\' => after_backslash(text, at),
        b'\n' | b'\r' => wrapped(text, at, at),
        _ => None,
    }
}

/// `" + "`, `'.'`, `" \⏎  "`, `",⏎  "`, `"'`.
fn between_quotes(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at + 1..text.len().min(at + MAX_JOINT)];
    let comma = usize::from(rest.first() == Some(&b','));
    let joiners = rest[comma..].iter().take_while(|byte| if comma == 1 { is_space(**byte) } else { is_joiner(**byte) });
    let open = comma + joiners.count();
    let quote = *rest.get(open).filter(|byte| is_quote(**byte))?;
    let end = at + 1 + open + 1;
    let joins = match (comma, open) {
        // Two quotes of one kind are an empty string, or one quote that is written so.
        (0, 0) => quote != text[at],
        // A list of lines, and not the next member of an object.
        (1, _) => rest[..open].contains(&b'\n') && !is_key(text, end, quote),
        // Fields of an access log, the first of them empty.
        _ if at >= 2 && text[at - 1] == b'-' && is_quote(text[at - 2]) => false,
        // A dash starts the next of a list of lines.
        _ => !rest[..open].contains(&b'-') || rest[..open].contains(&b'\n'),
    };
    joins.then_some(end)
}

fn is_key(text: &[u8], start: usize, quote: u8) -> bool {
    let rest = &text[start..text.len().min(start + MAX_KEY)];
    let Some(close) = rest.iter().position(|byte| *byte == quote) else { return false };
    rest[close + 1..].iter().find(|byte| **byte != b' ') == Some(&b':')
}

/// A backslash and a line break, or a line break that is written `\n` in a string.
fn after_backslash(text: &[u8], at: usize) -> Option<usize> {
    let slashes = text[at..].iter().take(4).take_while(|byte| **byte == b'\\').count();
    let rest = &text[at + slashes..];
    if slashes == 1 && rest.first().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        let end = indented(text, at + 1);
        let spaces = text[..at].iter().rev().take(MAX_JOINT).take_while(|byte| is_space(**byte)).count();
        let quoted = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|byte| is_quote(*byte));
        // Between two quoted pieces it is a part of that joint.
        return (!quoted(at.checked_sub(spaces + 1)) || !quoted(Some(end))).then_some(end);
    }
    let rest = rest.strip_prefix(b"r").map_or(rest, |rest| rest.strip_prefix(&text[at..at + slashes]).unwrap_or(rest));
    let end = text.len() - rest.strip_prefix(b"n")?.len();
    (is_line_of_letters(text, at) && text.get(end).is_some_and(|byte| is_letter(*byte))).then_some(end)
}

/// A line break after a long line of letters, with what a next line may start with before more letters.
fn wrapped(text: &[u8], at: usize, line_end: usize) -> Option<usize> {
    if !is_line_of_letters(text, line_end) {
        return None;
    }
    let mut end = indented(text, at);
    const PREFIXES: [&[u8]; 5] = [b"- ", b"# ", b"* ", b"> ", b"// "];
    if let Some(prefix) = PREFIXES.into_iter().find(|prefix| text[end..].starts_with(prefix)) {
        end += prefix.len();
    }
    text.get(end).is_some_and(|byte| is_letter(*byte)).then_some(end)
}

/// Behind the line break at `at` and the white space before the next line's first letter.
fn indented(text: &[u8], at: usize) -> usize {
    let rest = &text[at..text.len().min(at + MAX_JOINT)];
    let line_break = if rest.starts_with(b"\r\n") { 2 } else { 1 };
    let indent = rest[line_break.min(rest.len())..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (at + line_break + indent).min(text.len())
}

fn is_line_of_letters(text: &[u8], end: usize) -> bool {
    end >= MIN_LINE && text[end - MIN_LINE..end].iter().all(|byte| is_letter(*byte))
}

/// The start of the joint to which the byte of a trigger belongs.
fn joint_around(text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = |by: usize| at.checked_sub(by).and_then(|at| text.get(at)).copied().unwrap_or(0);
    let start = match text[at] {
        b'n' | b'r' => at - (1..5).take_while(|by| before(*by) == b'\\').count(),
        b'\n' | b'\r' => match before(1) {
            b',' => at.checked_sub(2)?,
            b'\\' => at - 1,
            _ => at,
        },
        _ => {
            let first = at.saturating_sub(MAX_JOINT);
            let skipped = text[first..at].iter().rev().take_while(|byte| is_joiner(**byte)).count();
            at.checked_sub(skipped + 1)?
        }
    };
    let end = joint_from(text, start)?;
    (start <= at && at < end + 1).then_some(start..end)
}

/// The text around a joint without it, and without those that follow.
pub(super) fn join(source: Source<'_>, at: usize, done: usize, layer: &mut Layer) -> Range<usize> {
    let text = source.text;
    layer.restart(source, at);
    let Some(joint) = joint_around(text, at).filter(|joint| joint.start >= done) else { return done..done };
    let floor = done.max(joint.start.saturating_sub(AROUND));
    let before = text[floor..joint.start].iter().rev().take_while(|byte| !ends(**byte)).count();
    let start = joint.start - before;
    layer.restart(source, start);
    layer.copy(source, start..joint.start);
    let mut next = joint.end;
    loop {
        let piece = text[next..text.len().min(next + AROUND)].iter().take_while(|byte| !stops(**byte)).count();
        layer.copy(source, next..next + piece);
        next += piece;
        match joint_from(text, next) {
            Some(end) if piece < AROUND && next - start < MAX_PIECE => next = end,
            // A backslash is a byte like others where no line ends behind it.
            _ if piece < AROUND && text.get(next) == Some(&b'\\') && next - start < MAX_PIECE => {
                layer.copy(source, next..next + 1);
                next += 1;
            }
            _ => return start..next,
        }
    }
}

/// What a piece may end with.
fn stops(byte: u8) -> bool {
    ends(byte) || byte == b'\\'
}

/// What ends a piece on its left, and on its right if it does not start a joint. Secrets in pieces hold no white space.
fn ends(byte: u8) -> bool {
    is_quote(byte) || is_space(byte)
}
