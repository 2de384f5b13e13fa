//! Detectors: what a secret that nobody inventoried looks like.
//!
//! One pass over a text finds where any literal of any detector stands; only there does the detector look closer, and
//! never farther than its window. So a verdict depends on the window alone, which is what [`Search`] asks for.

mod about;
mod analyse;
mod around;
mod checksum;
mod compiled;
mod examine;
mod explain;
mod family;
mod filter;
pub mod generic;
pub mod import;
mod named;
mod names;
mod opening;
mod prefilter;
pub mod programmed;
mod rarity;
mod settle;
mod spec;
pub mod template;
mod verdict;

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use around::Around;
use compiled::Compiled;
use examine::Place;
use opening::Opening;
use prefilter::Prefilter;

pub use crate::model::Severity;
use crate::search::{Found, Hit, Hits, LongAnchor, Search};
pub use about::{About, Literal};
pub use checksum::Checksum;
pub use explain::Trace;
pub use family::{Detector, DetectorError, Family};
pub use programmed::Programmed;
pub use settle::settle;
pub use spec::{Also, Deny, Filter, LONGEST, MARGIN, Matcher, Spec, Target};
pub use verdict::Verdict;

/// The built-in detectors, as the build script wrote them.
mod builtin {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/detectors.rs"));
}

/// The built-in detectors that are functions.
const PROGRAMMED: &[&dyn Programmed] = &[&generic::Generic];

/// Of an owner of a literal: nothing is found where the literal stands inside a word.
const BEGINS_WORD: u32 = 1 << 31;

/// Detectors, ready to search.
pub struct Detectors {
    entries: Vec<Entry>,
    prefilter: Prefilter,
    /// The entries of each literal of the prefilter, one after another, some with [`BEGINS_WORD`].
    owners: Vec<u32>,
    /// Where those of each literal start, and where the last end.
    owned: Vec<u32>,
    /// The detectors without literals.
    slow: Vec<u32>,
}

struct Entry {
    kind: Kind,
    opening: OnceLock<Opening>,
    compiled: OnceLock<Option<Compiled>>,
}

enum Kind {
    Static(&'static Spec),
    Owned(Box<Spec>),
    Programmed(&'static dyn Programmed),
}

impl Entry {
    fn new(kind: Kind) -> Self {
        Self { kind, opening: OnceLock::new(), compiled: OnceLock::new() }
    }

    fn spec(&self) -> Option<&Spec> {
        match &self.kind {
            Kind::Static(spec) => Some(spec),
            Kind::Owned(spec) => Some(spec),
            Kind::Programmed(_) => None,
        }
    }

    fn about(&self) -> &About {
        match &self.kind {
            Kind::Static(spec) => &spec.about,
            Kind::Owned(spec) => &spec.about,
            Kind::Programmed(programmed) => programmed.about(),
        }
    }

    fn literals(&self) -> &[Literal] {
        match &self.kind {
            Kind::Static(spec) => &spec.literals,
            Kind::Owned(spec) => &spec.literals,
            Kind::Programmed(programmed) => programmed.literals(),
        }
    }

    /// How far before and after its literal it looks.
    fn reach(&self) -> (usize, usize) {
        match &self.kind {
            Kind::Static(spec) => (spec.before, spec.after),
            Kind::Owned(spec) => (spec.before, spec.after),
            Kind::Programmed(programmed) => (programmed.before().min(MARGIN), programmed.after().min(MARGIN)),
        }
    }

    /// The regular expressions, compiled when they are first asked for. `None` where that failed: built-in ones are
    /// tested, others are compiled before they are taken in.
    fn compiled(&self) -> Option<&Compiled> {
        self.compiled.get_or_init(|| self.spec().and_then(|spec| Compiled::new(spec).ok())).as_ref()
    }

    /// Whether a secret begins with the literal, and with a word.
    fn begins_word(&self) -> bool {
        self.spec().is_some_and(|spec| {
            spec.filter.boundary && matches!(spec.matcher, Matcher::Token { lead: Some(0), flush: true, .. })
        })
    }

    fn is_named(&self) -> bool {
        self.spec().is_some_and(|spec| matches!(spec.matcher, Matcher::Named { .. }))
    }

    /// Whether there may be something at a place; cheap.
    fn admits(&self, place: Place<'_>, after: usize, around: &mut Around) -> bool {
        self.spec().is_none_or(|spec| {
            let opening = self.opening.get_or_init(|| match &spec.matcher {
                Matcher::Token { regex, .. } => Opening::new(regex),
                Matcher::Named { value, .. } => Opening::new(value).without_mark(),
            });
            around.admits(place, after, spec, opening)
        })
    }

    /// Reports what is at a place, with what became of it.
    fn examine(&self, place: Place<'_>, window: &Range<usize>, say: &mut dyn FnMut(Range<usize>, Verdict)) {
        match (&self.kind, self.spec()) {
            (Kind::Programmed(programmed), _) => {
                programmed.examine(&place.text[window.clone()], place.at - window.start, &mut |value| {
                    say(window.start + value.start..window.start + value.end, Verdict::Kept);
                });
            }
            (_, Some(spec)) => {
                if let Some(compiled) = self.compiled() {
                    examine::examine(place, window, spec, compiled, say);
                }
            }
            _ => {}
        }
    }
}

impl Detectors {
    /// All the built-in detectors.
    pub fn builtin() -> Self {
        Self::assemble(Self::builtin_entries(|_| true).collect())
    }

    /// The built-in detectors that are `wanted`, by their ids, and others: families of users, or imported rules.
    ///
    /// # Errors
    /// An id that is there twice, or a regular expression beyond the limits.
    pub fn new(wanted: impl Fn(&str) -> bool, own: Vec<Spec>) -> Result<Self, String> {
        let mut entries: Vec<Entry> = Self::builtin_entries(wanted).collect();
        for spec in own {
            let compiled = Compiled::new(&spec).map_err(|reason| format!("{}: {reason}", spec.about.id))?;
            let entry = Entry::new(Kind::Owned(Box::new(spec)));
            entry.compiled.get_or_init(|| Some(compiled));
            entries.push(entry);
        }
        let mut ids: Vec<&str> = entries.iter().map(|entry| entry.about().id.as_ref()).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("the detector {} is there twice", twice[0]));
        }
        Ok(Self::assemble(entries))
    }

