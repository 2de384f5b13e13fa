//! The old values of the sources replaced in the old value of what is made from them.

use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::percent;
use crate::credential::{Credential, VALUE, same};
use crate::failure::Failure;

/// Shorter values are found where they are not meant.
const SHORTEST: usize = 6;

/// What is looked for, and what takes its place.
struct Change {
    from: Zeroizing<String>,
    to: Zeroizing<String>,
    source: usize,
}

/// The value that comes of `text` when what it holds of the old credentials is replaced by what the new ones have
/// instead. Values are found as they are and percent-encoded, each of their places is replaced. Other parts (`user`) are
/// replaced where they changed, stand alone, and occur once. `sources` are the name, the old and the new credential.
///
/// # Errors
/// A value occurs nowhere, is too short to be told from other text, or could be meant in more than one way.
pub fn replace(text: &Secret, sources: &[(&str, &Credential, &Credential)]) -> Result<Secret, Failure> {
    let text = text.expose();
    let mut changes = Vec::new();
    for (at, (name, old, new)) in sources.iter().enumerate() {
        let (Some(from), Some(to)) = (old.value(), new.value()) else {
            return Err(unclear(name, "is not known"));
        };
        changes.extend(of_value(text, name, from.expose(), to.expose(), at)?);
        for (part, from) in old.parts().filter(|(part, _)| *part != VALUE && *part != ACCEPTED) {
            let Some(to) = new.part(part).filter(|to| !same(from, to)) else { continue };
            changes.extend(of_part(text, name, from.expose(), to.expose(), at)?);
        }
    }
    // The longest first: an encoded form may hold the plain one.
    changes.sort_by_key(|change| std::cmp::Reverse(change.from.len()));
    substitute(text, &changes, sources)
}

/// The part that is a list of credentials; nothing is made from it.
const ACCEPTED: &str = "accepted";

/// The forms of a value that occur.
fn of_value(text: &str, name: &str, from: &str, to: &str, source: usize) -> Result<Vec<Change>, Failure> {
    let change = |from: &str, to: &str| Change { from: own(from), to: own(to), source };
    if text == from {
        return Ok(vec![change(from, to)]);
    }
    if from.len() < SHORTEST {
        return Err(unclear(name, "is too short to be found in it"));
    }
    let (coded_from, coded_to) = (Zeroizing::new(percent(from)), Zeroizing::new(percent(to)));
    if *coded_from == from {
        if !text.contains(from) {
            return Err(unclear(name, "does not occur in it"));
        }
        if *coded_to != to {
            return Err(unclear(name, "has to be percent-encoded in it, or not: that cannot be told"));
        }
        return Ok(vec![change(from, to)]);
    }
    let lower = Zeroizing::new(lower_hex(&coded_from));
    let forms = [change(from, to), change(&coded_from, &coded_to), change(&lower, &coded_to)];
    let mut found: Vec<Change> = forms.into_iter().filter(|change| text.contains(change.from.as_str())).collect();
    found.dedup_by(|one, other| one.from == other.from);
    if found.is_empty() { Err(unclear(name, "does not occur in it")) } else { Ok(found) }
}

/// A part that changed, if it occurs.
fn of_part(text: &str, name: &str, from: &str, to: &str, source: usize) -> Result<Option<Change>, Failure> {
    if from.is_empty() || !text.contains(from) {
        return Ok(None);
    }
    let places: Vec<usize> = text.match_indices(from).map(|(at, _)| at).collect();
    let is_word = |char: char| char.is_alphanumeric() || char == '_' || char == '-';
    let alone = |at: usize| {
        !text[..at].chars().next_back().is_some_and(is_word)
            && !text[at + from.len()..].chars().next().is_some_and(is_word)
    };
    match places[..] {
        [at] if alone(at) && percent(to) == to => Ok(Some(Change { from: own(from), to: own(to), source })),
        _ => Err(unclear(name, "has a part that changes and cannot be told from other text in it")),
    }
}

/// Replaces from left to right.
fn substitute(text: &str, changes: &[Change], sources: &[(&str, &Credential, &Credential)]) -> Result<Secret, Failure> {
    let mut made = Zeroizing::new(String::with_capacity(text.len() * 2));
    let mut at = 0;
    while at < text.len() {
        let here = |change: &&Change| text[at..].starts_with(change.from.as_str());
        let Some(change) = changes.iter().find(here) else {
            let step = text[at..].chars().next().map_or(1, char::len_utf8);
            made.push_str(&text[at..at + step]);
            at += step;
            continue;
        };
        let name = sources[change.source].0;
        let end = at + change.from.len();
        let overlaps = |other: &Change| {
            let from = (at..end).filter(|start| text.is_char_boundary(*start));
            from.into_iter().any(|start| {
                text[start..].starts_with(other.from.as_str())
                    && (other.source != change.source || start + other.from.len() > end)
                    && (start != at || other.from != change.from || other.to != change.to)
            })
        };
        if changes.iter().any(overlaps) {
            return Err(unclear(name, "overlaps with another value in it"));
        }
        made.push_str(&change.to);
        at = end;
    }
    Ok(Secret::from(made.as_str()))
}

/// The digits of percent-encoding in lower case.
fn lower_hex(coded: &str) -> String {
    let mut digits = 0;
    let lower = |char: char| {
        let is_digit = digits > 0;
        digits = if char == '%' { 2 } else { usize::saturating_sub(digits, 1) };
        if is_digit { char.to_ascii_lowercase() } else { char }
    };
    coded.chars().map(lower).collect()
}

fn own(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

fn unclear(name: &str, why: &str) -> Failure {
    Failure::not_done(format!("the value of {name} {why}")).hint("give the derived [[secret]] a `template`")
}
