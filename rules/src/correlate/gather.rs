//! Reads the streams: keeps what may be evidence of a change, and reduces the rest.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;

use chrono::TimeDelta;

use super::floods::{ANYBODY, Ends, LoadKey, Loads, Reads, Recent};
use super::hashes::{AsIs, Keyed};
use super::memo::Memo;
use super::names::{Named, Resolver, United};
use super::{Names, Setup, Stream};
use crate::model::{Covered, Entry, Event, EventKind, Hole, Outcome, Place, Time, VersionValue};

/// Events of names that no trail has united with an item yet, at most.
const MAX_UNKNOWN: usize = 4096;
/// How often they are looked through, at most.
const MAX_REPLAYS: u32 = 1024;
/// Holes and covered stretches of a trail, at most; a trail with more of either is as good as uncovered.
const MAX_STRETCHES: usize = 1 << 16;

/// An event that may be evidence.
pub(super) struct Kept {
    pub(super) event: Box<Event>,
    /// The items that it is about, sorted.
    pub(super) items: Vec<u32>,
}

/// The writes of a path, whichever of its keys they speak of.
#[derive(Default)]
pub(super) struct PathWrites {
    pub(super) versions: BTreeSet<String>,
    /// When, for those that do not name the number of a version.
    pub(super) times: BTreeSet<Time>,
}

/// What is known of a trail itself.
#[derive(Default)]
pub(super) struct TrailState {
    pub(super) records: u64,
    pub(super) events: u64,
    pub(super) first: Option<Time>,
    pub(super) last: Option<Time>,
    pub(super) covered: Vec<Covered>,
    pub(super) holes: Vec<Hole>,
    /// Consumers that its events name.
    pub(super) consumers: BTreeSet<u32>,
}

/// What the streams held.
pub(super) struct Gathered<'a> {
    pub(super) names: &'a Names,
    pub(super) kept: Vec<Kept>,
    /// The writes of each path that holds an item.
    pub(super) path_writes: HashMap<Place, PathWrites>,
    /// The events of each item, by their places in `kept`.
    pub(super) of_item: Vec<Vec<u32>>,
    pub(super) loads: Loads,
    pub(super) reads: Reads,
    /// Tries that failed, of each item, by their time.
    pub(super) failed: HashMap<u32, Vec<Event>>,
    pub(super) trails: Vec<TrailState>,
    /// Every consumer of the inventory.
    pub(super) consumers: HashMap<String, u32>,
}

struct Gathering<'a> {
    setup: &'a Setup<'a>,
    resolver: Resolver<'a>,
    out: Gathered<'a>,
    seen: HashSet<u64, AsIs>,
    keyed: Keyed,
    reads_seen: Recent,
    /// Where loads and reads belong.
    memo: Memo,
    /// The place of each trail's kind among the kinds.
    kinds: Vec<u32>,
    failed: HashMap<(u32, i64, Outcome), Ends>,
    lasting: HashMap<(u32, i64, EventKind), Ends>,
    unknown: VecDeque<Box<Event>>,
    /// How often they were looked through.
    replays: u32,
    /// How far all trails are.
    front: Time,
    slack: TimeDelta,
    found: Vec<u32>,
    slots: Vec<u32>,
}

