//! What many detectors ask of one place, read once for all of them, and what of it refuses a detector at once.

use std::ops::Range;

use super::examine::Place;
use super::family::{BRIDGE_LENGTH, NAME_LENGTH};
use super::named;
use super::names::is_separator;
use super::opening::{self, Opening};
use super::spec::{MARGIN, Matcher, Spec};

/// How many bytes after a literal a refusal of a value with a name may depend on.
pub(super) const DEPENDS: usize = NAME_LENGTH + BRIDGE_LENGTH + opening::LENGTH;

/// What is known of the name round the place that was looked at last.
#[derive(Default)]
pub(super) struct Around {
    literal: Range<usize>,
    name: Range<usize>,
    /// The name in lower case, without separators.
    squeezed: Vec<u8>,
    /// Where a value may begin that is assigned to it.
    starts: Vec<usize>,
}

impl Around {
    /// Whether a detector that looks `after` bytes far may find something at a place. It says yes too often, never no
    /// where there is something.
    pub(super) fn admits(&mut self, place: Place<'_>, after: usize, spec: &Spec, opening: &Opening) -> bool {
        let text = &place.text[..place.text.len().min(place.at.saturating_add(after))];
        match &spec.matcher {
            Matcher::Token { lead: None | Some(0), .. } => opening.admits(&text[place.at..], place.length),
            Matcher::Token { lead: Some(lead), .. } => {
                let first = place.at.saturating_sub((*lead).min(MARGIN));
                (first..=place.at).any(|start| opening.admits(&text[start..], 0))
            }
            Matcher::Named { names, .. } => {
                self.read(place);
                self.starts.iter().any(|start| opening.admits(text.get(*start..).unwrap_or_default(), 0))
                    && names.iter().any(|name| contains(&self.squeezed, name.as_bytes()))
            }
        }
    }

    /// Reads the name round a literal, unless it is the one that was read last.
    fn read(&mut self, place: Place<'_>) {
        let literal = place.at..place.at + place.length;
        if self.literal == literal {
            return;
        }
        let name = named::name_around(place.text, literal.clone(), &(0..place.text.len()));
        self.literal = literal;
        if self.name == name {
            return;
        }
        let letters = place.text[name.clone()].iter().filter(|byte| !is_separator(**byte)).map(u8::to_ascii_lowercase);
        self.squeezed.clear();
        self.squeezed.extend(letters);
        self.starts.clear();
        let bridge = &place.text[name.end..place.text.len().min(name.end + BRIDGE_LENGTH)];
        self.starts.extend(starts(bridge).map(|start| name.end + start));
        self.name = name;
    }
}

/// The places before which a bridge may end: after an operator, a quote, a blank or a scheme.
fn starts(bridge: &[u8]) -> impl Iterator<Item = usize> {
    // A statement ends with a semicolon.
    let length = memchr::memchr(b';', bridge).unwrap_or(bridge.len());
    let mut solid = None;
    bridge[..length].iter().zip(1..).filter_map(move |(&byte, end)| {
        if byte.is_ascii_whitespace() {
            // Nothing but blanks; or an operator, or the last letter of a scheme, or what adds one.
            let ends =
                solid.is_none_or(|solid| matches!(solid, b'=' | b'>' | b':' | b',' | b'+' | b'r' | b'c' | b'n' | b'y'));
            return ends.then_some(end);
        }
        solid = Some(byte);
        matches!(byte, b'=' | b'>' | b':' | b',' | b'+' | b'"' | b'\'' | b'`' | b'\\').then_some(end)
    })
}

fn contains(name: &[u8], word: &[u8]) -> bool {
    name.windows(word.len().max(1)).any(|part| part.first() == word.first() && part == word)
}
