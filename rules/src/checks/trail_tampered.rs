use super::Context;
use super::changes::location;
use super::trail_gap::span;
use crate::correlate::TrailReport;
use crate::model::{Evidence, Finding, Hole};

rule! {
    /// Somebody changed a trail.
    ///
    /// A signed digest, a chain of hashes or a sequence of numbers does not fit the records that are there: they were
    /// altered, deleted or put in. Nothing that the trail says of that time can be trusted, and it is not taken for proof.
    ///
    /// # How to fix
    /// Treat it as an incident: keep the files as they are, find out who can write to them, and compare with another copy.
    "trail-tampered", "KT4010", Trails, Critical
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.correlation.trails.iter().filter_map(judge).collect()
}

fn judge(trail: &TrailReport) -> Option<Finding> {
    let tampered: Vec<&Hole> = trail.holes.iter().filter(|hole| hole.tampered).collect();
    let first = tampered.first()?;
    let more = if tampered.len() > 1 { format!(", and {} places more", tampered.len() - 1) } else { String::new() };
    let message =
        format!("Trail '{}' was tampered with {}: {}{more}.", trail.name, span(first.from, first.to), first.reason);
    let line = |hole: &Hole| hole.raw.as_ref().and_then(location);
    let note = |hole: &Hole| match &hole.raw {
        Some(raw) => format!("{}: {} ({})", span(hole.from, hole.to), hole.reason, super::changes::spot(raw)),
        None => format!("{}: {}", span(hole.from, hole.to), hole.reason),
    };
    Some(
        Finding::new(&RULE, &trail.name, message)
            .at(tampered.iter().find_map(|hole| line(hole)).or_else(|| trail.declared_at.clone()))
            .evidence(tampered.iter().map(|hole| Evidence::new(note(hole), line(hole), None)))
            .next("keytrail trails"),
    )
}
