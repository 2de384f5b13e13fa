//! Which way it goes, and how long a rotation takes.

use std::collections::BTreeMap;

use chrono::{Datelike, TimeDelta};

use super::{Looked, Point, Trends};
use crate::model::Time;
use crate::report::{ItemReport, ItemStatus};

/// The most points that a report has.
pub const MAX_POINTS: usize = 400;

/// What was known of a secret from one scan on, until another knew otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The instant of the scan.
    pub since: Time,
    /// The judgement; none where the secret was no longer there.
    pub status: Option<ItemStatus>,
    /// When it was due; none for what leaked, which is due at once.
    pub due_at: Option<Time>,
    /// By when its value was set.
    pub set_at: Option<Time>,
}

/// What a scan adds to what was known of a secret: nothing where it knows nothing else. `item` is none where the scan did
/// not find it.
///
/// A value that is not known to the instant may look younger where a source could not be read, so that a scan with gaps
/// tells of no such value.
pub fn next_span(before: Option<&Span>, item: Option<&ItemReport>, looked: &Looked, as_of: Time) -> Option<Span> {
    let Some(item) = item else {
        let is_gone = looked.complete && before.is_some_and(|before| before.status.is_some());
        return is_gone.then_some(Span { since: as_of, status: None, due_at: None, set_at: None });
    };
    let was = before.and_then(|before| before.status);
    let is_told = was.is_none_or(|was| was == item.status || looked.tells(was.as_str(), item.status.as_str()));
    let due_at = item.due_at.filter(|_| item.status != ItemStatus::Compromised);
    let bound = || item.age.as_ref().and_then(|age| age.not_after).filter(|_| looked.complete);
    let known = before.and_then(|before| before.set_at);
    let span = Span {
        since: as_of,
        status: if is_told { Some(item.status) } else { was },
        due_at: if is_told { due_at } else { before.and_then(|before| before.due_at) },
        set_at: item.last_rotated_at.or_else(bound).or(known),
    };
    let is_same =
        |before: &Span| (before.status, before.due_at, before.set_at) == (span.status, span.due_at, span.set_at);
    (!before.is_some_and(is_same)).then_some(span)
}

/// The trends of scans, the oldest first, and of what was known of each secret, in the order of time.
///
/// A secret is rotated where it has another value, set after it was due: after its due date, or after the scan that first
/// found it leaked, never rotated, or to be changed on an event. One that is no longer due for another reason, such as a
/// longer cadence, is not.
pub fn trends<'a>(points: Vec<Point>, secrets: impl IntoIterator<Item = &'a [Span]>) -> Trends {
    let took: Vec<TimeDelta> = secrets.into_iter().flat_map(rotations).collect();
    let total: i64 = took.iter().map(TimeDelta::num_seconds).fold(0, i64::saturating_add);
    Trends {
        points: thin(points),
        rotated: took.len() as u64,
        mean_seconds_to_rotate: i64::try_from(took.len()).ok().and_then(|count| total.checked_div(count)),
    }
}

/// How long each rotation of a secret took.
fn rotations(spans: &[Span]) -> Vec<TimeDelta> {
    let mut took = Vec::new();
    let mut due: Option<(Time, Option<Time>)> = None;
    for span in spans {
        if let Some((since, old)) = due {
            match span.set_at {
                Some(new) if new > since && old.is_some_and(|old| new > old) => {
                    took.push(new - since);
                    due = None;
                }
                _ if is_settled(span.status) => due = None,
                _ => {}
            }
        }
        due = due.or_else(|| Some((due_since(span)?, span.set_at)));
    }
    took
}

fn due_since(span: &Span) -> Option<Time> {
    match span.status? {
        ItemStatus::Overdue => Some(span.due_at.unwrap_or(span.since)),
        ItemStatus::Compromised | ItemStatus::NeverRotated | ItemStatus::EventDue => Some(span.since),
        _ => None,
    }
}

/// Whether a secret is known not to be due.
fn is_settled(status: Option<ItemStatus>) -> bool {
    matches!(status, None | Some(ItemStatus::Ok | ItemStatus::DueSoon | ItemStatus::Static))
}

/// At most [`MAX_POINTS`] of some points, the oldest first: of more the last of each day, then the last of each week,
/// then the newest.
pub fn thin(points: Vec<Point>) -> Vec<Point> {
    let day = |point: &Point| i64::from(point.as_of.num_days_from_ce());
    let points = last_of_each(points, day);
    // Day 1 of the calendar is a Monday.
    let mut points = last_of_each(points, |point| (day(point) - 1).div_euclid(7));
    points.drain(..points.len().saturating_sub(MAX_POINTS));
    points
}

fn last_of_each(points: Vec<Point>, group: impl Fn(&Point) -> i64) -> Vec<Point> {
    if points.len() <= MAX_POINTS {
        return points;
    }
    let last: BTreeMap<i64, Point> = points.into_iter().map(|point| (group(&point), point)).collect();
    last.into_values().collect()
}
