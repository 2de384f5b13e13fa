//! Where something may be encoded: one pass over the bytes with sets of them as bit masks, 64 bytes at a time.

use std::ops::Range;

use super::tables::{ASCII_QUADS, PLAIN, Plain, Quads, decodes_percent};
use crate::simd::{BLOCK, masks};

/// A place at which a kind of decoding is worth a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trigger {
    pub(super) kind: Kind,
    pub(super) at: usize,
}

/// The kinds of decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The last letter of five quads that are ASCII in base64.
    Base64,
    /// The last digit of twelve pairs that are ASCII in hexadecimal.
    Hex,
    /// A zero among letters in UTF-16.
    Utf16,
    /// The percent sign of an escape.
    Percent,
    /// The letter of `\u` or `\x`.
    Backslash,
    /// The ampersand of `&#`.
    Entity,
    /// A byte of what may join two pieces of a value: the second quote, the line break, the `n` of `\n`.
    Joint,
}

/// Bits of an earlier block that a later one needs.
#[derive(Default)]
struct Carry {
    alphabet: [u64; 5],
    quote: u64,
    backslash: u64,
    before_break: u64,
    run_of_24: u64,
    joiners: bool,
    /// Single zeros, and two with one letter between them.
    zeros: [u64; 2],
    not_zero: u64,
}

/// `now` moved on by `by` bits, with those of the block before.
#[inline(always)]
fn after(now: u64, before: u64, by: u32) -> u64 {
    now << by | before >> (64 - by)
}

/// Adds the triggers of `window` in the order of their blocks.
pub(super) fn find(text: &[u8], window: Range<usize>, sets: &mut Vec<Plain>, triggers: &mut Vec<Trigger>) {
    let mut carry = Carry::default();
    sets.resize(CHUNK / BLOCK, Plain::default());
    let mut start = window.start;
    while start < window.end {
        let chunk = &text[start..window.end.min(start + CHUNK)];
        let count = masks(chunk, &PLAIN, sets);
        for (number, set) in sets[..count].iter().enumerate() {
            block(text, start + number * BLOCK, window.end, set, &mut carry, triggers);
        }
        start += CHUNK;
    }
}

const CHUNK: usize = 4096;

#[inline(always)]
fn block(text: &[u8], at: usize, end: usize, set: &Plain, carry: &mut Carry, triggers: &mut Vec<Trigger>) {
    let [alphabet, quote, joiner, line_break, backslash, letter, sign, comma, zero] = *set;
    // Runs of 2, 4, 8, 16 letters, and from them of 20 and of 24.
    let twos = alphabet & after(alphabet, carry.alphabet[0], 1);
    let fours = twos & after(twos, carry.alphabet[1], 2);
    let eights = fours & after(fours, carry.alphabet[2], 4);
    let sixteens = eights & after(eights, carry.alphabet[3], 8);
    let run_of_20 = sixteens & after(fours, carry.alphabet[2], 16);
    let run_of_24 = sixteens & after(eights, carry.alphabet[3], 16);
    let comma_after_quote = comma & after(quote, carry.quote, 1);
    let before_break = backslash | run_of_24 | comma_after_quote;
    let escape = letter & after(backslash, carry.backslash, 1);
    let breaks = line_break & after(before_break, carry.before_break, 1);
    // `\n` after a run, also with its backslash escaped once or twice.
    let near_run = |by: u32| after(run_of_24, carry.run_of_24, by);
    let escaped_break = escape & (near_run(2) | near_run(3) | near_run(5));
    // Adding the first joiner to a run of them carries to the byte behind it.
    let first_joiners = joiner & after(quote, carry.quote, 1) | u64::from(carry.joiners);
    let (behind, joiners) = joiner.overflowing_add(first_joiners);
    let quotes = quote & (behind & !joiner | after(quote, carry.quote, 1));
    let not_zero = !zero;
    let pairs = zero & after(not_zero, carry.not_zero, 1);
    let two_pairs = pairs & after(pairs, carry.zeros[0], 2);
    let wide = two_pairs & after(two_pairs, carry.zeros[1], 4);
    *carry = Carry {
        alphabet: [alphabet, twos, fours, eights, sixteens],
        quote,
        backslash,
        before_break,
        run_of_24,
        joiners,
        zeros: [pairs, two_pairs],
        not_zero,
    };
    if run_of_20 != 0 {
        runs(text, at, end, triggers);
    }
    let mut add = |mut bits: u64, kind: Kind| {
        while bits != 0 {
            triggers.push(Trigger { kind, at: at + bits.trailing_zeros() as usize });
            bits &= bits - 1;
        }
    };
    if wide != 0 {
        add(wide, Kind::Utf16);
    }
    if breaks | quotes | escaped_break != 0 {
        add(breaks | quotes | escaped_break, Kind::Joint);
    }
    if sign | escape != 0 {
        signs(text, at, sign | escape, triggers);
    }
}

/// The escapes among the places of `bits`.
#[inline(never)]
fn signs(text: &[u8], at: usize, mut bits: u64, triggers: &mut Vec<Trigger>) {
    while bits != 0 {
        let at = at + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let next = |by: usize| text.get(at + by).copied().unwrap_or(0);
        let kind = match text.get(at) {
            Some(b'%') if decodes_percent(text, at) => Kind::Percent,
            Some(b'&') if next(1) == b'#' && (next(2).is_ascii_digit() || next(2) | 0x20 == b'x') => Kind::Entity,
            Some(b'u' | b'U' | b'x') if next(1).is_ascii_hexdigit() || next(1) == b'{' => Kind::Backslash,
            _ => continue,
        };
        triggers.push(Trigger { kind, at });
    }
}

/// The letters of a block that end five quads of ASCII in base64, or twelve pairs of ASCII in hexadecimal.
#[inline(never)]
fn runs(text: &[u8], at: usize, end: usize, triggers: &mut Vec<Trigger>) {
    let start = at.saturating_sub(BLOCK);
    let mut sets = [Quads::default(); 2];
    masks(&text[start..end.min(at + BLOCK)], &ASCII_QUADS, &mut sets);
    let [first, second] = sets;
    // A block without one before it is the first of the text.
    let (before, now) = if start < at { (first, second) } else { (Quads::default(), first) };
    let moved = |set: usize, by: u32| after(now[set], before[set], by);
    let early = |set: usize, by: u32| before[set] << by;
    let quads = [before[3] & early(2, 1) & early(1, 2) & early(0, 3), now[3] & moved(2, 1) & moved(1, 2) & moved(0, 3)];
    let twice = |[before, now]: [u64; 2], by: u32| [before & before << by, now & after(now, before, by)];
    let two_quads = twice(quads, 4);
    let four_quads = twice(two_quads, 8);
    let base64 = four_quads[1] & after(quads[1], quads[0], 16);
    let pairs = [before[4] & early(5, 1), now[4] & moved(5, 1)];
    let eight_pairs = twice(twice(twice(pairs, 2), 4), 8);
    let four_pairs = twice(twice(pairs, 2), 4);
    let hex = eight_pairs[1] & after(four_pairs[1], four_pairs[0], 16);
    for (kind, mut bits) in [(Kind::Base64, base64), (Kind::Hex, hex)] {
        while bits != 0 {
            triggers.push(Trigger { kind, at: at + bits.trailing_zeros() as usize });
            bits &= bits - 1;
        }
    }
}
