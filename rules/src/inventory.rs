//! Merges what the sources say into items: by explicit reference first, then by name.
//!
//! # Guarantees
//! The result does not depend on the order of the facts, nor on a fact being there twice.

mod derive;
mod groups;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

pub use derive::{Derivation, Sync};

use crate::age::{Age, Seen};
use crate::cadence::Cadence;
use crate::model::{
    Class, CopyKind, Declaration, Environment, Fingerprint, Key, Location, Origin, Place, SecretCopy, Snapshot, Time,
    Use, UseKind,
};
use crate::policy::Policy;
use crate::report::ItemStatus;
use crate::value::{Reveals, Shape, Value, is_secret_name};

/// The id of an item: its key, with `@environment` where it has one; the place of an item that nothing names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct ItemId(String);

impl ItemId {
    /// The id of a key in an environment.
    pub fn of_key(key: &Key, environment: Option<&Environment>) -> Self {
        Self(environment.map_or_else(|| key.to_string(), |environment| format!("{key}@{environment}")))
    }

    /// The id of a place whose key means nothing without its path.
    pub fn of_place(place: &Place) -> Self {
        Self(place.as_str().to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every secret and variable that the sources know, by id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inventory {
    /// Secrets and plain variables.
    pub items: BTreeMap<ItemId, Item>,
    /// Every place that a copy is in.
    pub places: BTreeSet<Place>,
}

/// A secret or a plain variable in one environment, with all that is known of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// Unique and stable.
    pub id: ItemId,
    /// The name.
    pub key: Key,
    /// Other names of the same value.
    pub aliases: BTreeSet<Key>,
    /// Deployment environment.
    pub environment: Option<Environment>,
    /// What declares it, in the order of their origins and lines.
    pub declarations: Vec<Declaration>,
    /// The places that hold it, by place.
    pub copies: Vec<SecretCopy>,
    /// What loads it.
    pub uses: Vec<Use>,
    /// Whether it is a secret, rather than a plain variable.
    pub is_secret: bool,
    /// The strictest class that is declared.
    pub class: Option<Class>,
    /// The owner that stands: the first by origin and line.
    pub owner: Option<String>,
    /// The strictest cadence that is declared and understood, or the policy's default.
    pub cadence: Option<Cadence>,
    /// The items that its value is made from.
    pub derived_from: Vec<Derivation>,
    /// When its current value was set.
    pub age: Option<Age>,
    /// When it is due.
    pub due_at: Option<Time>,
    /// The judgement, before leaks and exceptions.
    pub status: ItemStatus,
}

impl Inventory {
    /// Merges a snapshot into items and judges their ages under the policy.
    pub fn new(snapshot: &Snapshot, policy: &Policy) -> Self {
        let items = groups::merge(&snapshot.facts);
        let places = items.values().flat_map(|item| item.copies.iter().map(|copy| copy.place.clone())).collect();
        let mut inventory = Self { items, places };
        let seen = Seen::new(&snapshot.sightings, snapshot.as_of);
        for item in inventory.items.values_mut() {
            item.settle(policy);
            item.age = Age::of_item(item, &seen);
            if let Some(correlation) = &snapshot.facts.correlation {
                item.age = Age::proven(item.age.take(), item, correlation);
            }
        }
        derive::derive(&mut inventory, &snapshot.sightings);
        schedule::schedule(&mut inventory, policy, snapshot.as_of);
        inventory
    }

    /// The secrets, by id.
    pub fn secrets(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|item| item.is_secret)
    }
}

impl Item {
    fn new(id: ItemId, key: Key, environment: Option<Environment>) -> Self {
        Self {
            id,
            key,
            aliases: BTreeSet::new(),
            environment,
            declarations: Vec::new(),
            copies: Vec::new(),
            uses: Vec::new(),
            is_secret: false,
            class: None,
            owner: None,
            cadence: None,
            derived_from: Vec::new(),
            age: None,
            due_at: None,
            status: ItemStatus::Ok,
        }
    }

    /// Decides what the declarations say together: of two that disagree, the stricter stands.
    fn settle(&mut self, policy: &Policy) {
        self.class = self.declarations.iter().filter_map(|declaration| declaration.class).max();
        self.owner = self.declarations.iter().find_map(|declaration| declaration.owner.clone());
        let cadences = self.declarations.iter().filter_map(Declaration::understood_cadence);
        self.cadence = cadences.min_by_key(|cadence| cadence.strictness()).cloned();
        if self.cadence.is_none() && self.class == Some(Class::RotationRequired) {
            self.cadence.clone_from(&policy.default_cadence);
        }
        self.is_secret = match self.class {
            Some(class) => class > Class::Plain,
            // A runbook or a config lists secrets, not settings.
            None => self.is_declared_as_secret() || self.looks_secret(),
        };
    }

