//! What a value looks like: its characters, and how much of it reads like words.

use std::sync::OnceLock;

use super::letters::{self, Reading};
use super::model::Model;
use super::names;
use super::phrases::Phrases;

/// Measures of a value. Counts are of bytes.
#[derive(Clone, Default, Debug)]
pub struct Shape {
    /// Its length.
    pub length: usize,
    /// Small letters.
    pub lower: usize,
    /// Capital letters.
    pub upper: usize,
    /// Digits.
    pub digits: usize,
    /// Other visible ASCII.
    pub marks: usize,
    /// Blanks and control characters.
    pub blanks: usize,
    /// Bytes of other scripts.
    pub foreign: usize,
    /// Shannon entropy in hundredths of a bit a byte.
    pub entropy: u32,
    /// Different bytes.
    pub distinct: usize,
    /// The longest run of one byte.
    pub longest_repeat: usize,
    /// The longest run of neighbours: `abcd`, `4321`.
    pub longest_sequence: usize,
    /// Changes between small letters, capitals, digits and marks.
    pub changes: usize,
    /// How it reads.
    pub reading: Reading,
    /// Vowels among the letters, in hundredths.
    pub vowels: usize,
    /// The longest run of letters that are no vowels.
    pub consonants: usize,
    /// Whether it is made of hexadecimal digits of one case, letters and digits among them.
    pub hexadecimal: bool,
    /// Whether it is made of the letters of base64.
    pub base64: bool,
    /// Whether it is a UUID.
    pub uuid: bool,
    /// Digits at its end.
    pub digits_at_end: usize,
    /// Runs of digits.
    pub digit_runs: usize,
    /// Words that secrets are called: a value that says `password` is a name or a stand-in.
    pub called: usize,
    /// Words of examples and stand-ins.
    pub stand_ins: usize,
    /// How its words are joined.
    pub casing: Casing,
}

/// How the words of an identifier are joined.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Casing {
    /// It is no identifier.
    #[default]
    None,
    /// One word in one case, or with a capital first.
    Word,
    /// `snake_case`
    Snake,
    /// `SCREAMING_SNAKE_CASE`
    Screaming,
    /// `kebab-case`
    Kebab,
    /// `camelCase`
    Camel,
    /// `dotted.path`
    Dotted,
    /// `slashed/path`
    Slashed,
}

/// What values are called that are names or stand-ins.
const CALLED: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"passphrase",
    b"secret",
    b"token",
    b"credential",
    b"apikey",
    b"api_key",
    b"api-key",
    b"auth",
    b"pass",
    b"key",
    b"pwd",
    b"nonce",
    b"salt",
    b"cert",
];

/// Their bits where they are looked for together with stand-ins.
const CALLED_BITS: u128 = (1 << CALLED.len()) - 1;

/// Words of examples, tests and gaps to fill.
const STAND_INS: &[&[u8]] = &[
    b"test",
    b"example",
    b"sample",
    b"dummy",
    b"fake",
    b"mock",
    b"your",
    b"change",
    b"replace",
    b"insert",
    b"enter",
    b"todo",
    b"placeholder",
    b"default",
    b"redacted",
    b"hidden",
    b"foo",
    b"bar",
    b"baz",
    b"qux",
    b"xxx",
    b"***",
    b"...",
    b"abc",
    b"123",
    b"some",
    b"here",
    b"value",
    b"demo",
    b"admin",
    b"user",
    b"invalid",
    b"wrong",
    b"bad",
    b"bogus",
    b"random",
    b"secure",
    b"none",
    b"null",
    b"undefined",
    b"string",
    b"hello",
    b"qwert",
    b"asdf",
    b"valid",
    b"hunter",
    b"letmein",
    b"welcome",
    b"super",
    b"aaaa",
    b"deadbeef",
    b"<",
    b"my",
    b"generated",
    b"unset",
    b"empty",
    b"temp",
    b"client",
    b"access",
];

/// The kind of a byte, for counting changes.
fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        b' ' | b'\t' | b'\n' | b'\r' => 3,
        0x80.. => 4,
        _ => 5,
    }
}

