//! What is said beside the lanes.

use anstyle::Style;
use chrono::SecondsFormat;
use keytrail_rules::correlate::{EventReport, Flag, Rotation, Silence, TrailReport, Verdict};
use keytrail_rules::model::{Event, EventKind, Hole, Outcome, Proof, Raw, Role, Time};

use super::grid::Grid;
use crate::escape;
use crate::style::{FINE, NOTICE, URGENT, WARNING, paint};

/// How to have a trail.
pub(crate) const NO_TRAILS: &str = "next: name the logs that would show them in a [[trail]] of keytrail.toml; \
                                    `keytrail trails` shows how";

/// A longer text would fill its lane for pages.
const MAX_TEXT: usize = 300;

/// Text that was read, for a terminal.
pub(crate) fn clean(text: &str) -> String {
    escape::clip(&escape::terminal(text), MAX_TEXT).into_owned()
}

/// `2026-03-01T12:00:00Z`.
pub(crate) fn instant(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The file and line, or the byte where there are no lines.
pub(crate) fn place(raw: &Raw) -> String {
    match raw.line {
        0 => format!("{}, byte {}", clean(&raw.source), raw.offset),
        line => format!("{}:{line}", clean(&raw.source)),
    }
}

/// The lines of an event: what, who, in which run, on what grounds, and where that is written.
pub(super) fn event(event: &EventReport) -> Vec<String> {
    let version = event.version.as_ref().map(|version| format!(" v{}", clean(version))).unwrap_or_default();
    let outcome = if event.outcome == Outcome::Done { "" } else { event.outcome.as_str() };
    let comma = if outcome.is_empty() { "" } else { ", " };
    let mut lines = vec![format!("{}{version}{comma}{outcome}", event.kind.as_str())];
    lines.extend(event.actor.as_ref().map(|actor| format!("by {}", clean(actor))));
    lines.extend(event.consumer.as_ref().map(|consumer| format!("in {}", clean(consumer))));
    lines.extend(event.run.as_ref().map(|run| format!("run {}", clean(run))));
    lines.extend(event.details.iter().map(|(name, text)| format!("{name}: {}", clean(text))));
    lines.push(place(&event.raw));
    lines
}

/// An event that comes while a trail is followed, as one line.
pub fn event_line(event: &Event, trail: &str) -> String {
    let outcome = if event.outcome == Outcome::Done { "" } else { event.outcome.as_str() };
    let parts = [
        instant(event.time),
        clean(trail),
        event.kind.as_str().to_owned(),
        outcome.to_owned(),
        event.version.as_ref().map(|version| format!("v{}", clean(version))).unwrap_or_default(),
        clean(event.target.as_str()),
        event.actor.as_ref().map(|actor| format!("by {}", clean(actor))).unwrap_or_default(),
        event.consumer.as_ref().map(|consumer| format!("in {}", clean(consumer))).unwrap_or_default(),
        format!("({})", place(&event.raw)),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// A hole that shows while a trail is followed, as one line.
pub fn hole_line(hole: &Hole, trail: &str) -> String {
    let word = if hole.tampered { "tampered" } else { "hole" };
    let at = hole.raw.as_ref().map(|raw| format!(" ({})", place(raw))).unwrap_or_default();
    format!("{} {word}: {}{at}", clean(trail), clean(&hole.reason))
}

/// A verdict that changed from another one, or that is the first of its change, as one line.
pub fn verdict_line(rotation: &Rotation, before: Option<Verdict>) -> String {
    let before = before.map(|before| format!(", was {}", before.as_str())).unwrap_or_default();
    let flags: Vec<&str> = rotation.flags.iter().map(|flag| flag.as_str()).collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" [{}]", flags.join(", ")) };
    let (at, item) = (instant(rotation.at), clean(rotation.item.as_str()));
    format!("{at} {item} is {}{before}: {}{flags}", rotation.verdict.as_str(), why(rotation))
}

/// The verdict of a change with its reasons and the next step.
pub(super) fn judgement(rotation: &Rotation, grid: &Grid) -> String {
    let verdict = rotation.verdict.as_str();
    let sentence = grid.lines("", &format!("└─ {verdict}: {}", why(rotation)));
    let mut text = sentence.replacen(verdict, &paint(grid.color, style(rotation.verdict), verdict), 1);
    let version = rotation.version.as_ref().map(|version| format!(", version {}", clean(version))).unwrap_or_default();
    text += &grid.lines("   ", &format!("change of {}{version}, id {}", instant(rotation.at), clean(&rotation.id)));
    for flag in &rotation.flags {
        text += &grid.lines("   ", &format!("{}: {}", flag.as_str(), meaning(*flag)));
    }
    for missing in &rotation.missing {
        let trail = missing.trail.as_ref().map(|trail| format!(" ({})", clean(trail))).unwrap_or_default();
        let (from, to) = (instant(missing.from), instant(missing.to));
        let reason = clean(&missing.reason);
        text += &grid.lines("   ", &format!("missing: {} from {from} to {to}: {reason}{trail}", missing.role.as_str()));
    }
    text + &next(rotation).map(|next| grid.lines("   ", &format!("next: {next}"))).unwrap_or_default()
}

/// Why a change is judged as it is, in a few words.
pub(crate) fn why(rotation: &Rotation) -> String {
    match (rotation.verdict, rotation.silent) {
        (Verdict::Silent, Some(Silence::OutOfBand)) => {
            "nobody asked for it, and it was changed past the store".to_owned()
        }
        (Verdict::Silent, Some(Silence::StateOnly)) => {
            "nobody asked for it, and no event shows it: only the state before and after does".to_owned()
        }
        (Verdict::Silent, _) => "a value changed, and nobody asked for it".to_owned(),
        (Verdict::Traced, _) => "it was asked for, written, and loaded".to_owned(),
        (Verdict::Pending, _) => format!("a trace may still come until {}", instant(rotation.deadline)),
        (Verdict::Inconclusive, _) => {
            let mut roles: Vec<&str> = rotation.missing.iter().map(|missing| missing.role.as_str()).collect();
            roles.sort_unstable();
            roles.dedup();
            match roles.as_slice() {
                [] => "a trail that would show it is not covered".to_owned(),
                roles => format!("what would show it is not covered: {}", roles.join(", ")),
            }
        }
        (Verdict::RequestedNeverApplied, _) => "it was asked for, and not written".to_owned(),
        (Verdict::AppliedNeverLoaded, _) => "it was asked for and written, and a consumer did not load it".to_owned(),
    }
}

pub(crate) fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Traced => FINE,
        Verdict::Pending => NOTICE,
        Verdict::Inconclusive => WARNING,
        Verdict::Silent | Verdict::RequestedNeverApplied | Verdict::AppliedNeverLoaded => URGENT,
    }
}

