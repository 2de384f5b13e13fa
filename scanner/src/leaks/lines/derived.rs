//! A text that was made from parts of another, and the way back.

use std::ops::Range;

use keytrail_rules::search::Hit;
use zeroize::Zeroize;

/// Where a run of the text comes from.
#[derive(Clone, Copy)]
struct Piece {
    /// Where it starts in the text.
    at: usize,
    /// Where what it was made from starts.
    from: usize,
    /// Whether it was copied; else it stands for the bytes up to the next piece's.
    copied: bool,
}

/// The text.
#[derive(Default)]
pub(super) struct Derived {
    pub(super) text: Vec<u8>,
    pieces: Vec<Piece>,
    /// Where the text differs from what it was made from, here and there.
    edits: Vec<(usize, usize)>,
    end: usize,
}

impl Drop for Derived {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// A state to go back to.
#[derive(Clone, Copy)]
pub(super) struct Mark(usize, usize, usize);

impl Derived {
    /// Starts anew, in the same memory.
    pub(super) fn clear(&mut self) {
        self.back_to(Mark(0, 0, 0));
        self.end = 0;
    }

    /// The state now.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.text.len(), self.pieces.len(), self.edits.len())
    }

    /// Whether anything was changed since.
    pub(super) fn changed_since(&self, mark: Mark) -> bool {
        self.edits.len() > mark.2
    }

    /// Drops what was added since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.text.truncate(mark.0);
        self.pieces.truncate(mark.1);
        self.edits.truncate(mark.2);
    }

    /// Adds a part of the other text as it is.
    pub(super) fn copy(&mut self, other: &[u8], range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.pieces.push(Piece { at: self.text.len(), from: range.start, copied: true });
        self.text.extend_from_slice(&other[range.clone()]);
        self.end = range.end;
    }

    /// Adds what a part of the other text stands for.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        self.edits.push((self.text.len(), range.start));
        self.pieces.push(Piece { at: self.text.len(), from: range.start, copied: false });
        self.text.extend_from_slice(with);
        self.end = range.end;
    }

    /// Adds bytes that stand for nothing: what is after them does not belong to what is before.
    pub(super) fn part(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece { at: self.text.len(), from: self.end, copied: false });
            self.text.extend_from_slice(b"\n\n");
        }
    }

    /// The ranges of the text that differ, of those that were made from what is at `from` or behind; what is nearer
    /// to each other than `margin` as one.
    pub(super) fn changed(&self, from: usize, margin: usize) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (at, _) in self.edits.iter().filter(|(_, other)| *other >= from) {
            // One byte before and behind, where the edit left none.
            let range = at.saturating_sub(1)..(at + 2).min(self.text.len());
            match ranges.last_mut() {
                Some(last) if range.start <= last.end + margin => last.end = last.end.max(range.end),
                _ => ranges.push(range),
            }
        }
        ranges
    }

    /// The hit at the place in the other text that spells it.
    pub(super) fn back(&self, hit: Hit, other: &[u8]) -> Hit {
        let value = self.range_back(&hit.value);
        let spelt = &self.text[hit.value.clone()];
        let differs = other.get(value.clone()) != Some(spelt);
        let decoded = hit.decoded.or_else(|| differs.then(|| String::from_utf8_lossy(spelt).into_owned().into()));
        let depends = self.range_back(&hit.depends);
        Hit { depends: depends.start.min(value.start)..depends.end.max(value.end), value, decoded, found: hit.found }
    }

    fn range_back(&self, range: &Range<usize>) -> Range<usize> {
        let start = match self.pieces.get(self.piece(range.start)) {
            Some(piece) if piece.copied => piece.from + (range.start - piece.at),
            Some(piece) => piece.from,
            None => self.end,
        };
        if range.is_empty() {
            return start..start;
        }
        let last = self.piece(range.end - 1);
        let end = match (self.pieces.get(last), self.pieces.get(last + 1)) {
            (Some(piece), _) if piece.copied => piece.from + (range.end - piece.at),
            (_, Some(next)) => next.from,
            _ => self.end,
        };
        start..end.max(start)
    }

    /// The piece that a place of the text lies in: the last of those that start there.
    fn piece(&self, at: usize) -> usize {
        self.pieces.partition_point(|piece| piece.at <= at).saturating_sub(1)
    }
}

/// The secret of a hit in the text, for comparisons in tests.
#[cfg(test)]
pub(super) fn exposed(hit: &Hit) -> Option<&str> {
    hit.decoded.as_ref().map(keytrail_rules::model::Secret::expose)
}
