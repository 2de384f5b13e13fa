//! What the trails show, and what they hold.

use keytrail_rules::correlate::{Rotation, TrailReport, Verdict};
use keytrail_rules::model::{Hole, Time};

use super::findings::MAX_REPEATS;
use super::layout::{Row, lines};
use super::{HEADING, Page, URGENT, WARNING, cell};
use crate::lanes::words::{coverage, instant, place, style, why};

const HEADER: [&str; 9] = ["TRAIL", "KIND", "ROLE", "RECORDS", "EVENTS", "LAST", "DELAY", "SKEW", "COVERED"];

impl Page<'_> {
    /// The changes that are not traced, the worst verdict first.
    pub(super) fn rotations(&self) -> String {
        let mut shown: Vec<&Rotation> =
            self.report.rotations.iter().filter(|rotation| rotation.verdict != Verdict::Traced).collect();
        if shown.is_empty() {
            return String::new();
        }
        shown.sort_by_key(|rotation| rank(rotation.verdict));
        let rows: Vec<Row> = shown.into_iter().map(rotation).collect();
        let heading = lines([self.paint(HEADING, "Changes that are not traced")]);
        heading + &self.folded(&rows) + "  next: `keytrail trace SECRET` shows each with its evidence\n"
    }

    /// The trails that miss records.
    pub(super) fn holes(&self) -> String {
        let trails = self.report.trails.iter();
        let rows: Vec<Row> = trails.flat_map(|trail| trail.holes.iter().map(|one| hole(trail, one))).collect();
        if rows.is_empty() {
            return String::new();
        }
        lines([self.paint(HEADING, "Holes in the trails")]) + &self.folded(&rows)
    }

    /// Every trail, in the order of the config.
    pub(super) fn trails(&self) -> String {
        let rows: Vec<Row> = self.report.trails.iter().map(|one| trail(one, self.report.as_of)).collect();
        if rows.is_empty() {
            return String::new();
        }
        lines([self.paint(HEADING, "Trails")]) + &self.rows(&HEADER, &rows)
    }

    fn folded(&self, rows: &[Row]) -> String {
        let fold = if self.options.verbose { rows.len() } else { MAX_REPEATS.min(rows.len()) };
        let mut text = self.rows(&[], &rows[..fold]);
        if rows.len() > fold {
            text += &format!("  and {} more (all with --verbose)\n", rows.len() - fold);
        }
        text
    }

    /// `12: 2 silent, 10 traced`.
    pub(super) fn numbers_of_rotations(&self) -> String {
        let number = |verdict| self.report.rotations.iter().filter(|one| one.verdict == verdict).count();
        let mut verdicts = Verdict::ALL;
        verdicts.sort_by_key(|verdict| rank(*verdict));
        let parts: Vec<String> = verdicts
            .into_iter()
            .filter(|verdict| number(*verdict) > 0)
            .map(|verdict| format!("{} {}", number(verdict), verdict.as_str()))
            .collect();
        let total = self.report.rotations.len();
        if parts.is_empty() { total.to_string() } else { format!("{total}: {}", parts.join(", ")) }
    }
}

/// The worst first.
pub(in crate::formats) fn rank(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Silent => 0,
        Verdict::RequestedNeverApplied => 1,
        Verdict::AppliedNeverLoaded => 2,
        Verdict::Inconclusive => 3,
        Verdict::Pending => 4,
        Verdict::Traced => 5,
    }
}

fn rotation(rotation: &Rotation) -> Row {
    let (verdict, item, at) = (rotation.verdict.as_str(), cell(rotation.item.as_str()), instant(rotation.at));
    let flags: Vec<&str> = rotation.flags.iter().map(|flag| flag.as_str()).collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" [{}]", flags.join(", ")) };
    let why = why(rotation) + &flags;
    Row {
        title: format!("{verdict}  {item}"),
        details: vec![format!("{at}: {why}")],
        cells: vec![verdict.to_owned(), item, at, why],
        word: Some((verdict, style(rotation.verdict))),
    }
}

fn hole(trail: &TrailReport, hole: &Hole) -> Row {
    let (word, style) = if hole.tampered { ("tampered", URGENT) } else { ("hole", WARNING) };
    let name = cell(&trail.name);
    let end = |time: Option<Time>| time.map_or_else(|| "an unknown time".to_owned(), instant);
    let stretch = format!("{} to {}", end(hole.from), end(hole.to));
    let at = hole.raw.as_ref().map(|raw| format!(" ({})", place(raw))).unwrap_or_default();
    let reason = cell(&hole.reason) + &at;
    Row {
        title: format!("{word}  {name}"),
        details: vec![format!("{stretch}: {reason}")],
        cells: vec![word.to_owned(), name, stretch, reason],
        word: Some((word, style)),
    }
}

fn trail(trail: &TrailReport, as_of: Time) -> Row {
    let name = cell(&trail.name);
    let (kind, role) = (trail.kind.to_owned(), trail.role.as_str().to_owned());
    let (records, events) = (trail.records.to_string(), trail.events.to_string());
    let last = trail.last.map_or_else(|| "-".to_owned(), |last| format!("{} ({})", instant(last), age(last, as_of)));
    let delay = duration(trail.delay_seconds);
    let skew = trail.skew_milliseconds.map_or_else(|| "unknown".to_owned(), |skew| format!("{skew} ms"));
    let covered = coverage(trail);
    let covered = match trail.holes.len() {
        0 => covered,
        1 => format!("{covered}; 1 hole"),
        holes => format!("{covered}; {holes} holes"),
    };
    Row {
        title: format!("{name}  {kind}, {role}"),
        details: vec![
            format!("{records} records, {events} events, last {last}"),
            format!("delay {delay}, skew {skew}"),
            format!("covered: {covered}"),
        ],
        cells: vec![name, kind, role, records, events, last, delay, skew, covered],
        word: None,
    }
}

/// `3 d ago`.
fn age(time: Time, as_of: Time) -> String {
    let seconds = (as_of - time).num_seconds();
    if seconds < 0 { "in the future".to_owned() } else { format!("{} ago", duration(seconds)) }
}

/// The largest unit that there is one of: `3 d`, `15 min`.
fn duration(seconds: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let unit = UNITS.iter().find(|(size, _)| seconds >= *size);
    unit.map_or_else(|| format!("{seconds} s"), |(size, name)| format!("{} {name}", seconds / size))
}