/// Measures a value.
pub(super) fn measure(value: &[u8], model: &Model) -> Shape {
    let mut shape = Shape { length: value.len(), reading: letters::read(value, model), ..Shape::default() };
    count(value, &mut shape);
    runs(value, &mut shape);
    shape.entropy = entropy(value);
    let hex_lower = shape.upper == 0 && value.iter().all(u8::is_ascii_hexdigit);
    let hex_upper = shape.lower == 0 && value.iter().all(u8::is_ascii_hexdigit);
    shape.hexadecimal = (hex_lower || hex_upper) && shape.digits > 0;
    let bare = value.trim_ascii_end();
    let bare = bare.strip_suffix(b"==").or(bare.strip_suffix(b"=")).unwrap_or(bare);
    shape.base64 = bare.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte));
    shape.uuid = is_uuid(value);
    shape.digits_at_end = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    static WORDS: OnceLock<Phrases> = OnceLock::new();
    let met = WORDS.get_or_init(|| Phrases::new(CALLED.iter().chain(STAND_INS))).met(value);
    shape.called = (met & CALLED_BITS).count_ones() as usize;
    shape.stand_ins = (met & !CALLED_BITS).count_ones() as usize;
    shape.casing = casing(value, &shape);
    shape
}

fn count(value: &[u8], shape: &mut Shape) {
    let mut seen = [false; 256];
    let mut vowels = 0;
    for &byte in value {
        match class(byte) {
            0 => shape.lower += 1,
            1 => shape.upper += 1,
            2 => shape.digits += 1,
            4 => shape.foreign += 1,
            5 if byte > b' ' => shape.marks += 1,
            _ => shape.blanks += 1,
        }
        vowels += usize::from(matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u' | b'y'));
        seen[usize::from(byte)] = true;
    }
    shape.distinct = seen.iter().filter(|one| **one).count();
    shape.vowels = (vowels * 100).checked_div(shape.lower + shape.upper).unwrap_or(0);
}

fn runs(value: &[u8], shape: &mut Shape) {
    let (mut repeat, mut up, mut down, mut consonants) = (1, 1, 1, 0);
    shape.longest_repeat = value.len().min(1);
    shape.longest_sequence = value.len().min(1);
    for (at, &byte) in value.iter().enumerate() {
        let is_consonant = byte.is_ascii_alphabetic() && !b"aeiouyAEIOUY".contains(&byte);
        consonants = if is_consonant { consonants + 1 } else { 0 };
        shape.consonants = shape.consonants.max(consonants);
        let Some(before) = at.checked_sub(1).map(|place| value[place]) else {
            shape.digit_runs += usize::from(byte.is_ascii_digit());
            continue;
        };
        shape.changes += usize::from(class(before) != class(byte));
        shape.digit_runs += usize::from(byte.is_ascii_digit() && !before.is_ascii_digit());
        repeat = if byte == before { repeat + 1 } else { 1 };
        let alphanumeric = byte.is_ascii_alphanumeric();
        up = if alphanumeric && byte == before.wrapping_add(1) { up + 1 } else { 1 };
        down = if alphanumeric && byte.wrapping_add(1) == before { down + 1 } else { 1 };
        shape.longest_repeat = shape.longest_repeat.max(repeat);
        shape.longest_sequence = shape.longest_sequence.max(up).max(down);
    }
}

/// Shannon entropy in hundredths of a bit a byte, in integers alone.
fn entropy(value: &[u8]) -> u32 {
    let mut counts = [0_u32; 256];
    for &byte in value {
        counts[usize::from(byte)] += 1;
    }
    let length = value.len() as u32;
    if length == 0 {
        return 0;
    }
    let sum: u32 = counts.iter().filter(|count| **count > 1).map(|count| count * log2(*count)).sum();
    (log2(length) - sum / length) * 100 / 1024
}

/// The binary logarithm in 1024ths, by squaring; of small numbers.
fn log2(number: u32) -> u32 {
    let whole = number.ilog2();
    let mut mantissa = (u64::from(number) << 31) >> whole;
    let mut fraction = 0;
    for _ in 0..10 {
        mantissa = (mantissa * mantissa) >> 31;
        fraction <<= 1;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    (whole << 10) + fraction
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn casing(value: &[u8], shape: &Shape) -> Casing {
    let is_identifier = value.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && value.iter().all(|byte| names::in_name(*byte) || *byte == b'/');
    if !is_identifier {
        return Casing::None;
    }
    let has = |mark: u8| value.contains(&mark);
    match () {
        () if has(b'/') => Casing::Slashed,
        () if has(b'.') => Casing::Dotted,
        () if has(b'_') && shape.lower == 0 => Casing::Screaming,
        () if has(b'_') => Casing::Snake,
        () if has(b'-') => Casing::Kebab,
        () if shape.upper == 0 || shape.lower == 0 => Casing::Word,
        () if shape.upper == 1 && value[0].is_ascii_uppercase() => Casing::Word,
        () => Casing::Camel,
    }
}
