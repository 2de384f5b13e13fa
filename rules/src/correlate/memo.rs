//! Where the events of a name belong, looked up once for each name and not for each event.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use super::hashes::{AsIs, Keyed};

/// Names that are remembered, at most.
const MAX_NAMES: usize = 1 << 17;

/// What was found for names. Forgets all of them when they are too many.
///
/// A name is known by two hashes under keys of their own, 128 bits together: its text would lie elsewhere in memory, and
/// to fetch it takes longer than anything else that is done for an event.
#[derive(Default)]
pub(super) struct Memo {
    keys: [Keyed; 2],
    found: HashMap<u64, Found, AsIs>,
}

struct Found {
    check: u64,
    slots: Slots,
}

enum Slots {
    One(u32),
    Many(Box<[u32]>),
}

/// The hashes of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hashes {
    hash: u64,
    check: u64,
}

impl Memo {
    /// What a name is remembered under.
    pub(super) fn hashes(&self, name: impl Hash + Copy) -> Hashes {
        let [hash, check] = self.keys.map(|key| key.hash_one(name));
        Hashes { hash, check }
    }

    /// What was found for a name.
    pub(super) fn get(&self, name: Hashes) -> Option<&[u32]> {
        let found = self.found.get(&name.hash).filter(|found| found.check == name.check)?;
        Some(match &found.slots {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Many(slots) => slots,
        })
    }

    /// Remembers what was found for a name.
    pub(super) fn insert(&mut self, name: Hashes, slots: &[u32]) {
        if self.found.len() >= MAX_NAMES {
            self.clear();
        }
        let slots = if let [slot] = slots { Slots::One(*slot) } else { Slots::Many(slots.into()) };
        self.found.insert(name.hash, Found { check: name.check, slots });
    }

    /// Forgets everything: names may mean something else from now on.
    pub(super) fn clear(&mut self) {
        self.found.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAMES, Memo};

    #[test]
    fn what_was_found_is_found_again_for_the_same_name_only() {
        let mut memo = Memo::default();
        let names = [("a", None, None), ("a", Some("b"), None), ("a", None, Some("b")), ("ab", Some(""), None)];
        for (at, name) in (0..).zip(names) {
            memo.insert(memo.hashes(name), &vec![at; at as usize]);
        }
        for (at, name) in (0..).zip(names) {
            assert_eq!(memo.get(memo.hashes(name)), Some(&*vec![at; at as usize]));
        }
        assert_eq!(memo.get(memo.hashes(("a", Some("b"), Some("")))), None);
    }

    #[test]
    fn only_so_much_is_remembered() {
        let mut memo = Memo::default();
        for name in 0..3 * MAX_NAMES {
            memo.insert(memo.hashes(name), &[1]);
            assert!(memo.get(memo.hashes(name)).is_some());
        }
        assert!(memo.found.len() <= MAX_NAMES);
    }
}
