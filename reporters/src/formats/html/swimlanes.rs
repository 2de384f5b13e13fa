//! All changes over time: a row for each trail, in the lanes of store, application and ledger, with hatching where a trail
//! has no data and a line through the traces of each change.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use keytrail_rules::correlate::{Rotation, Trace, TrailReport, Verdict};
use keytrail_rules::model::{Role, Time};

use super::Page;
use super::rotation::LANES;
use super::rotations::class;
use super::write::{count, day, minute, text};
use crate::lanes::coverage::{complement, union};

/// Units of a row.
const ROW: usize = 34;
/// More rows than this are no picture.
const MAX_ROWS: usize = 24;
/// So many changes are drawn, the worst first.
const MAX_CHANGES: usize = 400;

/// One row of the picture.
struct Row<'a> {
    role: Role,
    /// `None` where no trail is of that role.
    trail: Option<&'a TrailReport>,
}

/// The instants at the two ends, and the one that data is expected until.
struct Span(Time, Time, Time);

impl Span {
    /// Where an instant lies, in hundredths of a percent.
    fn at(&self, time: Time) -> i64 {
        let (all, part) = ((self.1 - self.0).num_seconds().max(1), (time - self.0).num_seconds());
        i64::try_from(i128::from(part) * 10_000 / i128::from(all)).unwrap_or_default().clamp(0, 10_000)
    }

    fn percent(&self, time: Time) -> String {
        percent(self.at(time))
    }
}

impl Page<'_> {
    /// The picture; `all` are the changes, the worst first.
    pub(super) fn swimlanes(&self, all: &[&Rotation]) -> String {
        let trails = &self.report.trails;
        if trails.is_empty() {
            return String::new();
        }
        let rows: Vec<Row<'_>> = LANES
            .into_iter()
            .flat_map(|role| {
                let mut of_role: Vec<Row<'_>> = trails
                    .iter()
                    .filter(|trail| trail.role == role)
                    .map(|trail| Row { role, trail: Some(trail) })
                    .collect();
                if of_role.is_empty() {
                    of_role.push(Row { role, trail: None });
                }
                of_role
            })
            .take(MAX_ROWS)
            .collect();
        let span = self.span(all);
        let height = rows.len() * ROW;
        let names: String = rows
            .iter()
            .map(|row| {
                let name = row.trail.map_or_else(|| "no trail".to_owned(), |trail| text(&trail.name));
                format!("<li><b>{}</b> {name}", row.role.as_str())
            })
            .collect();
        let mut drawing = String::new();
        for (at, row) in rows.iter().enumerate() {
            drawing += &background(row, at * ROW, &span);
        }
        for one in all.iter().take(MAX_CHANGES).rev() {
            drawing += &change(one, &rows, &span);
        }
        let late = if span.1 < self.report.as_of {
            format!("; no trail holds anything between then and {}", day(self.report.as_of))
        } else {
            String::new()
        };
        let left = if all.len() > MAX_CHANGES {
            format!("; {} are not drawn", count(all.len() - MAX_CHANGES, "change"))
        } else {
            String::new()
        };
        format!(
            "<figure class=swim><figcaption>{} to {}; a dot is an event, a line joins the traces of one change{late}{left}</figcaption>\n<p \
             class=key aria-hidden=true><span class=fine></span>traced <span class=critical></span>silent <span \
             class=high></span>incomplete <span class=unknown></span>inconclusive <span class=h></span>no data <span \
             class=x></span>no trace, though there is data\n<div class=swim-body><ul class=names aria-hidden=true>{names}</ul><svg \
             height={height} role=img aria-label=\"{}\">{drawing}</svg></div></figure>\n",
            minute(span.0),
            minute(span.1),
            in_words(&rows, &span)
        )
    }

    /// From before the first change, or since the trails cover anything, to the instant of the report, or to when the
    /// trails end, where that is long before.
    fn span(&self, all: &[&Rotation]) -> Span {
        let events = all.iter().flat_map(|one| one.events.iter().map(|event| event.time).chain([one.at]));
        let missing = all.iter().flat_map(|one| &one.missing).map(|missing| missing.from);
        let covered = self.report.trails.iter().flat_map(|trail| &trail.covered);
        let as_of = self.report.as_of;
        let last = events.clone().chain(covered.clone().map(|covered| covered.to)).max().unwrap_or(as_of);
        let first = events.chain(missing).min().or(covered.map(|covered| covered.from).min()).unwrap_or(last);
        let first = first.min(last.min(as_of) - TimeDelta::hours(1));
        let end = if (as_of - last) / 3 > last - first { last } else { last.max(as_of) };
        let margin = (end - first) / 24;
        let shift = |time: Time, by: TimeDelta| time.checked_add_signed(by).unwrap_or(time);
        Span(shift(first, -margin), shift(end, margin), as_of)
    }
}

