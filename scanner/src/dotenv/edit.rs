//! Writes values into a dotenv file and leaves every other byte as it is.
//!
//! # Guarantees
//! What [`edit`] gives reads back as the new values, under every assignment of their keys, and everything else in it
//! reads as before: that is checked on the text itself, so that a value can neither end its own quotes nor close or open
//! those of another line. A value that no style of the file format can hold is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::{Assignment, Line, LineKind, Quote, parse};

#[cfg(test)]
mod tests;

/// Characters that mean themselves in a bare value to every program that reads dotenv files, and to a shell.
const BARE: &str = "_-.,:/@%+=";

/// Why a value was not written. It quotes none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The file has no assignment of the key.
    Missing(String),
    /// No quotes can hold the value of the key there.
    Unwritable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "{key} is not set in the file"),
            Self::Unwritable(key) => write!(f, "no quotes can hold the new value of {key} in the file"),
        }
    }
}

/// `text` with new values for some keys. A key that is assigned more than once gets its value each time. The quotes stay
/// as they are where they can hold the value.
///
/// # Errors
/// See [`Refused`].
pub fn edit(text: &str, values: &BTreeMap<String, &Secret>) -> Result<Zeroizing<String>, Refused> {
    let assignments: Vec<Assignment> = parse(text)
        .filter_map(|line| match line.kind {
            LineKind::Assignment(found) if values.contains_key(&text[found.key.clone()]) => Some(found),
            _ => None,
        })
        .collect();
    let found: BTreeSet<&str> = assignments.iter().map(|found| &text[found.key.clone()]).collect();
    if let Some(missing) = values.keys().find(|key| !found.contains(key.as_str())) {
        return Err(Refused::Missing(missing.clone()));
    }
    // Where a line has a quote that is never closed, a new value must not have one: other quotes may do.
    let mut unwritable = None;
    for preferred in [None, Some(Quote::Single), Some(Quote::Double), Some(Quote::Backtick)] {
        let edited = rewrite(text, &assignments, values, preferred)?;
        match first_difference(text, &edited, values) {
            None => return Ok(edited),
            Some(line) => unwritable = unwritable.or(Some(line)),
        }
    }
    let first = |line: usize| assignments.iter().rfind(|found| found.key.start <= line).or(assignments.first());
    let key = unwritable.and_then(first).map_or("", |found| &text[found.key.clone()]);
    Err(Refused::Unwritable(key.to_owned()))
}

fn rewrite(
    text: &str,
    assignments: &[Assignment],
    values: &BTreeMap<String, &Secret>,
    preferred: Option<Quote>,
) -> Result<Zeroizing<String>, Refused> {
    let mut parts = Vec::with_capacity(assignments.len());
    for found in assignments {
        let key = &text[found.key.clone()];
        let value = values.get(key).map_or("", |value| value.expose());
        let first = preferred.map_or(found.quote, Some);
        let styles = std::iter::once(first).chain([Quote::Single, Quote::Double, Quote::Backtick].map(Some));
        let new = styles.filter_map(|style| written(text, found, value, style)).next();
        parts.push((found, new.ok_or_else(|| Refused::Unwritable(key.to_owned()))?));
    }
    // It must not move in memory while it grows.
    let capacity = text.len() + parts.iter().map(|(_, new)| new.len()).sum::<usize>();
    let mut edited = Zeroizing::new(String::with_capacity(capacity));
    let mut kept = 0;
    for (found, new) in &parts {
        let quotes = usize::from(found.quote.is_some());
        edited.push_str(&text[kept..found.value.start - quotes]);
        edited.push_str(new);
        kept = found.value.end + quotes;
    }
    edited.push_str(&text[kept..]);
    Ok(edited)
}

/// The value as it stands in the file, with the quotes around it; `None` where the style cannot hold it.
fn written(text: &str, assignment: &Assignment, value: &str, style: Option<Quote>) -> Option<Zeroizing<String>> {
    let old = &text[assignment.value.clone()];
    // Twice as long where every character is escaped: it must not move in memory while it grows.
    let mut new = Zeroizing::new(String::with_capacity(value.len() * 2 + 2));
    let Some(quote) = style else {
        let same = |c: char| c.is_ascii_alphanumeric() || BARE.contains(c) || (!c.is_whitespace() && old.contains(c));
        let opens = Quote::opening(value).is_some() || value.starts_with('#');
        new.push_str(value);
        return (!opens && value.chars().all(same)).then_some(new);
    };
    // Every reader takes the one for the other between quotes, unless it is escaped.
    if quote != Quote::Double && value.contains("\r\n") {
        return None;
    }
    let line_end = if line_of(text, assignment).ends_with("\r\n") { "\r\n" } else { "\n" };
    new.push(quote.as_char());
    for c in value.chars() {
        match (c, quote) {
            ('\n', Quote::Double) if !old.contains('\n') => new.push_str("\\n"),
            ('\n', _) => new.push_str(line_end),
            ('\r', Quote::Double) => new.push_str("\\r"),
            ('\\' | '"' | '$', Quote::Double) => new.extend(['\\', c]),
            _ if c == quote.as_char() => return None,
            _ => new.push(c),
        }
    }
    new.push(quote.as_char());
    Some(new)
}

/// The first line of an assignment, with its end.
fn line_of<'a>(text: &'a str, assignment: &Assignment) -> &'a str {
    &text[assignment.key.start..super::next_line(text, assignment.key.start)]
}

/// Where the first line of `old` starts that does not read in `new` as it should; `None` where every line does.
fn first_difference(old: &str, new: &str, values: &BTreeMap<String, &Secret>) -> Option<usize> {
    let (mut before, mut after) = (parse(old), parse(new));
    loop {
        match (before.next(), after.next()) {
            (None, None) => return None,
            (Some(was), Some(is)) if is_edited(old, &was, new, &is, values) => {}
            (Some(was), _) => return Some(was.span.start),
            (None, Some(_)) => return Some(old.len()),
        }
    }
}

fn is_edited(old: &str, was: &Line, new: &str, is: &Line, values: &BTreeMap<String, &Secret>) -> bool {
    if let (LineKind::Assignment(a), LineKind::Assignment(b)) = (&was.kind, &is.kind)
        && let Some(value) = values.get(&old[a.key.clone()])
    {
        return old[a.key.clone()] == new[b.key.clone()] && b.read(new).expose() == value.expose();
    }
    std::mem::discriminant(&was.kind) == std::mem::discriminant(&is.kind)
        && old[was.span.clone()] == new[is.span.clone()]
}
