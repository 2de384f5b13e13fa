//! Hits that were collected, and not reported yet: a later hit may share their place.

use std::ops::Range;

use keytrail_rules::search::Hit;

/// The hits, with offsets in the stream.
#[derive(Default)]
pub(super) struct Pending {
    hits: Vec<Hit>,
    /// Hits before this place are no longer held back.
    closed: usize,
    /// The places of hits that were reported early, which are found again.
    reported: Vec<Range<usize>>,
}

impl Pending {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn extend(&mut self, hits: impl Iterator<Item = Hit>) {
        self.hits.extend(hits);
    }

    /// Where the first of the hits begins.
    pub(super) fn start(&self) -> Option<usize> {
        self.hits.iter().map(|hit| hit.value.start).min()
    }

    /// Holds back none of the hits that are here.
    pub(super) fn close(&mut self) {
        self.closed = self.hits.iter().map(|hit| hit.value.end).max().unwrap_or(0);
    }

    /// Takes the hits out that share no place with any that begins at `core` or later, not even by others in between.
    pub(super) fn take(&mut self, core: usize) -> Vec<Hit> {
        let core = core.max(self.closed);
        self.hits.sort_by_key(|hit| (hit.value.start, hit.value.end));
        let (mut taken, mut end) = (0, 0);
        for (at, hit) in self.hits.iter().enumerate() {
            if hit.value.start >= end {
                taken = at;
            }
            end = end.max(hit.value.end);
            if end > core {
                break;
            }
        }
        if end <= core {
            taken = self.hits.len();
        }
        self.hits.drain(..taken).collect()
    }

    /// Takes out what is certain. Of the rest, what depends on nothing before `core` will be collected again.
    pub(super) fn split(&mut self, core: usize, certain: impl Fn(&Hit) -> bool) -> Vec<Hit> {
        let (certain, rest): (Vec<_>, Vec<_>) = self.hits.drain(..).partition(certain);
        self.hits = rest.into_iter().filter(|hit| hit.depends.start < core).collect();
        certain
    }

    /// Drops the hits at places that were reported.
    pub(super) fn drop_reported(&self, hits: &mut Vec<Hit>) {
        let is_reported =
            |hit: &Hit| self.reported.iter().any(|place| place.start < hit.value.end && hit.value.start < place.end);
        hits.retain(|hit| !is_reported(hit));
    }

    pub(super) fn remember_reported(&mut self, hits: &[Hit]) {
        self.reported.extend(hits.iter().map(|hit| hit.value.clone()));
    }

    /// Forgets the places that no hit to come can share.
    pub(super) fn forget_reported(&mut self, core: usize) {
        if !self.reported.is_empty() {
            let first = self.start().unwrap_or(core).min(core);
            self.reported.retain(|place| place.end > first);
        }
    }
}
