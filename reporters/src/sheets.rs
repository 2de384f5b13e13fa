//! The tables of a report, for the formats that are spreadsheets: text, numbers and times in rows and columns.

mod findings;
mod inventory;
mod rotations;
mod scope;
mod summary;

use chrono::SecondsFormat;
use keytrail_rules::model::{Gap, Location, Time};
use keytrail_rules::report::Report;

use crate::escape;

pub(crate) use findings::findings;
pub(crate) use inventory::inventory;
pub(crate) use summary::is_complete;

/// One table.
pub(crate) struct Sheet {
    /// What the rows are: `Inventory`.
    pub(crate) name: &'static str,
    /// What the columns are.
    pub(crate) columns: &'static [Column],
    /// As many cells as there are columns, in each.
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A column.
pub(crate) struct Column {
    /// In snake case, for programs.
    pub(crate) name: &'static str,
    /// In characters.
    pub(crate) width: u8,
}

/// What a cell holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// Nothing is known.
    Empty,
    /// Text in which every character shows itself.
    Text(String),
    /// A count.
    Number(u64),
    /// An instant in UTC.
    Time(Time),
}

/// The columns of a sheet, with their widths.
macro_rules! columns {
    ($($name:ident $width:literal),* $(,)?) => {
        &[$($crate::sheets::Column { name: stringify!($name), width: $width }),*]
    };
}
use columns;

/// Stands between the parts of a cell that holds several.
const SEPARATOR: &str = "; ";

/// A cell that lists more is no help to read, and makes its row unreadable.
const MAX_PARTS: usize = 100;

impl Cell {
    /// Text that was scanned.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        let text = visible(text.as_ref());
        if text.is_empty() { Self::Empty } else { Self::Text(text) }
    }

    fn number(number: usize) -> Self {
        Self::Number(number as u64)
    }

    fn word(is: bool) -> Self {
        Self::Text(if is { "yes" } else { "no" }.to_owned())
    }

    /// Several texts, each once.
    fn list<T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> Self {
        let mut seen: Vec<String> = Vec::new();
        let mut more = 0;
        for part in parts {
            let part = visible(part.as_ref());
            if part.is_empty() || seen.contains(&part) {
                continue;
            }
            if seen.len() < MAX_PARTS {
                seen.push(part);
            } else {
                more += 1;
            }
        }
        if more > 0 {
            seen.push(format!("and {more} more"));
        }
        Self::text(seen.join(SEPARATOR))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::Empty, Into::into)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Time> for Cell {
    fn from(time: Time) -> Self {
        Self::Time(time)
    }
}

/// The text with everything spelt out that does not show itself, or that XML cannot hold.
pub(crate) fn visible(text: &str) -> String {
    let text = escape::terminal(text);
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        text.replace('\u{fffe}', r"\u{fffe}").replace('\u{ffff}', r"\u{ffff}")
    } else {
        text.into_owned()
    }
}

/// `2026-03-01T12:00:00Z`.
pub(crate) fn instant(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn line(location: Option<&Location>) -> Cell {
    location.map(ToString::to_string).into()
}

/// Every table of a report, the overview first.
pub(crate) fn sheets(report: &Report) -> Vec<Sheet> {
    let mut sheets = vec![
        summary::summary(report),
        inventory(report),
        rotations::rotations(report),
        findings(report),
        scope::exceptions(report),
        scope::controls(report),
        scope::scope(report),
    ];
    sheets.extend(report.changes.as_ref().map(findings::changes));
    sheets
}

impl Sheet {
    /// A gap as a row of this sheet, so that no reader takes the table for complete.
    pub(crate) fn gap(&self, gap: &Gap) -> Vec<Cell> {
        let place = gap.place.as_ref().map_or(gap.source.as_str(), |place| place.as_str());
        let cell = |column: &Column| match column.name {
            "secret" => Cell::text(place),
            "status" | "state" => Cell::text("not read"),
            "rule" => Cell::text(gap.reason.as_str()),
            "proof" | "message" => Cell::text(format!("could not be read ({}): {}", gap.reason.as_str(), gap.message)),
            "next" => gap.hint.as_ref().into(),
            "declared_at" | "location" => line(gap.location.as_ref()),
            _ => Cell::Empty,
        };
        self.columns.iter().map(cell).collect()
    }
}