/// Reads the streams to their ends.
pub(super) fn gather<'a>(setup: &'a Setup<'a>, names: &'a Names, streams: Vec<Stream<'_>>) -> Gathered<'a> {
    let slack_of = |trail: &crate::model::Trail| trail.delay.max(TimeDelta::zero()) + trail.skew.abs() * 2;
    let slack = setup.trails.iter().map(slack_of).max().unwrap_or_default().clamp(HOUR, TimeDelta::days(30));
    let skew = setup.trails.iter().map(|trail| trail.skew.abs()).max().unwrap_or_default();
    let count = names.items().len();
    let window = setup.policy.load_window.num_milliseconds().max(1);
    let mut consumers = HashMap::new();
    for consumer in names.items().iter().flat_map(|item| &item.consumers) {
        let next = u32::try_from(consumers.len()).unwrap_or(ANYBODY - 1);
        consumers.entry(consumer.clone()).or_insert(next);
    }
    let out = Gathered {
        names,
        kept: Vec::new(),
        path_writes: HashMap::new(),
        of_item: vec![Vec::new(); count],
        loads: Loads::new(count, window, skew.num_milliseconds().saturating_mul(2)),
        reads: Reads::default(),
        failed: HashMap::new(),
        trails: setup.trails.iter().map(|_| TrailState::default()).collect(),
        consumers,
    };
    let mut gathering = Gathering {
        setup,
        resolver: Resolver::new(names, setup.trails),
        out,
        seen: HashSet::default(),
        keyed: Keyed::default(),
        reads_seen: Recent::default(),
        memo: Memo::default(),
        kinds: kinds(setup),
        failed: HashMap::new(),
        lasting: HashMap::new(),
        unknown: VecDeque::new(),
        replays: 0,
        front: Time::MIN_UTC,
        slack,
        found: Vec::new(),
        slots: Vec::new(),
    };
    gathering.take_history();
    gathering.merge(streams);
    gathering.end()
}

const HOUR: TimeDelta = TimeDelta::hours(1);

impl<'a> Gathering<'a> {
    /// The versions that stores remember may be changes too.
    fn take_history(&mut self) {
        for (at, item) in (0..).zip(self.setup.inventory.secrets()) {
            for version in item.copies.iter().flat_map(|copy| &copy.history.versions) {
                if version.value != VersionValue::Absent {
                    self.out.loads.candidate(at, version.created_at.timestamp_millis());
                }
            }
        }
    }

    /// Reads the streams, always the one that is furthest behind.
    fn merge(&mut self, streams: Vec<Stream<'_>>) {
        let mut streams: Vec<Stream<'_>> = streams.into_iter().take(self.setup.trails.len()).collect();
        let mut behind: BinaryHeap<Reverse<(Time, usize)>> =
            (0..streams.len()).map(|at| Reverse((Time::MIN_UTC, at))).collect();
        while let Some(Reverse((mut time, at))) = behind.pop() {
            let next = behind.peek().map_or(Time::MAX_UTC, |Reverse((next, _))| *next);
            self.front = time;
            let mut taken = 0_u32;
            for entry in streams[at].by_ref() {
                let told = self.take(at, entry);
                // What claims to be of the future says nothing of how far the trail is.
                time = time.max(told.filter(|told| *told <= self.setup.as_of).unwrap_or(Time::MIN_UTC));
                taken += 1;
                if time > next || taken == 4096 {
                    behind.push(Reverse((time, at)));
                    break;
                }
            }
        }
    }

    fn take(&mut self, at: usize, entry: Entry) -> Option<Time> {
        let trail = &mut self.out.trails[at];
        match entry {
            Entry::Event(mut event) => {
                event.trail = at;
                let time = event.time;
                if time <= self.setup.as_of {
                    self.event(event);
                }
                Some(time)
            }
            Entry::Same(a, b) => {
                let united = self.resolver.unite(&a, &b);
                if united != United::Before {
                    self.memo.clear();
                }
                let again = united == United::News && self.replays < MAX_REPLAYS;
                self.replays += u32::from(again);
                for _ in 0..if again { self.unknown.len() } else { 0 } {
                    if let Some(event) = self.unknown.pop_front() {
                        self.event(event);
                    }
                }
                None
            }
            Entry::Covered(covered) => {
                if trail.covered.len() < MAX_STRETCHES {
                    trail.covered.push(covered);
                }
                None
            }
            Entry::Hole(hole) => {
                if trail.holes.len() < MAX_STRETCHES {
                    trail.holes.push(hole);
                } else if let Some(last) = trail.holes.last_mut() {
                    (last.from, last.to) = (None, None);
                }
                None
            }
            Entry::Progress { records, time } => {
                trail.records += records;
                if time <= self.setup.as_of {
                    trail.reach(time);
                }
                Some(time)
            }
        }
    }

