//! The tables of a Markdown file that name secrets.

use std::iter::Peekable;
use std::ops::Range;
use std::rc::Rc;
use std::vec::IntoIter;

use pulldown_cmark::{Event, OffsetIter, Options, Parser, Tag, TagEnd};

use super::cells::Cell;
use super::columns::Columns;
use crate::source::SourceFile;

/// A table that names secrets.
pub(super) struct Table {
    pub(super) columns: Columns,
    pub(super) rows: Vec<Row>,
    /// The first of the rows that follow the table but do not belong to it, because a blank line or the like ends it.
    pub(super) cut_off: Option<u32>,
}

/// A row of a table.
pub(super) struct Row {
    pub(super) line: u32,
    pub(super) cells: Vec<Rc<Cell>>,
    /// Whether the line has more cells than the table has columns.
    pub(super) has_excess: bool,
}

/// What a quick look at a file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Survey {
    /// No table can name secrets: the file need not be parsed.
    NoTable,
    MayHaveTables,
    /// To parse it would take more time or memory than any runbook is worth; why.
    Excessive(&'static str),
}

/// The parser takes up to 60 bytes of memory for a byte of text.
const MAX_BYTES: usize = 4 << 20;
/// Each line may have to be matched against every block that is open.
const MAX_DEPTH: usize = 50;
/// The parser fills up short rows, so that a table takes rows times columns.
const MAX_CELLS: usize = 1 << 20;

impl Survey {
    pub(super) fn of(text: &str) -> Self {
        let (mut candidate, mut depth, mut cells, mut columns) = (false, 0, 0, 0);
        let mut above = "";
        for line in text.lines() {
            if is_delimiter(line) {
                candidate |= may_be_header(above);
                columns = columns.max(line.matches('|').count() + 1);
            } else if line.trim().is_empty() {
                columns = 0;
            }
            cells += columns;
            depth = depth.max(containers(line));
            above = line;
        }
        if !candidate {
            Self::NoTable
        } else if text.len() > MAX_BYTES {
            Self::Excessive("the Markdown file is larger than 4 MiB")
        } else if depth > MAX_DEPTH {
            Self::Excessive("the quotes or lists of the Markdown file are nested more than 50 deep")
        } else if cells > MAX_CELLS {
            Self::Excessive("the tables of the Markdown file have more than a million cells")
        } else {
            Self::MayHaveTables
        }
    }
}

/// Whether a line may part the header of a table from its rows, be it in a quote or a list.
fn is_delimiter(line: &str) -> bool {
    line.contains('-') && line.trim_end().chars().all(|c| "|:- \t>".contains(c))
}

/// Whether a line may be the header of a table of secrets: it has a word for how often.
fn may_be_header(line: &str) -> bool {
    const STEMS: &[&str] =
        &["frequen", "cadence", "rotat", "renew", "interval", "schedule", "periodic", "every", "often"];
    let line = line.to_lowercase();
    STEMS.iter().any(|stem| line.contains(stem))
}

/// An upper bound for the quotes and lists that a line is in or opens.
fn containers(line: &str) -> usize {
    let (mut markers, mut indent) = (0, 0);
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start();
        indent += rest.len() - trimmed.len();
        let item = trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(['-', '+', '*', '.', ')']);
        rest = match (trimmed.strip_prefix('>'), item) {
            (Some(rest), _) => rest,
            (None, Some(rest)) if rest.starts_with([' ', '\t']) => rest,
            _ => return if markers == 0 { 0 } else { markers + indent / 2 },
        };
        markers += 1;
    }
}

/// The tables of a file that name secrets, with all of their rows.
pub(super) fn of(file: &SourceFile) -> impl Iterator<Item = Table> {
    let text = file.text();
    let headers = headers(text).into_iter().peekable();
    let mut tables = Tables { file, events: events(text), inner: None, headers, heading: String::new() };
    std::iter::from_fn(move || tables.next_table())
}

fn events(text: &str) -> OffsetIter<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).into_offset_iter()
}

/// Where the lines start that look like the header of a table of secrets, with the delimiter row below.
fn headers(text: &str) -> Vec<usize> {
    let (mut headers, mut above, mut start) = (Vec::new(), "", 0);
    for line in text.split_inclusive('\n') {
        let header = above.trim_start();
        if header.starts_with('|')
            && is_delimiter(line)
            && cell_count(header) == cell_count(line)
            && may_be_header(header)
        {
            headers.push(start - header.len());
        }
        above = line;
        start += line.len();
    }
    headers
}

struct Tables<'a> {
    file: &'a SourceFile,
    events: OffsetIter<'a>,
    /// The events of a table that the parser took for text, and where it starts.
    inner: Option<(usize, OffsetIter<'a>)>,
    /// The headers that are yet to come.
    headers: Peekable<IntoIter<usize>>,
    /// The text of the last heading, or the line right above a table that follows text.
    heading: String,
}

