//! A decoded text, and where each of its bytes comes from.

use std::ops::Range;

/// A text: the one that is searched, or what an earlier decoding gave.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a [u8],
    /// Where the text comes from, if it was decoded itself.
    pub(super) layer: Option<&'a Layer>,
}

/// Decoded bytes. Offsets are kept as distances, so that texts may be longer than 4 GiB.
#[derive(Default)]
pub(super) struct Layer {
    pub(super) bytes: Vec<u8>,
    base: usize,
    origins: Vec<(u32, u32)>,
}

impl Layer {
    /// Makes the layer empty; what is added comes from about `at` in `source`.
    pub(super) fn restart(&mut self, source: Source<'_>, at: usize) {
        self.bytes.clear();
        self.origins.clear();
        self.base = source.layer.map_or(at, |layer| layer.base);
    }

    /// Adds a byte that comes from some bytes of `source`, none of them before the place of the restart.
    #[inline]
    pub(super) fn push(&mut self, source: Source<'_>, byte: u8, from: Range<usize>) {
        let origin = match source.layer {
            None => ((from.start - self.base) as u32, (from.end - self.base) as u32),
            Some(layer) => (layer.origins[from.start].0, layer.origins[from.end - 1].1),
        };
        self.bytes.push(byte);
        self.origins.push(origin);
    }

    /// Adds the bytes of a range of `source` as they are.
    pub(super) fn copy(&mut self, source: Source<'_>, from: Range<usize>) {
        self.bytes.extend_from_slice(&source.text[from.clone()]);
        match source.layer {
            None => {
                let (start, end) = ((from.start - self.base) as u32, (from.end - self.base) as u32);
                self.origins.extend((start..end).map(|at| (at, at + 1)));
            }
            Some(layer) => self.origins.extend_from_slice(&layer.origins[from]),
        }
    }

    /// The bytes of the text from which a byte comes.
    pub(super) fn origin(&self, at: usize) -> Option<Range<usize>> {
        self.origins.get(at).map(|(start, end)| self.base + *start as usize..self.base + *end as usize)
    }
}
