//! Which anchors are of one change, and which request asked for it.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::TimeDelta;

use super::Setup;
use super::changes::{Anchor, Nature};
use super::coverage::later;
use super::gather::Gathered;
use crate::model::{EventKind, Outcome, Time};

/// How many later anchors one is compared with.
const NEIGHBOURS: usize = 8;
/// Two records of one thing that come from two clocks of full seconds.
const SECOND: TimeDelta = TimeDelta::seconds(2);

/// A change of one item.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) anchors: Vec<Anchor>,
    /// When the value changed.
    pub(super) time: Time,
    /// Whether it is known that it did.
    pub(super) nature: Nature,
    /// The request for it.
    pub(super) request: Option<usize>,
}

/// A request for a change of one item.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) time: Time,
    pub(super) run: Option<String>,
    pub(super) version: Option<String>,
    /// Everything that ledgers say of it.
    pub(super) events: Vec<u32>,
    pub(super) claimed: bool,
    pub(super) skew: TimeDelta,
}

/// The requests for an item, by time.
pub(super) fn requests(setup: &Setup<'_>, gathered: &Gathered<'_>, item: u32) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    let mut by_run: HashMap<&str, usize> = HashMap::new();
    let mut by_record: HashMap<(&str, &str), usize> = HashMap::new();
    let window = setup.policy.request_window.max(setup.policy.load_window);
    for at in &gathered.of_item[item as usize] {
        let event = &gathered.kept[*at as usize].event;
        if event.kind.role() != crate::model::Role::Ledger || event.outcome != Outcome::Done {
            continue;
        }
        let record = (setup.trails[event.trail].kind, &*event.id);
        let same = match &event.run {
            Some(run) => by_run.get(run.as_str()).copied(),
            None if event.kind == EventKind::Requested => by_record.get(&record).copied(),
            None => requests.len().checked_sub(1),
        };
        let near = |one: &usize| later(requests[*one].time, window) >= event.time || event.run.is_some();
        if let Some(same) = same.filter(near) {
            requests[same].events.push(*at);
            continue;
        }
        if event.kind == EventKind::Abandoned {
            continue;
        }
        by_record.insert(record, requests.len());
        if let Some(run) = &event.run {
            by_run.insert(run, requests.len());
        }
        requests.push(Request {
            time: event.time,
            run: event.run.clone(),
            version: event.version.clone(),
            events: vec![*at],
            claimed: false,
            skew: setup.trails[event.trail].skew.abs(),
        });
    }
    requests
}

/// Groups the anchors of an item: those of one record, version or run, and those of different places that are nearest to
/// each other within the request window.
pub(super) fn changes(mut anchors: Vec<Anchor>, window: TimeDelta) -> Vec<Change> {
    anchors.sort_by(|a, b| (a.time, a.trail, &a.id, a.kind).cmp(&(b.time, b.trail, &b.id, b.kind)));
    let mut sets = Sets::new(&anchors);
    sets.join_by(&anchors, window, |one| Some((one.slot.split(':').next()?.to_owned(), one.version.clone()?)));
    sets.join_by(&anchors, window, |one| Some((String::new(), one.run.clone()?)));
    sets.join_by(&anchors, SECOND, |one| Some((one.slot.clone(), one.id.clone())));
    sets.join_copies(&anchors);
    sets.join_states(&anchors);
    sets.join_nearest(&anchors, window);
    let mut groups: BTreeMap<usize, Vec<Anchor>> = BTreeMap::new();
    for (at, anchor) in anchors.into_iter().enumerate() {
        groups.entry(sets.root(at)).or_default().push(anchor);
    }
    let mut changes: Vec<Change> = groups.into_values().filter_map(Change::of).collect();
    changes.sort_by_key(|change| change.time);
    changes
}

