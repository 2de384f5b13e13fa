//! Leaves one hit for each place of a text.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::search::{Found, Hit};

/// Brings hits into the order of the text and leaves one for each place: the one that ranks highest, and of those that
/// rank the same the longest. `rank` depends on what was found alone.
///
/// # Guarantees
/// The result depends on the set of the hits, not on their order: they are taken best first, and the order of taking
/// is total on all that tells one hit from another.
pub fn settle(hits: &mut Vec<Hit>, rank: impl Fn(Found) -> u16) {
    hits.sort_by(|a, b| {
        (rank(b.found).cmp(&rank(a.found)))
            .then_with(|| b.value.len().cmp(&a.value.len()))
            .then_with(|| a.value.start.cmp(&b.value.start))
            .then_with(|| a.found.cmp(&b.found))
            .then_with(|| (a.depends.start, a.depends.end).cmp(&(b.depends.start, b.depends.end)))
            .then_with(|| a.decoded.is_some().cmp(&b.decoded.is_some()))
    });
    // The places taken so far, by their starts; no two overlap.
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    hits.retain(|hit| {
        let free = is_free(&taken, &hit.value);
        if free {
            taken.insert(hit.value.start, hit.value.end);
        }
        free
    });
    hits.sort_by_key(|hit| hit.value.start);
}

fn is_free(taken: &BTreeMap<usize, usize>, place: &Range<usize>) -> bool {
    let last_before_end = taken.range(..place.end.max(place.start + 1)).next_back();
    last_before_end.is_none_or(|(_, end)| *end <= place.start)
}
