//! What the fuzz target `git_pack` does with its bytes.

use keytrail_rules::search::{Hit, Search};

use super::delta::{self, Piece};
use super::inflate::{Inflater, Stream};
use super::{SecretKey, inherit, loose, stream, walk::Edit};

/// Takes any bytes as a delta of their own second half, as a deflated stream, and as a loose object.
///
/// # Panics
/// If a text that was rebuilt does not have the hits of a whole search, or not the bytes that its pieces say.
pub fn entry<S: Search>(search: &S, data: &[u8]) {
    const LIMIT: usize = 1 << 20;
    let (code, base) = data.split_at(data.len() / 2);
    let (mut text, mut pieces) = (Vec::new(), Vec::new());
    if delta::apply(base, code, LIMIT, &mut text, &mut pieces).is_ok() {
        for Piece { from, to, len } in &pieces {
            assert_eq!(base[*from..from + len], text[*to..to + len], "a piece is a copy");
        }
        let mut scratch = S::Scratch::default();
        let held = inherit::whole(search, base, &mut scratch);
        let edit = Edit { base_len: base.len(), text: &text, pieces: &pieces };
        let mut edited = inherit::edited(search, &edit, &held, &mut scratch, &mut 0).hits;
        let mut whole = inherit::whole(search, &text, &mut scratch).hits;
        search.settle(&mut edited);
        search.settle(&mut whole);
        let places = |hits: &[Hit]| hits.iter().map(|hit| (hit.value.clone(), hit.found)).collect::<Vec<_>>();
        assert!(places(&edited) == places(&whole), "an edit has the hits of its text");
    }
    if let Some((size, compressed)) = data.split_first() {
        let size = u64::from(*size) * 17;
        let mut out = Vec::new();
        if Inflater::default().inflate(compressed, size, &mut out).is_ok() {
            assert_eq!(out.len() as u64, size, "what was inflated has its size");
        }
        let identify = |_: &[u8], _: &Hit| SecretKey(0);
        // An error is what most bytes are.
        let _ = stream::search(search, &identify, &mut S::Scratch::default(), size, Stream::new(compressed));
        let _ = loose::header(compressed);
    }
}
