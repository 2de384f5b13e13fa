//! What comes by the million: loads, refusals and reads, reduced while it streams by.
//!
//! Of the loads of one item by one consumer, the first and the last of each bucket of time are kept. Every question that
//! is asked of them ("is there one between these instants, at least two buckets apart") has the same answer as before,
//! and the reduction is a minimum and a maximum, so that it does not depend on the order.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use super::hashes::{AsIs, Keyed};
use crate::model::{Event, EventKind, Raw, Time};

/// A consumer that the item does not list, or none that the trail names.
pub(super) const ANYBODY: u32 = u32::MAX;

/// An instant in milliseconds since 1970.
pub(super) type Millis = i64;

/// The order of events: by time, and whatever makes it the same in every run.
pub(super) fn order(a: &Event, b: &Event) -> std::cmp::Ordering {
    let first = (a.time, a.trail).cmp(&(b.time, b.trail));
    first.then_with(|| (&a.id, &a.target, a.kind, &a.raw).cmp(&(&b.id, &b.target, b.kind, &b.raw)))
}

/// An event, or only when it was, where the event itself is evidence of nothing.
struct Sight {
    time: Time,
    event: Option<Box<Event>>,
}

impl Sight {
    fn of(event: Box<Event>) -> Self {
        Self { time: event.time, event: Some(event) }
    }

    fn order(&self, other: &Event) -> std::cmp::Ordering {
        let same = || self.event.as_ref().map_or(std::cmp::Ordering::Equal, |event| order(event, other));
        self.time.cmp(&other.time).then_with(same)
    }
}

/// The first and the last of some events.
#[derive(Default)]
pub(super) struct Ends {
    first: Option<Sight>,
    /// `None` where the first is the only one.
    last: Option<Sight>,
}

impl Ends {
    /// Adds an event, wherever it comes in.
    pub(super) fn add(&mut self, event: Box<Event>) {
        let Some(first) = &self.first else {
            self.first = Some(Sight::of(event));
            return;
        };
        if first.order(&event).is_gt() {
            let first = self.first.replace(Sight::of(event));
            if self.last.is_none() {
                self.last = first;
            }
        } else if self.last().is_some_and(|last| last.order(&event).is_lt()) {
            self.last = Some(Sight::of(event));
        }
    }

    fn last(&self) -> Option<&Sight> {
        self.last.as_ref().or(self.first.as_ref())
    }

    fn iter(&self) -> impl Iterator<Item = &Sight> {
        self.first.iter().chain(&self.last)
    }

    /// Keeps when they were, and no more.
    fn strip(&mut self) {
        for sight in self.first.iter_mut().chain(&mut self.last) {
            sight.event = None;
        }
    }

    /// The events.
    pub(super) fn into_events(self) -> impl Iterator<Item = Box<Event>> {
        self.first.into_iter().chain(self.last).filter_map(|sight| sight.event)
    }
}

/// A load or a refusal, with the event where it is kept.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) time: Time,
    pub(super) refused: bool,
    pub(super) event: Option<&'a Event>,
}

/// What one consumer did with one item in one bucket of time.
struct Bucket {
    from: Millis,
    loads: Ends,
    /// Seldom there, and elsewhere so that what is always there is small.
    refusals: Option<Box<Ends>>,
}

/// The buckets of one item and consumer in one trail, by time.
#[derive(Default)]
struct Series {
    buckets: Vec<Bucket>,
    /// How many of them were judged to be of use.
    settled: usize,
}

/// Where a load belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LoadKey {
    pub(super) item: u32,
    pub(super) trail: u32,
    /// By its place among the consumers of the item, or [`ANYBODY`].
    pub(super) consumer: u32,
}

/// Loads and refusals.
pub(super) struct Loads {
    width: Millis,
    /// How long after a change its loads are asked for, with what clocks may differ.
    window: Millis,
    slack: Millis,
    series: Vec<(LoadKey, Series)>,
    slots: HashMap<LoadKey, u32>,
    /// The instants of what may be changes, of each item, sorted.
    candidates: Vec<Vec<Millis>>,
    /// Trails that show loads of an item.
    pub(super) trails: HashMap<u32, BTreeSet<u32>>,
}

impl Loads {
    /// `window` is how long after a change its loads are asked for; `slack` how far clocks may differ.
    pub(super) fn new(items: usize, window: Millis, slack: Millis) -> Self {
        let width = (window / 4).max(1);
        let candidates = vec![Vec::new(); items];
        let (series, slots, trails) = Default::default();
        Self { width, window, slack, series, slots, candidates, trails }
    }

