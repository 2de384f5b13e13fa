//! A workbook of Excel (ECMA-376): what the report holds, in sheets that can be filtered and sorted.
//!
//! # Guarantees
//! A text stays a text: none becomes a formula, a link or a number, not even when a person edits its cell and presses
//! return. What does not fit is cut, and the first sheet says so. Equal reports give equal bytes: the time of creation
//! is that of the report.

use std::borrow::Cow;

use keytrail_rules::report::Report;
use rust_xlsxwriter::{Color, DocProperties, ExcelDateTime, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

use super::Format;
use crate::sheets::{Cell, Sheet, instant, sheets};
use crate::{Error, Options};

/// The sheets Summary, Inventory, Rotations, Findings, Exceptions, Controls, Scope, and Changes where they are known.
pub(super) static FORMAT: Format = Format {
    name: "xlsx",
    summary: "a workbook for Excel: inventory, rotations, findings, exceptions, controls, scope",
    extension: "xlsx",
    is_text: false,
    render,
};

/// The most UTF-16 units that a cell of Excel holds.
const MAX_UNITS: usize = 32_767;

/// The most rows of a sheet of Excel, without the header.
const MAX_ROWS: usize = 1_048_575;

/// What stands at the end of a text that was cut.
const CUT: &str = " … (cut)";

fn render(report: &Report, _: &Options) -> Result<Vec<u8>, Error> {
    Ok(workbook(report, sheets(report), MAX_ROWS)?)
}

fn workbook(report: &Report, mut sheets: Vec<Sheet>, max_rows: usize) -> Result<Vec<u8>, XlsxError> {
    let notes: Vec<Cell> = sheets.iter().flat_map(|sheet| notes(sheet, max_rows)).map(Cell::Text).collect();
    if let Some(summary) = sheets.first_mut() {
        summary.rows.extend(notes.into_iter().map(|note| vec![Cell::text("Note"), note]));
    }
    let formats = Formats::new();
    let mut workbook = Workbook::new();
    let created =
        ExcelDateTime::from_timestamp(report.as_of.timestamp()).or_else(|_| ExcelDateTime::from_ymd(2000, 1, 1))?;
    let made_by = format!("{} {}", report.tool.name, report.tool.version);
    workbook.set_properties(
        &DocProperties::new().set_title("Keytrail report").set_author(made_by).set_creation_datetime(&created),
    );
    for sheet in &sheets {
        write(workbook.add_worksheet(), sheet, max_rows, &formats)?;
    }
    workbook.save_to_buffer()
}

/// How cells look.
struct Formats {
    header: rust_xlsxwriter::Format,
    /// Excel takes a text in such a cell for a text, whatever it begins with.
    text: rust_xlsxwriter::Format,
    number: rust_xlsxwriter::Format,
    time: rust_xlsxwriter::Format,
}

impl Formats {
    fn new() -> Self {
        let cell = || rust_xlsxwriter::Format::new().set_align(FormatAlign::Top);
        Self {
            header: cell()
                .set_bold()
                .set_background_color(Color::RGB(0x00E6_E6E6))
                .set_border_bottom(FormatBorder::Thin),
            text: cell().set_num_format("@").set_quote_prefix(),
            number: cell().set_num_format("0"),
            time: cell().set_num_format("yyyy\\-mm\\-dd hh:mm:ss"),
        }
    }
}

fn write(to: &mut Worksheet, sheet: &Sheet, max_rows: usize, formats: &Formats) -> Result<(), XlsxError> {
    to.set_name(sheet.name)?;
    for (at, column) in (0_u16..).zip(sheet.columns) {
        to.set_column_width(at, f64::from(column.width))?;
        to.write_string_with_format(0, at, title(sheet, column.name, at.into()), &formats.header)?;
    }
    let rows = sheet.rows.len().min(max_rows);
    for (row, cells) in (1_u32..).zip(&sheet.rows[..rows]) {
        for (column, cell) in (0_u16..).zip(cells) {
            match cell {
                Cell::Empty => {}
                Cell::Number(number) => {
                    // Excel counts in floating point, which is exact up to here.
                    if *number < 1 << 53 {
                        to.write_number_with_format(row, column, *number as f64, &formats.number)?;
                    } else {
                        to.write_string_with_format(row, column, number.to_string(), &formats.text)?;
                    }
                }
                Cell::Text(text) => drop(to.write_string_with_format(row, column, fitting(text), &formats.text)?),
                Cell::Time(time) => match ExcelDateTime::from_timestamp(time.timestamp()) {
                    Ok(date) if time.timestamp() > 0 => {
                        to.write_datetime_with_format(row, column, &date, &formats.time)?;
                    }
                    _ => drop(to.write_string_with_format(row, column, instant(*time), &formats.text)?),
                },
            }
        }
    }
    to.set_freeze_panes(1, u16::from(sheet.columns.len() > 2))?;
    let last = u16::try_from(sheet.columns.len().saturating_sub(1)).unwrap_or_default();
    to.autofilter(0, 0, u32::try_from(rows).unwrap_or_default(), last)?;
    to.set_landscape().set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    Ok(())
}

/// `last_rotation_not_before` as people write it; times say in which zone they are.
fn title(sheet: &Sheet, name: &str, column: usize) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let is_time = sheet.rows.iter().any(|row| matches!(row.get(column), Some(Cell::Time(_))));
    let zone = if is_time && sheet.columns.len() > 2 { " (UTC)" } else { "" };
    first.into_iter().chain(letters).chain(zone.chars()).collect()
}

/// The text, as far as a cell can hold it.
fn fitting(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_UNITS || text.encode_utf16().count() <= MAX_UNITS {
        return Cow::Borrowed(text);
    }
    let mut left = MAX_UNITS - CUT.encode_utf16().count();
    let fits = |c: &char| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    };
    Cow::Owned(text.chars().take_while(fits).chain(CUT.chars()).collect())
}

/// What is missing from a sheet because Excel has no room for it.
fn notes(sheet: &Sheet, max_rows: usize) -> Vec<String> {
    let is_cut = |cell: &&Cell| matches!(cell, Cell::Text(text) if matches!(fitting(text), Cow::Owned(_)));
    let cut = sheet.rows.iter().take(max_rows).flatten().filter(is_cut).count();
    let missing = sheet.rows.len().saturating_sub(max_rows);
    let mut notes = Vec::new();
    if missing > 0 {
        notes.push(format!(
            "The sheet {} lacks {missing} rows, for which Excel has no room: the format csv has them all.",
            sheet.name
        ));
    }
    if cut > 0 {
        notes.push(format!(
            "{cut} texts of the sheet {} are cut at {MAX_UNITS} characters: the format csv has them whole.",
            sheet.name
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