impl Change {
    fn of(anchors: Vec<Anchor>) -> Option<Self> {
        let nature = anchors.iter().map(|anchor| anchor.nature).max()?;
        let first = |kinds: &[EventKind]| {
            anchors.iter().filter(|anchor| kinds.contains(&anchor.kind)).map(|anchor| anchor.time).min()
        };
        let time = first(&[EventKind::Created, EventKind::Written, EventKind::MaybeWritten, EventKind::AutoRotated])
            .or_else(|| first(&[EventKind::Encrypted, EventKind::Promoted]))
            .or_else(|| first(&[EventKind::Issued]))
            .or_else(|| first(&EventKind::ALL))?;
        Some(Self { anchors, time, nature, request: None })
    }

    pub(super) fn runs(&self) -> BTreeSet<&str> {
        self.anchors.iter().filter_map(|anchor| anchor.run.as_deref()).collect()
    }

    pub(super) fn skew(&self) -> TimeDelta {
        self.anchors.iter().map(|anchor| anchor.skew).max().unwrap_or_default()
    }

    /// Whether it made the thing, and replaced no value.
    pub(super) fn is_first(&self) -> bool {
        self.nature == Nature::Maybe && self.has(EventKind::Created)
    }

    pub(super) fn has(&self, kind: EventKind) -> bool {
        self.anchors.iter().any(|anchor| anchor.kind == kind)
    }
}

/// Disjoint sets of anchors.
struct Sets {
    parent: Vec<usize>,
    slots: Vec<BTreeSet<String>>,
    runs: Vec<BTreeSet<String>>,
}

impl Sets {
    fn new(anchors: &[Anchor]) -> Self {
        Self {
            parent: (0..anchors.len()).collect(),
            slots: anchors.iter().map(|one| BTreeSet::from([one.slot.clone()])).collect(),
            runs: anchors.iter().map(|one| one.run.iter().cloned().collect()).collect(),
        }
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            let (keep, drop) = (a.min(b), a.max(b));
            self.parent[drop] = keep;
            let slots = std::mem::take(&mut self.slots[drop]);
            self.slots[keep].extend(slots);
            let runs = std::mem::take(&mut self.runs[drop]);
            self.runs[keep].extend(runs);
        }
    }

    /// Joins anchors of one name, each with the one before it, where they are not too far apart.
    fn join_by(&mut self, anchors: &[Anchor], window: TimeDelta, name: impl Fn(&Anchor) -> Option<(String, String)>) {
        let mut last: HashMap<(String, String), usize> = HashMap::new();
        for (at, anchor) in anchors.iter().enumerate() {
            if let Some(name) = name(anchor)
                && let Some(before) = last.insert(name, at)
                && anchor.time - anchors[before].time <= window + anchor.skew + anchors[before].skew
            {
                self.join(before, at);
            }
        }
    }

    /// Joins what two trails, or two lines of one log, say of one thing that bears no version.
    fn join_copies(&mut self, anchors: &[Anchor]) {
        let mut last: HashMap<(&str, EventKind), usize> = HashMap::new();
        for (at, anchor) in anchors.iter().enumerate() {
            let Some(before) = last.insert((&anchor.slot, anchor.kind), at) else {
                continue;
            };
            let other = &anchors[before];
            let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
            let apart = differ(&anchor.version, &other.version) || differ(&anchor.run, &other.run);
            let twice = anchor.kind == EventKind::Issued || anchor.trail != other.trail;
            if twice && !apart && anchor.time - other.time <= SECOND + anchor.skew + other.skew {
                self.join(before, at);
            }
        }
    }

    /// Joins what was seen afterwards with what it shows: not another version of the same thing.
    fn join_states(&mut self, anchors: &[Anchor]) {
        for (at, anchor) in anchors.iter().enumerate().filter(|(_, one)| one.kind == EventKind::State) {
            let reach = |other: &Anchor| SECOND + anchor.skew + other.skew;
            let widest = SECOND + anchor.skew + anchors.iter().map(|one| one.skew).max().unwrap_or_default();
            let from = anchors.partition_point(|other| other.time < later(anchor.time, -widest));
            let near = anchors[from..].iter().enumerate().take_while(|(_, one)| one.time <= later(anchor.time, widest));
            let nearest = near
                .map(|(step, other)| (from + step, other, (other.time - anchor.time).abs()))
                .filter(|(other_at, other, apart)| *other_at != at && *apart <= reach(other))
                .filter(|(_, other, _)| {
                    let versions = anchor.version.as_ref().zip(other.version.as_ref());
                    other.slot != anchor.slot || versions.is_none_or(|(one, another)| one == another)
                })
                .min_by_key(|(other_at, other, apart)| (other.kind == EventKind::State, *apart, *other_at));
            if let Some((other, _, _)) = nearest {
                self.join(at, other);
            }
        }
    }

    /// Joins what happened in different places, the nearest first.
    fn join_nearest(&mut self, anchors: &[Anchor], window: TimeDelta) {
        let mut pairs: Vec<(TimeDelta, usize, usize)> = Vec::new();
        let joins = |one: &Anchor| one.nature != Nature::Maybe || one.kind == EventKind::State;
        for (a, one) in anchors.iter().enumerate().filter(|(_, one)| joins(one)) {
            let others = anchors.iter().enumerate().skip(a + 1).filter(|(_, other)| joins(other));
            for (b, other) in others.filter(|(_, other)| other.slot != one.slot).take(NEIGHBOURS) {
                let apart = other.time - one.time;
                if apart > window + one.skew + other.skew {
                    break;
                }
                pairs.push((apart, a, b));
            }
        }
        pairs.sort_unstable();
        for (_, a, b) in pairs {
            let (a, b) = (self.root(a), self.root(b));
            let apart = self.runs[a].is_empty() || self.runs[b].is_empty() || self.runs[a] == self.runs[b];
            if a != b && apart && self.slots[a].is_disjoint(&self.slots[b]) {
                self.join(a, b);
            }
        }
    }
}

