//! Makes rotations of changes and requests.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::cells::{Cell, Cells, Loading, verdict};
use super::changes::{Anchor, Comparisons, Nature};
use super::coverage::later;
use super::groups::{Change, Request, changes, claim, requests};
use super::reports::report;
use super::{EventReport, Flag, Missing, Rotation, Setup, Silence, Trace, Traces, Verdict};
use crate::model::{Event, EventKind, Outcome, Role, Time, hex};

/// The changes of and the requests for one item, matched.
pub(super) struct Matched {
    pub(super) item: u32,
    pub(super) changes: Vec<Change>,
    pub(super) requests: Vec<Request>,
}

/// Finds the changes of an item and the requests for them.
pub(super) fn matched(cells: &Cells<'_>, comparisons: &Comparisons<'_>, item: u32, extra: Vec<Anchor>) -> Matched {
    let setup = cells.setup;
    let mut requests = requests(setup, cells.gathered, item);
    let runs: BTreeSet<&str> = requests.iter().filter_map(|one| one.run.as_deref()).collect();
    let mut anchors = comparisons.anchors(item, &runs);
    anchors.extend(extra);
    settle_states(&mut anchors);
    let mut changes = changes(anchors, setup.policy.request_window);
    settle_promotions(&mut changes);
    let beside = |change: &Change| {
        change.nature == Nature::Same
            && change.anchors.iter().filter_map(|one| one.event).any(|at| comparisons.has_changed_sibling(item, at))
    };
    let window = setup.policy.request_window;
    let (mut own, mut rewritten): (Vec<Change>, Vec<Change>) = changes.drain(..).partition(|change| !beside(change));
    claim(&mut own, &mut requests, window);
    claim(&mut rewritten, &mut requests, window);
    own.extend(rewritten);
    own.sort_by_key(|change| change.time);
    Matched { item, changes: own, requests }
}

/// A look at the state proves a change where an earlier look saw another time, or an earlier change is on record, and its
/// value is not known to be the same.
fn settle_states(anchors: &mut [Anchor]) {
    anchors.sort_by(|a, b| (a.time, a.trail, &a.id).cmp(&(b.time, b.trail, &b.id)));
    let mut known: HashMap<String, Time> = HashMap::new();
    for anchor in anchors {
        let near = TimeDelta::seconds(2) + anchor.skew * 2;
        let earlier = known.get(&anchor.slot).is_some_and(|time| later(*time, near) < anchor.time);
        if anchor.kind == EventKind::State && anchor.nature == Nature::Maybe && earlier {
            anchor.nature = Nature::Changed;
        }
        if anchor.kind == EventKind::State || anchor.nature == Nature::Changed {
            known.entry(anchor.slot.clone()).or_insert(anchor.time);
        }
    }
}

/// A version that became the current one without being written at the time is a change too.
fn settle_promotions(changes: &mut [Change]) {
    let mut promoted: HashSet<(String, String)> = HashSet::new();
    let mut current: HashMap<String, String> = HashMap::new();
    for change in changes.iter_mut() {
        let only = change.anchors.iter().all(|one| matches!(one.kind, EventKind::Promoted | EventKind::State));
        for anchor in &mut change.anchors {
            let (EventKind::Promoted, Some(version)) = (anchor.kind, &anchor.version) else {
                continue;
            };
            let moved = current.insert(anchor.slot.clone(), version.clone()).as_ref() != Some(version);
            let again = !promoted.insert((anchor.slot.clone(), version.clone()));
            if only && moved {
                (anchor.nature, change.nature) = (Nature::Changed, Nature::Changed);
                anchor.back |= again;
            }
        }
    }
}