impl<'a> Tables<'a> {
    /// The next event. A table right below a list item, with no blank line between, is by the letter more text of that
    /// item. Whoever wrote it meant a table, so it is parsed as one.
    fn next_event(&mut self) -> Option<(Event<'a>, Range<usize>)> {
        if let Some((start, inner)) = &mut self.inner {
            if let Some((event, range)) = inner.next() {
                return Some((event, range.start + *start..range.end + *start));
            }
            self.inner = None;
        }
        let (event, range) = self.events.next()?;
        match event {
            Event::Text(_) => {
                if let Some(header) = self.headers.next_if(|header| range.contains(header)) {
                    let text = self.file.text();
                    let end = end_of_block(text, header);
                    self.heading = text[..header].trim_end().lines().next_back().unwrap_or_default().to_owned();
                    self.inner = Some((header, events(&text[header..end])));
                    self.pass_headers(end);
                }
            }
            Event::Start(Tag::Table(_) | Tag::CodeBlock(_) | Tag::HtmlBlock) => self.pass_headers(range.end),
            _ => {}
        }
        Some((event, range))
    }

    fn pass_headers(&mut self, end: usize) {
        while self.headers.next_if(|header| *header < end).is_some() {}
    }

    fn next_table(&mut self) -> Option<Table> {
        let mut end = 0;
        loop {
            match self.next_event()? {
                (Event::Start(Tag::Heading { .. }), _) => {
                    self.heading = self.cell(|end| matches!(end, TagEnd::Heading(_))).text;
                }
                (Event::Start(Tag::Table(_)), range) => end = range.end,
                (Event::Start(Tag::TableHead), _) => {
                    let header: Vec<String> = self.cells().iter().map(|cell| cell.text.trim().to_owned()).collect();
                    if let Some(columns) = Columns::of(&header, &self.heading) {
                        let rows = self.rows(&header);
                        return Some(Table { columns, rows, cut_off: cut_off(self.file, end) });
                    }
                }
                _ => {}
            }
        }
    }

    /// The rows up to the end of the table. A header that is repeated among them is none.
    fn rows(&mut self, header: &[String]) -> Vec<Row> {
        let mut rows = Vec::new();
        while let Some((event, range)) = self.next_event() {
            match event {
                Event::Start(Tag::TableRow) => {
                    let source = &self.file.text()[range.clone()];
                    let cells = self.cells();
                    let is_header = cells.iter().map(|cell| cell.text.trim()).eq(header);
                    // By the letter, text right below a table is a row of one cell.
                    if !is_header && source.contains('|') {
                        let line = self.file.line_of(range.start);
                        let has_excess = cell_count(source) > header.len();
                        rows.push(Row { line, cells: cells.into_iter().map(Rc::new).collect(), has_excess });
                    }
                }
                Event::End(TagEnd::Table) => break,
                _ => {}
            }
        }
        rows
    }

    /// The cells up to the end of the row.
    fn cells(&mut self) -> Vec<Cell> {
        let mut cells = Vec::new();
        while let Some((event, _)) = self.next_event() {
            match event {
                Event::Start(Tag::TableCell) => cells.push(self.cell(|end| matches!(end, TagEnd::TableCell))),
                Event::End(TagEnd::TableHead | TagEnd::TableRow) => break,
                _ => {}
            }
        }
        cells
    }

    /// The text up to an end.
    fn cell(&mut self, is_end: fn(&TagEnd) -> bool) -> Cell {
        let mut cell = Cell::default();
        let (mut emphasis, mut struck) = (0u32, 0u32);
        while let Some((event, _)) = self.next_event() {
            match event {
                Event::End(end) if is_end(&end) => break,
                Event::Start(Tag::Strong | Tag::Emphasis) => emphasis += 1,
                Event::End(TagEnd::Strong | TagEnd::Emphasis) => emphasis -= 1,
                Event::Start(Tag::Strikethrough) => {
                    struck += 1;
                    cell.is_struck = true;
                }
                Event::End(TagEnd::Strikethrough) => struck -= 1,
                // What is struck out no longer holds.
                Event::Text(_) | Event::Code(_) if struck > 0 => {}
                Event::Text(text) => {
                    cell.has_prose |= text.contains(char::is_alphanumeric);
                    cell.has_plain |= emphasis == 0 && !text.trim().is_empty();
                    cell.text.push_str(&text);
                }
                Event::Code(code) => {
                    cell.text.push_str(&code);
                    cell.code.push(code.into_string());
                }
                Event::InlineHtml(html) if html.to_lowercase().starts_with("<br") => cell.text.push('\n'),
                Event::SoftBreak | Event::HardBreak => cell.text.push(' '),
                _ => {}
            }
        }
        cell
    }
}

/// Where the block of lines ends that `at` is in: at the next blank line.
fn end_of_block(text: &str, at: usize) -> usize {
    let lines = text[at..].split_inclusive('\n').take_while(|line| !line.trim().is_empty());
    at + lines.map(str::len).sum::<usize>()
}

/// How many cells a line has. A `|` after a backslash parts none.
fn cell_count(row: &str) -> usize {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').filter(|row| !row.ends_with('\\')).unwrap_or(row);
    row.matches('|').count() - row.matches("\\|").count() + 1
}

/// The first row after the end of a table that does not belong to it. Blank lines and comments may stand between.
fn cut_off(file: &SourceFile, end: usize) -> Option<u32> {
    /// What is further off has nothing to do with the table.
    const LINES: u32 = 4;
    let after = file.line_of(end.saturating_sub(1)) + 1;
    let line = |number: u32| file.line(number).trim();
    let is_between = |line: &str| line.is_empty() || (line.starts_with("<!--") && line.ends_with("-->"));
    let first = (after..after + LINES).find(|number| !is_between(line(*number)))?;
    (line(first).starts_with('|') && !is_delimiter(line(first + 1))).then_some(first)
}
