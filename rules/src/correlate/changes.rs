//! Which events prove that the value of an item changed.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;

use super::Setup;
use super::coverage::later;
use super::gather::{Gathered, PathWrites};
use super::marks;
use super::names::canonical;
use crate::inventory::Item;
use crate::model::{Event, EventKind, Place, Time, VersionState, VersionValue};

/// What a write did to the value of one item, as far as values were compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compared {
    /// There is nothing to compare it with.
    Not,
    /// The record speaks of other keys of the path only.
    Untouched,
    /// It wrote the value that was there.
    Same,
    /// It brought a value that was not there before.
    New,
    /// It brought back an older value.
    Back,
}

/// What an anchor says of the value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Nature {
    /// It may or may not have changed.
    Maybe,
    /// It was written again as it was.
    Same,
    /// It changed.
    Changed,
}

/// One thing that may have changed the value of an item.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    /// The event; none for a version that only the store remembers.
    pub(super) event: Option<u32>,
    pub(super) time: Time,
    pub(super) kind: EventKind,
    /// The place that took the value, in one spelling.
    pub(super) slot: String,
    pub(super) version: Option<String>,
    /// The run, where a ledger knows it.
    pub(super) run: Option<String>,
    pub(super) nature: Nature,
    /// Whether the value was in use before.
    pub(super) back: bool,
    /// How far its clock may be from others.
    pub(super) skew: TimeDelta,
    pub(super) trail: usize,
    pub(super) id: String,
}

/// What all records together say of values.
pub(super) struct Comparisons<'a> {
    setup: &'a Setup<'a>,
    gathered: &'a Gathered<'a>,
    items: Vec<&'a Item>,
    /// By marks: what each event did to the value of its target.
    by_mark: HashMap<u32, Compared>,
    /// The events of one record about one path: by trail, id and path.
    records: HashMap<(usize, &'a str, Place), Vec<u32>>,
    /// When each item was asked to be changed.
    requests: Vec<Vec<Time>>,
}

impl<'a> Comparisons<'a> {
    pub(super) fn new(setup: &'a Setup<'a>, gathered: &'a Gathered<'a>) -> Self {
        let mut records: HashMap<(usize, &str, Place), Vec<u32>> = HashMap::new();
        let mut requests = vec![Vec::new(); gathered.of_item.len()];
        for (at, kept) in (0..).zip(&gathered.kept) {
            let event = &kept.event;
            match event.kind {
                EventKind::Created | EventKind::Written | EventKind::MaybeWritten => {
                    records.entry((event.trail, &event.id, event.target.whole_path())).or_default().push(at);
                }
                EventKind::Requested => {
                    kept.items.iter().for_each(|item| requests[*item as usize].push(event.time));
                }
                _ => {}
            }
        }
        let items = setup.inventory.secrets().collect();
        Self { setup, gathered, items, by_mark: marks::compared(gathered), records, requests }
    }

