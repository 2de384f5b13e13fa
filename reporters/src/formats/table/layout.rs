//! Rows as a table where that fits the terminal, and as blocks of wrapped lines where it does not.

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use unicode_width::UnicodeWidthStr;

use super::Page;
use crate::{Options, style};

/// Below this, lines are not made shorter: they would be unreadable anyway.
const MIN_WIDTH: u16 = 40;

/// Columns that a section is set in by.
const INDENT: u16 = 2;

/// One row, in both of its shapes.
pub(super) struct Row {
    /// As a row of a table.
    pub(super) cells: Vec<String>,
    /// As the first line of a block.
    pub(super) title: String,
    /// As the other lines of a block.
    pub(super) details: Vec<String>,
    /// The word of our own that both shapes begin with, and its style.
    pub(super) word: Option<(&'static str, Style)>,
}

impl Page<'_> {
    /// The rows as lines, each with its line feed.
    pub(super) fn rows(&self, header: &[&str], rows: &[Row]) -> String {
        Layout(self.options).rows(header, rows)
    }

    /// A text set in by some columns, wrapped at spaces.
    pub(super) fn wrap(&self, indent: u16, text: &str) -> Vec<String> {
        Layout(self.options).wrap(indent, text)
    }
}

/// How wide lines are, and whether they are coloured.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a>(pub(super) &'a Options);

impl Layout<'_> {
    /// The rows as lines, each with its line feed.
    pub(super) fn rows(self, header: &[&str], rows: &[Row]) -> String {
        let table = table(header, rows);
        let width = self.width();
        if width.is_none_or(|width| table.iter().all(|line| line.width() <= usize::from(width))) {
            let (head, body) = table.split_at(table.len().saturating_sub(rows.len()));
            let head = head.iter().map(|line| self.paint(super::HEADING, line));
            let body = body.iter().zip(rows).map(|(line, row)| self.paint_word(line, row));
            return lines(head.chain(body));
        }
        let blocks = rows.iter().flat_map(|row| {
            let mut title = self.wrap(INDENT, &row.title);
            if let Some(first) = title.first_mut() {
                *first = self.paint_word(first, row);
            }
            title.into_iter().chain(row.details.iter().flat_map(|detail| self.wrap(3 * INDENT, detail)))
        });
        lines(blocks)
    }

    /// A text set in by some columns, wrapped at spaces.
    pub(super) fn wrap(self, indent: u16, text: &str) -> Vec<String> {
        let Some(width) = self.width() else {
            return vec![format!("{}{text}", " ".repeat(usize::from(indent)))];
        };
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width).add_row([text]);
        if let Some(column) = table.column_mut(0) {
            column.set_padding((indent, 0));
        }
        trimmed(&table)
    }

    /// Text in a style, if there is colour.
    pub(super) fn paint(self, style: Style, text: &str) -> String {
        style::paint(self.0.color, style, text)
    }

    fn width(self) -> Option<u16> {
        self.0.width.map(|width| width.max(MIN_WIDTH))
    }

    /// Paints the word that a line begins with.
    fn paint_word(self, line: &str, row: &Row) -> String {
        let painted = row.word.and_then(|(word, style)| {
            let (indent, rest) = line.split_once(word)?;
            indent.trim().is_empty().then(|| format!("{indent}{}{rest}", self.paint(style, word)))
        });
        painted.unwrap_or_else(|| line.to_owned())
    }
}

/// Each line with its line feed.
pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn table(header: &[&str], rows: &[Row]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !header.is_empty() {
        table.set_header(header.to_vec());
    }
    table.add_rows(rows.iter().map(|row| row.cells.clone()));
    for column in table.column_iter_mut() {
        column.set_padding((INDENT, 0));
    }
    trimmed(&table)
}

fn trimmed(table: &Table) -> Vec<String> {
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}
