//! What a text that was made from another by edits holds, from what the other held: only what changed is searched.
//!
//! # Guarantees
//! The hits are those that a search of the whole text gives: see `keytrail_rules::search` for why that can be.

use std::ops::Range;

use keytrail_rules::model::Secret;
use keytrail_rules::search::{Found, Hit, Hits, LongAnchor, Search};

use super::blobs::MAX_HITS;
use super::delta::{self, Piece};
use super::walk::Edit;

/// Searches a whole text; no further where it has more hits than are kept.
pub(crate) fn whole<S: Search>(search: &S, text: &[u8], scratch: &mut S::Scratch) -> Hits {
    /// So that a text which is full of hits is noticed before they fill the memory.
    const STEP: usize = 4 << 20;
    let mut found = Hits::default();
    for start in (0..text.len()).step_by(STEP) {
        search.search(text, start..(start + STEP).min(text.len()), scratch, &mut found);
        if found.hits.len() > MAX_HITS {
            break;
        }
    }
    order(&mut found);
    found
}

/// Searches a text where it differs from its base, and takes over the rest. Adds to `searched` the bytes that were.
pub(crate) fn edited<S: Search>(
    search: &S,
    edit: &Edit<'_>,
    base: &Hits,
    scratch: &mut S::Scratch,
    searched: &mut u64,
) -> Hits {
    let mut found = Hits::default();
    for changed in delta::changes(edit.pieces, edit.base_len, edit.text.len(), search.margin()) {
        *searched += changed.len() as u64;
        search.search(edit.text, changed, scratch, &mut found);
    }
    if base.hits.is_empty() && base.long.is_empty() && found.hits.is_empty() && found.long.is_empty() {
        return found;
    }
    for piece in edit.pieces {
        let first = base.hits.partition_point(|hit| hit.depends.start < piece.from);
        let within = base.hits[first..].iter().take_while(|hit| hit.depends.start < piece.from + piece.len);
        found.hits.extend(within.filter(|hit| is_kept(&hit.depends, piece, edit)).map(|hit| moved(hit, piece)));
        let first = base.long.partition_point(|anchor| anchor.at < piece.from);
        for anchor in base.long[first..].iter().take_while(|anchor| anchor.at < piece.from + piece.len) {
            let at = anchor.at - piece.from + piece.to;
            if is_kept(&anchor.depends, piece, edit) {
                let depends = shifted(&anchor.depends, piece);
                found.long.push(LongAnchor { at, detector: anchor.detector, depends });
            } else {
                // What it depends on is looked up again; what it depended on is of another text.
                let anchor = LongAnchor { at, detector: anchor.detector, depends: at..at };
                search.recheck(edit.text, &anchor, scratch, &mut found);
            }
        }
    }
    order(&mut found);
    found
}

/// Whether all bytes that count were copied, and the ends of the text are to them what they were.
fn is_kept(depends: &Range<usize>, piece: &Piece, edit: &Edit<'_>) -> bool {
    let source = piece.source();
    let start = depends.start > 0 || piece.to == 0;
    let end = depends.end < edit.base_len || piece.target().end == edit.text.len();
    depends.start >= source.start && depends.end <= source.end && start && end
}

fn shifted(range: &Range<usize>, piece: &Piece) -> Range<usize> {
    range.start - piece.from + piece.to..range.end - piece.from + piece.to
}

fn moved(hit: &Hit, piece: &Piece) -> Hit {
    Hit { value: shifted(&hit.value, piece), depends: shifted(&hit.depends, piece), ..copied(hit) }
}

/// A hit once more.
pub(crate) fn copied(hit: &Hit) -> Hit {
    Hit {
        found: hit.found,
        value: hit.value.clone(),
        depends: hit.depends.clone(),
        decoded: hit.decoded.as_ref().map(|secret| Secret::from(secret.expose())),
    }
}

/// What tells a hit from another.
fn rank(hit: &Hit) -> (usize, usize, usize, usize, Found) {
    (hit.depends.start, hit.depends.end, hit.value.start, hit.value.end, hit.found)
}

/// Sorts by what the search for what lies in a piece needs, and drops what was found twice.
fn order(found: &mut Hits) {
    fn decoded(hit: &Hit) -> Option<&str> {
        hit.decoded.as_ref().map(Secret::expose)
    }
    found.hits.sort_unstable_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| decoded(a).cmp(&decoded(b))));
    found.hits.dedup_by(|a, b| rank(a) == rank(b) && decoded(a) == decoded(b));
    found.long.sort_unstable_by_key(|anchor| (anchor.at, anchor.detector, anchor.depends.start, anchor.depends.end));
    found.long.dedup();
}
