//! A name with a value: what may be a secret, before anything is said of the value.

use std::ops::Range;

use memchr::memmem;

use super::link::{self, Cursor, Link, Linked};
use super::names::{self, Kind};
use super::value::{self, Quote, Value};

/// A name, what ties it to a value, and the value.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What the name promises.
    pub kind: Kind,
    /// The whole name.
    pub name: Range<usize>,
    /// What ties them together.
    pub linked: Linked,
    /// The value.
    pub value: Value,
    /// Whether the name is the first thing on its line.
    pub leads: bool,
}

/// Reads the candidate of the keyword at `at`.
pub(super) fn find(text: &[u8], at: usize) -> Option<Candidate> {
    let (length, kind) = names::find(text, at)?;
    let keyword = at..at + length;
    match kind {
        Kind::Scheme => return scheme(text, keyword),
        Kind::Command => return command(text, keyword),
        _ => {}
    }
    if names::is_another_word(text, keyword.clone()) {
        return None;
    }
    let name = names::whole(text, keyword);
    if text[name.clone()].trim_ascii().eq_ignore_ascii_case(b"key") {
        return None;
    }
    let before = name.start.checked_sub(1).map(|place| text[place]);
    let linked = link::read(text, name.end, before)?;
    let is_flag = text[name.start] == b'-';
    if linked.link == Link::Space && text[name.clone()].ends_with(b"sshpass") {
        return option(text, kind, name.clone(), name.end, &["-p"]);
    }
    let leads = leads(&text[..name.start]);
    let value = value::read(text, linked.at, linked.link, leads)?;
    if linked.link == Link::Comma && names_next(text, value.range.end) {
        return None;
    }
    if linked.link == Link::Space && value.quote == Quote::Bare && !is_flag && !follows_login(&text[..name.start]) {
        return None;
    }
    let value = Value { range: without_scheme(text, value.range.clone(), kind)?, ..value };
    Some(Candidate { kind, name, linked, value, leads })
}

/// Whether the text that ends at `end` is the name of the next member: `"kind": "auth", "id": "…"`.
fn names_next(text: &[u8], end: usize) -> bool {
    let mut cursor = Cursor::new(text, end);
    let closed = cursor.quote();
    cursor.blanks();
    closed && cursor.peek(0) == Some(b':')
}

/// Whether nothing but marks, list signs and words that assign stand before a name on its line.
fn leads(before: &[u8]) -> bool {
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |end| end + 1)..];
    let words = [&b"export"[..], b"set", b"env", b"arg", b"-e", b"local", b"readonly", b"declare"];
    line.split(|byte| matches!(byte, b' ' | b'\t')).all(|word| {
        word.iter().all(u8::is_ascii_punctuation) || words.iter().any(|known| word.eq_ignore_ascii_case(known))
    })
}

/// Whether the line is one of a `.netrc`, `login NAME password`, or sets a variable, as `\\set NAME` of psql does.
fn follows_login(before: &[u8]) -> bool {
    let tail = before[before.len().saturating_sub(80)..].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let starts = [&b"\\set "[..], b"setenv ", b"ENV ", b"ARG "];
    starts.iter().any(|word| tail.starts_with(word)) || memmem::find(tail, b"login ").is_some()
}

/// The value without the scheme of an `Authorization` header; `None` where the scheme is a keyword of its own.
fn without_scheme(text: &[u8], range: Range<usize>, kind: Kind) -> Option<Range<usize>> {
    if kind != Kind::Auth && kind != Kind::Token {
        return Some(range);
    }
    let mut cursor = Cursor::new(&text[..range.end], range.start);
    if cursor.eat("basic ") || cursor.eat("bearer ") || cursor.eat("digest ") {
        return None;
    }
    let _ = cursor.eat("token ") || cursor.eat("apikey ") || cursor.eat("key=");
    Some(cursor.at..range.end)
}

/// `Basic dXNlcjpwYXNzd29yZA==`
fn scheme(text: &[u8], keyword: Range<usize>) -> Option<Candidate> {
    if keyword.start > 0 && text[keyword.start - 1].is_ascii_alphanumeric() {
        return None;
    }
    let linked = Linked { link: Link::Scheme, at: keyword.end, closed: false, spaced: false, typed: false };
    let value = value::read(text, keyword.end, Link::Scheme, false)?;
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_.~".contains(byte);
    let enough = value.range.len() >= 8 && text[value.range.clone()].iter().all(is_token);
    enough.then_some(Candidate {
        kind: Kind::Scheme,
        name: keyword.start..keyword.end - 1,
        linked,
        value,
        leads: false,
    })
}

/// `mysql -pX`, `curl -u user:X`, `docker login -p X`
fn command(text: &[u8], keyword: Range<usize>) -> Option<Candidate> {
    let word = text[keyword.start].to_ascii_lowercase();
    let end = keyword.end;
    let options: &[&str] = match word {
        b'm' => &["-p"],
        b'd' => &["-p "],
        _ => &["-u", "--user", "--proxy-user", "-U"],
    };
    let found = option(text, Kind::Command, keyword, end, options)?;
    if matches!(word, b'm' | b'd') {
        return Some(found);
    }
    let inner = &text[found.value.range.clone()];
    let colon = inner.iter().position(|byte| *byte == b':')?;
    let is_user = inner[..colon].iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+%${}".contains(byte));
    let range = found.value.range.start + colon + 1..found.value.range.end;
    (is_user && !range.is_empty()).then_some(Candidate { value: Value { range, ..found.value }, ..found })
}

/// The value of one of `options` of a command, on its line.
fn option(text: &[u8], kind: Kind, name: Range<usize>, end: usize, options: &[&str]) -> Option<Candidate> {
    let rest = &text[end..];
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let at = line.windows(2).enumerate().find_map(|(place, pair)| {
        let starts = pair == b" -";
        let mut cursor = Cursor::new(text, end + place + 1);
        let found = starts && options.iter().any(|option| cursor.eat(option));
        found.then_some(cursor.at)
    });
    let at = at.or_else(|| {
        let mut cursor = Cursor::new(text, end);
        cursor.blanks();
        options.iter().any(|option| cursor.eat(option)).then_some(cursor.at)
    })?;
    let mut cursor = Cursor::new(text, at);
    let glued = cursor.blanks() == 0;
    if kind == Kind::Command && glued && cursor.eat("=") {
        cursor.blanks();
    }
    let value = value::read(text, cursor.at, Link::Command, false)?;
    let is_option = text[value.range.clone()].starts_with(b"-");
    let linked = Linked { link: Link::Command, at: cursor.at, closed: false, spaced: !glued, typed: false };
    // `mysql -p` alone asks; what follows is the database.
    let asks = kind == Kind::Command && options == ["-p"] && !glued;
    (!is_option && !asks && !value.range.is_empty()).then_some(Candidate { kind, name, linked, value, leads: false })
}
