//! What the forest is told of a candidate.

use std::sync::OnceLock;

use super::candidate::Candidate;
use super::model::Model;
use super::names::{self, Kind};
use super::phrases::Phrases;
use super::shape::{self, Shape};

/// How many numbers there are.
pub const COUNT: usize = 99;

/// The numbers of one candidate, and the measures that `explain` tells of.
pub struct Features {
    /// In the order of [`collect`].
    pub values: [i16; COUNT],
    /// Of the value.
    pub shape: Shape,
}

/// Collects numbers in order.
struct Row {
    values: [i16; COUNT],
    filled: usize,
}

impl Row {
    fn push(&mut self, value: usize) {
        if let Some(place) = self.values.get_mut(self.filled) {
            *place = i16::try_from(value).unwrap_or(i16::MAX);
        }
        self.filled += 1;
    }

    fn flag(&mut self, value: bool) {
        self.push(usize::from(value));
    }

    fn bits(&mut self, bits: u32, count: u32) {
        for bit in 0..count {
            self.flag(bits >> bit & 1 == 1);
        }
    }
}

/// Measures a candidate. `secret` is the value, or what an encoding of it holds.
pub(super) fn collect(text: &[u8], candidate: &Candidate, secret: &[u8], model: &Model) -> Features {
    let shape = shape::measure(secret, model);
    let mut row = Row { values: [0; COUNT], filled: 0 };
    characters(&mut row, &shape);
    words(&mut row, &shape);
    edges(&mut row, secret);
    name(&mut row, text, candidate, secret);
    place(&mut row, text, candidate);
    debug_assert_eq!(row.filled, COUNT);
    Features { values: row.values, shape }
}

fn characters(row: &mut Row, shape: &Shape) {
    let share = |part: usize| (part * 100).checked_div(shape.length).unwrap_or(0);
    for count in [shape.length, shape.lower, shape.upper, shape.digits, shape.marks, shape.blanks, shape.foreign] {
        row.push(count);
    }
    for part in
        [shape.lower, shape.upper, shape.digits, shape.marks, shape.distinct, shape.changes, shape.longest_repeat]
    {
        row.push(share(part));
    }
    row.push(shape.entropy as usize);
    row.push(shape.distinct);
    row.push(shape.longest_repeat);
    row.push(shape.longest_sequence);
    row.push(shape.changes);
    row.push(shape.digit_runs);
    row.push(shape.digits_at_end);
    row.flag(shape.hexadecimal);
    row.flag(shape.base64);
    row.flag(shape.uuid);
}

fn words(row: &mut Row, shape: &Shape) {
    let reading = &shape.reading;
    row.push(reading.mean() as usize);
    row.push(reading.dearest as usize);
    row.push(reading.worst_run as usize);
    row.push(reading.runs as usize);
    row.push((reading.covered * 100).checked_div(reading.letters).unwrap_or(0) as usize);
    row.push((reading.letters - reading.covered.min(reading.letters)) as usize);
    row.push(reading.longest as usize);
    row.push((reading.letters * 10).checked_div(reading.runs).unwrap_or(0) as usize);
    row.push(shape.vowels);
    row.push(shape.consonants);
    row.push(shape.called);
    row.push(shape.stand_ins);
    row.push(shape.casing as usize);
}

fn edges(row: &mut Row, secret: &[u8]) {
    let class = |byte: Option<&u8>| match byte {
        None => 0,
        Some(b'a'..=b'z') => 1,
        Some(b'A'..=b'Z') => 2,
        Some(b'0'..=b'9') => 3,
        Some(b'/' | b'.' | b'~' | b'\\') => 4,
        Some(b'$' | b'%' | b'{' | b'<' | b'[' | b'(' | b'@' | b'#' | b'&' | b'*') => 5,
        Some(b':' | b'-' | b'_' | b'+') => 6,
        Some(b'=') => 7,
        Some(b'!' | b'?' | b')' | b']' | b'}' | b'>') => 8,
        Some(_) => 9,
    };
    row.push(class(secret.first()));
    row.push(class(secret.last()));
    let count = |marks: &[u8]| secret.iter().filter(|byte| marks.contains(byte)).count();
    row.push(count(b"()[]{}<>"));
    row.push(count(b"/\\"));
    row.push(count(b"."));
    row.push(count(b"_-"));
    row.push(count(b":"));
    row.push(count(b"="));
    row.push(count(b"$%"));
    row.push(count(b",;\"'`|"));
    row.push(count(b"!@#^&*?~+"));
}

