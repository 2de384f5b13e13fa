//! What each of the three trails says of a change: it shows it, it may still, it is not known, it does not.

use chrono::TimeDelta;

use super::coverage::{Coverage, Extent, known, later};
use super::floods::{ANYBODY, Load, LoadKey};
use super::gather::Gathered;
use super::names::{Named, canonical};
use super::{Missing, Setup, Trace, Traces, Verdict};
use crate::model::{Event, Hole, Place, Role, Time, Trail};

/// The judgement of a change by its traces; `None` where nothing changed, nobody asked for it, and nothing is awaited.
///
/// `change` tells that a value is known to have changed: the store was written, who honours the credential was changed, or
/// the state before and after differs.
pub(super) fn verdict(traces: Traces, change: bool) -> Option<Verdict> {
    use Trace::{Absent, NotYet, Present, Unknown};
    let all = [traces.ledger, traces.store, traces.application];
    Some(match all {
        [Absent, _, _] if change => Verdict::Silent,
        [Present, Present, Present] => Verdict::Traced,
        _ if all.contains(&NotYet) => Verdict::Pending,
        _ if all.contains(&Unknown) => Verdict::Inconclusive,
        [Present, Absent, _] => Verdict::RequestedNeverApplied,
        [Present, Present, Absent] => Verdict::AppliedNeverLoaded,
        _ => return None,
    })
}

/// A trace, with what is missing for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cell {
    pub(super) trace: Trace,
    pub(super) missing: Vec<Missing>,
}

impl Cell {
    pub(super) fn present() -> Self {
        Self { trace: Trace::Present, missing: Vec::new() }
    }
}

/// What the cells are made of.
pub(super) struct Cells<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) gathered: &'a Gathered<'a>,
    pub(super) coverage: &'a [Coverage],
}

/// What consumers did with a new value.
pub(super) struct Loading<'a> {
    pub(super) cell: Cell,
    /// The first load of each consumer, and the last refusal of one that did not get over it.
    pub(super) evidence: Vec<&'a Event>,
    /// When the last consumer had loaded it first; `None` where one did not.
    pub(super) complete: Option<Time>,
    /// Whether consumers of the item are in no trail.
    pub(super) unwatched: bool,
    /// When the last load is due.
    pub(super) deadline: Time,
}

/// Whether a trail would have a trace of a credential of that name.
pub(super) fn watches(trail: &Trail, place: &Place) -> bool {
    trail.watches.is_empty() || {
        let canonical = canonical(place);
        trail.watches.iter().any(|start| place.as_str().starts_with(start) || canonical.starts_with(start))
    }
}

/// Whether a trail would have a trace of an item under any of its names.
fn watches_item(trail: &Trail, item: &Named) -> bool {
    let by_key =
        || item.keys.iter().any(|key| trail.watches.iter().any(|start| format!("env:{key}").starts_with(start)));
    let by_id = || trail.watches.iter().any(|start| format!("item:{}", item.id).starts_with(start));
    item.places.iter().chain(&item.known_as).any(|place| watches(trail, place))
        || trail.watches.is_empty()
        || by_key()
        || by_id()
}

impl<'a> Cells<'a> {
    /// The trails of a role that watch an item.
    fn watching(&self, role: Role, item: &Named) -> Vec<usize> {
        let trails = self.setup.trails.iter().enumerate();
        trails.filter(|(_, trail)| trail.role == role && watches_item(trail, item)).map(|(at, _)| at).collect()
    }