    fn event(&mut self, event: Box<Event>) {
        match event.kind {
            EventKind::Loaded | EventKind::Refused if event.outcome == Outcome::Done => return self.load(event),
            EventKind::Read if event.outcome == Outcome::Done => return self.read(&event),
            _ => {}
        }
        if event.outcome == Outcome::Done && (is_write(event.kind) || event.kind == EventKind::AutoRotated) {
            let path = event.target.whole_path();
            if self.out.names.sharing(&path) > 0 {
                let writes = self.out.path_writes.entry(path).or_default();
                writes.versions.extend(event.version.clone());
                if event.version.as_ref().is_none_or(|version| version.parse::<u64>().is_err()) {
                    writes.times.insert(event.time);
                }
            }
        }
        let mut found = std::mem::take(&mut self.found);
        self.resolver.find(&event, &mut found);
        if found.is_empty() {
            self.set_aside(event);
        } else {
            let trail = &mut self.out.trails[event.trail];
            trail.events += 1;
            trail.reach(event.time);
            self.sort_in(event, &found);
        }
        self.found = found;
    }

    /// Keeps some events of unknown names: a later record may say whose they are.
    fn set_aside(&mut self, event: Box<Event>) {
        if is_flood(event.kind) || event.outcome != Outcome::Done {
            return;
        }
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.pop_front();
        }
        self.unknown.push_back(event);
    }

    fn sort_in(&mut self, event: Box<Event>, items: &[u32]) {
        let bucket = event.time.timestamp_millis().div_euclid(HOUR.num_milliseconds());
        match event.kind {
            EventKind::Restarted if event.outcome == Outcome::Done => self.name_consumer(&event),
            kind if is_flood(kind) => {}
            kind if is_lasting(kind) => {
                for item in items {
                    self.lasting.entry((*item, bucket, kind)).or_default().add(event.clone());
                }
            }
            _ if event.outcome != Outcome::Done => {
                for item in items {
                    self.failed.entry((*item, bucket, event.outcome)).or_default().add(event.clone());
                }
            }
            _ => self.keep(event, items),
        }
    }

    /// Takes note of the consumer that an event names.
    fn name_consumer(&mut self, event: &Event) {
        // The config says whose trail it is, where it is one consumer's.
        let named = event.consumer.as_ref().and_then(|consumer| self.out.consumers.get(&**consumer));
        self.out.trails[event.trail].consumers.extend(named);
    }

    /// Fills `slots` with what an event is to be added to, looked up by `find` where it is not remembered.
    fn slots(&mut self, event: &Event, actor: Option<&str>, find: impl FnOnce(&mut Self, &[u32], &mut Vec<u32>)) {
        let name = self.memo.hashes((event.trail, event.target.as_str(), event.consumer.as_deref(), actor));
        self.slots.clear();
        if let Some(slots) = self.memo.get(name) {
            self.slots.extend_from_slice(slots);
        } else {
            let (mut items, mut slots) = (std::mem::take(&mut self.found), std::mem::take(&mut self.slots));
            self.resolver.find(event, &mut items);
            if !items.is_empty() {
                find(self, &items, &mut slots);
            }
            self.memo.insert(name, &slots);
            (self.found, self.slots) = (items, slots);
        }
        if !self.slots.is_empty() {
            let trail = &mut self.out.trails[event.trail];
            trail.events += 1;
            trail.reach(event.time);
        }
    }

    fn load(&mut self, event: Box<Event>) {
        self.slots(&event, None, |gathering, items, slots| {
            gathering.name_consumer(&event);
            let trail = u32::try_from(event.trail).unwrap_or(u32::MAX);
            for item in items {
                let named = &gathering.out.names.items()[*item as usize];
                let consumer = consumer_of(named, &event, gathering.setup).unwrap_or(ANYBODY);
                slots.push(gathering.out.loads.slot(LoadKey { item: *item, trail, consumer }));
            }
        });
        let settled = self.front.timestamp_millis().saturating_sub(self.slack.num_milliseconds());
        if let Some((last, others)) = self.slots.split_last() {
            for slot in others {
                self.out.loads.add(*slot, event.clone(), settled);
            }
            self.out.loads.add(*last, event, settled);
        }
    }

    fn read(&mut self, event: &Event) {
        let actor = event.actor.as_deref();
        self.slots(event, actor, |gathering, items, slots| {
            slots.extend(items.iter().map(|item| gathering.out.reads.slot(*item, event)));
        });
        let kind = self.kinds[event.trail];
        if !self.slots.is_empty() && self.reads_seen.is_new((kind, &event.id, &event.target)) {
            for slot in &self.slots {
                self.out.reads.add(*slot, event);
            }
        }
    }

    fn keep(&mut self, event: Box<Event>, items: &[u32]) {
        let kind = self.setup.trails[event.trail].kind;
        let seen = match event.kind {
            // However often somebody looks, what he sees is one thing.
            EventKind::State => {
                self.keyed.hash_one((event.trail, &event.target, event.time, &event.version, &event.value))
            }
            _ => self.keyed.hash_one((
                (kind, event.kind, &event.id, &event.target, &event.version, &event.run),
                (&event.value, event.time, event.trail),
            )),
        };
        if !self.seen.insert(seen) {
            return;
        }
        let at = u32::try_from(self.out.kept.len()).unwrap_or(u32::MAX);
        for item in items {
            self.out.of_item[*item as usize].push(at);
            if may_be_change(event.kind) {
                self.out.loads.candidate(*item, event.time.timestamp_millis());
            }
        }
        self.out.kept.push(Kept { event, items: items.to_vec() });
    }

    fn end(mut self) -> Gathered<'a> {
        for ((item, _, _), ends) in self.failed {
            self.out.failed.entry(item).or_default().extend(ends.into_events().map(|event| *event));
        }
        for events in self.out.failed.values_mut() {
            events.sort_by(super::floods::order);
        }
        let mut lasting: Vec<(u32, Box<Event>)> = Vec::new();
        for ((item, _, _), ends) in self.lasting {
            lasting.extend(ends.into_events().map(|event| (item, event)));
        }
        for (item, event) in lasting {
            let at = u32::try_from(self.out.kept.len()).unwrap_or(u32::MAX);
            self.out.of_item[item as usize].push(at);
            self.out.kept.push(Kept { event, items: vec![item] });
        }
        let kept = &self.out.kept;
        for events in &mut self.out.of_item {
            events.sort_by(|a, b| super::floods::order(&kept[*a as usize].event, &kept[*b as usize].event));
        }
        self.out
    }
}

