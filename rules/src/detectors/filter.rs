//! What a secret is not: a word, a stand-in, a sequence, a part of something longer.

use std::sync::OnceLock;

use super::spec::BOUNDARY;

/// Shannon entropy in bits a byte: 0 for equal bytes, at most 8.
pub(crate) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let length = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / length)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether nothing before `start` belongs to the same word: a word character does, unless it ends an escape (`\n`,
/// `\u003d`, `%3D`) or a colour of a terminal.
pub(crate) fn begins_word(text: &[u8], start: usize) -> bool {
    let before = &text[start.saturating_sub(BOUNDARY)..start];
    let Some(last) = before.last() else {
        return true;
    };
    if !last.is_ascii_alphanumeric() && *last != b'_' {
        return true;
    }
    let hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match before {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', a, b] => hex(&[*a, *b]),
        [.., b'\\', b'u', a, b, c, d] => hex(&[*a, *b, *c, *d]),
        [.., b'\\', b'x', a, b] => hex(&[*a, *b]),
        [head @ .., b'm'] => {
            let codes = head.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
            head[..head.len() - codes].ends_with(b"\x1b[")
        }
        _ => false,
    }
}

/// Whether nothing from `end` on belongs to the same word.
pub(crate) fn ends_word(text: &[u8], end: usize) -> bool {
    text.get(end).is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'_' && *next != b'-')
}

/// Why a text was made up by a person and is no secret; `None` where it looks random. `prefix` bytes at its start
/// are the same for every secret of its kind.
pub(crate) fn made_up(secret: &[u8], prefix: usize) -> Option<&'static str> {
    /// In longer texts a word may stand by chance.
    const LONG: usize = 200;
    let body = secret.get(prefix..).unwrap_or_default();
    if body.len() > LONG {
        return None;
    }
    if longest_run(body, |a, b| a == b) >= 6 || (body.len() >= 8 && distinct(body) <= 2.max(body.len() / 10)) {
        return Some("repeats");
    }
    let step = |by: i16| move |a: u8, b: u8| i16::from(b) - i16::from(a) == by;
    if longest_run(body, step(1)) >= 7 || longest_run(body, step(-1)) >= 7 {
        return Some("sequence");
    }
    let lower = body.to_ascii_lowercase();
    if STANDINS.iter().any(|standin| lower.windows(standin.len()).any(|window| window == standin.as_bytes())) {
        return Some("stand-in");
    }
    (in_words(&lower) * 10 >= lower.len() * 6).then_some("words")
}

/// Parts of stand-ins. Long enough that a random text hardly ever has one.
const STANDINS: &[&str] = &[
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "dummy",
    "sample",
    "redacted",
    "replace",
    "insert_",
    "insert-",
    "your_",
    "your-",
    "yourapi",
    "yourtoken",
    "yoursecret",
    "yourkey",
    "xxxxx",
    "***",
    ".....",
    "secret_key",
    "secret-key",
    "mysecret",
    "foobar",
    "qwerty",
    "testtest",
    "abcdef123",
    "123abc",
    "deadbeef",
    "000000",
    "12345678",
    "fake_",
    "fake-",
    "_fake",
    "-fake",
    "notreal",
    "not-a-real",
    "not_a_real",
    "goes_here",
    "goes-here",
    "_here",
    "-here",
];

fn longest_run(bytes: &[u8], follows: impl Fn(u8, u8) -> bool) -> usize {
    let (mut longest, mut run) = (0, 1);
    for pair in bytes.windows(2) {
        run = if follows(pair[0], pair[1]) { run + 1 } else { 1 };
        longest = longest.max(run);
    }
    longest
}

fn distinct(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

/// How many bytes of a lower-case text belong to common words of five letters or more, longest first.
fn in_words(lower: &[u8]) -> usize {
    const SHORTEST: usize = 5;
    const LONGEST: usize = 14;
    let words = words();
    let (mut at, mut covered) = (0, 0);
    while at + SHORTEST <= lower.len() {
        let fits = (SHORTEST..=LONGEST.min(lower.len() - at)).rev();
        let word = fits.into_iter().find(|length| words.binary_search(&&lower[at..at + length]).is_ok());
        covered += word.unwrap_or(0);
        at += word.unwrap_or(1);
    }
    covered
}

/// The words that are most usual in source code and its documentation, sorted.
fn words() -> &'static [&'static [u8]] {
    static WORDS: OnceLock<Vec<&'static [u8]>> = OnceLock::new();
    WORDS.get_or_init(|| include_str!("words.txt").lines().map(str::as_bytes).collect())
}

#[cfg(test)]
mod tests;
