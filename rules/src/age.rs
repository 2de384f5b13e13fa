//! When the current value of a secret was set: exactly what each source proves, and no more.
//!
//! A version counter counts writes of a *path*, which many keys share. So a write proves a new value of a key only
//! where the values were compared; otherwise it bounds the age. Metadata edits, deletes and undeletes change no
//! version's `created_at`. A value that was there before (a rollback, the same value written again) is as old as its
//! first appearance. A rotation that the trails prove sets the age too, and narrows what a store cannot tell. One limit
//! is left: a rollback to a value that only dropped or unreadable versions held looks like a new value, unless an
//! earlier scan saw it or a trail shows it.

mod proven;

use std::collections::BTreeMap;

use crate::inventory::Item;
use crate::model::{CopyKind, Fingerprint, Place, SecretCopy, Sighting, Time, Version, VersionValue};
use crate::report::AgeReport;

/// What is known of when a value was set. An instant, where both bounds are equal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Age {
    /// It was not set before this.
    pub not_before: Option<Time>,
    /// It was set by this.
    pub not_after: Time,
    /// Whether it is the first value ever.
    pub first_value: bool,
    /// What proves it, in words.
    pub proof: String,
}

impl Age {
    /// The instant, where it is known.
    pub fn exact(&self) -> Option<Time> {
        self.not_before.filter(|time| *time == self.not_after)
    }

    /// The age of an item: that of its oldest current value among the stores, which are the record; among the other
    /// copies, where no store tells. A value that was seen anywhere before its store has it is as old as that.
    pub fn of_item(item: &Item, seen: &Seen<'_>) -> Option<Self> {
        let of = |store: bool| {
            let copies = item.copies.iter().filter(move |copy| is_record(copy.kind) == store);
            copies.filter_map(|copy| Some((Self::of_copy(copy, seen.in_place(&copy.place), seen.as_of)?, copy)))
        };
        let oldest =
            |store: bool| of(store).min_by(|(a, _), (b, _)| (a.not_after, &a.proof).cmp(&(b.not_after, &b.proof)));
        let found = oldest(true).or_else(|| oldest(false));
        let copy =
            found.as_ref().map(|(_, copy)| *copy).or_else(|| item.copies.iter().find(|copy| copy.value.is_literal()));
        let elsewhere = copy.filter(|copy| !copy.value.guessable).and_then(|copy| seen.anywhere(copy));
        match (found, elsewhere) {
            (Some((age, _)), Some(earlier)) if earlier.not_after < age.not_after => Some(earlier),
            (Some((age, _)), _) => Some(age),
            (None, earlier) => earlier,
        }
    }

    /// The age of the value in one place, as of an instant: what its versions prove, and what earlier scans saw there.
    pub fn of_copy(copy: &SecretCopy, seen: &[Sighting], as_of: Time) -> Option<Self> {
        if !copy.value.is_literal() && copy.history.versions.is_empty() {
            return None;
        }
        let stored = Self::of_versions(copy);
        let watched = copy.value.fingerprint.as_ref().and_then(|value| Self::of_sightings(copy, value, seen, as_of));
        match (stored, watched) {
            // Seen before the store says that it was set: the store forgot (its path was made anew).
            (Some(stored), Some(watched)) if watched.not_after < stored.not_after => Some(watched),
            (Some(stored), _) => Some(stored),
            (None, watched) => watched,
        }
    }

    fn of_versions(copy: &SecretCopy) -> Option<Self> {
        let versions = &copy.history.versions;
        let (oldest, newest) = (versions.first()?, versions.last()?);
        let from_start = oldest.number == 1;
        let VersionValue::Read(value) = &newest.value else {
            let proof = if versions.len() == 1 && from_start {
                format!("{} has one version", copy.place.whole_path())
            } else {
                format!(
                    "{} was last written as version {}; its keys were not compared",
                    copy.place.whole_path(),
                    newest.number
                )
            };
            return Some(Self {
                not_before: from_start.then_some(oldest.created_at),
                not_after: newest.created_at,
                first_value: from_start && versions.len() == 1,
                proof,
            });
        };
        let first = versions.iter().position(|version| version.value == VersionValue::Read(value.clone()))?;
        let introduced = &versions[first];
        let (not_before, hidden) = bound_before(&versions[..first], introduced, from_start);
        let other_value = |version: &Version| matches!(&version.value, VersionValue::Read(other) if other != value);
        let first_value = from_start && hidden == 0 && !versions.iter().any(other_value);
        let mut proof = format!("values of {} compared: set in version {}", copy.place, introduced.number);
        if newest.number > introduced.number {
            proof.push_str(&format!(" and unchanged up to version {}", newest.number));
        }
        if hidden > 0 {
            proof.push_str(&format!("; {hidden} versions before it cannot be read"));
        }
        Some(Self { not_before, not_after: introduced.created_at, first_value, proof })
    }