    pub(super) fn item(&self, item: u32) -> &'a Item {
        self.items[item as usize]
    }

    /// What a write did to an item.
    pub(super) fn compare(&self, item: u32, at: u32) -> Compared {
        let event = &self.gathered.kept[at as usize].event;
        if let Some(compared) = self.by_history(item, event) {
            return compared;
        }
        if let Some(compared) = self.by_mark.get(&at) {
            return *compared;
        }
        if event.target.key().is_none() {
            // One record that tells the keys tells them all.
            let record = self.records.get(&(event.trail, &event.id, event.target.whole_path()));
            let others = record.into_iter().flatten().filter(|other| **other != at);
            if others.clone().any(|other| self.by_mark.contains_key(other)) {
                return Compared::Untouched;
            }
        }
        Compared::Not
    }

    fn by_history(&self, item: u32, event: &Event) -> Option<Compared> {
        let number: u64 = event.version.as_deref()?.parse().ok()?;
        let path = event.target.whole_path();
        let copy = self.item(item).copies.iter().find(|copy| {
            copy.place.whole_path() == path && copy.history.versions.iter().any(|version| version.number == number)
        })?;
        let versions = &copy.history.versions;
        compare_version(versions.iter().map(|version| (version.number, &version.value)), number)
    }

    /// Whether a write of several items, of which it does not tell which, is to count as a change of this one.
    pub(super) fn nature(&self, item: u32, at: u32) -> Option<Nature> {
        match self.compare(item, at) {
            Compared::Untouched => None,
            Compared::Same => Some(Nature::Same),
            Compared::New | Compared::Back => Some(Nature::Changed),
            Compared::Not => self.is_for(item, at).then_some(Nature::Changed),
        }
    }

    /// Whether a record that was not compared is about this item, as far as its siblings tell: not, where another one of
    /// the record was asked for, or is known to have changed, and this one was not.
    fn is_for(&self, item: u32, at: u32) -> bool {
        let event = &self.gathered.kept[at as usize].event;
        if self.is_requested(item, event) {
            return true;
        }
        let record = self.records.get(&(event.trail, &event.id, event.target.whole_path()));
        let mut siblings = record
            .into_iter()
            .flatten()
            .flat_map(|other| self.gathered.kept[*other as usize].items.iter().map(move |sibling| (*sibling, *other)));
        !siblings.any(|(sibling, other)| {
            sibling != item
                && (self.is_requested(sibling, event)
                    || matches!(self.compare(sibling, other), Compared::New | Compared::Back))
        })
    }

    /// Whether another item of the record is known to have changed.
    pub(super) fn has_changed_sibling(&self, item: u32, at: u32) -> bool {
        let event = &self.gathered.kept[at as usize].event;
        let record = self.records.get(&(event.trail, &event.id, event.target.whole_path()));
        record.into_iter().flatten().any(|other| {
            self.gathered.kept[*other as usize].items.iter().any(|sibling| {
                *sibling != item && matches!(self.compare(*sibling, *other), Compared::New | Compared::Back)
            })
        })
    }

    fn is_requested(&self, item: u32, event: &Event) -> bool {
        let window = self.setup.policy.request_window + self.setup.trails[event.trail].skew.abs() * 2;
        let (from, to) = (later(event.time, -window), later(event.time, window));
        self.requests[item as usize].iter().any(|time| *time >= from && *time <= to)
    }

    /// Whether the value of this version was encrypted for this item, in any trail.
    fn is_encrypted(&self, item: u32, version: &str) -> bool {
        self.gathered.of_item[item as usize].iter().any(|at| {
            let event = &self.gathered.kept[*at as usize].event;
            event.kind == EventKind::Encrypted && event.version.as_deref() == Some(version)
        })
    }

    /// Whether something tells of the thing before a record that says that it was made: then it was made anew.
    fn existed(&self, item: u32, at: u32) -> bool {
        use EventKind::{AutoRotated, Created, Destroyed, Issued, MaybeWritten, State, Written};
        let made = &self.gathered.kept[at as usize].event;
        let events = self.gathered.of_item[item as usize].iter().map(|at| &self.gathered.kept[*at as usize].event);
        events
            .filter(|one| {
                matches!(one.kind, Created | Written | MaybeWritten | AutoRotated | Issued | State | Destroyed)
            })
            .any(|one| one.time < made.time && one.id != made.id && slot(&one.target) == slot(&made.target))
    }

    /// What may have changed an item, by time.
    pub(super) fn anchors(&self, item: u32, runs: &BTreeSet<&str>) -> Vec<Anchor> {
        let mut anchors: Vec<Anchor> = Vec::new();
        for at in &self.gathered.of_item[item as usize] {
            let event = &self.gathered.kept[*at as usize].event;
            let compared = self.compare(item, *at);
            let nature = match event.kind {
                EventKind::Created if !self.existed(item, *at) => self.nature(item, *at).map(|_| Nature::Maybe),
                EventKind::Created | EventKind::Written => self.nature(item, *at),
                EventKind::MaybeWritten => match (compared, event.version.as_deref()) {
                    (Compared::Untouched, _) => None,
                    (Compared::New | Compared::Back, _) => Some(Nature::Changed),
                    (Compared::Same, _) => Some(Nature::Same),
                    (_, Some(version)) if self.is_encrypted(item, version) => Some(Nature::Changed),
                    _ => Some(Nature::Maybe),
                },
                EventKind::Encrypted | EventKind::Issued | EventKind::AutoRotated => Some(Nature::Changed),
                EventKind::Promoted => Some(Nature::Maybe),
                EventKind::State => {
                    (!matches!(compared, Compared::Same | Compared::Untouched)).then_some(Nature::Maybe)
                }
                _ => None,
            };
            let Some(nature) = nature else {
                continue;
            };
            anchors.push(Anchor {
                event: Some(*at),
                time: event.time,
                kind: event.kind,
                slot: slot(&event.target),
                version: event.version.clone(),
                run: event.run.clone().filter(|run| runs.contains(run.as_str())),
                nature,
                back: compared == Compared::Back,
                skew: self.setup.trails[event.trail].skew.abs(),
                trail: event.trail,
                id: event.id.to_string(),
            });
        }
        anchors
    }

    /// The versions that stores remember of an item and that no event tells of: the place, the version, and whether it
    /// brought another value, where that is known.
    pub(super) fn unexplained(&self, item: u32) -> Vec<Unexplained> {
        let one = self.item(item);
        let mut found = Vec::new();
        for copy in one.copies.iter().filter(|copy| !copy.history.versions.is_empty()) {
            let path = copy.place.whole_path();
            let none = PathWrites::default();
            let written = self.gathered.path_writes.get(&path).unwrap_or(&none);
            let alone = self.gathered.names.sharing(&path) <= 1;
            for version in &copy.history.versions {
                let near = TimeDelta::seconds(2) + self.max_skew() * 2;
                let (from, to) = (later(version.created_at, -near), later(version.created_at, near));
                let number = version.number.to_string();
                if written.versions.contains(&number) || written.times.range(from..=to).next().is_some() {
                    continue;
                }
                let all = copy.history.versions.iter().map(|version| (version.number, &version.value));
                let compared = compare_version(all, version.number);
                let unread = matches!(version.value, VersionValue::Unread) || version.state != VersionState::Live;
                let changed = match compared {
                    Some(Compared::New | Compared::Back) => true,
                    Some(_) => false,
                    // A first value replaces none.
                    None => unread && alone && version.number > 1,
                };
                let back = compared == Some(Compared::Back);
                found.push(Unexplained { place: path.clone(), number, time: version.created_at, changed, back });
            }
        }
        found
    }

    fn max_skew(&self) -> TimeDelta {
        self.setup.trails.iter().map(|trail| trail.skew.abs()).max().unwrap_or_default()
    }
}

