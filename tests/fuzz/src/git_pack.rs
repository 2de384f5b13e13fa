//! Entries of packs, with a search so small that the bytes of an input hold hits.

use std::ops::Range;

use keytrail::leaks::git::fuzz;
use keytrail_rules::search::{Found, Hit, Hits, LongAnchor, Search};

/// Any bytes as a delta, as a deflated stream and as a loose object.
pub fn git_pack(data: &[u8]) {
    fuzz::entry(&Letters, data);
}

/// Finds `ab` where no `a` is before it and no `b` behind; and `c` with the first `d` of the next 16 bytes.
struct Letters;

const LONG: usize = 16;

impl Letters {
    fn at(text: &[u8], at: usize, out: &mut Hits) {
        let hit = |value: Range<usize>, depends, detector| Hit {
            found: Found::Detector(detector),
            value,
            depends,
            decoded: None,
        };
        if text[at..].starts_with(b"ab") {
            let depends = at.saturating_sub(1)..(at + 3).min(text.len());
            let alone = depends.start == at || text[depends.start] != b'a';
            if alone && (depends.end == at + 2 || text[at + 2] != b'b') {
                out.hits.push(hit(at..at + 2, depends, 0));
            }
        }
        if text[at] == b'c' {
            let end = (at + LONG).min(text.len());
            let close = text[at..end].iter().position(|byte| *byte == b'd').map(|close| at + close + 1);
            let depends = at..close.unwrap_or(end);
            out.hits.extend(close.map(|_| hit(depends.clone(), depends.clone(), 1)));
            out.long.push(LongAnchor { at, detector: 1, depends });
        }
    }
}

impl Search for Letters {
    type Scratch = ();

    fn margin(&self) -> usize {
        2
    }

    fn reach(&self) -> usize {
        LONG
    }

    fn search(&self, text: &[u8], changed: Range<usize>, _: &mut (), out: &mut Hits) {
        for at in changed.start.saturating_sub(2)..(changed.end + 2).min(text.len()) {
            Self::at(text, at, out);
        }
    }

    fn recheck(&self, text: &[u8], anchor: &LongAnchor, _: &mut (), out: &mut Hits) {
        if text.get(anchor.at) == Some(&b'c') {
            Self::at(text, anchor.at, out);
        }
    }

    fn settle(&self, hits: &mut Vec<Hit>) {
        hits.sort_by_key(|hit| (hit.value.start, hit.value.end, hit.found));
        hits.dedup_by_key(|hit| (hit.value.start, hit.value.end, hit.found));
    }
}