/// Gives each change the request for it: of its run, of its version, else within the window; of several the one that is
/// due first.
pub(super) fn claim(changes: &mut [Change], requests: &mut [Request], window: TimeDelta) {
    for change in changes.iter_mut() {
        let runs = change.runs();
        let named = requests.iter().enumerate().filter(|(_, one)| {
            !one.claimed && one.run.as_deref().is_some_and(|run| runs.contains(run))
                || !one.claimed
                    && one.version.is_some()
                    && change.anchors.iter().any(|anchor| anchor.version == one.version)
                    && (one.time - change.time).abs() <= window + window
        });
        let nearest = named.min_by_key(|(at, one)| ((one.time - change.time).abs(), *at)).map(|(at, _)| at);
        if let Some(nearest) = nearest {
            change.request = Some(nearest);
            requests[nearest].claimed = true;
        }
    }
    // What is asked for afterwards is not the first value. Where only the clocks may say otherwise, every other change
    // comes before.
    for lenient in [false, true] {
        claim_by_time(changes, requests, window, lenient);
    }
}

/// Gives each change that has none the request within the window that is due first. A first value is given only what came
/// before it, unless `lenient`, by as much as the clocks may be apart.
fn claim_by_time(changes: &mut [Change], requests: &mut [Request], window: TimeDelta, lenient: bool) {
    let mut start = 0;
    let open = |change: &&mut Change| change.request.is_none() && (change.nature != Nature::Maybe || change.is_first());
    for change in changes.iter_mut().filter(open) {
        let reach = |one: &Request| window + one.skew + change.skew();
        let widest = window + change.skew() + requests.iter().map(|one| one.skew).max().unwrap_or_default();
        while requests.get(start).is_some_and(|one| one.time < later(change.time, -widest - window)) {
            start += 1;
        }
        let runs = change.runs();
        let found = requests[start..].iter().position(|one| {
            let fits = one.run.as_deref().is_none_or(|run| runs.is_empty() || runs.contains(run));
            let apart = if lenient { one.skew + change.skew() } else { TimeDelta::zero() };
            let in_order = !change.is_first() || one.time <= later(change.time, apart);
            !one.claimed && fits && in_order && (one.time - change.time).abs() <= reach(one)
        });
        if let Some(found) = found {
            requests[start + found].claimed = true;
            change.request = Some(start + found);
        }
    }
}
