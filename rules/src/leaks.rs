//! Whose a leaked value is, and whether it still counts: what ties a leak to the inventory.
//!
//! # Guarantees
//! Only fingerprints are compared. The same value in the files that the inventory itself is read from is no leak.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::inventory::{Inventory, Item, ItemId};
use crate::model::{
    Detected, Fingerprint, Leak, Location, Medium, Occurrence, Sighting, Snapshot, Time, VersionState, VersionValue,
};
use crate::policy::Policy;

/// Whether a leaked value still opens something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// It is the value in use.
    Current,
    /// It was replaced, and the store still holds it.
    Previous,
    /// It was replaced, and only its fingerprint is left.
    Retired,
    /// It is no value of the inventory.
    Unmanaged,
}

impl Lifecycle {
    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Retired => "retired",
            Self::Unmanaged => "unmanaged",
        }
    }
}

/// A leak, with what the inventory says of its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeakReport {
    /// The item whose value it is, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The version of the store's path that held it, where a store says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whether it still counts.
    pub lifecycle: Lifecycle,
    /// What recognised it; `known-value` where it was found because the inventory holds it.
    pub detector: String,
    /// What the detector says; nothing for a value that only the inventory knows.
    #[serde(skip)]
    pub detected: Option<Detected>,
    /// The value, under the fingerprint key.
    pub fingerprint: Fingerprint,
    /// See [`Leak::tag`].
    #[serde(skip)]
    pub tag: u16,
    /// The line to go to: where it still lies, else where it came in first.
    pub location: Location,
    /// Where it was seen, the oldest first.
    pub occurrences: Vec<Occurrence>,
    /// Since when it lies open, where a commit says so.
    pub exposed_since: Option<Time>,
    /// Until when: when the value was replaced; `None` where it was not, or nothing proves when.
    pub exposed_until: Option<Time>,
    /// Why it is let pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// The name of the detector of values that the inventory holds.
pub const KNOWN_VALUE: &str = "known-value";

/// What the inventory knows of one value.
#[derive(Clone)]
struct Owner<'a> {
    lifecycle: Lifecycle,
    item: &'a Item,
    version: Option<u64>,
    replaced_at: Option<Time>,
}

/// The leaks of a snapshot, each with the item that its value belongs to, by item and line.
pub(crate) fn attribute(snapshot: &Snapshot, inventory: &Inventory, policy: &Policy) -> Vec<LeakReport> {
    if snapshot.facts.leaks.is_empty() {
        return Vec::new();
    }
    let owners = owners(snapshot, inventory);
    let own = OwnLines::new(snapshot);
    let mut leaks: Vec<LeakReport> = snapshot
        .facts
        .leaks
        .iter()
        .filter_map(|leak| {
            let owner = owners.get(&leak.fingerprint).filter(|owner| owner.item.is_secret);
            let mut report = report(leak, owner, &own)?;
            let accepted = policy.accepted.iter().find(|one| one.fingerprint == report.fingerprint.as_str());
            if let Some(accepted) = accepted.filter(|one| one.holds(snapshot.as_of)) {
                report.accepted = Some(accepted.reason.clone());
            }
            Some(report)
        })
        .collect();
    leaks.sort_by(|a, b| {
        (a.lifecycle, &a.item, &a.location, &a.fingerprint).cmp(&(b.lifecycle, &b.item, &b.location, &b.fingerprint))
    });
    leaks
}

