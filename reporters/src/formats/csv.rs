//! Comma-separated values after RFC 4180: fields in quotes, lines that end in CR LF, a header first.
//!
//! UTF-8 without a byte order mark: programs would take the mark for a part of the first name. Who opens it by hand in
//! Excel, which guesses without one, has XLSX.

use csv::{QuoteStyle, Terminator, WriterBuilder};
use keytrail_rules::report::Report;

use super::Format;
use crate::sheets::{Cell, Sheet, instant, inventory};
use crate::{Error, Options};

/// One row for every secret and environment; what could not be read follows, so that no table looks complete that is
/// not: `record` says which is which.
pub(super) static FORMAT: Format = Format {
    name: "csv",
    summary: "one row for every secret, with its proof, its traces and its findings",
    extension: "csv",
    is_text: true,
    render,
};

fn render(report: &Report, _: &Options) -> Result<Vec<u8>, Error> {
    write(report, &inventory(report), "secret")
}

/// A sheet, each of its rows with what it is a record of, and the gaps of the report.
pub(super) fn write(report: &Report, sheet: &Sheet, record: &str) -> Result<Vec<u8>, Error> {
    let mut writer = WriterBuilder::new()
        .quote_style(QuoteStyle::Always)
        .terminator(Terminator::CRLF)
        .from_writer(Vec::with_capacity(256 * (sheet.rows.len() + 1)));
    let names = sheet.columns.iter().map(|column| column.name);
    writer.write_record(std::iter::once("record").chain(names))?;
    for row in &sheet.rows {
        line(&mut writer, record, row)?;
    }
    for gap in &report.gaps {
        line(&mut writer, "gap", &sheet.gap(gap))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
}

fn line(writer: &mut csv::Writer<Vec<u8>>, record: &str, cells: &[Cell]) -> Result<(), csv::Error> {
    writer.write_field(record)?;
    for cell in cells {
        match cell {
            Cell::Empty => writer.write_field("")?,
            Cell::Text(text) => writer.write_field(guarded(text))?,
            Cell::Number(number) => writer.write_field(number.to_string())?,
            Cell::Time(time) => writer.write_field(instant(*time))?,
        }
    }
    writer.write_record(None::<&[u8]>)
}

/// The text with an apostrophe before each character that could begin a formula: `=`, `+`, `-` and `@`, also in their
/// full-width forms, at the beginning and after what a spreadsheet may take for the border of a cell (OWASP, "CSV
/// Injection"). TAB and CR were spelt out before.
///
/// An apostrophe before such a character is never left alone either, so that taking one away before each gives back the
/// text.
fn guarded(text: &str) -> String {
    let mut guarded = String::with_capacity(text.len() + 2);
    let mut at_border = true;
    for c in text.chars() {
        if begins_formula(c) && at_border {
            guarded.push('\'');
        }
        guarded.push(c);
        at_border = matches!(c, ',' | ';' | '|' | '"' | '\'') || (at_border && c.is_whitespace());
    }
    guarded
}

fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
}

#[cfg(test)]
mod tests;
