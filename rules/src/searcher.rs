//! Everything that leaks are searched for, as one [`Search`]: the inventory's own values, and what detectors recognise,
//! in the text as it is and in what is encoded in it.

use std::ops::Range;

use crate::decode;
use crate::detectors::{Detectors, settle};
use crate::known_values::KnownValues;
use crate::model::Secret;
use crate::search::{Found, Hit, Hits, LongAnchor, Search};

/// So many bytes are searched for everything before the next, so that they stay in the processor's cache.
const STEP: usize = 64 << 10;

/// What takes more than this in its encoding is not looked for by detectors, in bytes: beside a change no more is decoded.
const LONGEST_ENCODED: usize = 400;

/// Known values and detectors together.
pub struct Searcher {
    /// What recognises secrets that nobody inventoried.
    pub detectors: Detectors,
    /// The values of the inventory.
    pub known: KnownValues,
}

/// Buffers that are kept between calls.
#[derive(Default)]
pub struct Scratch {
    decode: decode::Scratch,
    /// What the detectors found in a piece of decoded text.
    inner: Hits,
}

impl Searcher {
    /// Adds what is found in a piece of decoded text, at the place that it comes from.
    fn search_decoded(&self, text: &[u8], piece: &decode::Decoded<'_>, inner: &mut Hits, out: &mut Hits) {
        let bytes = piece.bytes();
        let mut push = |found, value: Range<usize>, depends: Range<usize>, decoded| {
            let (Some(value), Some(depends)) = (piece.origin(value), piece.origin(depends)) else { return };
            let start = depends.start.saturating_sub(decode::CONTEXT);
            let end = text.len().min(depends.end + decode::CONTEXT);
            out.hits.push(Hit { found, value, depends: start..end, decoded });
        };
        self.known.search_plain(bytes, 0..bytes.len(), &mut |hit| {
            push(Found::Known(hit.id), hit.value, hit.depends, None);
        });
        if self.detectors.is_empty() {
            return;
        }
        self.detectors.search(bytes, 0..bytes.len(), &mut (), inner);
        inner.long.clear();
        for hit in inner.hits.drain(..) {
            if piece.origin(hit.value.clone()).is_none_or(|origin| origin.len() > LONGEST_ENCODED) {
                continue;
            }
            let secret = String::from_utf8_lossy(&bytes[hit.value.clone()]).into_owned();
            push(hit.found, hit.value.clone(), hit.value, Some(Secret::new(secret)));
        }
    }
}

impl Search for Searcher {
    type Scratch = Scratch;

    fn margin(&self) -> usize {
        self.detectors.margin().max(self.known.margin())
    }

    fn reach(&self) -> usize {
        self.detectors.reach().max(self.known.reach())
    }

    fn search(&self, text: &[u8], changed: Range<usize>, scratch: &mut Scratch, out: &mut Hits) {
        let Scratch { decode, inner } = scratch;
        for start in changed.clone().step_by(STEP) {
            let step = start..changed.end.min(start + STEP);
            self.known.search_plain(text, step.clone(), &mut |hit| {
                let found = Found::Known(hit.id);
                out.hits.push(Hit { found, value: hit.value, depends: hit.depends, decoded: None });
            });
            if !self.detectors.is_empty() {
                self.detectors.search(text, step.clone(), &mut (), out);
            }
            decode::for_each_decoded(text, step, decode, &mut |piece| self.search_decoded(text, piece, inner, out));
        }
    }

    fn recheck(&self, text: &[u8], anchor: &LongAnchor, _: &mut Scratch, out: &mut Hits) {
        self.detectors.recheck(text, anchor, &mut (), out);
    }

    fn settle(&self, hits: &mut Vec<Hit>) {
        settle(hits, |found| match found {
            Found::Known(_) => u16::MAX,
            Found::Detector(_) => self.detectors.rank(found),
        });
    }
}
