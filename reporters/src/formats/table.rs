//! For a person at a terminal: the secrets to act on, worst first, then what else is wrong, then which changes the trails
//! do not show in full, then what could not be read, then the totals.
//!
//! # Guarantees
//! * Nothing that was scanned reaches the terminal unescaped: the output has no control character but line feeds, with
//!   [`Options::color`] our own colours, and with [`Options::links`] our own links.
//! * Colour never carries meaning alone.
//! * What would fill many screens fits one, unless `verbose`; what is not shown is counted.
//! * Without a width, each row is one line, whatever its length.

mod annotated;
mod brief;
mod changes;
mod diff;
mod findings;
mod gaps;
mod history;
mod inventory;
mod layout;
mod links;
mod secrets;
mod totals;
mod trails;

use anstyle::Style;
use keytrail_rules::model::Severity;
use keytrail_rules::report::Report;

use super::Format;
pub use diff::diff;
pub use history::history;

use crate::style::{self, FINE, HEADING, NOTICE, URGENT, WARNING};
use crate::{Error, Options, escape};

pub(super) use findings::shared_next;
pub(super) use secrets::age_in_words;
pub(super) use totals::coverage as search_in_words;
pub(super) use trails::rank as rank_of_verdict;

/// For a person at a terminal.
pub(super) static FORMAT: Format =
    Format { name: "table", summary: "for reading at a terminal", extension: "txt", is_text: true, render };

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    let page = Page { report, options };
    if page.is_long() {
        return Ok(page.brief().into_bytes());
    }
    let sections = [
        page.secrets(),
        page.findings(),
        page.rotations(),
        page.holes(),
        page.gaps(),
        page.verdict(),
        page.totals(true),
    ];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    Ok(sections.join("\n").into_bytes())
}

/// Every secret of a report, for a person at a terminal: id, owner, class, cadence, age, due date and places.
pub fn inventory(report: &Report, options: &Options) -> Vec<u8> {
    let page = Page { report, options };
    let sections = [page.inventory(), page.gaps(), page.totals(false)];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    sections.join("\n").into_bytes()
}

/// Every trail of a report, for a person at a terminal: what it holds, what shows that, and what is missing.
pub fn trails(report: &Report, options: &Options) -> Vec<u8> {
    let page = Page { report, options };
    let sections = [page.trails(), page.holes(), page.gaps()];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    sections.join("\n").into_bytes()
}

/// A report on its way to the terminal. Each section is lines that end in a line feed; empty where there is nothing
/// to say.
struct Page<'a> {
    report: &'a Report,
    options: &'a Options,
}

impl Page<'_> {
    /// Text in a style, if there is colour.
    fn paint(&self, style: Style, text: &str) -> String {
        style::paint(self.options.color, style, text)
    }
}

fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Critical | Severity::High => URGENT,
        Severity::Medium => WARNING,
        Severity::Low | Severity::Info => NOTICE,
    }
}

/// A longer text in one cell is no name, and would make every row of its table as long.
const MAX_CELL: usize = 1_000;

/// Scanned text for one cell.
fn cell(text: &str) -> String {
    escape::clip(&escape::terminal(text), MAX_CELL).into_owned()
}

/// `1 file`, `2 files`.
fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests;
