//! Everything that leaks are searched for, as one [`Search`]: the inventory's own values, and what detectors recognise.

use std::ops::Range;

use crate::detectors::{Detectors, settle};
use crate::known_values::KnownValues;
use crate::search::{Found, Hit, Hits, LongAnchor, Search};

/// Known values and detectors together.
pub struct Searcher {
    /// What recognises secrets that nobody inventoried.
    pub detectors: Detectors,
    /// The values of the inventory.
    pub known: KnownValues,
}

impl Search for Searcher {
    type Scratch = ();

    fn margin(&self) -> usize {
        self.detectors.margin().max(self.known.margin())
    }

    fn reach(&self) -> usize {
        self.detectors.reach().max(self.known.reach())
    }

    fn search(&self, text: &[u8], changed: Range<usize>, scratch: &mut (), out: &mut Hits) {
        self.known.search(text, changed.clone(), scratch, out);
        if !self.detectors.is_empty() {
            self.detectors.search(text, changed, scratch, out);
        }
    }

    fn recheck(&self, text: &[u8], anchor: &LongAnchor, scratch: &mut (), out: &mut Hits) {
        self.detectors.recheck(text, anchor, scratch, out);
    }

    fn settle(&self, hits: &mut Vec<Hit>) {
        settle(hits, |found| match found {
            Found::Known(_) => u16::MAX,
            Found::Detector(_) => self.detectors.rank(found),
        });
    }
}
