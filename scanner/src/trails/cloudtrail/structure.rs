//! Where a JSON value ends, found by its quotes and brackets alone, 64 bytes at a time.

use keytrail_rules::simd::{BLOCK, Set, masks};

const QUOTE: usize = 0;
const BACKSLASH: usize = 1;
const OPEN: usize = 2;
const CLOSE: usize = 3;
const CONTROL: usize = 4;

const SETS: [Set; 5] =
    [Set::new(b"\""), Set::new(b"\\"), Set::new(b"{["), Set::new(b"}]"), Set::new(&control_characters())];

const fn control_characters() -> [u8; 32] {
    let mut all = [0; 32];
    let mut at = 0;
    while at < all.len() {
        all[at] = at as u8;
        at += 1;
    }
    all
}

/// Blocks whose masks are made at once.
const PAGE: usize = 64;

/// The quotes and brackets of a text.
pub(super) struct Structure<'a> {
    text: &'a [u8],
    /// The page that `masks` is of.
    page: usize,
    masks: Box<[[u64; SETS.len()]; PAGE]>,
}

/// Why the end of a value was not found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unclosed {
    /// The text ends before.
    End,
    /// There is a control character within a string, which no JSON has.
    Control,
}

impl<'a> Structure<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, page: usize::MAX, masks: Box::new([[0; SETS.len()]; PAGE]) }
    }

    /// One past the bracket that closes the one at `start`. Which kind of bracket closes which is not looked at.
    ///
    /// # Errors
    /// A text that does not get there before `end`.
    pub(super) fn close(&mut self, start: usize, end: usize) -> Result<usize, Unclosed> {
        let mut keep = !0 << (start % BLOCK);
        let mut depth = 0;
        let (mut inside, mut escape) = (0, false);
        for block in start / BLOCK..end.min(self.text.len()).div_ceil(BLOCK) {
            let of = *self.block(block);
            let mut quotes = of[QUOTE] & keep;
            let backslashes = of[BACKSLASH] & keep;
            if backslashes != 0 || escape {
                quotes &= !escaped(backslashes, &mut escape);
            }
            // From each opening quote up to before the closing one.
            let strings = running_parity(quotes) ^ inside;
            inside = 0_u64.wrapping_sub(strings >> (BLOCK - 1));
            let (mut opens, mut closes) = (of[OPEN] & !strings & keep, of[CLOSE] & !strings & keep);
            let controls = of[CONTROL] & strings & keep;
            if controls != 0 {
                let before = (controls & controls.wrapping_neg()) - 1;
                (opens, closes) = (opens & before, closes & before);
            }
            if closes.count_ones() < depth {
                depth = depth + opens.count_ones() - closes.count_ones();
            } else if let Some(bit) = closing_bit(opens, closes, &mut depth) {
                let at = block * BLOCK + bit + 1;
                return if at <= end { Ok(at) } else { Err(Unclosed::End) };
            }
            if controls != 0 {
                return Err(Unclosed::Control);
            }
            keep = !0;
        }
        Err(Unclosed::End)
    }

    fn block(&mut self, block: usize) -> &[u64; SETS.len()] {
        let page = block / PAGE;
        if page != self.page {
            let start = page * PAGE * BLOCK;
            let end = (start + PAGE * BLOCK).min(self.text.len());
            masks(&self.text[start..end], &SETS, &mut self.masks[..]);
            self.page = page;
        }
        &self.masks[block % PAGE]
    }
}

/// The bit at which the depth comes down to none.
fn closing_bit(opens: u64, closes: u64, depth: &mut u32) -> Option<usize> {
    let mut both = opens | closes;
    while both != 0 {
        let bit = both.trailing_zeros();
        if opens >> bit & 1 != 0 {
            *depth += 1;
        } else {
            *depth = depth.saturating_sub(1);
            if *depth == 0 {
                return Some(bit as usize);
            }
        }
        both &= both - 1;
    }
    None
}

/// The characters after a backslash that is not itself escaped; `escape` says so of the first of this block, then of the next.
fn escaped(backslashes: u64, escape: &mut bool) -> u64 {
    let mut escaped = u64::from(*escape);
    let mut rest = backslashes & !escaped;
    *escape = false;
    while rest != 0 {
        let after = rest.trailing_zeros() + 1;
        if after == u64::BITS {
            *escape = true;
            break;
        }
        escaped |= 1 << after;
        rest &= rest - 1;
        rest &= !(1 << after);
    }
    escaped
}

/// For each bit, whether the bits up to it are odd in number.
fn running_parity(mut bits: u64) -> u64 {
    for distance in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << distance;
    }
    bits
}
