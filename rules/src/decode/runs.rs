//! Runs of letters that stand for other bytes: base64, hexadecimal digits, UTF-16.
//!
//! A run is decoded where what comes out is ASCII, and as far as it is: that is what tells an encoded text from a long
//! name or a digest, and from the same run read from another letter on.

use std::ops::Range;

use super::layer::{Layer, Source};
use super::tables::{NO_SEXTET, SEXTETS, digit, is_letter};
use super::{MAX_PIECE, REWIND};

/// The whole units around `start..end` that pass: at most [`REWIND`] bytes to the left, and none of them before `done`.
fn stretch(text: &[u8], unit: Range<usize>, done: usize, passes: impl Fn(&[u8]) -> bool) -> Range<usize> {
    let Range { mut start, mut end } = unit;
    let step = end - start;
    let floor = done.max(unit.end.saturating_sub(REWIND));
    while start >= floor + step && passes(&text[start - step..start]) {
        start -= step;
    }
    while end - start < MAX_PIECE && text.get(end..end + step).is_some_and(&passes) {
        end += step;
    }
    start..end
}

fn is_ascii_quad(quad: &[u8]) -> bool {
    let sextet = |at: usize| SEXTETS[usize::from(quad[at])];
    // What is no letter has all bits set.
    sextet(0) & 0x20 == 0 && sextet(1) & 0x08 == 0 && sextet(2) & 0x02 == 0 && sextet(3) != NO_SEXTET
}

/// Base64 in either alphabet (RFC 4648), with the quads at both ends, of which only a part may be ASCII.
pub(super) fn base64(source: Source<'_>, at: usize, done: usize, layer: &mut Layer) -> Range<usize> {
    let text = source.text;
    let Range { mut start, end } = stretch(text, at - 3..at + 1, done, is_ascii_quad);
    if start >= 4 && text[start - 4..start].iter().all(|byte| is_letter(*byte)) {
        start -= 4;
    }
    let more = text[end..].iter().take(4).take_while(|byte| is_letter(**byte)).count();
    layer.restart(source, start);
    for quad in (start..end + more).step_by(4) {
        let letters = &text[quad..(quad + 4).min(end + more)];
        let word = letters.iter().fold(0, |word, letter| word << 6 | u32::from(SEXTETS[usize::from(*letter)]));
        let word = word << (6 * (4 - letters.len()));
        for byte in 0..letters.len().saturating_sub(1) {
            layer.push(source, (word >> (16 - 8 * byte)) as u8, quad + byte..quad + byte + 2);
        }
    }
    start..end
}

/// Hexadecimal digits of either case.
pub(super) fn hex(source: Source<'_>, at: usize, done: usize, layer: &mut Layer) -> Range<usize> {
    let value = |pair: &[u8]| Some(digit(pair[0]).filter(|high| *high < 8)? << 4 | digit(pair[1])?);
    let found = stretch(source.text, at - 1..at + 1, done, |pair| value(pair).is_some());
    layer.restart(source, found.start);
    // Digits that are no text: mostly zeros, as in a padded number.
    let is_text = |pair: &[u8]| value(pair).is_some_and(|byte| byte >= b' ');
    if source.text[found.clone()].chunks(2).filter(|pair| is_text(pair)).count() < super::MIN_DECODED {
        return found;
    }
    for pair in found.clone().step_by(2) {
        layer.push(source, value(&source.text[pair..pair + 2]).unwrap_or(0), pair..pair + 2);
    }
    found
}

/// UTF-16 of either byte order, as far as it is ASCII: every second byte is zero.
pub(super) fn utf16(source: Source<'_>, at: usize, done: usize, layer: &mut Layer) -> Range<usize> {
    let text = source.text;
    let found = stretch(text, at - 1..at + 1, done, |pair| matches!(pair[0], 1..0x80) && pair[1] == 0);
    // The letter behind the last zero, where the zeros come first.
    let last = text.get(found.end).copied().filter(|byte| matches!(byte, 1..0x80));
    layer.restart(source, found.start);
    for letter in found.clone().step_by(2) {
        layer.push(source, text[letter], letter..letter + 1);
    }
    if let Some(byte) = last {
        layer.push(source, byte, found.end..found.end + 1);
    }
    found
}