    fn builtin_entries(wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Entry> {
        let specs = builtin::SPECS.iter().map(Kind::Static);
        let programmed = PROGRAMMED.iter().map(|programmed| Kind::Programmed(*programmed));
        specs.chain(programmed).map(Entry::new).filter(move |entry| wanted(&entry.about().id))
    }

    fn assemble(entries: Vec<Entry>) -> Self {
        let numbered = || (0_u32..).zip(&entries);
        let (prefilter, numbers) = Prefilter::new(entries.iter().flat_map(Entry::literals));
        let all = numbered().flat_map(|(index, entry)| {
            let owner = if entry.begins_word() { index | BEGINS_WORD } else { index };
            entry.literals().iter().map(move |_| owner)
        });
        let (owners, owned) = group(prefilter.len(), &numbers, all);
        let slow = numbered().filter(|(_, entry)| entry.literals().is_empty()).map(|(index, _)| index).collect();
        Self { entries, prefilter, owners, owned, slow }
    }

    /// How many detectors there are. Their indices run from 0.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a detector finds, and what to do about it.
    ///
    /// # Panics
    /// Where there is no such detector: the index must be one that a search of this set gave.
    pub fn about(&self, detector: u32) -> &About {
        self.entries[detector as usize].about()
    }

    /// Everything about every detector, in the order of their indices.
    pub fn all(&self) -> impl Iterator<Item = &About> {
        self.entries.iter().map(Entry::about)
    }

    /// The index of a detector.
    pub fn find(&self, id: &str) -> Option<u32> {
        (0..).zip(self.all()).find(|(_, about)| about.id == id).map(|(index, _)| index)
    }

    /// How a detector tells a secret; `None` for one that is a function.
    pub fn spec(&self, detector: u32) -> Option<&Spec> {
        self.entries.get(detector as usize)?.spec()
    }

    /// What every secret of a detector begins with, for a redacted preview: `ghp_`. May be empty.
    pub fn prefix(&self, detector: u32) -> &str {
        self.spec(detector).map_or("", |spec| spec.prefix.as_ref())
    }

    /// Whether a detector looks at a file of that path at all. Imported rules may say so; the built-in ones look at all.
    pub fn admits(&self, detector: u32, path: &[u8]) -> bool {
        let entry = &self.entries[detector as usize];
        entry.spec().is_none_or(|spec| {
            let anywhere = spec.filter.only_in.is_none() && spec.filter.not_in.is_empty();
            anywhere || entry.compiled().is_none_or(|compiled| compiled.admits(&spec.filter, path))
        })
    }

    /// How sure a match of a detector is to be what it says, against others at the same place.
    pub fn specificity(&self, detector: u32) -> u8 {
        /// A function judges what has no shape and no name of its own.
        const PROGRAMMED: u8 = 10;
        self.spec(detector).map_or(PROGRAMMED, |spec| spec.specificity)
    }

    /// How hits rank where they overlap; see [`settle`].
    pub fn rank(&self, found: Found) -> u16 {
        match found {
            Found::Known(_) => u16::MAX,
            Found::Detector(detector) => self.specificity(detector).into(),
        }
    }

    /// How many places of a text a detector looks at more closely.
    pub fn places(&self, text: &[u8]) -> usize {
        let mut places = 0;
        self.prefilter.scan(text, 0..text.len(), &mut |literal, _| places += self.owners(literal).len());
        places
    }

    /// The detectors that a literal belongs to.
    fn owners(&self, literal: u32) -> impl ExactSizeIterator<Item = u32> {
        self.marked_owners(literal).iter().map(|owner| owner & !BEGINS_WORD)
    }

    fn marked_owners(&self, literal: u32) -> &[u32] {
        let literal = literal as usize;
        &self.owners[self.owned[literal] as usize..self.owned[literal + 1] as usize]
    }

    /// Looks at one place for one detector, and adds what it finds where that meets `changed`.
    fn look(&self, place: Place<'_>, detector: u32, changed: &Range<usize>, around: &mut Around, out: &mut Hits) {
        let entry = &self.entries[detector as usize];
        let (before, after) = entry.reach();
        // The cheap bound first: most literals beside a small change are met in vain.
        if place.at > changed.end.saturating_add(before) || place.at.saturating_add(after) < changed.start {
            return;
        }
        // What a token is refused for stands so near that whoever changes it looks here again.
        if !entry.admits(place, after, around) {
            if after > MARGIN && entry.is_named() {
                let end = place.at + place.length + around::DEPENDS;
                let depends = place.at.saturating_sub(before)..end.min(place.text.len());
                out.long.push(LongAnchor { at: place.at, detector, depends });
            }
            return;
        }
        let window = examine::window(place, before, after);
        entry.examine(place, &window, &mut |value, verdict| {
            if verdict == Verdict::Kept {
                out.hits.push(Hit { found: Found::Detector(detector), value, depends: window.clone(), decoded: None });
            }
        });
        if after > MARGIN {
            out.long.push(LongAnchor { at: place.at, detector, depends: window });
        }
    }
}

/// The owners of each of `count` literals, one after another, and where those of each start: `numbers` and `all` are
/// the literal and the owner of each pair.
fn group(count: usize, numbers: &[u32], all: impl Iterator<Item = u32>) -> (Vec<u32>, Vec<u32>) {
    let mut ends = vec![0; count + 1];
    numbers.iter().for_each(|number| ends[*number as usize] += 1);
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    let (mut owners, mut starts) = (vec![0; numbers.len()], ends);
    let pairs: Vec<(u32, u32)> = numbers.iter().copied().zip(all).collect();
    for (number, owner) in pairs.into_iter().rev() {
        let start = &mut starts[number as usize];
        *start -= 1;
        owners[*start as usize] = owner;
    }
    (owners, starts)
}

impl fmt::Debug for Detectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Detectors({})", self.entries.len())
    }
}

