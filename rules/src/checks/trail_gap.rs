use super::changes::{instant, location};
use super::{Context, count};
use crate::correlate::{Rotation, TrailReport, Verdict};
use crate::model::{Covered, Evidence, Finding, Hole, Severity, Time};

rule! {
    /// A trail has a hole, or nothing shows that it is complete.
    ///
    /// A hole is a record that cannot be read, a file that is not there, a number that is left out, a log that was cut off
    /// before it was copied. What is missing cannot be told from what never happened, so changes in that time cannot be
    /// proven. There is one finding for a trail, with its holes as evidence.
    ///
    /// # How to fix
    /// Read in what is missing. A trail that is complete and cannot prove it is declared to be:
    /// `covers = [2026-01-01, 2026-06-01]` in its `[[trail]]`; reports say that it is declared.
    "trail-gap", "KT4009", Trails, Medium
}

/// A page of a report; `keytrail trails` and the JSON's `trails` have them all.
const SHOWN: usize = 50;

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.correlation.trails.iter().filter_map(|trail| judge(cx, trail)).collect()
}

fn judge(cx: &Context<'_>, trail: &TrailReport) -> Option<Finding> {
    let holes: Vec<&Hole> = trail.holes.iter().filter(|hole| !hole.tampered).collect();
    let uncovered = between(&trail.covered, &trail.holes);
    let lacking = cx.correlation.rotations.iter().filter(|rotation| lacks(rotation, trail)).count();
    let stretches = number(holes.len() + uncovered.len());
    let (what, severity) = match (stretches, trail.covered.is_empty()) {
        (1, _) => (format!("has a hole {}", first(&holes, &uncovered)), Severity::Medium),
        (2.., _) => (format!("has {stretches} holes, the first {}", first(&holes, &uncovered)), Severity::Medium),
        (_, true) => ("may have any number of holes: nothing shows that it is complete".to_owned(), Severity::Low),
        _ if lacking > 0 => ("does not cover all of the time that matters".to_owned(), Severity::Low),
        _ => return None,
    };
    let effect = match lacking {
        0 => String::new(),
        _ => format!("; {} cannot be proven for it", count(number(lacking), "change")),
    };
    let evidence = holes.iter().map(|hole| {
        Evidence::new(
            format!("{}: {}", span(hole.from, hole.to), hole.reason),
            hole.raw.as_ref().and_then(location),
            None,
        )
    });
    let evidence = evidence.chain(
        uncovered
            .iter()
            .map(|(from, to)| Evidence::new(format!("{}: not covered", span(Some(*from), Some(*to))), None, None)),
    );
    let finding = Finding::new(&RULE, &trail.name, format!("Trail '{}' {what}{effect}.", trail.name));
    Some(
        finding
            .severity(severity)
            .at(holes
                .iter()
                .find_map(|hole| hole.raw.as_ref().and_then(location))
                .or_else(|| trail.declared_at.clone()))
            .evidence(evidence.take(SHOWN))
            .next("keytrail trails"),
    )
}

fn number(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Whether a change cannot be judged for want of a trail.
fn lacks(rotation: &Rotation, trail: &TrailReport) -> bool {
    let named = |name: &Option<String>| name.as_deref() == Some(trail.name.as_str());
    rotation.verdict == Verdict::Inconclusive && rotation.missing.iter().any(|one| named(&one.trail))
}

/// What is between two covered stretches, and in no hole that is known.
fn between(covered: &[Covered], holes: &[Hole]) -> Vec<(Time, Time)> {
    let mut covered: Vec<&Covered> = covered.iter().collect();
    covered.sort();
    let mut until: Option<Time> = None;
    let mut found = Vec::new();
    for one in covered {
        if let Some(end) = until.filter(|end| *end < one.from) {
            let is_known =
                |hole: &Hole| hole.from.is_none_or(|from| from < one.from) && hole.to.is_none_or(|to| end < to);
            if !holes.iter().any(is_known) {
                found.push((end, one.from));
            }
        }
        until = until.max(Some(one.to));
    }
    found
}

fn first(holes: &[&Hole], uncovered: &[(Time, Time)]) -> String {
    match (holes.first(), uncovered.first()) {
        (Some(hole), _) => format!("{} ({})", span(hole.from, hole.to), hole.reason),
        (None, Some((from, to))) => format!("{}, which nothing covers", span(Some(*from), Some(*to))),
        (None, None) => String::new(),
    }
}

/// `from 2026-05-01T10:00:00Z to 2026-05-02T10:00:00Z`.
pub(super) fn span(from: Option<Time>, to: Option<Time>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("from {} to {}", instant(from), instant(to)),
        (Some(from), None) => format!("from {}", instant(from)),
        (None, Some(to)) => format!("up to {}", instant(to)),
        (None, None) => "at a time that is not known".to_owned(),
    }
}
