//! Where a value begins and ends.

use std::ops::Range;

use memchr::memmem;

use super::link::{Cursor, Link};

/// How a value is set apart from what follows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Quote {
    /// By the end of the line.
    Line,
    /// By a blank or a mark, within a line.
    Bare,
    /// By `"`.
    Double,
    /// By `'`.
    Single,
    /// By a backtick.
    Back,
    /// By a quote with backslashes before it: within another text.
    Escaped,
    /// By braces: a list of bytes.
    Bytes,
    /// By the next tag.
    Tag,
}

/// A value that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    /// Its bytes.
    pub range: Range<usize>,
    /// What sets it apart.
    pub quote: Quote,
    /// Whether it is the argument of a call: `bytes("…")`, `new Secret("…")`.
    pub wrapped: bool,
    /// Whether it stands in for one that is missing: `getenv("X") or "…"`, `${X:-…}`.
    pub fallback: bool,
    /// Whether the quotes may hold expressions: `f"…"`, `$"…"`, backticks.
    pub template: bool,
}

/// Reads the value at `at`. `leads` says that the name is the first thing on its line. `None` where there is none, or
/// where the text ends before it does.
pub(super) fn read(text: &[u8], at: usize, link: Link, leads: bool) -> Option<Value> {
    let mut cursor = Cursor::new(text, at);
    match link {
        Link::Element => return until(text, at, Quote::Tag, |byte| byte == b'<'),
        Link::Scheme | Link::Command => {
            let _ = cursor.quote();
            return until(text, cursor.at, Quote::Bare, |byte| {
                byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b'<' | b',' | b';')
            });
        }
        _ => {}
    }
    if let Some(value) = quoted(text, at) {
        let value = second_argument(text, &value, link).unwrap_or(value);
        return Some(Value { range: longest_member(text, value.range.clone()), ..value });
    }
    if let Some(value) = fallback(text, at) {
        return Some(value);
    }
    if let Some(value) = wrapped(text, at) {
        return Some(value);
    }
    match link {
        Link::Pair if text[..at].ends_with(b">") => until(text, at, Quote::Tag, |byte| byte == b'<'),
        Link::Pair if text[..at].ends_with(b": ") => bare(text, at, link, true),
        Link::Call | Link::Comma | Link::Compare | Link::Pair => None,
        _ => bare(text, at, link, leads),
    }
}

/// A value up to the byte that ends it, trimmed.
fn until(text: &[u8], at: usize, quote: Quote, ends: impl Fn(u8) -> bool) -> Option<Value> {
    let length = text.get(at..)?.iter().position(|byte| ends(*byte))?;
    let range = trim(text, at..at + length);
    Some(Value { range, quote, wrapped: false, fallback: false, template: false })
}

/// The range without the blanks at its ends.
fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inner = &text[range.clone()];
    let lead = inner.len() - inner.trim_ascii_start().len();
    let start = range.start + lead;
    start..start + inner.trim_ascii().len()
}

/// A value in quotes of any kind, at `at`.
pub(super) fn quoted(text: &[u8], at: usize) -> Option<Value> {
    let mut cursor = Cursor::new(text, at);
    let _ = cursor.eat("(");
    for mark in ["&quot;", "&#34;", "&#39;"] {
        if cursor.eat(mark) {
            let length = memmem::find(cursor.rest(), mark.as_bytes())?;
            let range = cursor.at..cursor.at + length;
            return Some(Value { range, quote: Quote::Escaped, wrapped: false, fallback: false, template: false });
        }
    }
    // Prefixes: b"", r'', f"", L"", @"", $"", u8"", :'' of psql.
    let prefix =
        cursor.rest().iter().take(2).take_while(|byte| byte.is_ascii_alphanumeric() || b"@$&:".contains(byte)).count();
    let mut template = false;
    if cursor.peek(prefix).is_some_and(|byte| matches!(byte, b'"' | b'\'')) {
        let marks = &cursor.rest()[..prefix];
        template = marks.iter().any(|mark| matches!(mark, b'f' | b'F' | b'$'));
        cursor.at += prefix;
    }
    let slashes = cursor.rest().iter().take(8).take_while(|byte| **byte == b'\\').count();
    let mark = cursor.peek(slashes).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let mut start = cursor.at + slashes + 1;
    let mut run = 1;
    while run < 3 && text.get(start) == Some(&mark) {
        start += 1;
        run += 1;
    }
    if run == 2 {
        // Two backticks quote in Markdown and reStructuredText; two quotes are an empty text.
        if mark != b'`' {
            return None;
        }
    }
    let end = closing(text, start, mark, slashes, run)?;
    let quote = match mark {
        _ if slashes > 0 => Quote::Escaped,
        b'"' => Quote::Double,
        b'\'' => Quote::Single,
        _ => Quote::Back,
    };
    template |= mark == b'`' && run == 1;
    let range = if run == 3 { trim(text, start..end) } else { start..end };
    Some(Value { range, quote, wrapped: false, fallback: false, template })
}

/// Where the quote that closes begins, its backslashes included.
fn closing(text: &[u8], start: usize, mark: u8, slashes: usize, run: usize) -> Option<usize> {
    let mut at = start;
    let mut escapes = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => escapes += 1,
            b'\n' if run < 3 => return None,
            _ if byte == mark => {
                let closes = if slashes > 0 { escapes <= slashes } else { escapes % 2 == 0 };
                let complete = (1..run).all(|next| text.get(at + next) == Some(&mark));
                if closes && complete {
                    return Some(at - escapes.min(slashes));
                }
                escapes = 0;
            }
            _ => escapes = 0,
        }
        at += 1;
    }
    None
}

