//! Of which stretches of time a trail holds every record.

use crate::model::{Covered, Hole, Time, Trail};

/// What is covered of a trail: stretches without the holes, sorted and apart from each other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Coverage {
    stretches: Vec<(Time, Time)>,
}

/// How much of a stretch of time is covered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// All that there can be as yet; the rest may still come.
    SoFar,
    /// Not all, from and to these instants.
    Lacks(Time, Time),
}

impl Coverage {
    /// What is covered, less the holes.
    pub(super) fn new(covered: &[Covered], holes: &[Hole]) -> Self {
        let mut all: Vec<(Time, Time)> =
            covered.iter().filter(|one| one.from < one.to).map(|one| (one.from, one.to)).collect();
        all.sort_unstable();
        let mut stretches: Vec<(Time, Time)> = Vec::new();
        for (from, to) in all {
            match stretches.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => stretches.push((from, to)),
            }
        }
        let mut gaps: Vec<(Time, Time)> = holes
            .iter()
            .map(|hole| (hole.from.unwrap_or(Time::MIN_UTC), hole.to.unwrap_or(Time::MAX_UTC)))
            .filter(|(from, to)| from <= to)
            .collect();
        gaps.sort_unstable();
        let mut coverage = Self::default();
        let mut gaps = gaps.into_iter().peekable();
        // Of the holes that begin before a stretch ends, the furthest end so far.
        let mut behind = Time::MIN_UTC;
        for (from, to) in stretches {
            let mut start = from.max(behind);
            while let Some((hole_from, hole_to)) = gaps.next_if(|(hole_from, _)| *hole_from < to) {
                if hole_from > start {
                    coverage.stretches.push((start, hole_from));
                }
                // A hole of an instant is one all the same.
                let hole_to = hole_to.max(later(hole_from, chrono::TimeDelta::milliseconds(1)));
                behind = behind.max(hole_to);
                start = start.max(behind);
            }
            if start < to {
                coverage.stretches.push((start, to));
            }
        }
        coverage
    }

    /// How much of `[from, to]` is covered, when nothing after `known` can be as yet.
    pub(super) fn extent(&self, from: Time, to: Time, known: Time) -> Extent {
        let end = to.min(known);
        if end <= from {
            return if to <= known { self.whole(from, to) } else { Extent::SoFar };
        }
        match self.whole(from, end) {
            Extent::Whole if to > known => Extent::SoFar,
            extent => extent,
        }
    }

    fn whole(&self, from: Time, to: Time) -> Extent {
        let at = self.stretches.partition_point(|stretch| stretch.1 <= from);
        match self.stretches.get(at) {
            Some(stretch) if stretch.0 <= from && stretch.1 >= to => Extent::Whole,
            Some(stretch) if stretch.0 <= from => {
                let next = self.stretches.get(at + 1).map_or(to, |next| next.0.min(to));
                Extent::Lacks(stretch.1, next)
            }
            Some(stretch) => Extent::Lacks(from, stretch.0.min(to)),
            None => Extent::Lacks(from, to),
        }
    }

    /// Whether that instant is covered.
    pub(super) fn holds(&self, time: Time) -> bool {
        self.whole(time, time) == Extent::Whole
    }

    /// Whether anything is.
    pub(super) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }
}

/// The last instant of which a trail can be known to be complete.
pub(super) fn known(trail: &Trail, as_of: Time) -> Time {
    as_of.checked_sub_signed(trail.delay.max(chrono::TimeDelta::zero())).unwrap_or(Time::MIN_UTC)
}

/// An instant so much later, or the last that there is.
pub(super) fn later(time: Time, by: chrono::TimeDelta) -> Time {
    let bound = if by < chrono::TimeDelta::zero() { Time::MIN_UTC } else { Time::MAX_UTC };
    time.checked_add_signed(by).unwrap_or(bound)
}