pub(crate) fn meaning(flag: Flag) -> &'static str {
    match flag {
        Flag::NoOp => "the new value is the old one",
        Flag::Regression => "the new value was in use before",
        Flag::PartialGroup => "secrets that share the value did not all change",
        Flag::OldNotRevoked => "the old value still works",
        Flag::RevokedBeforeVerified => "the old value was revoked before the new one was loaded",
        Flag::RevokedWhileRead => "the old value was revoked while somebody still used it",
        Flag::Failed => "a try failed",
        Flag::Throttled => "a try was turned away for too many requests",
        Flag::HalfApplied => "who honours the credential changed, and the store did not",
        Flag::Automatic => "a machine rotated it",
        Flag::UnwatchedConsumers => "consumers that load it are in no trail",
        Flag::Reopened => "it was judged anew, after a record came late",
    }
}

/// The next step; `None` where there is nothing to do.
pub(crate) fn next(rotation: &Rotation) -> Option<String> {
    match rotation.verdict {
        Verdict::Silent => Some(ask(rotation)),
        Verdict::Pending => Some(format!("look again after {}", instant(rotation.deadline))),
        Verdict::Inconclusive => Some(cover(rotation)),
        Verdict::RequestedNeverApplied => {
            Some("carry the request out, or have the ledger say that it was given up".to_owned())
        }
        Verdict::AppliedNeverLoaded => {
            Some("restart the consumers that still hold the old value, before it is revoked".to_owned())
        }
        Verdict::Traced => rotation.flags.iter().find_map(|flag| mend(*flag)).map(str::to_owned),
    }
}

/// Whom to ask about a change that nobody asked for.
fn ask(rotation: &Rotation) -> String {
    let changes = |kind| !matches!(kind, EventKind::Read | EventKind::AutoRotationOn | EventKind::AutoRotationOff);
    let of_store = |event: &&EventReport| event.role == Role::Store && event.outcome == Outcome::Done;
    let mut events = rotation.events.iter().filter(of_store).filter(|event| changes(event.kind));
    let who = events.find_map(|event| Some((event.actor.as_deref()?, &event.raw)));
    let who = who.map(|(actor, raw)| format!("ask {} ({})", clean(actor), place(raw)));
    let who = who.unwrap_or_else(|| "find out who did it".to_owned());
    format!("{who}; if nobody stands by it, the value is another's: rotate it")
}

/// What would make a verdict possible.
fn cover(rotation: &Rotation) -> String {
    match rotation.missing.first() {
        Some(missing) => match &missing.trail {
            Some(trail) => {
                let trail = clean(trail);
                format!("bring the records of {trail} back, or declare with `covers` what it holds")
            }
            None => format!("add a [[trail]] that is the {} of this secret", missing.role.as_str()),
        },
        None => "see `keytrail trails` for what is covered".to_owned(),
    }
}

fn mend(flag: Flag) -> Option<&'static str> {
    match flag {
        Flag::NoOp | Flag::Regression => Some("rotate it to a new value"),
        Flag::PartialGroup => Some("rotate the others that share the value"),
        Flag::OldNotRevoked => Some("revoke the old value"),
        Flag::HalfApplied => Some("write to the store what is honoured now"),
        Flag::UnwatchedConsumers => Some("add a [[trail]] for the consumers that are in none"),
        _ => None,
    }
}

/// The stretches that a trail holds in full, with what shows it.
pub(crate) fn coverage(trail: &TrailReport) -> String {
    /// Enough to see the pattern; the JSON has all.
    const MAX: usize = 8;
    if trail.covered.is_empty() {
        return "nothing is covered".to_owned();
    }
    let shown = trail.covered.iter().take(MAX);
    let mut parts: Vec<String> = shown
        .map(|covered| {
            let proof = match covered.proof {
                Proof::Declared => "declared, not proven",
                Proof::DigestChain => "proven by digest-chain",
                Proof::Sequence => "proven by sequence",
                Proof::Canary => "proven by canary",
            };
            format!("{} to {} ({proof})", instant(covered.from), instant(covered.to))
        })
        .collect();
    if trail.covered.len() > MAX {
        parts.push(format!("and {} more", trail.covered.len() - MAX));
    }
    parts.join(", ")
}