    fn of_sightings(copy: &SecretCopy, value: &Fingerprint, seen: &[Sighting], as_of: Time) -> Option<Self> {
        let here =
            seen.iter().filter(|sighting| sighting.fingerprint == *value).map(|sighting| sighting.first_seen).min();
        let first = here.unwrap_or(as_of);
        let others = seen.iter().filter(|sighting| sighting.fingerprint != *value && sighting.last_seen <= first);
        let not_before = others.map(|sighting| sighting.last_seen).max();
        let proof = match (not_before, here) {
            (Some(before), _) => {
                format!("an earlier scan saw another value in {} on {}", copy.place, before.format("%Y-%m-%d"))
            }
            (None, Some(first)) => first_seen(&copy.place, first),
            (None, None) => return None,
        };
        Some(Self { not_before, not_after: first, first_value: false, proof })
    }

    /// For the report.
    pub fn to_report(&self) -> AgeReport {
        AgeReport {
            not_before: self.not_before,
            not_after: Some(self.not_after),
            first_value: self.first_value,
            proof: self.proof.clone(),
        }
    }
}

/// The earliest instant at which the value of `introduced` may have been set, given the versions before it, and how
/// many of them hide it.
fn bound_before(before: &[Version], introduced: &Version, from_start: bool) -> (Option<Time>, usize) {
    let hidden = before.iter().rev().take_while(|version| version.value == VersionValue::Unread).count();
    let known = before.len() - hidden;
    match before.get(known) {
        // The version just before it holds another value, or it is the oldest of all that were ever written.
        None if known > 0 || from_start => (Some(introduced.created_at), 0),
        // It is the oldest that the store keeps.
        None => (None, 0),
        Some(oldest_hidden) if known > 0 || from_start => (Some(oldest_hidden.created_at), hidden),
        Some(_) => (None, hidden),
    }
}

/// Whether a kind of place is a record of what is current, rather than a copy of it.
fn is_record(kind: CopyKind) -> bool {
    matches!(kind, CopyKind::VaultKv1 | CopyKind::VaultKv2)
}

fn first_seen(place: &Place, time: Time) -> String {
    format!("this value was first seen in {place} on {}", time.format("%Y-%m-%d"))
}

/// What earlier scans saw.
#[derive(Debug)]
pub struct Seen<'a> {
    by_place: &'a BTreeMap<Place, Vec<Sighting>>,
    /// Where and when each value was seen first.
    by_value: BTreeMap<&'a Fingerprint, (Time, &'a Place)>,
    as_of: Time,
}

impl<'a> Seen<'a> {
    /// What earlier scans saw, as of an instant.
    pub fn new(by_place: &'a BTreeMap<Place, Vec<Sighting>>, as_of: Time) -> Self {
        let mut by_value: BTreeMap<&Fingerprint, (Time, &Place)> = BTreeMap::new();
        for (place, sightings) in by_place {
            for sighting in sightings {
                let first = by_value.entry(&sighting.fingerprint).or_insert((sighting.first_seen, place));
                *first = (*first).min((sighting.first_seen, place));
            }
        }
        Self { by_place, by_value, as_of }
    }

    fn in_place(&self, place: &Place) -> &'a [Sighting] {
        self.by_place.get(place).map_or(&[], Vec::as_slice)
    }

    /// The age of a value by where it was seen first, wherever that was: a file that moved takes its age along.
    fn anywhere(&self, copy: &SecretCopy) -> Option<Age> {
        let (time, place) = self.by_value.get(copy.value.fingerprint.as_ref()?)?;
        Some(Age { not_before: None, not_after: *time, first_value: false, proof: first_seen(place, *time) })
    }
}

#[cfg(test)]
mod tests;
