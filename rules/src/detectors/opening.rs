//! Which bytes a match may begin with: a check of some nanoseconds that spares most runs of a regular expression, and
//! most of those that are never met, their compilation.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::analyse;
use super::spec::MARGIN;

/// The first bytes of a match that are looked at.
pub(super) const LENGTH: usize = 32;

/// What the first bytes of every match of a regular expression are.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// Of each of the first places that every match has, the number of its set.
    places: Vec<u8>,
    sets: Vec<Set>,
    /// A byte that is rare and in every match, if there is one, and no match is longer than so many bytes.
    mark: Option<(u8, usize)>,
}

/// A set of bytes, a bit each.
type Set = [u64; 4];

impl Opening {
    /// That of an expression of bytes; of one that cannot be read, anything.
    pub(super) fn new(regex: &str) -> Self {
        let Ok(hir) = analyse::parse(regex) else {
            return Self::default();
        };
        let mut at_places = [Set::default(); LENGTH];
        collect(&hir, 1, &mut at_places);
        let least = hir.properties().minimum_len().unwrap_or(0);
        // A refusal must not depend on bytes that are far away.
        let longest = hir.properties().maximum_len().filter(|longest| *longest <= MARGIN);
        let mut opening = Self { mark: mark(&hir).zip(longest), ..Self::default() };
        for set in &at_places[..least.min(LENGTH)] {
            let known = opening.sets.iter().position(|known| known == set);
            opening.places.push(known.unwrap_or(opening.sets.len()) as u8);
            if known.is_none() {
                opening.sets.push(*set);
            }
        }
        opening
    }

    /// The same, without a look at bytes after the first.
    pub(super) fn without_mark(self) -> Self {
        Self { mark: None, ..self }
    }

    /// Whether a match may begin a text, of which the first bytes `known` are as in every match.
    pub(super) fn admits(&self, text: &[u8], known: usize) -> bool {
        let admits = |(set, byte): (&u8, &u8)| {
            self.sets.get(usize::from(*set)).is_none_or(|set| set[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1)
        };
        let has = |(mark, longest): (u8, usize)| memchr::memchr(mark, &text[..text.len().min(longest)]).is_some();
        text.len() >= self.places.len()
            && self.places.iter().zip(text).skip(known).all(admits)
            && self.mark.is_none_or(has)
    }
}

/// A mark that is rare in text and that every match has.
fn mark(hir: &Hir) -> Option<u8> {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().copied().find(|byte| b"@#$%&*+?^|~!".contains(byte)),
        HirKind::Capture(capture) => mark(&capture.sub),
        HirKind::Concat(parts) => parts.iter().find_map(mark),
        HirKind::Repetition(repetition) if repetition.min > 0 => mark(&repetition.sub),
        _ => None,
    }
}

/// Adds what may stand at the places of a match where a part of it begins at one of the offsets that `from` holds as
/// bits; returns the offsets at which it may end. Places after the last are left out.
fn collect(hir: &Hir, from: u32, places: &mut [Set; LENGTH]) -> u32 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => from,
        HirKind::Literal(literal) => literal.0.iter().fold(from, |from, byte| add(&range(*byte, *byte), from, places)),
        HirKind::Class(class) => add(&set(class), from, places),
        HirKind::Capture(capture) => collect(&capture.sub, from, places),
        HirKind::Concat(parts) => parts.iter().fold(from, |from, part| collect(part, from, places)),
        HirKind::Alternation(ways) => ways.iter().fold(0, |ends, way| ends | collect(way, from, places)),
        HirKind::Repetition(repetition) => {
            let (mut from, most) = (from, LENGTH as u32 + 1);
            for _ in 0..repetition.min.min(most) {
                from = collect(&repetition.sub, from, places);
            }
            let mut ends = from;
            for _ in repetition.min..repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(most)) {
                if from == 0 {
                    break;
                }
                from = collect(&repetition.sub, from, places);
                if ends | from == ends {
                    break;
                }
                ends |= from;
            }
            ends
        }
    }
}

fn add(set: &Set, from: u32, places: &mut [Set; LENGTH]) -> u32 {
    let here = (0..).zip(places).filter(|(place, _)| from >> place & 1 == 1);
    here.for_each(|(_, place)| place.iter_mut().zip(set).for_each(|(place, set)| *place |= set));
    from << 1
}

fn set(class: &Class) -> Set {
    let mut set = Set::default();
    let mut add = |first: u8, last: u8| set.iter_mut().zip(range(first, last)).for_each(|(set, new)| *set |= new);
    match class {
        Class::Bytes(class) => class.iter().for_each(|range| add(range.start(), range.end())),
        // Without Unicode there are only those of ASCII; were there others, their bytes would be anything.
        Class::Unicode(class) => class.iter().for_each(|range| match (u8::try_from(range.start()), range.end()) {
            (Ok(first), last @ '\0'..='\x7f') if first < 0x80 => add(first, last as u8),
            _ => add(0, u8::MAX),
        }),
    }
    set
}

/// The bytes from the first to the last.
fn range(first: u8, last: u8) -> Set {
    let mut set = Set::default();
    (first..=last).for_each(|byte| set[usize::from(byte >> 6)] |= 1 << (byte & 63));
    set
}

#[cfg(test)]
mod tests;