fn name(row: &mut Row, text: &[u8], candidate: &Candidate, secret: &[u8]) {
    let name = &text[candidate.name.clone()];
    let (all, last) = names::groups(name);
    row.push(candidate.kind as usize);
    row.bits(all, 14);
    row.bits(last, 14);
    row.push(name.len());
    let (lower, upper) = (name.iter().any(u8::is_ascii_lowercase), name.iter().any(u8::is_ascii_uppercase));
    row.push(usize::from(lower) + 2 * usize::from(upper));
    let mut count = 0;
    names::split(name, |_| count += 1);
    row.push(count);
    let ends: &[&[u8]] = match candidate.kind {
        Kind::Password => &[b"pass", b"password", b"passwd", b"pwd", b"passphrase", b"passcode", b"pw"],
        Kind::Secret => &[b"secret", b"secrets"],
        Kind::Token => &[b"token"],
        Kind::Key => &[b"key"],
        Kind::Auth => &[b"auth", b"authorization"],
        Kind::Credential => &[b"credential", b"credentials", b"creds"],
        Kind::Salt => &[b"salt", b"nonce"],
        Kind::Scheme | Kind::Command => &[],
    };
    let trimmed = name.trim_ascii_end();
    let stem = &trimmed[..trimmed.len() - trimmed.iter().rev().take_while(|byte| byte.is_ascii_digit()).count()];
    row.flag(
        ends.iter().any(|end| stem.len() >= end.len() && stem[stem.len() - end.len()..].eq_ignore_ascii_case(end)),
    );
    row.flag(stem.len() < trimmed.len());
    row.flag(same(name, secret));
    let tail = name.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    row.flag(tail.len() > 3 && same(tail, secret));
}

/// Whether two identifiers are one, case and separators aside.
fn same(one: &[u8], other: &[u8]) -> bool {
    let letters = |text: &[u8]| text.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let plain = |text: &[u8], at: usize| {
        text.iter().filter(|byte| byte.is_ascii_alphanumeric()).nth(at).map(u8::to_ascii_lowercase)
    };
    let length = letters(one);
    length > 0 && length == letters(other) && (0..length).all(|at| plain(one, at) == plain(other, at))
}

/// Words that say that a line is a test or an example.
const TESTS: &[&[u8]] = &[b"test", b"example", b"mock", b"fake", b"dummy", b"sample", b"assert", b"expect", b"fixture"];
/// Words of declarations and texts of programs.
const CODE: &[&[u8]] = &[
    b"def ",
    b"func ",
    b"function",
    b"const ",
    b"let ",
    b"var ",
    b"val ",
    b"String ",
    b"return ",
    b"self",
    b"this.",
    b"new ",
    b"if ",
];

fn place(row: &mut Row, text: &[u8], candidate: &Candidate) {
    let (linked, value) = (&candidate.linked, &candidate.value);
    row.push(linked.link as usize);
    row.flag(linked.closed);
    row.flag(linked.spaced);
    row.flag(linked.typed);
    row.push(value.quote as usize);
    row.flag(value.wrapped);
    row.flag(value.fallback);
    row.flag(value.template);
    row.flag(candidate.leads);
    let before = &text[..candidate.name.start];
    let before = &before[memchr::memrchr(b'\n', before).map_or(0, |end| end + 1)..];
    let rest = &text[value.range.end..];
    let rest = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    let start = candidate.name.start - before.len();
    let line = &text[start..value.range.end + rest.len()];
    static WORDS: OnceLock<Phrases> = OnceLock::new();
    let met = WORDS.get_or_init(|| Phrases::new(TESTS.iter().chain(CODE))).met(line);
    let tests = (1 << TESTS.len()) - 1;
    row.flag(met & tests != 0);
    row.flag(met & !tests != 0);
    let lead = before.trim_ascii_start();
    row.push(match lead.first() {
        Some(b'#') => 1,
        Some(b'/' | b'*') => 2,
        Some(b'-') => 3,
        Some(b'{' | b'"') => 4,
        _ => 0,
    });
    let rest = rest.trim_ascii_start();
    let inner = rest
        .iter()
        .position(|byte| !matches!(byte, b'\\' | b'"' | b'\'' | b'`' | b' '))
        .map_or(&rest[..0], |at| &rest[at..]);
    row.push(match inner.first() {
        None | Some(b'\r') => 0,
        Some(b',') => 1,
        Some(b';') => 2,
        Some(b')' | b']' | b'}') => 3,
        Some(b'.' | b'(' | b'[' | b'+') => 4,
        Some(b'#' | b'/') => 5,
        Some(b'&' | b'|') => 6,
        Some(byte) if byte.is_ascii_alphanumeric() => 7,
        Some(_) => 8,
    });
    row.push(rest.split(u8::is_ascii_whitespace).count().min(20));
    row.push(before.len().min(64));
}