/// The password of `Credential("user", "password")` and of `auth=("user", "password")`.
fn second_argument(text: &[u8], first: &Value, link: Link) -> Option<Value> {
    let opened = text[..first.range.start].iter().rev().find(|byte| !matches!(byte, b'"' | b'\'' | b'b' | b' '));
    if link == Link::Comma || opened != Some(&b'(') {
        return None;
    }
    let mut cursor = Cursor::new(text, first.range.end);
    cursor.quote();
    cursor.eat(",").then_some(())?;
    cursor.white();
    let second = quoted(text, cursor.at)?;
    let mut after = Cursor::new(text, second.range.end);
    after.quote();
    after.blanks();
    (after.peek(0) == Some(b')')).then_some(second)
}

/// Of an object in JSON the longest text that may be a secret; any other value is left alone.
fn longest_member(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inner = &text[range.clone()];
    if !inner.starts_with(b"{") || !inner.ends_with(b"}") || inner.starts_with(b"{{") || inner.starts_with(b"{%") {
        return range;
    }
    let mut best = range.start..range.start;
    let mut start = range.start;
    for at in range.clone() {
        if matches!(text[at], b'"' | b'\'' | b'\\' | b' ' | b'{' | b'}' | b',') {
            if at - start > best.len() {
                best = start..at;
            }
            start = at + 1;
        }
    }
    if best.len() >= 12 { best } else { range }
}

/// A value that stands in for a missing one.
fn fallback(text: &[u8], at: usize) -> Option<Value> {
    let line = line(text, at, 120);
    let found = [" or ", "||", "??", "?:", ":-"].iter().find_map(|word| {
        let place = memmem::find(line, word.as_bytes())?;
        let mut cursor = Cursor::new(text, at + place + word.len());
        cursor.blanks();
        if *word == ":-" {
            let opens = line.starts_with(b"${") || line.starts_with(b"\"${");
            return opens.then(|| until(text, cursor.at, Quote::Bare, |byte| b"}\"\n".contains(&byte))).flatten();
        }
        quoted(text, cursor.at)
    });
    found.map(|value| Value { fallback: true, ..value })
}

/// The first text in the arguments of a call, or the default of a look-up in the environment; a list of bytes.
fn wrapped(text: &[u8], at: usize) -> Option<Value> {
    let line = line(text, at, 96);
    let called = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.:&*@ <>[](".contains(byte)).count();
    let opens = line[..called].iter().rposition(|byte| *byte == b'(');
    if let Some(opens) = opens {
        let callee = &line[..opens];
        let mut value = quoted(text, at + called)?;
        let is_lookup =
            ["env", "get", "config", "param", "input", "prompt", "setting", "lookup", "find", "option", "flag"]
                .iter()
                .any(|word| callee.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())));
        if is_lookup {
            // The first argument is a name; what stands in for it is the second.
            let mut cursor = Cursor::new(text, value.range.end);
            cursor.quote();
            cursor.blanks();
            cursor.eat(",").then_some(())?;
            cursor.blanks();
            value = Value { fallback: true, ..quoted(text, cursor.at)? };
        }
        return Some(Value { wrapped: true, ..value });
    }
    let digit = line.iter().take(48).position(u8::is_ascii_digit)?;
    let list = line[..digit].iter().rposition(|byte| *byte == b'{' || *byte == b'[').map(|place| at + place + 1)?;
    let is_bytes = |byte: u8| byte.is_ascii_hexdigit() || b" ,xX\n\r\t".contains(&byte);
    let length = text[list..].iter().take_while(|byte| is_bytes(**byte)).count();
    let body = &text[list..list + length];
    let numbers =
        body.split(|byte| *byte == b',').filter(|part| part.trim_ascii().first().is_some_and(u8::is_ascii_digit));
    let enough = numbers.count() >= 12;
    let range = trim(text, list..list + length);
    enough.then_some(Value { range, quote: Quote::Bytes, wrapped: true, fallback: false, template: false })
}

/// A value without quotes.
fn bare(text: &[u8], at: usize, link: Link, leads: bool) -> Option<Value> {
    let first = *text.get(at)?;
    if matches!(first, b'(' | b'[' | b',' | b';' | b')' | b']' | b'}' | b'=' | b'"' | b'\'' | b'`') || first <= b' ' {
        return None;
    }
    if link == Link::Space {
        return until(text, at, Quote::Bare, |byte| byte.is_ascii_whitespace() || b"\"'`;|&<>)".contains(&byte));
    }
    if !leads {
        return until(text, at, Quote::Bare, |byte| byte.is_ascii_whitespace() || b",;\"'`<>)]}&|\\".contains(&byte));
    }
    // A file may end with the value; a window that is full may not.
    let length = text[at..].iter().position(u8::is_ascii_whitespace)?;
    let mut end = at + length;
    while end > at && matches!(text[end - 1], b',' | b';' | b'\\') {
        end -= 1;
    }
    if end > at
        && matches!(text[end - 1], b'"' | b'\'')
        && text[at..end].iter().filter(|byte| **byte == text[end - 1]).count() == 1
    {
        end -= 1;
    }
    Some(Value { range: at..end, quote: Quote::Line, wrapped: false, fallback: false, template: false })
}

/// What is left of the line at `at`, at most so many bytes.
fn line(text: &[u8], at: usize, most: usize) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    let rest = &rest[..rest.len().min(most)];
    &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
}