/// A version that a store remembers, and no event tells of.
pub(super) struct Unexplained {
    pub(super) place: Place,
    pub(super) number: String,
    pub(super) time: Time,
    /// Whether it is known to have brought the item another value.
    pub(super) changed: bool,
    pub(super) back: bool,
}

/// The place that took a value, in one spelling, without its key.
pub(super) fn slot(target: &Place) -> String {
    Place::from_stored(canonical(target)).whole_path().as_str().to_owned()
}

/// What a version did to a value: nothing is said where it, or the one before it, was not read.
fn compare_version<'a>(versions: impl Iterator<Item = (u64, &'a VersionValue)>, number: u64) -> Option<Compared> {
    let mut before: Vec<&VersionValue> = Vec::new();
    let mut last: Option<u64> = None;
    for (other, value) in versions {
        if other < number {
            before.push(value);
            last = Some(other);
        } else if other == number {
            let VersionValue::Read(_) = value else {
                return (*value == VersionValue::Absent).then_some(Compared::Untouched);
            };
            let previous = before.last().filter(|_| last == Some(number - 1))?;
            return match previous {
                VersionValue::Unread => None,
                previous if *previous == value => Some(Compared::Same),
                _ if before.contains(&value) => Some(Compared::Back),
                _ => Some(Compared::New),
            };
        }
    }
    None
}