    fn named(&self, item: u32) -> &'a Named {
        &self.gathered.names.items()[item as usize]
    }

    /// The best that some trails have over a stretch of time, and what they lack.
    fn best(&self, role: Role, trails: &[usize], from: Time, to: Time) -> Cell {
        let mut missing = Vec::new();
        let mut trace = Trace::Unknown;
        for at in trails {
            let trail = &self.setup.trails[*at];
            match self.coverage[*at].extent(from, to, known(trail, self.setup.as_of)) {
                Extent::Whole => return Cell { trace: Trace::Absent, missing: Vec::new() },
                Extent::SoFar => trace = Trace::NotYet,
                Extent::Lacks(from, to) => missing.push(self.lack(role, *at, from, to)),
            }
        }
        if trails.is_empty() {
            let reason = "no trail watches it".to_owned();
            missing.push(Missing { role, trail: None, from, to, reason });
        }
        if trace == Trace::NotYet {
            missing.clear();
        }
        Cell { trace, missing }
    }

    fn lack(&self, role: Role, at: usize, from: Time, to: Time) -> Missing {
        let holes = &self.gathered.trails[at].holes;
        let touches = |hole: &&Hole| hole.from.is_none_or(|start| start < to) && hole.to.is_none_or(|end| end >= from);
        let reason = match holes.iter().find(touches) {
            Some(hole) => hole.reason.clone(),
            None if self.coverage[at].is_empty() => "nothing shows that the trail is complete at any time".to_owned(),
            None => "nothing shows that the trail is complete then".to_owned(),
        };
        Missing { role, trail: Some(self.setup.trails[at].name.clone()), from, to, reason }
    }

    /// Whether a ledger would have shown a request for a change.
    pub(super) fn no_request(&self, item: u32, change: Time, skew: TimeDelta) -> Cell {
        let window = self.setup.policy.request_window + skew;
        let ledgers = self.watching(Role::Ledger, self.named(item));
        self.best(Role::Ledger, &ledgers, later(change, -window), later(change, window))
    }

    /// Whether the trails of the stores would have shown a write between two instants.
    pub(super) fn no_write(&self, item: u32, from: Time, to: Time) -> Cell {
        let named = self.named(item);
        let trails = self.watching(Role::Store, named);
        let watched_by = |place: &Place| -> Vec<usize> {
            trails.iter().copied().filter(|at| watches(&self.setup.trails[*at], place)).collect()
        };
        let mut groups: Vec<Vec<usize>> = named.places.iter().map(watched_by).filter(|one| !one.is_empty()).collect();
        if groups.is_empty() {
            groups = named.known_as.iter().map(watched_by).filter(|one| !one.is_empty()).collect();
        }
        if groups.is_empty() {
            groups.push(trails);
        }
        groups.sort();
        groups.dedup();
        together(groups.iter().map(|group| self.best(Role::Store, group, from, to)), Trace::Absent)
    }

    /// The consumers that are to load a new value, by their places among those of the item, each with the trails that
    /// would show it; and the trails that watch the item at all.
    fn expected(&self, item: u32) -> (Vec<(u32, Vec<usize>)>, Vec<usize>) {
        let named = self.named(item);
        let shown = self.gathered.loads.trails.get(&item);
        let own = |at: usize| match &self.setup.trails[at].consumer {
            Some(consumer) => named.consumers.is_empty() || named.consumers.iter().any(|one| **one == **consumer),
            None => true,
        };
        let mut trails = self.watching(Role::Application, named);
        trails.retain(|at| own(*at));
        trails.extend(shown.into_iter().flatten().map(|at| *at as usize));
        trails.sort_unstable();
        trails.dedup();
        let mut expected = Vec::new();
        for (at, consumer) in (0..).zip(&named.consumers) {
            let global = self.gathered.consumers.get(consumer);
            let speaks = |trail: &usize| match &self.setup.trails[*trail].consumer {
                Some(one) => **one == **consumer,
                None => global.is_some_and(|one| self.gathered.trails[*trail].consumers.contains(one)),
            };
            let speaking: Vec<usize> = trails.iter().copied().filter(speaks).collect();
            if !speaking.is_empty() {
                expected.push((at, speaking));
            }
        }
        (expected, trails)
    }

    /// What the consumers of an item did after it changed.
    pub(super) fn loading(&self, item: u32, change: Time, skew: TimeDelta) -> Loading<'a> {
        let (expected, trails) = self.expected(item);
        let named = self.named(item);
        let end = later(change, self.setup.policy.load_window);
        let delay = trails.iter().map(|at| self.setup.trails[*at].delay).max().unwrap_or_default();
        let mut loading = Loading {
            cell: Cell::present(),
            evidence: Vec::new(),
            complete: Some(change),
            unwatched: expected.len() < named.consumers.len() && !trails.is_empty(),
            deadline: later(end, delay),
        };
        let every: Vec<u32> = (0..).take(named.consumers.len()).chain([ANYBODY]).collect();
        let mut groups: Vec<(Vec<u32>, &[usize])> =
            expected.iter().map(|(consumer, trails)| (vec![*consumer], trails.as_slice())).collect();
        if groups.is_empty() {
            groups.push((every, &trails));
        }
        let mut cells = Vec::new();
        for (consumers, speaking) in groups {
            let (first, refused) = self.loads(item, &consumers, &trails, change, skew);
            loading.evidence.extend(first.into_iter().chain(refused).filter_map(|load| load.event));
            if let Some(first) = first.filter(|_| refused.is_none()) {
                loading.complete = loading.complete.map(|time| time.max(first.time));
                cells.push(self.unless_tampered(speaking, change, later(end, skew)));
            } else {
                loading.complete = None;
                cells.push(self.best(Role::Application, speaking, change, end));
            }
        }
        loading.cell = if cells.iter().any(|cell| cell.trace == Trace::Absent) {
            Cell { trace: Trace::Absent, missing: Vec::new() }
        } else {
            together(cells, Trace::Present)
        };
        loading
    }

    /// The trace of consumers that loaded a value and were not refused, as far as the trails tell. A load is no proof where
    /// lines were taken out of a trail that speaks of them: they may be those of a refusal.
    fn unless_tampered(&self, speaking: &[usize], change: Time, end: Time) -> Cell {
        let mut missing = Vec::new();
        for at in speaking {
            let skew = self.setup.trails[*at].skew.abs();
            let (from, to) = (later(change, -skew), self.gathered.loads.edge(later(end, skew)));
            let touches = |hole: &&Hole| {
                hole.tampered && hole.from.is_none_or(|start| start <= to) && hole.to.is_none_or(|end| end >= from)
            };
            if let Some(hole) = self.gathered.trails[*at].holes.iter().find(touches) {
                let (from, to) =
                    (hole.from.map_or(from, |start| start.max(from)), hole.to.map_or(to, |end| end.min(to)));
                let (trail, reason) = (Some(self.setup.trails[*at].name.clone()), hole.reason.clone());
                missing.push(Missing { role: Role::Application, trail, from, to, reason });
            }
        }
        Cell { trace: if missing.is_empty() { Trace::Present } else { Trace::Unknown }, missing }
    }

    /// The first load of some consumers after a change, and the last refusal, where no load came after it.
    fn loads(
        &self,
        item: u32,
        consumers: &[u32],
        trails: &[usize],
        change: Time,
        skew: TimeDelta,
    ) -> (Option<Load<'a>>, Option<Load<'a>>) {
        let (mut first, mut last): (Option<Load<'_>>, Option<Load<'_>>) = (None, None);
        let mut refused: Option<Load<'_>> = None;
        for at in trails {
            let skew = skew + self.setup.trails[*at].skew.abs();
            let (from, to) = (later(change, -skew), later(later(change, self.setup.policy.load_window), skew));
            let trail = u32::try_from(*at).unwrap_or(u32::MAX);
            for consumer in consumers {
                let key = LoadKey { item, trail, consumer: *consumer };
                for load in self.gathered.loads.between(key, from, self.gathered.loads.edge(to)) {
                    if load.refused {
                        refused = refused.into_iter().chain([load]).max_by_key(|one| one.time);
                    } else {
                        last = last.into_iter().chain([load]).max_by_key(|one| one.time);
                        if load.time <= to {
                            first = first.into_iter().chain([load]).min_by_key(|one| one.time);
                        }
                    }
                }
            }
        }
        let stands = |refused: &Load<'_>| last.is_none_or(|last| last.time < refused.time);
        (first, refused.filter(stands))
    }
}

/// The weakest of several cells.
fn together(cells: impl IntoIterator<Item = Cell>, all: Trace) -> Cell {
    let mut trace = all;
    let mut missing = Vec::new();
    for cell in cells {
        match (cell.trace, trace) {
            (Trace::NotYet, _) | (_, Trace::NotYet) => trace = Trace::NotYet,
            (Trace::Unknown, _) => trace = Trace::Unknown,
            _ => {}
        }
        missing.extend(cell.missing);
    }
    if trace == Trace::NotYet {
        missing.clear();
    }
    Cell { trace, missing }
}