    /// Takes note of an instant at which the item may have changed.
    pub(super) fn candidate(&mut self, item: u32, time: Millis) {
        let times = &mut self.candidates[item as usize];
        match times.last() {
            Some(last) if *last >= time => {
                let at = times.partition_point(|one| *one < time);
                if times.get(at) != Some(&time) {
                    times.insert(at, time);
                }
            }
            _ => times.push(time),
        }
    }

    fn is_of_use(candidates: &[Millis], from: Millis, to: Millis, window: Millis, slack: Millis) -> bool {
        let first = candidates.partition_point(|one| one.saturating_add(window).saturating_add(slack) < from);
        candidates.get(first).is_some_and(|one| one.saturating_sub(slack) <= to)
    }

    /// The number of what is kept under a key, for [`Loads::add`].
    pub(super) fn slot(&mut self, key: LoadKey) -> u32 {
        self.trails.entry(key.item).or_default().insert(key.trail);
        *self.slots.entry(key).or_insert_with(|| {
            self.series.push((key, Series::default()));
            u32::try_from(self.series.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Adds a load or a refusal. What lies before `settled` is kept only where a change may ask for it.
    pub(super) fn add(&mut self, slot: u32, event: Box<Event>, settled: Millis) {
        let (key, series) = &mut self.series[slot as usize];
        let (width, window, slack) = (self.width, self.window, self.slack);
        let time = event.time.timestamp_millis();
        if let Some(last) = series.buckets.last_mut()
            && (last.from..last.from.saturating_add(width)).contains(&time)
        {
            return last.add(event);
        }
        let from = time.div_euclid(width).saturating_mul(width);
        let candidates = &self.candidates[key.item as usize];
        let of_use = |from: Millis| {
            from.saturating_add(width) >= settled
                || Self::is_of_use(candidates, from, from.saturating_add(width), window, slack)
        };
        if !of_use(from) {
            return;
        }
        let at = match series.buckets.last() {
            Some(last) if last.from > from => match series.buckets.binary_search_by_key(&from, |one| one.from) {
                Ok(at) => at,
                Err(at) => {
                    series.buckets.insert(at, Bucket::new(from));
                    series.settled += usize::from(at < series.settled);
                    at
                }
            },
            _ => {
                series.settle(of_use, settled, width, |before, load| {
                    // The first load after a change is evidence; those after it are not.
                    let last = load.timestamp_millis().saturating_add(slack);
                    let change = candidates[..candidates.partition_point(|one| *one <= last)].last();
                    change.is_none_or(|change| before.timestamp_millis() >= change.saturating_add(slack))
                });
                series.buckets.push(Bucket::new(from));
                series.buckets.len() - 1
            }
        };
        series.buckets[at].add(event);
    }

    /// The last instant of the bucket that an instant is in. Whether a consumer got over a refusal is told of whole
    /// buckets, since what lies between the first and the last event of one is not kept.
    pub(super) fn edge(&self, time: Time) -> Time {
        let index = time.timestamp_millis().div_euclid(self.width);
        let end = index.saturating_add(1).saturating_mul(self.width) - 1;
        Time::from_timestamp_millis(end).unwrap_or(Time::MAX_UTC)
    }

    /// The loads and refusals of a consumer between two instants, by time.
    pub(super) fn between(&self, key: LoadKey, from: Time, to: Time) -> Vec<Load<'_>> {
        let Some((_, series)) = self.slots.get(&key).and_then(|slot| self.series.get(*slot as usize)) else {
            return Vec::new();
        };
        let (first, last) = (from.timestamp_millis(), to.timestamp_millis());
        let start = series.buckets.partition_point(|bucket| bucket.from.saturating_add(self.width) <= first);
        let buckets = series.buckets[start..].iter().take_while(|bucket| bucket.from <= last);
        let mut loads: Vec<Load<'_>> = buckets
            .flat_map(|bucket| {
                let loads = bucket.loads.iter().map(|sight| (sight, false));
                loads.chain(bucket.refusals.iter().flat_map(|ends| ends.iter()).map(|sight| (sight, true)))
            })
            .filter(|(sight, _)| sight.time >= from && sight.time <= to)
            .map(|(sight, refused)| Load { time: sight.time, refused, event: sight.event.as_deref() })
            .collect();
        loads.sort_by_key(|load| (load.time, load.refused));
        loads
    }
}

impl Bucket {
    fn new(from: Millis) -> Self {
        Self { from, loads: Ends::default(), refusals: None }
    }

    fn add(&mut self, event: Box<Event>) {
        let ends =
            if event.kind == EventKind::Loaded { &mut self.loads } else { self.refusals.get_or_insert_default() };
        ends.add(event);
    }
}

impl Series {
    /// Drops buckets of the past that no change asks for, and events that are no evidence: `is_idle` tells whether a load
    /// shows nothing that the one before it does not.
    fn settle(
        &mut self,
        of_use: impl Fn(Millis) -> bool,
        settled: Millis,
        width: Millis,
        is_idle: impl Fn(Time, Time) -> bool,
    ) {
        while let Some(bucket) = self.buckets.get(self.settled) {
            if bucket.from.saturating_add(width) >= settled {
                break;
            }
            if !of_use(bucket.from) {
                self.buckets.remove(self.settled);
                continue;
            }
            let before = self.settled.checked_sub(1).and_then(|at| self.buckets[at].loads.last());
            let last = bucket.loads.last().map(|last| last.time);
            if before.zip(last).is_some_and(|(before, last)| is_idle(before.time, last)) {
                self.buckets[self.settled].loads.strip();
            }
            self.settled += 1;
        }
    }
}

/// What one principal read of one item in one trail.
pub(super) struct ReadSum {
    pub(super) count: u64,
    pub(super) first: Time,
    pub(super) last: Time,
    pub(super) raw: Raw,
}

/// Principals that are told apart, at most; the reads of any more are counted together.
const MAX_READERS: usize = 50_000;
/// Who the others are.
pub(super) const OTHERS: &str = "(others)";
/// Who a trail does not name.
pub(super) const NOBODY: &str = "(not named)";

/// Reads by item and trail, and by principal.
#[derive(Default)]
pub(super) struct Reads {
    sums: Vec<ReadSum>,
    slots: HashMap<(u32, u32), HashMap<Box<str>, u32>>,
}

impl Reads {
    /// The number of the sum that reads of an item by a principal count in, for [`Reads::add`].
    pub(super) fn slot(&mut self, item: u32, event: &Event) -> u32 {
        let trail = u32::try_from(event.trail).unwrap_or(u32::MAX);
        let of_item = self.slots.entry((item, trail)).or_default();
        let actor = event.actor.as_deref().filter(|actor| actor.len() <= 1024).unwrap_or(NOBODY);
        let actor = if self.sums.len() >= MAX_READERS && !of_item.contains_key(actor) { OTHERS } else { actor };
        if let Some(slot) = of_item.get(actor) {
            return *slot;
        }
        let slot = u32::try_from(self.sums.len()).unwrap_or(u32::MAX);
        self.sums.push(ReadSum { count: 0, first: event.time, last: event.time, raw: event.raw.clone() });
        of_item.insert(actor.into(), slot);
        slot
    }

    pub(super) fn add(&mut self, slot: u32, event: &Event) {
        let sum = &mut self.sums[slot as usize];
        sum.count += 1;
        sum.last = sum.last.max(event.time);
        if (event.time, &event.raw) < (sum.first, &sum.raw) {
            (sum.first, sum.raw) = (event.time, event.raw.clone());
        }
    }

    /// The item, the trail, the principal and the sum of his reads, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, u32, &str, &ReadSum)> {
        self.slots.iter().flat_map(|((item, trail), actors)| {
            actors.iter().map(|(actor, slot)| (*item, *trail, &**actor, &self.sums[*slot as usize]))
        })
    }
}

/// Records of a generation of [`Recent`], at most.
const GENERATION: usize = 1 << 19;

/// Tells a record that was there before, as long as it is not too long ago.
#[derive(Default)]
pub(super) struct Recent {
    keyed: Keyed,
    new: HashSet<u64, AsIs>,
    old: HashSet<u64, AsIs>,
}

impl Recent {
    /// Whether the record was not there yet.
    pub(super) fn is_new(&mut self, record: impl Hash) -> bool {
        let hash = self.keyed.hash_one(record);
        if self.old.contains(&hash) || !self.new.insert(hash) {
            return false;
        }
        if self.new.len() >= GENERATION {
            std::mem::swap(&mut self.old, &mut self.new);
            self.new.clear();
        }
        true
    }
}
