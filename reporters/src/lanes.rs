//! The changes of one secret as three lanes, for `keytrail trace`: time runs down, and each event stands in the lane of
//! the record that it is a trace in. Where a record has no data, its lane is shaded.
//!
//! # Guarantees
//! Equal traces and options give equal bytes. Nothing that was read reaches the terminal unescaped, no line is wider than
//! the terminal, and neither shading nor colour carries meaning without words.

pub(crate) mod coverage;
mod grid;
pub(crate) mod words;

use keytrail_rules::correlate::{EventReport, Reading, Rotation, TrailReport};
use keytrail_rules::model::{Role, Time};
use keytrail_rules::report::{ItemReport, Report};
use serde::Serialize;

use crate::formats::document;
use crate::style::{HEADING, paint};
use crate::{Error, Options};
use grid::Grid;
use words::{clean, instant};

pub use words::{event_line, hole_line, verdict_line};

/// Version of the format. Readers refuse a newer one.
pub const SCHEMA: &str = "keytrail/trace/v1";

/// What the trails say of one secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ItemTrace<'a> {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The instant that is judged as of.
    pub as_of: Time,
    /// The first instant that is shown; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// The secret.
    pub item: &'a ItemReport,
    /// Its changes, oldest first.
    pub rotations: Vec<&'a Rotation>,
    /// What else happened to it and belongs to no change, oldest first.
    pub notices: Vec<&'a EventReport>,
    /// Who read it.
    pub readings: Vec<&'a Reading>,
    /// The trails that were read.
    pub trails: &'a [TrailReport],
}

impl<'a> ItemTrace<'a> {
    /// What a report, and the notices that it does not hold, say of one of its secrets since an instant. A change is shown
    /// whole, or not at all.
    pub fn new(report: &'a Report, notices: &'a [EventReport], item: &'a ItemReport, since: Option<Time>) -> Self {
        let counts = |time: Time| since.is_none_or(|since| time >= since);
        let last = |rotation: &Rotation| rotation.events.iter().map(|event| event.time).max().max(Some(rotation.at));
        let mut rotations: Vec<&Rotation> = report
            .rotations
            .iter()
            .filter(|rotation| rotation.item == item.id && last(rotation).is_some_and(counts))
            .collect();
        rotations.sort_by_key(|rotation| (first(rotation), rotation.at, &rotation.id));
        let mut notices: Vec<&EventReport> =
            notices.iter().filter(|notice| notice.item == item.id && counts(notice.time)).collect();
        notices.sort_by_key(|notice| (notice.time, notice.kind, &notice.raw));
        let readings = report.readings.iter().filter(|reading| reading.item == item.id && counts(reading.last));
        Self {
            schema: SCHEMA,
            as_of: report.as_of,
            since,
            item,
            rotations,
            notices,
            readings: readings.collect(),
            trails: &report.trails,
        }
    }

    /// As JSON, for programs.
    ///
    /// # Errors
    /// [`Error::Json`], if the serialiser refuses.
    pub fn json(&self) -> Result<Vec<u8>, Error> {
        document(self)
    }

    /// As three lanes, for a person at a terminal.
    pub fn lanes(&self, options: &Options) -> Vec<u8> {
        let grid = Grid::new(options);
        let mut text = self.title(&grid);
        if self.rotations.is_empty() && self.notices.is_empty() {
            text += &self.nothing(&grid);
        } else {
            text += &self.events(&grid);
        }
        text += &self.readers(&grid);
        text.into_bytes()
    }

    fn title(&self, grid: &Grid) -> String {
        let places: Vec<String> = self.item.copies.iter().map(|copy| clean(copy.place.as_str())).collect();
        let title = grid.lines("", &clean(self.item.id.as_str()));
        let mut text = title.lines().map(|line| paint(grid.color, HEADING, line) + "\n").collect::<String>();
        match places.as_slice() {
            [] => {}
            [one] => text += &grid.lines("  ", &format!("in {one}")),
            [first, rest @ ..] => text += &grid.lines("  ", &format!("in {first} and {} more", rest.len())),
        }
        text
    }

