//! How a value can be searched for: anywhere, only beside its name, or not at all.

use std::collections::BTreeSet;

use super::grams::MIN_PATTERN;
use crate::value::{Shape, is_guessable, shape};

/// How a value is searched for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Searchable {
    /// Wherever it stands, in every spelling.
    Anywhere,
    /// Only as a whole word within 64 bytes after a name of its item, and as it is: elsewhere it would be found by chance.
    NearItsName(Reason),
    /// Not at all.
    Not(Reason),
}

/// Why a value is not searched for wherever it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// Nothing there.
    Empty,
    /// Too short to be told from other text: under 8 bytes, and under 4 even beside its name.
    Short,
    /// A stand-in.
    Placeholder,
    /// A pointer to where the value is.
    Reference,
    /// Ciphertext, which is meant to be stored in the open.
    Encrypted,
    /// One of the usual defaults, or hardly any different letters.
    Guessable,
    /// Numbers, dates, versions, addresses.
    Digits,
    /// A path, a host, an address, a URL without a password.
    Locator,
    /// A word or a few, as names of things are.
    Words,
    /// A certificate or a public key.
    Public,
    /// It would need its name beside it, and has none that could be searched for.
    Nameless,
}

impl Reason {
    /// The reason, for "not searched for because it is …".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Short => "too short",
            Self::Placeholder => "a placeholder",
            Self::Reference => "a reference",
            Self::Encrypted => "encrypted",
            Self::Guessable => "easily guessed",
            Self::Digits => "a number or a date",
            Self::Locator => "a path, a host or an address",
            Self::Words => "made of words",
            Self::Public => "public",
            Self::Nameless => "easily guessed, with no name to look near",
        }
    }
}

/// Values that are set by default, or come first to mind.
const COMMON: &[&str] = &[
    "123456789a",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "abcd1234",
    "admin123",
    "admin1234",
    "adminadmin",
    "administrator",
    "changeit",
    "changeme1",
    "changeme123",
    "default123",
    "demo1234",
    "guest123",
    "iloveyou",
    "letmein1",
    "letmein123",
    "minioadmin",
    "p@ssw0rd",
    "p@ssword",
    "pass1234",
    "passw0rd",
    "password!",
    "password1",
    "password12",
    "password123",
    "password1234",
    "postgres123",
    "qwerty123",
    "qwertyuiop",
    "root1234",
    "rootroot",
    "secret123",
    "secret1234",
    "sunshine",
    "test1234",
    "testtest",
    "trustno1",
    "user1234",
    "vagrant1",
    "welcome1",
    "welcome123",
    "xxxxxxxx",
];

/// How a literal text can be searched for, were it to have a name.
pub(super) fn classify(text: &str) -> Searchable {
    match shape(text) {
        Shape::Empty | Shape::Unread => return Searchable::Not(Reason::Empty),
        Shape::Reference => return Searchable::Not(Reason::Reference),
        Shape::Encrypted => return Searchable::Not(Reason::Encrypted),
        Shape::Placeholder if text.len() >= 4 => return Searchable::NearItsName(Reason::Placeholder),
        Shape::Placeholder | Shape::Literal => {}
    }
    if text.contains("-----BEGIN") && !text.contains("PRIVATE KEY") {
        return Searchable::Not(Reason::Public);
    }
    match text.len() {
        0..4 => return Searchable::Not(Reason::Short),
        4..MIN_PATTERN => return Searchable::NearItsName(Reason::Short),
        _ => {}
    }
    let lower = text.to_lowercase();
    let reason = if text.chars().all(|c| c.is_ascii_digit() || ".:-/+TZ, ".contains(c)) {
        Some(Reason::Digits)
    } else if is_locator(text) {
        Some(Reason::Locator)
    } else if COMMON.contains(&lower.as_str()) || is_guessable(text) || is_sequence(&lower) {
        Some(Reason::Guessable)
    } else if is_words(text) {
        Some(Reason::Words)
    } else {
        None
    };
    reason.map_or(Searchable::Anywhere, Searchable::NearItsName)
}

/// Whether a text says where something is: a path, a host with or without a port, a mail address.
fn is_locator(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@/\\~*".contains(c);
    if text.contains("://") {
        return crate::value::url_password(text).is_none() && !text.contains('@');
    }
    if !text.chars().all(plain) {
        return false;
    }
    let is_path = ["/", "./", "../", "~/", "\\\\"].iter().any(|start| text.starts_with(start));
    is_path || is_host(text.rsplit('@').next().unwrap_or(text))
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    let labels: Vec<&str> = host.split('.').collect();
    let top = labels.last().copied().unwrap_or_default();
    let is_label = |label: &&str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
    };
    labels.len() > 1
        && labels.iter().all(is_label)
        && (2..=12).contains(&top.len())
        && top.chars().all(|c| c.is_ascii_lowercase())
        && port.chars().all(|c| c.is_ascii_digit() || c == '/')
}

/// Whether most neighbouring characters follow each other in the alphabet, on the keyboard or in the digits, or are equal.
fn is_sequence(lower: &str) -> bool {
    const ROWS: &[&str] =
        &["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1q2w3e4r5t6y7u8i9o0p"];
    let bytes = lower.as_bytes();
    let follows = |pair: &[u8]| {
        let near =
            |row: &&str| row.as_bytes().windows(2).any(|step| step == pair || (step[0], step[1]) == (pair[1], pair[0]));
        pair[0] == pair[1] || ROWS.iter().any(near)
    };
    let steps = bytes.windows(2).filter(|pair| follows(pair)).count();
    steps * 4 >= bytes.len().saturating_sub(1) * 3
}

/// Whether a text reads like the name of a thing: few short words, each of one case or with a capital first, digits
/// only at the end of a word, and vowels where words have them.
fn is_words(text: &str) -> bool {
    let words: Vec<&str> = text.split(['-', '_', '.', ' ', '/', ':', '@']).filter(|word| !word.is_empty()).collect();
    // Four words or more that are written out are a pass phrase; a name of that length is hardly met by chance either.
    if text.len() >= 28 && words.len() >= 4 && text.contains([' ', '-']) {
        return false;
    }
    words.iter().all(|word| is_word(word))
}

fn is_word(word: &str) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if word.len() - letters.len() > 4 || !letters.chars().all(|c| c.is_ascii_alphabetic()) {
        return false;
    }
    let rest = letters.get(1..).unwrap_or_default();
    let one_case = rest.chars().all(|c| c.is_ascii_lowercase()) || letters.chars().all(|c| c.is_ascii_uppercase());
    one_case && (letters.len() < 4 || is_pronounceable(&letters.to_ascii_lowercase()))
}

/// Whether letters alternate between vowels and consonants about as they do in a language, and are not too many for a word.
fn is_pronounceable(letters: &str) -> bool {
    let vowel = |c: &char| "aeiouy".contains(*c);
    let vowels = letters.chars().filter(vowel).count();
    let mut longest = 0;
    let mut run = 0;
    for c in letters.chars() {
        run = if vowel(&c) { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    let rare = letters.chars().filter(|c| "jqxz".contains(*c)).collect::<BTreeSet<char>>().len();
    letters.len() <= 20 && vowels * 5 >= letters.len() && longest <= 4 && rare <= 1
}
