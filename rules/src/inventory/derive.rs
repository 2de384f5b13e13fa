//! Which secrets are made from which: a `DATABASE_URL` from a `POSTGRES_PASSWORD`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inventory, Item, ItemId};
use crate::cadence::{Cadence, Trigger};
use crate::model::{Fingerprint, Key, Place, Sighting, VersionValue};

/// That an item's value is made from another's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Derivation {
    /// The other item.
    pub source: ItemId,
    /// Whether a declaration says so; otherwise the values or the names do.
    pub declared: bool,
    /// Whether it follows its source.
    pub sync: Sync,
}

/// Whether a derived secret follows its source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sync {
    /// Its value holds the source's current value.
    InSync,
    /// Its value holds a value that the source no longer has.
    HoldsOldValue,
    /// The source was changed after it.
    SourceIsNewer,
    /// It was changed after the source.
    SourceIsOlder,
    /// Neither values nor times tell.
    Unknown,
}

impl Sync {
    /// Whether it is proven not to follow.
    pub fn is_stale(self) -> bool {
        matches!(self, Self::HoldsOldValue | Self::SourceIsNewer)
    }
}

/// Finds the sources of every item, and whether it follows them.
pub(super) fn derive(inventory: &mut Inventory, sightings: &BTreeMap<Place, Vec<Sighting>>) {
    let mut holders: BTreeMap<Fingerprint, BTreeSet<ItemId>> = BTreeMap::new();
    for item in inventory.items.values() {
        for value in values_ever(item, sightings) {
            holders.entry(value).or_default().insert(item.id.clone());
        }
    }
    let mut found: Vec<(ItemId, Vec<Derivation>)> = Vec::new();
    for item in inventory.items.values() {
        let mut sources: BTreeMap<ItemId, bool> = declared_sources(inventory, item).map(|id| (id, true)).collect();
        for part in item.copies.iter().flat_map(|copy| &copy.value.parts) {
            for id in holders.get(part).into_iter().flatten().filter(|id| **id != item.id) {
                let same = inventory.items.get(id).is_some_and(|source| source.environment == item.environment);
                if same {
                    sources.entry(id.clone()).or_insert(false);
                }
            }
        }
        if sources.is_empty() {
            sources.extend(source_by_name(inventory, item).map(|id| (id, false)));
        }
        let only = sources.values().filter(|declared| **declared).count() == 1;
        let derivations = sources.into_iter().filter_map(|(id, declared)| {
            let source = inventory.items.get(&id)?;
            let sync = compare(item, source, &values_ever(source, sightings), declared && only);
            Some(Derivation { source: id, declared, sync })
        });
        found.push((item.id.clone(), derivations.collect()));
    }
    for (id, derivations) in found {
        if let Some(item) = inventory.items.get_mut(&id) {
            item.derived_from = derivations;
        }
    }
}

/// Every value that an item has or had, as far as stores and earlier scans remember.
fn values_ever(item: &Item, sightings: &BTreeMap<Place, Vec<Sighting>>) -> BTreeSet<Fingerprint> {
    let mut values = BTreeSet::new();
    for copy in item.copies.iter().filter(|copy| !copy.value.guessable) {
        values.extend(copy.value.fingerprint.clone());
        values.extend(copy.history.versions.iter().filter_map(|version| match &version.value {
            VersionValue::Read(value) => Some(value.clone()),
            _ => None,
        }));
        values.extend(sightings.get(&copy.place).into_iter().flatten().map(|sighting| sighting.fingerprint.clone()));
    }
    values
}

/// The items of `derived_from`: in the same environment where there is one, else in none, else the only one of that key.
fn declared_sources<'a>(inventory: &'a Inventory, item: &'a Item) -> impl Iterator<Item = ItemId> + 'a {
    let keys: BTreeSet<&Key> = item.declarations.iter().flat_map(|declaration| &declaration.derived_from).collect();
    keys.into_iter().filter_map(|key| {
        let here = ItemId::of_key(key, item.environment.as_ref());
        let anywhere = ItemId::of_key(key, None);
        let named = [here, anywhere].into_iter().find(|id| inventory.items.contains_key(id) && *id != item.id);
        named.or_else(|| {
            let mut others = inventory.items.values().filter(|other| other.key == *key && other.id != item.id);
            let only = others.next()?;
            others.next().is_none().then(|| only.id.clone())
        })
    })
}

/// For an item that is to change on another's change and does not say which: the only secret that lies in one path
/// with it and whose name ends in the word of the trigger.
fn source_by_name(inventory: &Inventory, item: &Item) -> Option<ItemId> {
    let Some(Cadence::On(triggers)) = &item.cadence else {
        return None;
    };
    let words: BTreeSet<String> = triggers
        .iter()
        .filter_map(|trigger| match trigger {
            Trigger::Change(what) => what.split([' ', '_', '-']).next_back().map(str::to_uppercase),
            _ => None,
        })
        .collect();
    let paths = paths_of(item);
    let mut candidates = inventory.items.values().filter(|other| {
        other.id != item.id
            && other.environment == item.environment
            && words.contains(other.key.last_word())
            && !paths_of(other).is_disjoint(&paths)
    });
    let only = candidates.next()?;
    candidates.next().is_none().then(|| only.id.clone())
}

/// The paths that an item lies in, or is declared to lie in.
fn paths_of(item: &Item) -> BTreeSet<Place> {
    let declared = item.declarations.iter().flat_map(|declaration| &declaration.places);
    item.copies.iter().map(|copy| &copy.place).chain(declared).map(Place::whole_path).collect()
}

/// Compares a derived item with one of its sources: by the values that are inside it, else by the times. `ever` is
/// every value that the source had; `only` tells that a declaration names this source and no other.
fn compare(item: &Item, source: &Item, ever: &BTreeSet<Fingerprint>, only: bool) -> Sync {
    let current = source.fingerprints();
    let (mut in_sync, mut old, mut other) = (0, 0, 0);
    for copy in item.copies.iter().filter(|copy| !copy.value.parts.is_empty()) {
        let holds = |values: &dyn Fn(&Fingerprint) -> bool| copy.value.parts.iter().any(values);
        if holds(&|part| current.contains(part)) {
            in_sync += 1;
        } else if holds(&|part| ever.contains(part)) {
            old += 1;
        } else {
            other += 1;
        }
    }
    if old > 0 || (other > 0 && only && !current.is_empty()) {
        return Sync::HoldsOldValue;
    }
    if in_sync > 0 {
        return Sync::InSync;
    }
    match (&item.age, &source.age) {
        (Some(own), Some(other)) if other.not_before.is_some_and(|changed| changed > own.not_after) => {
            Sync::SourceIsNewer
        }
        (Some(own), Some(other)) if own.not_before.is_some_and(|changed| changed >= other.not_after) => {
            Sync::SourceIsOlder
        }
        _ => Sync::Unknown,
    }
}
