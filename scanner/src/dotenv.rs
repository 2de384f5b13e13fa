//! A lossless lexer for dotenv files: every byte is in exactly one line, so that one value can be rewritten in place.
//!
//! It reads what Node's dotenv, python-dotenv, dotenvy and Compose agree on: `export`, white space around `=`,
//! comments on their own line or after white space, and values that are bare or in single quotes, double quotes or
//! backticks. A quoted value may span lines. Escapes count in double quotes alone, and every quoted value has its
//! `\r\n` read as `\n`, so that one value gives one fingerprint whatever the checkout did to it.

use std::ops::Range;

use keytrail_rules::model::Secret;

pub mod edit;
#[cfg(test)]
mod tests;

/// A line of a file, or the several that a quoted value spans.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its bytes, with the line end. The spans of a file's lines follow each other without a hole.
    pub span: Range<usize>,
    /// What it holds.
    pub kind: LineKind,
}

/// What a [`Line`] holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// White space.
    Blank,
    /// `# …`.
    Comment,
    /// `KEY=value`.
    Assignment(Assignment),
    /// None of these.
    Broken(Fault),
}

/// `KEY=value`, by its bytes in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// The name, without `export`.
    pub key: Range<usize>,
    /// The value as written, without the quotes around it.
    pub value: Range<usize>,
    /// The quotes around it.
    pub quote: Option<Quote>,
}

/// The quotes around a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quote {
    /// `'…'`: literal.
    Single,
    /// `"…"`: with escapes.
    Double,
    /// `` `…` ``: literal.
    Backtick,
}

impl Quote {
    /// The quote that a value starts with.
    pub fn opening(value: &str) -> Option<Self> {
        match value.as_bytes().first()? {
            b'\'' => Some(Self::Single),
            b'"' => Some(Self::Double),
            b'`' => Some(Self::Backtick),
            _ => None,
        }
    }

    /// The character.
    pub fn as_char(self) -> char {
        match self {
            Self::Single => '\'',
            Self::Double => '"',
            Self::Backtick => '`',
        }
    }
}

/// Why a line is none of those that a dotenv file may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No `=`.
    NoEquals,
    /// What stands before the `=` is no name.
    BadName,
    /// The quote that opens the value is never closed.
    OpenQuote,
    /// More text follows the closing quote.
    TextAfterQuote,
}

impl Assignment {
    /// The value that a program gets, of the file's `text` that this was read from.
    pub fn read(&self, text: &str) -> Secret {
        let raw = &text[self.value.clone()];
        match self.quote {
            Some(quote) => unquote(raw, quote),
            None => Secret::from(raw),
        }
    }
}

/// Reads a dotenv file, line by line. Any text is read: what is no dotenv becomes [`LineKind::Broken`], and a quote
/// that is never closed breaks its own line alone.
pub fn parse(text: &str) -> impl Iterator<Item = Line> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        (start < text.len()).then(|| {
            let (kind, end) = lex(text, start);
            at = end;
            Line { span: start..end, kind }
        })
    })
}

/// The line that starts at `start`, and where the next one starts.
fn lex(text: &str, start: usize) -> (LineKind, usize) {
    let end = next_line(text, start);
    let content = text[start..end].trim_end();
    let body = content.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if body.is_empty() {
        return (LineKind::Blank, end);
    }
    if body.starts_with('#') {
        return (LineKind::Comment, end);
    }
    let content_end = start + content.len();
    let named = without_export(body);
    let key_start = content_end - named.len();
    let key_end = key_start + named.find(|c: char| !is_key_char(c)).unwrap_or(named.len());
    let Some(raw) = text[key_end..content_end].trim_start().strip_prefix('=').filter(|_| key_end > key_start) else {
        return (LineKind::Broken(if body.contains('=') { Fault::BadName } else { Fault::NoEquals }), end);
    };
    let key = key_start..key_end;
    let value = raw.trim_start();
    let value_start = content_end - value.len();
    let Some(quote) = Quote::opening(value) else {
        let len = bare_len(value, value.len() < raw.len());
        // An empty value stands right after the `=`, where a new one belongs, and not after the white space.
        let start = if len == 0 { content_end - raw.len() } else { value_start };
        let value = start..start + len;
        return (LineKind::Assignment(Assignment { key, value, quote: None }), end);
    };
    let Some(close) = closing_quote(text, value_start + 1, quote) else {
        return (LineKind::Broken(Fault::OpenQuote), end);
    };
    let quoted_end = next_line(text, close);
    let rest = text[close + 1..quoted_end].trim();
    if !rest.is_empty() && !rest.starts_with('#') {
        // A quote that closes in the middle of a later line is the one that opens a value there.
        return (LineKind::Broken(if close < end { Fault::TextAfterQuote } else { Fault::OpenQuote }), end);
    }
    (LineKind::Assignment(Assignment { key, value: value_start + 1..close, quote: Some(quote) }), quoted_end)
}

/// Where the line after the one of `at` starts.
pub(crate) fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// `KEY=…` of `export KEY=…`; a variable may itself be named `export`.
pub(crate) fn without_export(body: &str) -> &str {
    body.strip_prefix("export")
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .map(str::trim_start)
        .filter(|rest| rest.starts_with(is_key_char))
        .unwrap_or(body)
}

pub(crate) fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.-".contains(c)
}

/// The length of a bare value: up to a `#` after white space, without the white space at its end.
pub(crate) fn bare_len(value: &str, after_space: bool) -> usize {
    let mut space = after_space;
    let comment = value.find(|c: char| {
        let starts = c == '#' && space;
        space = c.is_whitespace();
        starts
    });
    value[..comment.unwrap_or(value.len())].trim_end().len()
}

/// The next quote of that kind that no backslash escapes. Backslashes escape in double quotes alone.
pub(crate) fn closing_quote(text: &str, from: usize, quote: Quote) -> Option<usize> {
    if quote != Quote::Double {
        return text[from..].find(quote.as_char()).map(|at| from + at);
    }
    let mut at = from;
    loop {
        at += text.as_bytes().get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if text.as_bytes()[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The value of what stands between quotes.
pub(crate) fn unquote(raw: &str, quote: Quote) -> Secret {
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('\r', Some('\n')) => {}
            ('\\', Some(escaped)) if quote == Quote::Double => {
                let meant = match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '\\' | '"' | '\'' | '`' | '$' => escaped,
                    _ => {
                        value.push('\\');
                        continue;
                    }
                };
                value.push(meant);
                chars.next();
            }
            _ => value.push(c),
        }
    }
    Secret::new(value)
}
