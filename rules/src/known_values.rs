//! The inventory's own values, searched for literally: a password without any prefix is found, and nothing else is.
//!
//! Every value is spelt in the ways in which text carries it, and all spellings are looked for at once by a filter of
//! keyed grams; a place that passes is proven by a keyed MAC. No table holds a value. What is escaped, encoded twice
//! or split over lines is found in the text decoded, see [`crate::decode`].

mod classify;
mod grams;
mod near;
mod parts;
mod proof;
mod retired;
mod spellings;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use zeroize::Zeroize;

use crate::decode;
use crate::model::Secret;
use crate::search::{Found, Hit, Hits, LongAnchor, Search};
use classify::classify;
use grams::{Grams, Keys};
use near::{MAX_SPAN, Names};
use proof::{Proof, Prover, sip, words};
use spellings::{Bytes, MAX_PATTERN, spellings};

pub use classify::{Reason, Searchable};
pub use retired::RetiredFingerprints;

/// What a search for known values covers, for the statement of coverage.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// Values that are found wherever they stand.
    pub anywhere: usize,
    /// Values that are found only near a name of their item, by the reason.
    pub near_names: BTreeMap<Reason, usize>,
    /// Values that are not searched for, by the reason.
    pub not_searchable: BTreeMap<Reason, usize>,
    /// The literal spellings of all values together.
    pub spellings: usize,
}

impl Audit {
    fn count(&mut self, searchable: Searchable) {
        match searchable {
            Searchable::Anywhere => self.anywhere += 1,
            Searchable::NearItsName(reason) => *self.near_names.entry(reason).or_default() += 1,
            Searchable::Not(reason) => *self.not_searchable.entry(reason).or_default() += 1,
        }
    }
}

/// Patterns from this length on are searched for in fewer places. In bytes.
const LONG_PATTERN: usize = 20;
/// What is searched at once, so that it stays in the cache for all the ways to look at it. In bytes.
const STEP: usize = 32 << 10;

/// Whose spelling a pattern is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Value(u32),
    Name(u32),
}

