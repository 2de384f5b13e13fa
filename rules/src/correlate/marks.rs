//! What writes did to values, as far as the marks tell that trails show in their place.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::{HashMap, HashSet};

use super::changes::Compared;
use super::gather::{Gathered, is_write};
use crate::model::{Event, EventKind, Place, ValueMark};

/// No more looks than this are passed over to find a value that can be compared.
const REACH: usize = 1024;

/// One write of a value, or one look at it, as each copy of its record shows it.
struct Write<'a> {
    copies: Vec<u32>,
    marks: Vec<&'a ValueMark>,
    /// Whether it put a value there, rather than showing which one lies there.
    writes: bool,
}

/// What each event that shows a mark did to the value of its target, by the marks before it.
///
/// Nothing is said of a write where the one before it shows no mark that its own can be compared with: that one may have
/// brought any value.
pub(super) fn compared(gathered: &Gathered<'_>) -> HashMap<u32, Compared> {
    let mut targets: HashMap<&Place, Vec<u32>> = HashMap::new();
    let mut marked: HashSet<&Place> = HashSet::new();
    for (at, kept) in (0..).zip(&gathered.kept) {
        if is_write(kept.event.kind) || kept.event.kind == EventKind::State {
            targets.entry(&kept.event.target).or_default().push(at);
            if kept.event.value.is_some() {
                marked.insert(&kept.event.target);
            }
        }
    }
    let mut compared = HashMap::new();
    for events in targets.into_iter().filter_map(|(target, events)| marked.contains(target).then_some(events)) {
        compare(&writes(gathered, events), &mut compared);
    }
    compared
}

/// The writes of one target, by time. Copies of a record bear the same id.
fn writes<'a>(gathered: &'a Gathered<'_>, mut events: Vec<u32>) -> Vec<Write<'a>> {
    let event = |at: u32| -> &'a Event { &gathered.kept[at as usize].event };
    events.sort_by(|a, b| super::floods::order(event(*a), event(*b)));
    let mut writes: Vec<Write<'a>> = Vec::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for at in events {
        let one = event(at);
        let place = *by_id.entry(&one.id).or_insert(writes.len());
        if place == writes.len() {
            writes.push(Write { copies: Vec::new(), marks: Vec::new(), writes: is_write(one.kind) });
        }
        writes[place].copies.push(at);
        writes[place].marks.extend(&one.value);
    }
    writes
}

fn compare(writes: &[Write<'_>], compared: &mut HashMap<u32, Compared>) {
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for (at, write) in writes.iter().enumerate() {
        let is_seen = write.marks.iter().flat_map(|mark| names(mark)).any(|name| seen.contains(&name));
        let result = match before(&writes[..at], write) {
            Some(true) => Compared::Same,
            Some(false) if is_seen => Compared::Back,
            Some(false) => Compared::New,
            None => Compared::Not,
        };
        seen.extend(write.marks.iter().flat_map(|mark| names(mark)));
        if !write.marks.is_empty() {
            compared.extend(write.copies.iter().map(|copy| (*copy, result)));
        }
    }
}

/// Whether the value that lay there before was the same one; `None` where that is not known. What only looked at a value
/// may be passed over.
fn before(earlier: &[Write<'_>], write: &Write<'_>) -> Option<bool> {
    for one in earlier.iter().rev().take(REACH) {
        let same = one.marks.iter().flat_map(|a| write.marks.iter().map(move |b| is_same(a, b))).flatten().next();
        if same.is_some() || (one.writes && write.writes) {
            return same;
        }
    }
    None
}

/// Whether two marks are of one value; `None` where that is not known.
fn is_same(a: &ValueMark, b: &ValueMark) -> Option<bool> {
    if a.scope == b.scope {
        return Some(a.mark == b.mark);
    }
    Some(a.known.as_ref()? == b.known.as_ref()?)
}

/// What tells a value that a mark is of from others.
fn names(mark: &ValueMark) -> impl Iterator<Item = (&str, &str)> {
    let known = mark.known.as_deref().map(|known| ("", known));
    [(&*mark.scope, &*mark.mark)].into_iter().chain(known)
}