/// A row with hatching where its trail has no data.
fn background(row: &Row<'_>, top: usize, span: &Span) -> String {
    let mut drawn = format!("<rect class=lane y={top} width=100% height={} />", ROW - 4);
    for (from, to) in without_data(row, span) {
        let (from, to) = (span.at(from), span.at(to));
        if from < to {
            drawn += &format!(
                "<rect class=hatch x={} y={top} width={} height={} />",
                percent(from),
                percent(to - from),
                ROW - 4
            );
        }
    }
    drawn
}

/// The stretches without data of a row.
fn without_data(row: &Row<'_>, span: &Span) -> Vec<(Time, Time)> {
    let end = span.1.min(span.2).max(span.0);
    let Some(trail) = row.trail else { return vec![(span.0, end)] };
    let mut without = complement(union(trail.covered.iter().map(|one| (one.from, one.to)).collect()), span.0, end);
    let holes = trail.holes.iter().filter(|hole| hole.from.is_some() || hole.to.is_some());
    without.extend(holes.map(|hole| (hole.from.unwrap_or(span.0).max(span.0), hole.to.unwrap_or(end).min(end))));
    union(without)
}

/// The traces of a change, with a line through them and a cross where one should be.
fn change(one: &Rotation, rows: &[Row<'_>], span: &Span) -> String {
    let class = class(one.verdict);
    let row_of = |role: Role, trail: &str| {
        let named = rows.iter().position(|row| row.trail.is_some_and(|known| known.name == trail));
        named.or_else(|| rows.iter().position(|row| row.role == role))
    };
    // One mark for a row and an instant is enough.
    let mut marks: BTreeMap<(i64, usize), ()> = BTreeMap::new();
    for event in &one.events {
        if let Some(row) = row_of(event.role, &event.trail) {
            marks.insert((span.at(event.time), row), ());
        }
    }
    let marks: Vec<(i64, usize)> = marks.into_keys().collect();
    let middle = |row: usize| row * ROW + (ROW - 4) / 2;
    let mut drawn = String::new();
    for pair in marks.windows(2) {
        let [(x1, y1), (x2, y2)] = pair else { continue };
        drawn += &format!(
            "<line class={class} x1={} y1={} x2={} y2={} />",
            percent(*x1),
            middle(*y1),
            percent(*x2),
            middle(*y2)
        );
    }
    let at = span.percent(one.at);
    for (role, trace) in [
        (Role::Store, one.traces.store),
        (Role::Application, one.traces.application),
        (Role::Ledger, one.traces.ledger),
    ] {
        let row = rows.iter().position(|row| row.role == role && row.trail.is_some());
        if let (Trace::Absent, Some(row), true) = (trace, row, one.verdict != Verdict::Traced) {
            drawn += &format!("<text class=missing x={at} y={}>×</text>", middle(row) + 6);
        }
    }
    for (x, row) in marks {
        drawn += &format!(
            "<svg class={class} x={} y={} overflow=visible><path d=\"{}\" /></svg>",
            percent(x),
            middle(row),
            shape(one.verdict)
        );
    }
    drawn
}

/// The shape of the dots of a verdict: colour never says anything alone.
fn shape(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Silent => "M0-6L6 0L0 6L-6 0z",
        Verdict::RequestedNeverApplied | Verdict::AppliedNeverLoaded => "M0-5L6 5H-6z",
        Verdict::Inconclusive => "M-4-4H4V4H-4z",
        Verdict::Pending | Verdict::Traced => "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
    }
}

fn in_words(rows: &[Row<'_>], span: &Span) -> String {
    let rows = rows.iter().map(|row| {
        let name = row.trail.map_or("no trail", |trail| trail.name.as_str());
        let without = without_data(row, span);
        let (role, name) = (row.role.as_str(), text(name));
        match without.as_slice() {
            [] => format!("{role}, {name}: data throughout"),
            [(from, to)] => format!("{role}, {name}: no data from {} to {}", day(*from), day(*to)),
            [(from, _), .., (_, to)] => {
                format!("{role}, {name}: no data in {} stretches from {} to {}", without.len(), day(*from), day(*to))
            }
        }
    });
    rows.collect::<Vec<String>>().join("; ")
}

/// `12.5%`.
fn percent(hundredths: i64) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