impl TrailState {
    fn reach(&mut self, time: Time) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }
}

/// The place of each trail's kind among the kinds.
fn kinds(setup: &Setup<'_>) -> Vec<u32> {
    let all: BTreeSet<&str> = setup.trails.iter().map(|trail| trail.kind).collect();
    let place = |kind: &str| (0..).zip(&all).find(|(_, one)| **one == kind).map_or(0, |(at, _)| at);
    setup.trails.iter().map(|trail| place(trail.kind)).collect()
}

/// The consumer of a load, by its place among those of the item.
fn consumer_of(item: &Named, event: &Event, setup: &Setup<'_>) -> Option<u32> {
    let consumer = event.consumer.as_deref().or(setup.trails[event.trail].consumer.as_deref())?;
    let at = item.consumers.binary_search_by(|one| one.as_str().cmp(consumer)).ok()?;
    u32::try_from(at).ok()
}

fn is_flood(kind: EventKind) -> bool {
    matches!(kind, EventKind::Loaded | EventKind::Refused | EventKind::Restarted | EventKind::Read)
}

/// What may be said over and over, and is no change.
fn is_lasting(kind: EventKind) -> bool {
    use EventKind::{AutoRotationFailed, AutoRotationOff, AutoRotationOn};
    matches!(kind, AutoRotationFailed | AutoRotationOff | AutoRotationOn)
}

/// Whether a store was written.
pub(super) fn is_write(kind: EventKind) -> bool {
    matches!(kind, EventKind::Created | EventKind::Written | EventKind::MaybeWritten)
}

/// Whether it may be that a value changed then.
fn may_be_change(kind: EventKind) -> bool {
    use EventKind::{AutoRotated, Created, Encrypted, Issued, MaybeWritten, Promoted, State, Written};
    matches!(kind, Created | Written | MaybeWritten | Encrypted | Promoted | Issued | AutoRotated | State)
}