/// Judges the changes and the requests of an item. `taken` are the requests' events that a change of some item claims.
pub(super) fn rotations(cells: &Cells<'_>, matched: &Matched, taken: &HashSet<u32>) -> Vec<Rotation> {
    let mut all = Vec::new();
    let mut before = Time::MIN_UTC;
    for (at, change) in matched.changes.iter().enumerate() {
        let request = change.request.map(|request| &matched.requests[request]);
        // What names many items and changed another one did not mean this one.
        let meant = |one: &Request| !one.events.iter().any(|event| taken.contains(event));
        let counts = change.nature == Nature::Changed || request.is_some_and(meant);
        if counts {
            let next = matched.changes[at + 1..].iter().find(|next| next.nature == Nature::Changed);
            let judging =
                Judging { cells, matched, change: Some(change), request, before, next: next.map(|one| one.time) };
            all.extend(judging.rotation());
            before = change.time;
        }
    }
    let deleting = deleting_runs(cells, matched.item);
    for request in matched.requests.iter().filter(|request| !request.claimed) {
        let asked_to_delete = request.run.as_deref().is_some_and(|run| deleting.contains(run));
        if !asked_to_delete && !request.events.iter().any(|event| taken.contains(event)) {
            let before = later(request.time, -cells.setup.policy.request_window);
            all.extend(Judging { cells, matched, change: None, request: Some(request), before, next: None }.rotation());
        }
    }
    all
}

/// The runs that deleted the value: none was to be written by them.
fn deleting_runs<'a>(cells: &Cells<'a>, item: u32) -> HashSet<&'a str> {
    let events = cells.gathered.of_item[item as usize].iter().map(|at| &cells.gathered.kept[*at as usize].event);
    let deletions = events.filter(|event| matches!(event.kind, EventKind::Deleted | EventKind::Destroyed));
    deletions.filter_map(|event| event.run.as_deref()).collect()
}

/// One rotation that is about to be judged.
struct Judging<'a> {
    cells: &'a Cells<'a>,
    matched: &'a Matched,
    change: Option<&'a Change>,
    request: Option<&'a Request>,
    /// When the item changed before.
    before: Time,
    /// When it changed next.
    next: Option<Time>,
}

impl<'a> Judging<'a> {
    fn setup(&self) -> &'a Setup<'a> {
        self.cells.setup
    }