/// Every value that the inventory knows by its fingerprint: that of an item that uses it now before one that did.
fn owners<'a>(snapshot: &'a Snapshot, inventory: &'a Inventory) -> BTreeMap<&'a Fingerprint, Owner<'a>> {
    let mut owners: BTreeMap<&Fingerprint, Owner<'_>> = BTreeMap::new();
    let mut own = |fingerprint: &'a Fingerprint, owner: Owner<'a>| match owners.get(fingerprint) {
        Some(other) if (other.lifecycle, !other.item.is_secret) <= (owner.lifecycle, !owner.item.is_secret) => {}
        _ => {
            owners.insert(fingerprint, owner);
        }
    };
    for item in inventory.items.values() {
        let current = item.fingerprints();
        for copy in &item.copies {
            let newest = copy.history.versions.last().map(|version| version.number);
            let parts = copy.value.parts.iter();
            for fingerprint in copy.value.fingerprint.iter().chain(parts).filter(|_| !copy.value.guessable) {
                own(fingerprint, Owner { lifecycle: Lifecycle::Current, item, version: newest, replaced_at: None });
            }
            let versions = &copy.history.versions;
            for (at, version) in versions.iter().enumerate() {
                let VersionValue::Read(fingerprint) = &version.value else { continue };
                if current.contains(fingerprint) {
                    continue;
                }
                let lifecycle =
                    if version.state == VersionState::Live { Lifecycle::Previous } else { Lifecycle::Retired };
                let replaced_at = versions.get(at + 1).map(|next| next.created_at);
                own(fingerprint, Owner { lifecycle, item, version: Some(version.number), replaced_at });
            }
            for seen in snapshot.sightings.get(&copy.place).into_iter().flatten() {
                if !current.contains(&seen.fingerprint) {
                    let replaced_at = replaced(seen, snapshot.sightings.get(&copy.place).into_iter().flatten());
                    let owner = Owner { lifecycle: Lifecycle::Retired, item, version: seen.version, replaced_at };
                    own(&seen.fingerprint, owner);
                }
            }
        }
    }
    owners
}

/// The first time that another value was seen in a place after the last of this one.
fn replaced<'a>(seen: &Sighting, all: impl Iterator<Item = &'a Sighting>) -> Option<Time> {
    all.filter(|other| other.fingerprint != seen.fingerprint && other.first_seen >= seen.last_seen)
        .map(|other| other.first_seen)
        .min()
}

/// The lines of the scanned folder that the inventory itself was read from: what holds a copy of a value, and what
/// another rule reports. What lies there is no leak.
struct OwnLines<'a>(BTreeSet<(&'a str, u32)>);

impl<'a> OwnLines<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let facts = &snapshot.facts;
        let copies = facts.copies.iter().filter_map(|copy| copy.location.as_ref());
        let declared = facts.declarations.iter().filter_map(|declaration| declaration.location.as_ref());
        let code = facts.code.iter().map(|code| &code.location);
        let locations = copies.chain(declared).chain(code);
        Self(locations.map(|location| (location.file.as_str(), location.line)).collect())
    }

    fn has(&self, occurrence: &Occurrence) -> bool {
        let Location { file, line, .. } = &occurrence.location;
        occurrence.medium == Medium::File && self.0.contains(&(file.as_str(), *line))
    }
}

fn report(leak: &Leak, owner: Option<&Owner<'_>>, own: &OwnLines<'_>) -> Option<LeakReport> {
    let occurrences: Vec<Occurrence> = leak.occurrences.iter().filter(|one| !own.has(one)).cloned().collect();
    let location = occurrences.iter().find(|one| one.present).or(occurrences.first())?.location.clone();
    let lifecycle = owner.map_or(Lifecycle::Unmanaged, |owner| owner.lifecycle);
    let exposed_since = occurrences.iter().filter_map(|one| one.commit.as_ref()).map(|commit| commit.time).min();
    Some(LeakReport {
        item: owner.map(|owner| owner.item.id.clone()),
        version: owner.and_then(|owner| owner.version),
        lifecycle,
        detector: leak.detector.as_ref().map_or(KNOWN_VALUE, |detected| &detected.id).to_owned(),
        detected: leak.detector.clone(),
        fingerprint: leak.fingerprint.clone(),
        tag: leak.tag,
        location,
        occurrences,
        exposed_since,
        exposed_until: owner.and_then(|owner| owner.replaced_at),
        accepted: leak.accepted.clone(),
    })
}

impl LeakReport {
    /// Why it does not count, where it was accepted, or every place of it has a `keytrail:allow` with a reason.
    pub fn excuse(&self) -> Option<String> {
        let allowed = || {
            let reasons: Option<BTreeSet<&str>> = self.occurrences.iter().map(|one| one.allowed.as_deref()).collect();
            reasons.map(|reasons| reasons.into_iter().collect::<Vec<_>>().join("; "))
        };
        self.accepted.clone().or_else(allowed)
    }
}

#[cfg(test)]
mod tests;