impl Search for Detectors {
    type Scratch = ();

    fn margin(&self) -> usize {
        MARGIN
    }

    fn reach(&self) -> usize {
        MARGIN + LONGEST
    }

    fn search(&self, text: &[u8], changed: Range<usize>, _: &mut (), out: &mut Hits) {
        let starts = changed.start.saturating_sub(MARGIN)..changed.end.saturating_add(MARGIN + 1).min(text.len());
        let mut around = Around::default();
        self.prefilter.scan(text, starts.clone(), &mut |literal, at| {
            let place = Place { text, at, length: self.prefilter.length(literal) };
            let mut begins_word = None;
            for &owner in self.marked_owners(literal) {
                let mut begins = || *begins_word.get_or_insert_with(|| filter::begins_word(text, at));
                if owner & BEGINS_WORD == 0 || begins() {
                    self.look(place, owner & !BEGINS_WORD, &changed, &mut around, out);
                }
            }
        });
        for detector in &self.slow {
            let entry = &self.entries[*detector as usize];
            if let (Some(spec), Some(compiled)) = (entry.spec(), entry.compiled()) {
                examine::everywhere(text, starts.clone(), spec, compiled, &mut |value, depends, verdict| {
                    if verdict == Verdict::Kept {
                        out.hits.push(Hit { found: Found::Detector(*detector), value, depends, decoded: None });
                    }
                });
            }
        }
    }

    fn recheck(&self, text: &[u8], anchor: &LongAnchor, _: &mut (), out: &mut Hits) {
        let entry = &self.entries[anchor.detector as usize];
        let there = text.get(anchor.at..).unwrap_or_default();
        if there.is_empty() || entry.begins_word() && !filter::begins_word(text, anchor.at) {
            return;
        }
        let stands = |literal: &&Literal| {
            let length = literal.text.len();
            there.get(..length).is_some_and(|start| match literal.any_case {
                true => start.eq_ignore_ascii_case(literal.text.as_bytes()),
                false => start == literal.text.as_bytes(),
            })
        };
        for literal in entry.literals().iter().filter(stands) {
            let place = Place { text, at: anchor.at, length: literal.text.len() };
            self.look(place, anchor.detector, &(anchor.at..anchor.at), &mut Around::default(), out);
        }
    }

    fn settle(&self, hits: &mut Vec<Hit>) {
        settle(hits, |found| self.rank(found));
    }
}

#[cfg(test)]
mod tests;
