//! Texts within a text: what logs and their collectors escape, colour, prefix or spell as numbers is decoded, and searched
//! as well. A hit there is given the place of the bytes that spell it.
//!
//! Only what decoding changes is searched again, so that lines with nothing to decode cost next to nothing.

mod arrays;
mod derived;
mod escapes;
mod wrapped;

use std::ops::Range;

use keytrail_rules::search::{Found, Hit, Hits, Search};

use derived::Derived;

/// Strings within strings within strings: no log has more.
const MAX_DEPTH: u32 = 3;

/// Finds texts of one kind in a region, and decodes them.
type Decoding = fn(&Region<'_>, &mut Derived);

/// Every kind.
const DECODINGS: &[Decoding] = &[escapes::decode, wrapped::decode, arrays::decode];

/// What is to be decoded.
struct Region<'a> {
    text: &'a [u8],
    /// Where to look. It ends where the text does.
    range: Range<usize>,
    /// The hits that are in the text as it is: where each starts, in order, and how far it and those before it go.
    hits: &'a [(usize, usize)],
}

/// Buffers of decoded texts, which are kept from one to the next.
#[derive(Default)]
pub(super) struct Buffers(Vec<Derived>);

/// Adds the hits that decoding `text` from `from` on gives, with the places in `text` that spell them.
pub(super) fn search_decoded<S: Search>(
    search: &S,
    text: &[u8],
    from: usize,
    scratch: &mut S::Scratch,
    buffers: &mut Buffers,
    hits: &mut Vec<Hit>,
) {
    let mut places: Vec<_> = hits.iter().map(|hit| (hit.value.start, hit.value.end)).collect();
    places.sort_unstable();
    let mut furthest = 0;
    for (_, end) in &mut places {
        furthest = furthest.max(*end);
        *end = furthest;
    }
    let range = line_start(text, from)..text.len();
    decode(search, &Region { text, range, hits: &places }, from, 1, scratch, buffers, hits);
}

fn decode<S: Search>(
    search: &S,
    region: &Region<'_>,
    from: usize,
    depth: u32,
    scratch: &mut S::Scratch,
    buffers: &mut Buffers,
    out: &mut Vec<Hit>,
) {
    for decoding in DECODINGS {
        let mut derived = buffers.0.pop().unwrap_or_default();
        derived.clear();
        decoding(region, &mut derived);
        let mut found = Hits::default();
        for changed in derived.changed(from, search.margin()) {
            search.search(&derived.text, changed, scratch, &mut found);
        }
        if depth < MAX_DEPTH && !derived.text.is_empty() {
            let inner = Region { text: &derived.text, range: 0..derived.text.len(), hits: &[] };
            decode(search, &inner, 0, depth + 1, scratch, buffers, &mut found.hits);
        }
        out.extend(found.hits.into_iter().map(|hit| derived.back(hit, region.text)));
        buffers.0.push(derived);
    }
}

/// Where the line of a place starts; where it started before the text, the first byte that is surely no part of an escape.
fn line_start(text: &[u8], at: usize) -> usize {
    match memchr::memrchr(b'\n', &text[..at]) {
        Some(end) => end + 1,
        None => text[..at].iter().position(|byte| *byte != b'\\').unwrap_or(at),
    }
}

/// Drops the hits that took an escape for a part of the value, where the same detector found the decoded value.
/// Offsets of the hits count from `base`.
pub(super) fn prefer_decoded(hits: &mut Vec<Hit>, text: &[u8], base: usize) {
    let is_escaped =
        |hit: &Hit| memchr::memchr2(b'\\', 0x1b, &text[hit.value.start - base..hit.value.end - base]).is_some();
    let mut clean: Vec<(Found, Range<usize>)> = Vec::new();
    let mut any_escaped = false;
    for hit in hits.iter() {
        let escaped = is_escaped(hit);
        any_escaped |= escaped && hit.decoded.is_none();
        if hit.decoded.is_some() || !escaped {
            clean.push((hit.found, hit.value.clone()));
        }
    }
    if !any_escaped {
        return;
    }
    clean.sort_by_key(|(found, value)| (*found, value.start));
    hits.retain(|hit| {
        let before = clean.partition_point(|(found, value)| (*found, value.start) < (hit.found, hit.value.end));
        let nearest = before.checked_sub(1).map(|at| &clean[at]);
        let replaced = nearest.is_some_and(|(found, value)| *found == hit.found && value.end > hit.value.start);
        hit.decoded.is_some() || !replaced || matches!(hit.found, Found::Known(_)) || !is_escaped(hit)
    });
}

#[cfg(test)]
mod tests;