    /// The events with the stretches without data between them, and the verdicts.
    fn events(&self, grid: &Grid) -> String {
        let mut blocks: Vec<Block<'_>> = self.rotations.iter().map(|rotation| Block::Rotation(rotation)).collect();
        blocks.extend(self.notices.iter().map(|notice| Block::Notice(notice)));
        blocks.sort_by_key(Block::first);
        let first = blocks.iter().map(Block::first).min().unwrap_or(self.as_of);
        let missing = self.rotations.iter().flat_map(|rotation| &rotation.missing).map(|missing| missing.from);
        let start = self.since.or(missing.min()).map_or(first, |start| start.min(first));
        let uncovered = coverage::uncovered(self, start, self.as_of);
        let mut drawing = grid.begin(self.trail_names(), &uncovered, start);
        for block in blocks {
            match block {
                Block::Notice(notice) => drawing.event(notice),
                Block::Rotation(rotation) => {
                    let mut events: Vec<&EventReport> = rotation.events.iter().collect();
                    events.sort_by_key(|event| event.time);
                    events.into_iter().for_each(|event| drawing.event(event));
                    drawing.advance(rotation.at);
                    drawing.note(&words::judgement(rotation, grid));
                }
            }
        }
        drawing.end(self.as_of)
    }

    /// The trails of each lane.
    fn trail_names(&self) -> [String; 3] {
        grid::LANES.map(|role| {
            let trails = coverage::trails(self, role);
            let names: Vec<String> = trails.iter().map(|trail| clean(&trail.name)).collect();
            if names.is_empty() { "no trail".to_owned() } else { names.join(", ") }
        })
    }

    /// What is to be said where nothing happened: whether that says anything.
    fn nothing(&self, grid: &Grid) -> String {
        if self.trails.is_empty() {
            return "\n".to_owned()
                + &grid.lines("", "No trail was read, so that nothing is known of its changes.")
                + &grid.lines("", words::NO_TRAILS);
        }
        let since = self.since.map(|since| format!(" since {}", instant(since))).unwrap_or_default();
        let mut text =
            "\n".to_owned() + &grid.lines("", &format!("The trails show no change of it{since}. They hold:"));
        for role in grid::LANES {
            let trails: Vec<&TrailReport> = self.trails.iter().filter(|trail| trail.role == role).collect();
            if trails.is_empty() {
                text += &grid.lines("  ", &format!("{}: no trail", role.as_str()));
            }
            for trail in trails {
                let covered = words::coverage(trail);
                text += &grid.lines("  ", &format!("{}: {}: {covered}", role.as_str(), clean(&trail.name)));
            }
        }
        text + &grid.lines("", "Outside of these stretches it may have been changed.")
    }

    fn readers(&self, grid: &Grid) -> String {
        if self.readings.is_empty() {
            return String::new();
        }
        let mut text = format!("\n{}\n", paint(grid.color, HEADING, "Read by"));
        for reading in &self.readings {
            let times = if reading.count == 1 { "once".to_owned() } else { format!("{} times", reading.count) };
            let (first, last) = (instant(reading.first), instant(reading.last));
            let place = words::place(&reading.raw);
            let (actor, trail) = (clean(&reading.actor), clean(&reading.trail));
            text += &grid.lines("  ", &format!("{actor}  {times}, {first} to {last}, first at {place} ({trail})"));
        }
        text
    }
}

/// What is drawn as one: a change with its verdict, or a single event.
enum Block<'a> {
    Rotation(&'a Rotation),
    Notice(&'a EventReport),
}

impl Block<'_> {
    fn first(&self) -> Time {
        match self {
            Self::Rotation(rotation) => first(rotation),
            Self::Notice(notice) => notice.time,
        }
    }
}

/// The first instant of a change.
fn first(rotation: &Rotation) -> Time {
    rotation.events.iter().map(|event| event.time).min().map_or(rotation.at, |first| first.min(rotation.at))
}

/// The heading of a lane.
fn heading(role: Role) -> &'static str {
    match role {
        Role::Store => "STORE",
        Role::Application => "APPLICATION",
        Role::Ledger => "LEDGER",
    }
}

#[cfg(test)]
mod tests;
