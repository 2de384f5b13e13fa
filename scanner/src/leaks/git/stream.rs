//! Searches a blob that is too large to be in memory whole, window by window.

use std::collections::HashMap;

use keytrail_rules::search::{Found, Hit, Hits, Search};

use super::blobs::{MAX_HITS, Placed};
use super::inflate::Stream;
use super::objects::Unread;
use super::{Identify, Position};

/// How much is in memory at a time. In bytes.
const WINDOW: usize = 8 << 20;

/// What a large text holds.
pub(crate) struct Streamed {
    pub(crate) placed: Vec<Placed>,
    /// Whether it has more hits than are kept.
    pub(crate) partial: bool,
}

/// Searches a text of `size` bytes.
///
/// # Errors
/// A stream that is broken, or has another size.
pub(crate) fn search<S: Search, I: Identify>(
    search: &S,
    identify: &I,
    scratch: &mut S::Scratch,
    size: u64,
    mut text: Stream<'_>,
) -> Result<Streamed, Unread> {
    // What a hit depends on lies no farther than this on either side of its first byte; and a byte more, to see that
    // it does not end where the window does.
    let overlap = 2 * search.reach() + 2;
    let most = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
    let mut window = vec![0; WINDOW.max(4 * overlap).min(most)];
    let (mut start, mut held) = (0_u64, 0_usize);
    let mut lines = Lines { line: 1, column: 1 };
    let mut hits: Vec<Hit> = Vec::new();
    let mut placed: HashMap<(Found, usize, usize), Placed> = HashMap::new();
    let mut partial = false;
    loop {
        let read = text.fill(&mut window[held..])?;
        held += read;
        let last = start + held as u64 >= size;
        if read == 0 && !last {
            return Err(Unread::Corrupt);
        }
        let text = &window[..held];
        let mut found = Hits::default();
        search.search(text, 0..text.len(), scratch, &mut found);
        // What touches an end of the window that is no end of the text is judged in the window beside.
        let counts = |hit: &Hit| (start == 0 || hit.depends.start > 0) && (last || hit.depends.end < text.len());
        found.hits.retain(counts);
        found.hits.sort_unstable_by_key(|hit| hit.value.start);
        let mut at = (0, lines.clone());
        for mut hit in found.hits {
            if hits.len() >= MAX_HITS {
                partial = true;
                break;
            }
            let secret = identify.identify(text, &hit);
            at.1.advance(&text[at.0..hit.value.start]);
            at.0 = hit.value.start;
            let base = usize::try_from(start).map_err(|_| Unread::TooLarge)?;
            let offset = start + hit.value.start as u64;
            for range in [&mut hit.value, &mut hit.depends] {
                *range = base + range.start..base + range.end;
            }
            let len = hit.value.len() as u64;
            let position = Some(Position::new(at.1.line, at.1.column, at.1.column + len));
            placed.insert((hit.found, hit.value.start, hit.value.end), Placed { secret, offset, len, position });
            hits.push(hit);
        }
        if last {
            break;
        }
        let keep = overlap.min(held);
        lines.advance(&window[..held - keep]);
        start += (held - keep) as u64;
        window.copy_within(held - keep..held, 0);
        held = keep;
    }
    text.finish()?;
    search.settle(&mut hits);
    let placed = hits.iter().filter_map(|hit| placed.remove(&(hit.found, hit.value.start, hit.value.end))).collect();
    Ok(Streamed { placed, partial })
}

/// Counts lines and columns, from 1.
#[derive(Clone)]
struct Lines {
    line: u64,
    column: u64,
}

impl Lines {
    fn advance(&mut self, text: &[u8]) {
        let ends = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.line += ends;
        match text.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => self.column = (text.len() - end) as u64,
            None => self.column += text.len() as u64,
        }
    }
}
