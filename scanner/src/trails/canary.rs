//! Marked requests that show that a trail is complete.
//!
//! A job reads a secret under a run id of its own, or every scan a path of its own, again and again, and each of these reads
//! has to be in the trail. Between two of them that are no farther apart than the job lets pass, the trail was recorded and
//! delivered. It is not shown that nobody took single lines out in between: what the store remembers may show that.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use keytrail_rules::model::{Covered, Entry, EventKind, Outcome, Proof, Time};

use super::TrailConfig;
use super::config::Marker;

/// No more canaries than this are remembered: one a minute, for two years.
const MAX_SEEN: usize = 1 << 20;

/// What the canaries of a trail have shown so far.
///
/// # Guarantees
/// What is shown in the end does not depend on the order of the entries, nor on one being there twice.
pub(super) struct Canaries<'a> {
    marker: &'a Marker,
    every: TimeDelta,
    seen: BTreeSet<Time>,
}

impl<'a> Canaries<'a> {
    /// Those of a trail, if its config names any.
    pub(super) fn of(config: &'a TrailConfig) -> Option<Self> {
        let canary = config.canary.as_ref()?;
        let every = TimeDelta::from_std(canary.every).ok()?;
        Some(Self { marker: &canary.marker, every, seen: BTreeSet::new() })
    }

    /// What an entry shows to be covered, together with those before.
    pub(super) fn see(&mut self, entry: &Entry) -> Vec<Covered> {
        let Entry::Event(event) = entry else { return Vec::new() };
        let time = event.time;
        let is_canary = match self.marker {
            Marker::Run(run) => event.run.as_ref() == Some(run),
            Marker::Path(path) => {
                let is_read = event.kind == EventKind::Read && event.outcome == Outcome::Done;
                is_read && event.target.path() == path.as_str()
            }
        };
        if !is_canary || self.seen.len() >= MAX_SEEN || !self.seen.insert(time) {
            return Vec::new();
        }
        let before = self.seen.range(..time).next_back().map(|before| (*before, time));
        let after = self.seen.range(time..).nth(1).map(|after| (time, *after));
        let near = |(from, to): &(Time, Time)| *to - *from <= self.every;
        let proven = before.into_iter().chain(after).filter(near);
        proven.map(|(from, to)| Covered { from, to, proof: Proof::Canary }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use keytrail_rules::correlate::Names;
    use keytrail_rules::model::{Place, Raw};
    use proptest::prelude::*;

    use super::*;
    use crate::trails::Draft;
    use crate::trails::config::Canary;
    use crate::trails::testing::{config, opening, time};

    fn entry(config: &TrailConfig, minutes: i64, run: &str) -> Entry {
        let time = time("2026-06-01T00:00:00Z") + TimeDelta::minutes(minutes);
        let place = Place::of_path("vault", "secret/canary");
        let draft = Draft { run: Some(run.to_owned()), ..Draft::new(EventKind::Read, place, time, "1") };
        let raw = Raw { source: "log".into(), offset: 0, length: 0, line: 1, sha256: [0; 32] };
        opening(config, &Names::default()).event(draft, raw)
    }

    /// The minutes that are covered.
    fn covered(reads: &[(i64, &str)]) -> BTreeSet<i64> {
        let canary = Canary { marker: Marker::Run("canary".to_owned()), every: Duration::from_secs(60 * 60) };
        let config = TrailConfig { canary: Some(canary), ..config("vault-audit", Path::new("/nowhere"), &[]) };
        let mut canaries = Canaries::of(&config).expect("canaries");
        let start = time("2026-06-01T00:00:00Z");
        let shown = reads.iter().flat_map(|(minutes, run)| canaries.see(&entry(&config, *minutes, run)));
        shown.flat_map(|one| (one.from - start).num_minutes()..(one.to - start).num_minutes()).collect()
    }

    #[test]
    fn two_canaries_cover_what_lies_between_unless_one_is_missing() {
        assert_eq!(
            covered(&[(0, "canary"), (60, "canary"), (121, "canary"), (150, "canary")]),
            (0..60).chain(121..150).collect()
        );
        assert_eq!(covered(&[(0, "canary"), (30, "other"), (61, "canary")]), BTreeSet::new());
        assert_eq!(covered(&[(5, "canary")]), BTreeSet::new(), "one shows nothing");
    }

    proptest! {
        #[test]
        fn order_and_copies_do_not_matter(minutes in prop::collection::vec(0_i64..600, 0..20), seed in any::<u64>()) {
            let reads: Vec<(i64, &str)> = minutes.iter().map(|minute| (*minute, "canary")).collect();
            let mut sorted = reads.clone();
            sorted.sort_unstable();
            sorted.dedup();
            let mut twice: Vec<_> = reads.iter().chain(&reads).copied().collect();
            let turned = usize::try_from(seed % (twice.len() as u64 + 1)).unwrap();
            twice.rotate_left(turned);
            prop_assert_eq!(covered(&sorted), covered(&twice));
        }
    }
}
