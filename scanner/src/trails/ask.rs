//! Asks the stores what only they can tell of their audit: what the hashes in it are of, and whether it records.
//!
//! An audit device writes a keyed hash in place of each text. The store that has the key is asked for the hashes of what
//! Keytrail knows already: the values that it has read for the inventory, and the numbers of their versions. So the log
//! tells which value a write brought, on whichever device and whoever wrote, and which version a command line destroyed.
//!
//! # Guarantees
//! Nothing is asked that the config does not name: `audit_hash` and the `path` of a `canary`. Values live in memory until
//! they are answered, and are kept nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keytrail_rules::model::{Facts, Fingerprint, Gap, GapReason, Place, Secret, SecretCopy, VersionValue};

use super::config::{Canary, KnownMarks, Marker};
use crate::config::Config;
use crate::source::KnownSecrets;
use crate::stores::vault;
use crate::stores::vault::audit::{Answers, MAX_ASKED, Questions};

/// The store of a trail that names none.
pub(crate) const STORE: &str = "vault";

/// No more versions are asked for: the same small numbers are those of every path.
const MAX_VERSIONS: usize = 200;

/// What the stores are asked, by the places of the trails.
#[derive(Default)]
pub struct Asking(Vec<Asked>);

struct Asked {
    trail: usize,
    texts: Vec<Secret>,
    /// What each text is.
    meanings: Vec<Meaning>,
    canary: Option<String>,
}

enum Meaning {
    Value(Arc<str>),
    Version(String),
}

/// Whether the config has a trail for which values have to be kept until they were asked about.
pub fn needs_values(config: &Config) -> bool {
    config.trails.iter().any(|trail| !trail.audit_hash.is_empty())
}

/// Takes the paths out that only canaries read: what lies there is no secret.
pub fn leave_canaries_out(config: &Config, facts: &mut Facts) {
    let places = config.trails.iter().filter_map(|trail| match &trail.canary {
        Some(Canary { marker: Marker::Path(path), .. }) => {
            Some(Place::of_path(trail.store.as_deref().unwrap_or(STORE), path))
        }
        _ => None,
    });
    let places: BTreeSet<Place> = places.collect();
    facts.copies.retain(|copy| !places.contains(&copy.place.whole_path()));
}

impl Asking {
    /// Makes the questions of a config. `records` tells whether this scan is one that is remembered: only those read
    /// canaries.
    pub fn new(config: &Config, facts: &Facts, known: &KnownSecrets, records: bool) -> Self {
        let asked = config.trails.iter().enumerate().filter_map(|(trail, one)| {
            let canary = match &one.canary {
                Some(Canary { marker: Marker::Path(path), .. }) if records => Some(path.clone()),
                _ => None,
            };
            let mut asked = Asked { trail, texts: Vec::new(), meanings: Vec::new(), canary };
            if !one.audit_hash.is_empty() {
                asked.add_all(facts, one.store.as_deref().unwrap_or(STORE), known);
            }
            (asked.canary.is_some() || !asked.texts.is_empty()).then_some(asked)
        });
        Self(asked.collect())
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks, and tells the trails. Gives what was not answered.
    pub async fn ask(self, config: &mut Config) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for asked in self.0 {
            let trail = &config.trails[asked.trail];
            let name = trail.store.as_deref().unwrap_or(STORE);
            let store = config.stores.iter().find(|store| store.name == name && store.kind == vault::KIND.name);
            let Some(store) = store else {
                let message = format!("no [[store]] of kind `vault` is called {name}: it cannot be asked");
                let hint = "name the [[store]] whose audit it is in `store` of the [[trail]]";
                gaps.push(Gap::new(&trail.name, GapReason::Unsupported, message).hint(hint));
                continue;
            };
            let questions =
                Questions { devices: &trail.audit_hash, texts: &asked.texts, canary: asked.canary.as_deref() };
            let Answers { hashes, gaps: missed } = vault::audit::ask(store, &questions).await;
            gaps.extend(missed);
            config.trails[asked.trail].marks = Arc::new(marks(hashes, &asked.meanings));
        }
        gaps
    }
}

impl Asked {
    /// Adds the numbers of the versions that a store remembers, and the values that were read of it.
    fn add_all(&mut self, facts: &Facts, store: &str, known: &KnownSecrets) {
        let copies = || facts.copies.iter().filter(|copy| copy.place.source() == store);
        let numbers = copies().flat_map(|copy| &copy.history.versions).map(|version| version.number);
        let numbers: BTreeSet<u64> = numbers.collect();
        for number in numbers.into_iter().rev().take(MAX_VERSIONS) {
            self.texts.push(Secret::new(number.to_string()));
            self.meanings.push(Meaning::Version(number.to_string()));
        }
        let older = |copy: &SecretCopy| -> Vec<Fingerprint> {
            let values = copy.history.versions.iter().map(|version| &version.value);
            let read = values.filter_map(|value| match value {
                VersionValue::Read(fingerprint) => Some(fingerprint.clone()),
                _ => None,
            });
            read.chain(copy.value.fingerprint.clone()).collect()
        };
        let fingerprints: BTreeSet<Fingerprint> = copies().flat_map(older).collect();
        for fingerprint in fingerprints.into_iter().take(MAX_ASKED) {
            if let Some(secret) = known.get(&fingerprint) {
                self.texts.push(secret);
                self.meanings.push(Meaning::Value(Arc::from(fingerprint.as_str())));
            }
        }
    }
}

fn marks(hashes: Vec<(String, usize)>, meanings: &[Meaning]) -> KnownMarks {
    let (mut values, mut versions) = (BTreeMap::new(), BTreeMap::new());
    for (mark, at) in hashes {
        match &meanings[at] {
            Meaning::Value(fingerprint) => drop(values.insert(mark, fingerprint.clone())),
            Meaning::Version(number) => drop(versions.insert(mark, number.clone())),
        }
    }
    KnownMarks { values, versions }
}