/// Takes the values of an inventory.
pub struct Builder {
    key: [u8; 32],
    prover: Prover,
    names: Names,
    name_spellings: Vec<(String, u32)>,
    patterns: Vec<(Bytes, Owner)>,
    audit: Audit,
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Builder {
    /// Adds a value of the item whose names are `names`, and says how it will be searched for. `id` is the caller's;
    /// give equal values one id, and the names of all their items.
    pub fn add(&mut self, id: u32, value: &Secret, names: &[&str]) -> Searchable {
        let parts = parts::secret_parts(value.expose());
        let mut searchable = Searchable::Not(Reason::Empty);
        let mut near = Vec::new();
        for part in &parts {
            let of_part = classify(part.expose());
            match of_part {
                Searchable::Anywhere => {
                    self.patterns.extend(spellings(part.expose()).into_iter().map(|text| (text, Owner::Value(id))));
                }
                Searchable::NearItsName(_) => near.push(part.expose()),
                Searchable::Not(_) => {}
            }
            searchable = better(searchable, of_part);
        }
        if let Searchable::NearItsName(reason) = searchable {
            near.push(value.expose().trim());
            searchable = self.add_near(id, &near, names, reason);
        }
        self.audit.count(searchable);
        searchable
    }

    fn add_near(&mut self, id: u32, values: &[&str], names: &[&str], reason: Reason) -> Searchable {
        let mut named = false;
        let values: BTreeSet<&str> = values.iter().copied().filter(|value| value.len() <= MAX_PATTERN).collect();
        for value in values {
            let proof = self.prover.prove(value.as_bytes());
            for name in names {
                named |= self.names.add(name, id, &proof, &mut self.name_spellings);
            }
        }
        if named { Searchable::NearItsName(reason) } else { Searchable::Not(Reason::Nameless) }
    }

    /// Makes the tables. Takes well under a millisecond for ten values.
    pub fn build(mut self) -> KnownValues {
        self.audit.spellings = self.patterns.len();
        let mut patterns = std::mem::take(&mut self.patterns);
        for (name, number) in std::mem::take(&mut self.name_spellings) {
            patterns.push((Bytes::new(name.into_bytes()), Owner::Name(number)));
        }
        self.names.finish();
        let [first, second] = words(&self.key, b"keytrail/known-values/filter");
        let keys = Keys {
            first: [first as u32 | 1, (first >> 32) as u32 | 1],
            second: second | 1,
            gram: sip(&self.key, b"keytrail/known-values/gram"),
        };
        let (long, short): (Vec<_>, Vec<_>) =
            patterns.iter().partition::<Vec<_>, _>(|(text, _)| text.len() >= LONG_PATTERN);
        KnownValues {
            buckets: [short, long].map(|patterns| Bucket::new(&patterns, keys.clone(), &self.prover)),
            names: std::mem::take(&mut self.names),
            prover: Prover::new(&self.key),
            audit: std::mem::take(&mut self.audit),
        }
    }
}

fn better(one: Searchable, other: Searchable) -> Searchable {
    let rank = |searchable: &Searchable| match searchable {
        Searchable::Anywhere => 3,
        Searchable::NearItsName(_) => 2,
        Searchable::Not(Reason::Empty) => 0,
        Searchable::Not(_) => 1,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// Patterns of about one length.
struct Bucket {
    grams: Grams,
    patterns: Vec<(Proof, Owner)>,
    longest: usize,
}

impl Bucket {
    fn new(patterns: &[&(Bytes, Owner)], keys: Keys, prover: &Prover) -> Self {
        let texts: Vec<&[u8]> = patterns.iter().map(|(text, _)| text.as_slice()).collect();
        Self {
            grams: Grams::new(&texts, keys),
            longest: texts.iter().map(|text| text.len()).max().unwrap_or(0),
            patterns: patterns.iter().map(|(text, owner)| (prover.prove(text), *owner)).collect(),
        }
    }

    fn memory(&self) -> usize {
        self.grams.memory() + self.patterns.len() * size_of::<(Proof, Owner)>()
    }
}

/// A search for the values of an inventory.
///
/// # Guarantees
/// * No value is kept: only keyed hashes and MACs, under keys that live as long as the search, and are wiped with it.
/// * What is reported is the value (or, of a value of more than 256 bytes, a piece of 256 bytes) in some spelling; a
///   chance hit has to equal an HMAC-SHA-256.
pub struct KnownValues {
    /// Short patterns and long ones: a text is probed for the long ones in fewer places.
    buckets: [Bucket; 2],
    names: Names,
    prover: Prover,
    audit: Audit,
}

/// A value in a text, without its decodings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlainHit {
    /// The caller's id of the value.
    pub id: u32,
    /// Where it stands.
    pub value: Range<usize>,
    /// The bytes on which it depends that this is a hit.
    pub depends: Range<usize>,
}

impl KnownValues {
    /// No values yet. The key is 32 random bytes, new for every run.
    pub fn builder(key: [u8; 32]) -> Builder {
        Builder {
            prover: Prover::new(&key),
            key,
            names: Names::default(),
            name_spellings: Vec::new(),
            patterns: Vec::new(),
            audit: Audit::default(),
        }
    }

    /// What the search covers.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What the tables take. In bytes.
    pub fn memory(&self) -> usize {
        self.buckets.iter().map(Bucket::memory).sum()
    }

    /// The values in and around `changed`, in the text as it is: nothing is decoded.
    pub fn search_plain(&self, text: &[u8], changed: Range<usize>, found: &mut impl FnMut(PlainHit)) {
        self.names.search_short(text, changed.clone(), &self.prover, &mut |hit| found(hit.in_text(text)));
        for bucket in &self.buckets {
            self.search_bucket(bucket, text, changed.clone(), found);
        }
    }

    fn search_bucket(&self, bucket: &Bucket, text: &[u8], changed: Range<usize>, found: &mut impl FnMut(PlainHit)) {
        let longest = if self.names.is_empty() { bucket.longest } else { MAX_SPAN };
        bucket.grams.candidates(text, changed, longest, &mut |pattern, start| {
            let (proof, owner) = &bucket.patterns[pattern];
            let value = start..start + proof.length();
            let Some(bytes) = text.get(value.clone()) else { return };
            match owner {
                _ if !self.prover.proves(proof, bytes) => {}
                Owner::Value(id) => found(PlainHit { id: *id, depends: value.clone(), value }),
                Owner::Name(number) => {
                    self.names.search_after(text, value, *number, &self.prover, &mut |hit| {
                        found(hit.in_text(text));
                    });
                }
            }
        });
    }
}

impl Search for KnownValues {
    type Scratch = decode::Scratch;

    fn margin(&self) -> usize {
        MAX_PATTERN
    }

    fn reach(&self) -> usize {
        MAX_SPAN.max(decode::REACH)
    }

    fn search(&self, text: &[u8], changed: Range<usize>, scratch: &mut decode::Scratch, out: &mut Hits) {
        let mut push = |id: u32, value: Range<usize>, depends: Range<usize>| {
            out.hits.push(Hit { found: Found::Known(id), value, depends, decoded: None });
        };
        for start in changed.clone().step_by(STEP) {
            let step = start..changed.end.min(start + STEP);
            self.search_plain(text, step.clone(), &mut |hit| push(hit.id, hit.value, hit.depends));
            decode::for_each_decoded(text, step, scratch, &mut |decoded| {
                self.search_plain(decoded.bytes(), 0..decoded.bytes().len(), &mut |hit| {
                    if let (Some(value), Some(Range { start, end })) =
                        (decoded.origin(hit.value), decoded.origin(hit.depends))
                    {
                        let depends = start.saturating_sub(decode::CONTEXT)..text.len().min(end + decode::CONTEXT);
                        push(hit.id, value, depends);
                    }
                });
            });
        }
    }

    fn recheck(&self, _text: &[u8], _anchor: &LongAnchor, _scratch: &mut decode::Scratch, _out: &mut Hits) {
        // A known value is no long anchor.
    }

    fn settle(&self, hits: &mut Vec<Hit>) {
        hits.sort_unstable_by_key(|hit| {
            let length = hit.value.len();
            (usize::MAX - length, hit.value.start, hit.found, hit.depends.start, hit.depends.end)
        });
        let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
        hits.retain(|hit| {
            let Range { start, end } = hit.value;
            let free = taken.range(..end).next_back().is_none_or(|(_, taken_end)| *taken_end <= start);
            if free {
                taken.insert(start, end);
            }
            free
        });
        hits.sort_unstable_by_key(|hit| hit.value.start);
    }
}

#[cfg(test)]
mod tests;
