//! Items that share a value, of which only some changed.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cells::Cells;
use super::changes::{Comparisons, Nature};
use super::coverage::later;
use super::gather::is_write;
use super::groups::Change;
use super::rotations::Matched;
use super::{Flag, Rotation, Trace, Verdict};
use crate::inventory::{Item, ItemId};
use crate::model::{Fingerprint, Time, VersionValue};

/// Flags the changes of items whose value others hold too and keep.
pub(super) fn flag(
    cells: &Cells<'_>,
    comparisons: &Comparisons<'_>,
    matched: &[Matched],
    rotations: &mut [Vec<Rotation>],
) {
    let by_id: HashMap<&ItemId, u32> =
        (0..).zip(cells.gathered.names.items()).map(|(at, named)| (&named.id, at)).collect();
    let mut sharing: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let count = u32::try_from(matched.len()).unwrap_or(u32::MAX);
    let mut holders: HashMap<&Fingerprint, Vec<u32>> = HashMap::new();
    for at in 0..count {
        let item = comparisons.item(at);
        for derivation in &item.derived_from {
            if let Some(source) = by_id.get(&derivation.source) {
                sharing.entry(*source).or_default().insert(at);
            }
        }
        for value in values(item) {
            holders.entry(value).or_default().push(at);
        }
    }
    let shared_values = holders.values().filter(|items| items.len() > 1 && items.len() <= 64);
    let mut by_value: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for items in shared_values {
        for item in items {
            by_value.entry(*item).or_default().extend(items.iter().filter(|other| *other != item));
        }
    }
    let marks = last_marks(cells);
    for at in 0..count {
        for rotation in rotations[at as usize].iter_mut().filter(|one| is_change(one)) {
            let time = rotation.at;
            let held = value_before(comparisons.item(at), time);
            let same_value = by_value
                .get(&at)
                .into_iter()
                .flatten()
                .filter(|other| held.is_some() && value_before(comparisons.item(**other), time) == held);
            let same_mark = marks.sharing(at, time);
            let derived = sharing.get(&at).into_iter().flatten();
            let others: BTreeSet<u32> = derived.chain(same_value).copied().chain(same_mark).collect();
            if others.iter().any(|other| kept_its_value(cells, &matched[*other as usize], time)) {
                rotation.flags.insert(Flag::PartialGroup);
            }
        }
    }
}

fn is_change(rotation: &Rotation) -> bool {
    let no_change =
        [Verdict::RequestedNeverApplied].contains(&rotation.verdict) && !rotation.flags.contains(&Flag::HalfApplied);
    let written = rotation.traces.store == Trace::Present || rotation.silent.is_some();
    !no_change && written && !rotation.flags.contains(&Flag::NoOp)
}

/// Every value that an item has or had that is hard to guess.
fn values(item: &Item) -> BTreeSet<&Fingerprint> {
    let copies = item.copies.iter().filter(|copy| !copy.value.guessable);
    copies
        .flat_map(|copy| {
            let versions = copy.history.versions.iter().filter_map(|version| match &version.value {
                VersionValue::Read(value) => Some(value),
                _ => None,
            });
            versions.chain(&copy.value.fingerprint)
        })
        .collect()
}

/// The value that a store remembers to have had for an item before an instant.
///
/// What a copy holds now says nothing of then: items that hold one value now, and of which one changed, share the value
/// that it was changed to; and items that hold two need not have shared one before.
fn value_before(item: &Item, time: Time) -> Option<&Fingerprint> {
    let copies = item.copies.iter().filter(|copy| !copy.value.guessable);
    let earlier = copies.flat_map(|copy| copy.history.versions.iter().filter(|version| version.created_at < time));
    match &earlier.max_by_key(|version| version.created_at)?.value {
        VersionValue::Read(value) => Some(value),
        _ => None,
    }
}

/// Whether an item is known not to have changed within the request window around an instant: its trails are covered, and
/// show nothing.
fn kept_its_value(cells: &Cells<'_>, other: &Matched, time: Time) -> bool {
    let window = cells.setup.policy.request_window;
    let (from, to) = (later(time, -window), later(time, window));
    // What was made before held the value that was replaced.
    let brought = |change: &Change| change.nature == Nature::Changed || (change.is_first() && change.time >= time);
    let changed = other.changes.iter().any(|change| brought(change) && change.time >= from && change.time <= to);
    !changed && cells.no_write(other.item, from, to).trace == Trace::Absent
}

/// The marks of the values of items, by scope.
struct Marks<'a> {
    /// Of each item: the scope, when, and the mark.
    of_item: HashMap<u32, Vec<(&'a str, Time, &'a str)>>,
    /// Items that ever had a mark.
    holders: HashMap<(&'a str, &'a str), BTreeSet<u32>>,
}

fn last_marks<'a>(cells: &Cells<'a>) -> Marks<'a> {
    let mut marks = Marks { of_item: HashMap::new(), holders: HashMap::new() };
    for kept in &cells.gathered.kept {
        let written = is_write(kept.event.kind);
        let (true, [item], Some(value)) = (written, kept.items.as_slice(), &kept.event.value) else {
            continue;
        };
        marks.of_item.entry(*item).or_default().push((&value.scope, kept.event.time, &value.mark));
        marks.holders.entry((&value.scope, &value.mark)).or_default().insert(*item);
    }
    marks
}

impl Marks<'_> {
    /// The marks that an item had just before an instant, by scope.
    fn before(&self, item: u32, time: Time) -> BTreeMap<&str, (Time, &str)> {
        let mut last: BTreeMap<&str, (Time, &str)> = BTreeMap::new();
        for (scope, when, mark) in self.of_item.get(&item).into_iter().flatten().filter(|(_, when, _)| *when < time) {
            let entry = last.entry(scope).or_insert((*when, mark));
            *entry = (*entry).max((*when, mark));
        }
        last
    }

    /// The items that had the same value as this one just before an instant.
    fn sharing(&self, item: u32, time: Time) -> Vec<u32> {
        let mut others = Vec::new();
        for (scope, (_, mark)) in self.before(item, time) {
            let holders = self.holders.get(&(scope, mark)).filter(|holders| holders.len() > 1 && holders.len() <= 64);
            for other in holders.into_iter().flatten().filter(|other| **other != item) {
                if self.before(*other, time).get(scope).is_some_and(|(_, theirs)| *theirs == mark) {
                    others.push(*other);
                }
            }
        }
        others
    }
}
