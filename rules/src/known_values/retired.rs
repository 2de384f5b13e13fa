//! Values that no store holds any more: only their keyed fingerprints survive in the state.

use std::collections::BTreeMap;

use crate::model::{Fingerprint, FingerprintKey, Secret};

/// The fingerprints of retired values.
///
/// A fingerprint cannot be searched for: nothing of the value is left that a text could be probed with. So a caller
/// asks with every text that a *detector* found; a retired value is recognised where some detector finds its shape,
/// and is not found elsewhere. The coverage statement has to say so.
pub struct RetiredFingerprints {
    key: FingerprintKey,
    known: BTreeMap<Fingerprint, u32>,
}

impl RetiredFingerprints {
    /// No values, of a state with this key.
    pub fn new(key: FingerprintKey) -> Self {
        Self { key, known: BTreeMap::new() }
    }

    /// Adds a value, by the fingerprint that the state holds. `id` is the caller's.
    pub fn add(&mut self, id: u32, fingerprint: Fingerprint) {
        self.known.entry(fingerprint).or_insert(id);
    }

    /// The retired value that this is, with or without the white space and quotes around it.
    pub fn find(&self, value: &Secret) -> Option<u32> {
        if self.known.is_empty() {
            return None;
        }
        let find = |value: &Secret| self.known.get(&self.key.fingerprint(value)).copied();
        let trimmed = value.expose().trim().trim_matches(['"', '\'', '`']);
        find(value).or_else(|| if trimmed == value.expose() { None } else { find(&Secret::from(trimmed)) })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