    fn is_declared_as_secret(&self) -> bool {
        self.declarations.iter().any(|declaration| matches!(declaration.origin, Origin::Runbook | Origin::Config))
    }

    /// Whether it is a secret by where it lies, how it is loaded, what it is called or what it holds.
    fn looks_secret(&self) -> bool {
        let kept_as_secret = self.copies.iter().any(|copy| copy.kind.is_for_secrets());
        let loaded_as_secret = self.uses.iter().any(|one| one.kind == UseKind::Secret);
        kept_as_secret
            || loaded_as_secret
            || self.has_secret_name()
            || self.copies.iter().any(|copy| self.reveal(&copy.value).is_some())
    }

    /// Why a value of it is plainly a secret. A random token under a public name (`NEXT_PUBLIC_MAPS_KEY`) is meant to be
    /// seen.
    pub fn reveal(&self, value: &Value) -> Option<Reveals> {
        let public = self.key.words().any(|word| matches!(word, "PUBLIC" | "PUBLISHABLE"));
        value.reveals.filter(|reveals| !(public && *reveals == Reveals::RandomToken))
    }

    /// Whether one of its names is that of a secret.
    pub fn has_secret_name(&self) -> bool {
        is_secret_name(&self.key) || self.aliases.iter().any(is_secret_name)
    }

    /// Whether it has copies, and none of them can hold a value that could age: placeholders, references, nothing.
    pub fn has_only_stand_ins(&self) -> bool {
        let is_stand_in = |shape| matches!(shape, Shape::Empty | Shape::Placeholder | Shape::Reference);
        !self.copies.is_empty() && self.copies.iter().all(|copy| is_stand_in(copy.value.shape))
    }

    /// Whether a cadence is stated for it, and none is understood.
    pub fn has_unreadable_cadence(&self) -> bool {
        let stated = self.declarations.iter().any(|declaration| declaration.cadence.is_some());
        stated && self.cadence.is_none()
    }

    /// Whether a schema, a runbook or the config knows it. A store's own metadata does not count: it cannot be
    /// reviewed.
    pub fn is_declared(&self) -> bool {
        self.declarations.iter().any(|declaration| declaration.origin != Origin::Store)
    }

    /// The line to send a reader to: the first declaration, else the first copy, else the first use.
    pub fn location(&self) -> Option<Location> {
        let declared = self.declarations.iter().find_map(|declaration| declaration.location.clone());
        let copied = || self.copies.iter().find_map(|copy| copy.location.clone());
        let used = || self.uses.first().map(|one| one.location.clone());
        declared.or_else(copied).or_else(used)
    }

    /// The line of the first declaration that says something of a kind, else [`Item::location`].
    pub fn location_of(&self, says: impl Fn(&Declaration) -> bool) -> Option<Location> {
        let said = self.declarations.iter().find(|declaration| says(declaration) && declaration.location.is_some());
        said.and_then(|declaration| declaration.location.clone()).or_else(|| self.location())
    }

    /// The fingerprints of its current values.
    pub fn fingerprints(&self) -> BTreeSet<&Fingerprint> {
        self.copies.iter().filter_map(|copy| copy.value.fingerprint.as_ref()).collect()
    }

    /// The workloads that load it, sorted, each once.
    pub fn consumers(&self) -> BTreeSet<&str> {
        let declared =
            self.declarations.iter().flat_map(|declaration| declaration.consumers.iter().map(String::as_str));
        self.uses.iter().map(|one| one.consumer.as_str()).chain(declared).collect()
    }

    /// The copies of some kinds.
    pub fn copies_in(&self, kind: impl Fn(CopyKind) -> bool) -> impl Iterator<Item = &SecretCopy> {
        self.copies.iter().filter(move |copy| kind(copy.kind))
    }
}

impl Declaration {
    fn understood_cadence(&self) -> Option<&Cadence> {
        self.cadence.as_ref().and_then(|cadence| cadence.meaning.as_ref())
    }
}

#[cfg(test)]
mod tests;
