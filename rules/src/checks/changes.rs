//! What findings about changes and trails have in common.

use crate::checks::{Context, Rule};
use crate::correlate::{EventReport, Missing, Rotation, Verdict};
use crate::inventory::{Item, ItemId};
use crate::model::{EventKind, Evidence, Finding, Location, Outcome, Place, Raw, Role, Time};

/// A page of a report; `keytrail trace` and the JSON's `rotations` have it all.
const SHOWN: usize = 50;

/// Names come out of logs, where anybody may write them.
const LONGEST_NAME: usize = 120;

/// The changes of secrets for which something holds. One whose records may still come is not judged yet.
pub(super) fn changes<'a>(
    cx: &Context<'a>,
    holds: impl Fn(&Rotation) -> bool + 'a,
) -> impl Iterator<Item = (&'a Item, &'a Rotation)> {
    let (inventory, correlation) = (cx.inventory, cx.correlation);
    let judged = correlation.rotations.iter().filter(move |one| one.verdict != Verdict::Pending && holds(one));
    judged.filter_map(|one| Some((inventory.items.get(&one.item).filter(|item| item.is_secret)?, one)))
}

/// What else happened to secrets, with the item.
pub(super) fn notices<'a>(cx: &Context<'a>) -> impl Iterator<Item = (&'a Item, &'a EventReport)> {
    let inventory = cx.inventory;
    let all = cx.correlation.notices.iter();
    all.filter_map(|one| Some((inventory.items.get(&one.item).filter(|item| item.is_secret)?, one)))
}

/// A finding about one change: its fingerprint hangs on the rule, the item and the change, its line is that of the
/// event that shows it best.
pub(super) fn about_change(rule: &Rule, item: &Item, rotation: &Rotation, message: String) -> Finding {
    let subject = format!("{}\n{}", item.id, rotation.id);
    let shown = the_change(rotation).or(rotation.events.first());
    let line = shown.and_then(|event| location(&event.raw));
    Finding::new(rule, &subject, message)
        .item(item.id.clone())
        .at(line.or_else(|| item.location()))
        .evidence(rotation.events.iter().take(SHOWN).map(evidence))
        .next(trace(&item.id))
}

/// The event that shows that a value changed, the one at the time of the change first.
pub(super) fn the_change(rotation: &Rotation) -> Option<&EventReport> {
    let mut shown = rotation.events.iter().filter(|event| is_change(event));
    let first = shown.clone().next();
    shown.find(|event| event.time == rotation.at).or(first)
}

/// Whether an event shows a new value, or that there may be one.
fn is_change(event: &EventReport) -> bool {
    let kind = matches!(
        event.kind,
        EventKind::Created
            | EventKind::Written
            | EventKind::MaybeWritten
            | EventKind::Encrypted
            | EventKind::Promoted
            | EventKind::Restored
            | EventKind::AutoRotated
            | EventKind::Issued
            | EventKind::State
    );
    kind && event.outcome == Outcome::Done
}

/// The request for a change.
pub(super) fn the_request(rotation: &Rotation) -> Option<&EventReport> {
    rotation.events.iter().find(|event| event.kind == EventKind::Requested)
}

/// An event as evidence: what, when, by whom, and the bytes that say so.
pub(super) fn evidence(event: &EventReport) -> Evidence {
    let mut note =
        format!("{} ({}) at {}: {}", event.trail, event.role.as_str(), instant(event.time), event.kind.as_str());
    if event.outcome != Outcome::Done {
        note += &format!(", {}", event.outcome.as_str());
    }
    for (what, value) in
        [("version", &event.version), ("by", &event.actor), ("run", &event.run), ("for", &event.consumer)]
    {
        if let Some(value) = value {
            note += &format!(", {what} {}", short(value));
        }
    }
    note += &format!(", in {}", spot(&event.raw));
    Evidence::new(note, location(&event.raw), Some(Place::from_stored(event.target.clone())))
}

/// What is missing, as evidence.
pub(super) fn missing(one: &Missing) -> Evidence {
    Evidence::new(format!("{}: {}", stretch(one), one.reason), None, None)
}

/// `store trail 'vault-audit' from 2026-05-01T10:00:00Z to 2026-05-02T10:00:00Z`.
pub(super) fn stretch(one: &Missing) -> String {
    let trail = one.trail.as_ref().map_or_else(
        || format!("no {} trail", one.role.as_str()),
        |name| format!("{} trail '{name}'", one.role.as_str()),
    );
    format!("{trail} from {} to {}", instant(one.from), instant(one.to))
}

/// The line of a record in a file of the scanned folder.
pub(super) fn location(raw: &Raw) -> Option<Location> {
    let file: &str = &raw.source;
    let outside = file.is_empty() || file == "-" || file.starts_with('/') || file.split('/').any(|part| part == "..");
    let line = u32::try_from(raw.line).ok().filter(|line| *line > 0 && !outside)?;
    Some(Location { line, ..Location::of_file(file) })
}

/// Where the bytes of a record are: `audit/vault.log:12, byte 4096`.
pub(super) fn spot(raw: &Raw) -> String {
    let line = if raw.line > 0 { format!(":{}", raw.line) } else { String::new() };
    format!("{}{line}, byte {}", raw.source, raw.offset)
}

/// ` by deploy-bot`, where the trail says who.
pub(super) fn by(event: Option<&EventReport>) -> String {
    event.and_then(|event| event.actor.as_deref()).map_or_else(String::new, |actor| format!(" by {}", short(actor)))
}

/// `written in vault-audit (audit/vault.log:12, byte 4096)`.
pub(super) fn shown(event: &EventReport) -> String {
    format!("{} in {} ({})", event.kind.as_str(), event.trail, spot(&event.raw))
}

/// `as vault-audit says (audit/vault.log:12, byte 4096)`.
pub(super) fn says(event: &EventReport) -> String {
    format!("as {} says ({})", event.trail, spot(&event.raw))
}

/// The trails of a role: `the ledger trails runs and tickets`.
pub(super) fn trails_of(cx: &Context<'_>, role: Role) -> String {
    let names: Vec<&str> =
        cx.correlation.trails.iter().filter(|trail| trail.role == role).map(|trail| trail.name.as_str()).collect();
    match names.as_slice() {
        [] => format!("any {} trail", role.as_str()),
        [one] => format!("the {} trail {one}", role.as_str()),
        many => format!("the {} trails {}", role.as_str(), many.join(" and ")),
    }
}

/// `2026-03-01T09:30:00Z`.
pub(super) fn instant(time: Time) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The beginning of a name that came out of a log.
pub(super) fn short(name: &str) -> String {
    let mut letters = name.chars();
    let mut start: String = letters.by_ref().take(LONGEST_NAME).collect();
    if letters.next().is_some() {
        start.push('…');
    }
    start
}

/// The command that shows the changes of an item. An id may hold what a shell would read.
pub(super) fn trace(item: &ItemId) -> String {
    let id = item.as_str();
    let plain = |c: char| c.is_alphanumeric() || "_-@:/.#%+=,".contains(c);
    if id.chars().all(plain) && !id.starts_with(['-', '#']) {
        format!("keytrail trace {id}")
    } else {
        format!("keytrail trace -- '{}'", id.replace('\'', r"'\''"))
    }
}