    fn event(&self, at: u32) -> &'a Event {
        &self.cells.gathered.kept[at as usize].event
    }

    fn rotation(&self) -> Option<Rotation> {
        let policy = self.setup().policy;
        let at = self.change.map(|change| change.time).or(self.request.map(|request| request.time))?;
        let skew = self.change.map_or(TimeDelta::zero(), Change::skew);
        let ledger = match self.request {
            Some(_) => Cell::present(),
            None => self.cells.no_request(self.matched.item, at, skew),
        };
        let store = self.store(at);
        let loading = self.change.map(|_| self.cells.loading(self.matched.item, at, skew));
        // What was not written cannot be loaded: whether it was decides.
        let application = loading
            .as_ref()
            .map_or_else(|| Cell { trace: store.trace, missing: Vec::new() }, |loading| loading.cell.clone());
        let traces = Traces { ledger: ledger.trace, store: store.trace, application: application.trace };
        let changed = self.change.is_some_and(|change| change.nature == Nature::Changed);
        let verdict = verdict(traces, changed)?;
        let mut missing: Vec<Missing> = Vec::new();
        if matches!(verdict, Verdict::Inconclusive | Verdict::Pending) {
            missing.extend(ledger.missing.into_iter().chain(store.missing).chain(application.missing));
            missing.sort();
            missing.dedup();
        }
        let (evidence, flags) = self.evidence(at, loading.as_ref(), &traces);
        let deadline = loading.as_ref().map_or(at, |loading| loading.deadline);
        let asked = later(self.request.map_or(at, |request| request.time), policy.request_window);
        let ids = self.ids();
        let earlier = ids.iter().find_map(|id| Some((id, *self.setup().earlier.get(id)?)));
        let mut flags = flags;
        if earlier.is_some_and(|(_, before)| before != Verdict::Pending && before != verdict) {
            flags.insert(Flag::Reopened);
        }
        Some(Rotation {
            id: earlier.map(|(id, _)| id).or(ids.first())?.clone(),
            item: self.cells.gathered.names.items()[self.matched.item as usize].id.clone(),
            at,
            verdict,
            silent: (verdict == Verdict::Silent).then(|| self.silence(store.trace)),
            traces,
            flags,
            missing,
            deadline: deadline.max(later(asked, self.delay())),
            version: self.version(),
            events: evidence,
        })
    }

    fn delay(&self) -> TimeDelta {
        let records = self.setup().trails.iter().filter(|trail| trail.role != Role::Application);
        records.map(|trail| trail.delay).max().unwrap_or_default()
    }

    /// Whether a store shows the write.
    fn store(&self, at: Time) -> Cell {
        let window = self.setup().policy.request_window;
        // Of what is kept in no place that is known, who honours it has the only record.
        let homeless = self.cells.gathered.names.items()[self.matched.item as usize].places.is_empty();
        let shows = |change: &Change, anchor: &Anchor| {
            is_store_trace(change, anchor) || (homeless && anchor.kind == EventKind::Issued)
        };
        if let Some(change) = self.change
            && change.anchors.iter().any(|anchor| shows(change, anchor))
        {
            return Cell::present();
        }
        let (from, to) = match self.request {
            Some(request) => (request.time.min(at), later(request.time, window).max(at)),
            None => (later(at, -window), later(at, window)),
        };
        let mut cell = self.cells.no_write(self.matched.item, from, to);
        let unsure = self.matched.changes.iter().find(|change| {
            change.nature == Nature::Maybe
                && change.request.is_none()
                && change.has(EventKind::MaybeWritten)
                && change.time >= from
                && change.time <= to
        });
        if let Some(unsure) = unsure.filter(|_| cell.trace != Trace::Unknown) {
            let trail = unsure.anchors.first().map(|anchor| self.setup().trails[anchor.trail].name.clone());
            let reason = "a write does not tell whether it changed the value".to_owned();
            let missing = Missing { role: Role::Store, trail, from: unsure.time, to: unsure.time, reason };
            cell = Cell { trace: Trace::Unknown, missing: vec![missing] };
        }
        cell
    }

    fn silence(&self, store: Trace) -> Silence {
        let Some(change) = self.change else {
            return Silence::NoRequest;
        };
        let looked = |anchor: &Anchor| anchor.kind == EventKind::State;
        if change.anchors.iter().all(looked) {
            Silence::StateOnly
        } else if store == Trace::Present {
            Silence::NoRequest
        } else {
            Silence::OutOfBand
        }
    }

    fn version(&self) -> Option<String> {
        let change = self.change?;
        let of = |anchor: &&Anchor| anchor.kind != EventKind::Issued;
        let stored = change.anchors.iter().filter(of).find_map(|anchor| anchor.version.clone());
        stored.or_else(|| change.anchors.iter().find_map(|anchor| anchor.version.clone()))
    }

    /// What the rotation may be identified by, the most lasting first: version, run, request, event.
    fn ids(&self) -> Vec<String> {
        let item = self.cells.gathered.names.items()[self.matched.item as usize].id.as_str();
        let id = |kind: &str, of: &str| {
            let mut digest = Sha256::new();
            for part in ["keytrail/rotation/v1", item, kind, of] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part.as_bytes());
            }
            hex(&digest.finalize()[..16])
        };
        let mut ids = Vec::new();
        if let Some(change) = self.change {
            let anchors = change.anchors.iter().filter(|anchor| anchor.version.is_some());
            let promoted = change.anchors.iter().all(|anchor| anchor.kind == EventKind::Promoted);
            ids.extend(anchors.map(|anchor| {
                let version = anchor.version.as_deref().unwrap_or_default();
                // A version becomes the current one again and again.
                let time = if promoted { anchor.time.timestamp_millis() } else { 0 };
                id("version", &format!("{} {version} {time}", anchor.slot))
            }));
        }
        if let Some(request) = self.request {
            ids.extend(request.run.as_deref().map(|run| id("run", run)));
            ids.extend(request.events.first().map(|at| id("request", &self.event(*at).id)));
        }
        if let Some(change) = self.change {
            ids.extend(change.anchors.iter().map(|anchor| match anchor.kind {
                // Whoever looks, and however often, sees one change.
                EventKind::State => id("state", &format!("{} {}", anchor.slot, anchor.time.timestamp_millis())),
                _ => id("event", &format!("{} {}", anchor.slot, anchor.id)),
            }));
        }
        ids
    }

    /// The evidence, oldest first, and what is odd about it.
    fn evidence(&self, at: Time, loading: Option<&Loading<'a>>, traces: &Traces) -> (Vec<EventReport>, BTreeSet<Flag>) {
        let mut flags = BTreeSet::new();
        let mut events: Vec<&Event> = Vec::new();
        if let Some(change) = self.change {
            events.extend(change.anchors.iter().filter_map(|anchor| anchor.event).map(|at| self.event(at)));
            self.flag_change(change, traces, &mut flags);
        }
        if let Some(request) = self.request {
            events.extend(request.events.iter().map(|at| self.event(*at)));
        }
        if let Some(loading) = loading {
            events.extend(&loading.evidence);
            if loading.unwatched {
                flags.insert(Flag::UnwatchedConsumers);
            }
        }
        self.add_failed(at, &mut events, &mut flags);
        self.add_revoked(at, loading, &mut events, &mut flags);
        events.sort_by(|a, b| super::floods::order(a, b));
        let mut seen = HashSet::new();
        let trails = self.setup().trails;
        events.retain(|one| {
            seen.insert((
                trails[one.trail].kind,
                &one.id,
                &one.target,
                one.kind,
                one.outcome,
                &one.version,
                &one.consumer,
            ))
        });
        let reports = events.into_iter().map(|event| report(self.cells, self.matched.item, event)).collect();
        (reports, flags)
    }

    fn flag_change(&self, change: &Change, traces: &Traces, flags: &mut BTreeSet<Flag>) {
        let is = |kind| change.has(kind);
        if change.nature == Nature::Same {
            flags.insert(Flag::NoOp);
        }
        if change.anchors.iter().any(|anchor| anchor.back) {
            flags.insert(Flag::Regression);
        }
        let shown = |anchor: &Anchor| is_store_trace(change, anchor) && anchor.kind != EventKind::State;
        let by_itself = is(EventKind::State) && is(EventKind::Issued) && !change.anchors.iter().any(shown);
        let states_differ = change.anchors.iter().any(|anchor| {
            anchor.kind == EventKind::State
                && change.anchors.iter().any(|other| other.kind == EventKind::Issued && other.slot != anchor.slot)
        });
        if is(EventKind::AutoRotated) || (by_itself && states_differ) {
            flags.insert(Flag::Automatic);
        }
        if is(EventKind::Issued) && traces.store != Trace::Present && traces.ledger != Trace::Absent {
            flags.insert(Flag::HalfApplied);
        }
    }

    /// Tries that failed before the change, after the one before it.
    fn add_failed(&self, at: Time, events: &mut Vec<&'a Event>, flags: &mut BTreeSet<Flag>) {
        let window = self.setup().policy.request_window;
        let start = self.request.map_or(later(at, -window), |request| request.time.min(at));
        let end = if self.change.is_some() { at } else { later(at, window) };
        let failed = self.cells.gathered.failed.get(&self.matched.item);
        for event in failed.into_iter().flatten() {
            let skew = self.setup().trails[event.trail].skew.abs();
            if event.time > self.before && event.time >= later(start, -skew) && event.time <= later(end, skew) {
                flags.insert(if event.outcome == Outcome::Throttled { Flag::Throttled } else { Flag::Failed });
                events.push(event);
            }
        }
    }

    /// What became of the old value.
    fn add_revoked(
        &self,
        at: Time,
        loading: Option<&Loading<'a>>,
        events: &mut Vec<&'a Event>,
        flags: &mut BTreeSet<Flag>,
    ) {
        let (Some(change), Some(loading)) = (self.change, loading) else {
            return;
        };
        let own: BTreeSet<&str> = change.anchors.iter().filter_map(|anchor| anchor.version.as_deref()).collect();
        let end = self.next.unwrap_or(Time::MAX_UTC);
        let of_item = self.cells.gathered.of_item[self.matched.item as usize].iter().map(|at| self.event(*at));
        for event in of_item {
            let skew = self.setup().trails[event.trail].skew.abs() + change.skew();
            let old = event.version.as_deref().is_none_or(|version| !own.contains(version));
            let retires = event.kind == EventKind::Revoked
                || (matches!(event.kind, EventKind::Deleted | EventKind::Destroyed) && event.version.is_some());
            if !retires || !old || event.time < later(at, -skew) || event.time >= end {
                continue;
            }
            events.push(event);
            let verified = loading.complete.is_some_and(|complete| complete <= later(event.time, skew));
            if !verified && event.time <= loading.deadline {
                flags.insert(Flag::RevokedBeforeVerified);
            }
            let refused = |one: &&&Event| one.kind == EventKind::Refused && one.time >= later(event.time, -skew);
            if loading.evidence.iter().any(|one| refused(&one)) {
                flags.insert(Flag::RevokedWhileRead);
            }
        }
        if self.keeps_old(change, at) {
            flags.insert(Flag::OldNotRevoked);
        }
    }

    /// Whether who honours the credential issued a new one beside an older one that was never revoked.
    fn keeps_old(&self, change: &Change, at: Time) -> bool {
        let issued = change.anchors.iter().find(|anchor| anchor.kind == EventKind::Issued && anchor.version.is_some());
        let Some(issued) = issued.filter(|_| later(at, self.setup().policy.load_window) < self.setup().as_of) else {
            return false;
        };
        let events = || self.cells.gathered.of_item[self.matched.item as usize].iter().map(|at| self.event(*at));
        let before = events().filter(|event| {
            event.kind == EventKind::Issued && event.time < issued.time && event.version != issued.version
        });
        let Some(old) = before.filter_map(|event| event.version.as_deref()).next_back() else {
            return false;
        };
        !events().any(|event| {
            event.kind == EventKind::Revoked
                && (event.version.as_deref() == Some(old) || event.target.path().rsplit('/').next() == Some(old))
        })
    }
}

/// Whether an anchor is the trace that a store has of the change.
fn is_store_trace(change: &Change, anchor: &Anchor) -> bool {
    match anchor.kind {
        EventKind::Created
        | EventKind::Written
        | EventKind::Encrypted
        | EventKind::AutoRotated
        | EventKind::Promoted => true,
        EventKind::MaybeWritten => anchor.nature != Nature::Maybe || change.request.is_some(),
        // What a look at the role itself shows of ALTER ROLE is no trace of the store.
        EventKind::State if anchor.event.is_some() => {
            !change.anchors.iter().any(|other| other.kind == EventKind::Issued && other.slot == anchor.slot)
        }
        _ => false,
    }
}

/// The events of requests that a change of some item claims.
pub(super) fn taken(all: &[Matched]) -> HashSet<u32> {
    let claimed = all.iter().flat_map(|matched| {
        let changes = matched.changes.iter().filter(|change| change.nature == Nature::Changed);
        changes.filter_map(|change| change.request).map(|request| &matched.requests[request])
    });
    claimed.flat_map(|request| request.events.iter().copied()).collect()
}
