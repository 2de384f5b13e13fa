//! The columns of the lanes.

use std::collections::BTreeSet;
use std::mem::replace;

use chrono::NaiveDate;
use keytrail_rules::correlate::EventReport;
use keytrail_rules::model::{Role, Time};
use unicode_width::UnicodeWidthStr;

use super::coverage::Stretch;
use super::heading;
use super::words::{self, instant};
use crate::Options;
use crate::style::{HEADING, paint};

/// The lanes, from left to right.
pub(super) const LANES: [Role; 3] = [Role::Store, Role::Application, Role::Ledger];

/// Columns where there is no terminal.
const PIPE: u16 = 100;
/// Below this, lanes are not made narrower: they would be unreadable anyway. Above the other, they would be too far apart.
const WIDTHS: (u16, u16) = (60, 240);
/// Columns of a time of day, and of the space after it.
const CLOCK: usize = 9;

/// Columns that the second line of a text is set in by.
const HANGING: usize = 4;

const SHADE: &str = "░";
const NO_DATA: &str = "no data";
/// More stretches than this between two events are drawn as one.
const MAX_STRETCHES: usize = 6;

/// How wide things are.
pub(super) struct Grid {
    width: usize,
    /// Columns of a lane, without the line on its left.
    lane: usize,
    pub(super) color: bool,
}

/// What stands in a lane.
#[derive(Clone, Default)]
struct Cell {
    text: Vec<String>,
    is_shaded: bool,
}

impl Grid {
    pub(super) fn new(options: &Options) -> Self {
        let width = usize::from(options.width.unwrap_or(PIPE).clamp(WIDTHS.0, WIDTHS.1));
        Self { width, lane: (width - CLOCK) / LANES.len() - 1, color: options.color }
    }

    /// A text as lines of the whole width, each with an indent and a line feed; those after the first are set in more.
    pub(super) fn lines(&self, indent: &str, text: &str) -> String {
        let mut shown = String::new();
        for (at, line) in wrap(text, self.width - indent.width() - HANGING).iter().enumerate() {
            let hanging = " ".repeat(if at == 0 { 0 } else { HANGING });
            shown += format!("{indent}{hanging}{line}").trim_end();
            shown.push('\n');
        }
        shown
    }

    /// Begins to draw with the headings of the lanes.
    pub(super) fn begin<'a>(&'a self, trails: [String; 3], uncovered: &'a [Vec<Stretch>; 3], at: Time) -> Drawing<'a> {
        let mut drawing = Drawing { grid: self, uncovered, text: "\n".to_owned(), at, date: None, shaded: [false; 3] };
        let mut cells = LANES.map(|role| Cell { text: vec![heading(role).to_owned()], is_shaded: false });
        let heads = self.row("UTC", &cells);
        drawing.text += &heads.lines().map(|line| paint(self.color, HEADING, line) + "\n").collect::<String>();
        for (cell, names) in cells.iter_mut().zip(trails) {
            cell.text = vec![names];
        }
        drawing.text += &self.row("", &cells);
        drawing
    }

    fn row(&self, clock: &str, cells: &[Cell; 3]) -> String {
        let texts = cells.each_ref().map(|cell| {
            let room = self.lane - if cell.is_shaded { 4 } else { 1 };
            cell.text.iter().flat_map(|line| wrap(line, room)).collect::<Vec<String>>()
        });
        let height = texts.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut rows = String::new();
        for at in 0..height {
            let mut row = format!("{:<CLOCK$}", if at == 0 { clock } else { "" });
            for (cell, text) in cells.iter().zip(&texts) {
                row.push('│');
                let text = text.get(at).map_or("", String::as_str);
                let filled = match (cell.is_shaded, text) {
                    (true, "") => String::new(),
                    (true, text) => format!("{SHADE} {text} "),
                    (false, text) => format!(" {text}"),
                };
                let rest = self.lane.saturating_sub(filled.width());
                row += &filled;
                row += &(if cell.is_shaded { SHADE } else { " " }).repeat(rest);
            }
            rows += row.trim_end();
            rows.push('\n');
        }
        rows
    }

    fn rule(&self, text: &str) -> String {
        let rule = format!("── {text} ");
        format!("{rule}{}\n", "─".repeat(self.width.saturating_sub(rule.width())))
    }
}

/// Lanes that are being drawn.
pub(super) struct Drawing<'a> {
    grid: &'a Grid,
    uncovered: &'a [Vec<Stretch>; 3],
    text: String,
    /// How far time has run.
    at: Time,
    /// The day of the last row.
    date: Option<NaiveDate>,
    /// Which lanes the last row shades.
    shaded: [bool; 3],
}

impl Drawing<'_> {
    /// Draws an event in its lane, after the stretches without data before it.
    pub(super) fn event(&mut self, event: &EventReport) {
        self.advance(event.time);
        let mut cells: [Cell; 3] = Default::default();
        for ((cell, role), uncovered) in cells.iter_mut().zip(LANES).zip(self.uncovered) {
            if role == event.role {
                cell.text = words::event(event);
            } else if uncovered.iter().any(|(from, to)| (*from..*to).contains(&event.time)) {
                *cell = Cell { text: vec![NO_DATA.to_owned()], is_shaded: true };
            }
        }
        self.row(event.time, &cells);
    }

    /// Lets time run: draws the stretches without data that begin on the way.
    pub(super) fn advance(&mut self, to: Time) {
        let from = self.at;
        if to <= from {
            return;
        }
        self.at = to;
        let within = self.uncovered.each_ref().map(|uncovered| {
            let within = uncovered.iter().map(|stretch| (stretch.0.max(from), stretch.1.min(to)));
            within.filter(|stretch| stretch.0 < stretch.1).collect::<Vec<Stretch>>()
        });
        let starts: BTreeSet<Time> = within.iter().flatten().map(|stretch| stretch.0).collect();
        if starts.len() > MAX_STRETCHES {
            return self.fold(&within);
        }
        for start in starts {
            let mut cells: [Cell; 3] = Default::default();
            for (cell, within) in cells.iter_mut().zip(&within) {
                let Some(stretch) = within.iter().find(|stretch| (stretch.0..stretch.1).contains(&start)) else {
                    continue;
                };
                let mut text = vec![NO_DATA.to_owned()];
                if stretch.0 == start && stretch.1 < to {
                    text.push(format!("to {}", end_in_words(start, stretch.1)));
                }
                *cell = Cell { text, is_shaded: true };
            }
            // The row before has it already.
            let is_known =
                start == from && cells.iter().zip(self.shaded).all(|(cell, shaded)| shaded || !cell.is_shaded);
            if !is_known {
                self.row(start, &cells);
            }
        }
    }

    /// Draws many stretches of each lane as one.
    fn fold(&mut self, within: &[Vec<Stretch>; 3]) {
        let start = within.iter().flatten().map(|stretch| stretch.0).min().unwrap_or(self.at);
        let cells = within.each_ref().map(|within| {
            let (Some((from, _)), Some((_, to))) = (within.first(), within.last()) else {
                return Cell::default();
            };
            let mut text = vec![NO_DATA.to_owned()];
            if within.len() > 1 {
                text.push(format!("in {} stretches", within.len()));
            }
            text.push(format!("from {}", end_in_words(start, *from)));
            text.push(format!("to {}", end_in_words(start, *to)));
            Cell { text, is_shaded: true }
        });
        self.row(start, &cells);
    }

    /// Puts a text of its own between the rows.
    pub(super) fn note(&mut self, text: &str) {
        self.text += text;
        self.date = None;
    }

    /// Draws what is left until an instant, and the line that says so.
    pub(super) fn end(mut self, as_of: Time) -> String {
        self.shaded = [false; 3];
        self.advance(as_of);
        self.text += &self.grid.rule(&format!("as of {}", instant(as_of)));
        self.text
    }

    fn row(&mut self, time: Time, cells: &[Cell; 3]) {
        let date = time.date_naive();
        if self.date != Some(date) {
            self.date = Some(date);
            self.text += &self.grid.rule(&date.to_string());
        }
        self.text += &self.grid.row(&time.format("%H:%M:%S").to_string(), cells);
        self.shaded = cells.each_ref().map(|cell| cell.is_shaded);
    }
}

/// An instant, as short as the day of its row allows.
fn end_in_words(row: Time, end: Time) -> String {
    let format = if row.date_naive() == end.date_naive() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    end.format(format).to_string()
}

/// The text in lines of at most so many columns, broken at spaces where that is possible.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if joined.width() <= width {
            line = joined;
            continue;
        }
        if word.width() <= width {
            lines.push(replace(&mut line, word.to_owned()));
            continue;
        }
        // What is too long for any line fills up this one.
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            line.push(c);
            if line.width() > width {
                line.pop();
                // A path is best broken after a slash.
                let rest = line.rfind('/').map(|at| line.split_off(at + 1)).unwrap_or_default();
                lines.push(replace(&mut line, rest));
                line.push(c);
            }
        }
    }
    lines.push(line);
    lines
}
