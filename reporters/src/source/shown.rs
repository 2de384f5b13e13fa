//! What can be shown of a line that may hold a value.
//!
//! # Guarantees
//! * No word of a line is shown but those that the report says already of the finding and its secret, and, before the
//!   first `=` or `:`, some that formats and languages are made of. Everything else is one `…`, whatever its length.
//! * Of a file that does not only declare, nothing behind the first `=` or `:` is shown; of no file, anything of a URL
//!   behind its scheme.
//! * No character that deceives is shown.

use std::collections::BTreeSet;

use keytrail_rules::model::Finding;
use keytrail_rules::report::ItemReport;
use unicode_width::UnicodeWidthStr;

/// What is not shown.
const HIDDEN: &str = "…";

/// Of a longer line, the rest is hidden, in characters.
const MAX_LINE: usize = 500;

/// Words that formats and languages are made of: no value is among them, and none is shown behind an `=` or `:`.
const COMMON: [&str; 38] = [
    "apiVersion",
    "cadence",
    "class",
    "classification",
    "const",
    "covers",
    "data",
    "def",
    "description",
    "env",
    "environ",
    "environment",
    "exception",
    "expires",
    "export",
    "from",
    "getenv",
    "import",
    "key",
    "kind",
    "let",
    "metadata",
    "name",
    "os",
    "owner",
    "path",
    "process",
    "reason",
    "required",
    "return",
    "rule",
    "self",
    "spec",
    "store",
    "stringData",
    "targets",
    "trail",
    "var",
];

/// Punctuation that a line is built with. None of it is behind an `=` or `:` what a value would be.
const FRAME: &str = " \t|,\"'`()[]{}<>-/@";

/// The same, before the first `=` or `:`.
const FRAME_BEFORE: &str = " \t|,\"'`()[]{}<>-/@#.*:=";

/// So much punctuation beside what is hidden may be shown.
const MAX_FRAME: usize = 3;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One that declares secrets, and holds none by what the scan saw: a schema, a runbook, a config.
    Declares,
    /// Any other.
    MayHold,
}

/// A line as it can be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Piece {
    /// The first column of the line that it stands for, in UTF-16 units, the first being 1.
    column: u32,
    text: String,
    is_hidden: bool,
}

/// The words that a report says of a finding and its secret.
pub fn words(finding: &Finding, item: Option<&ItemReport>) -> BTreeSet<String> {
    let mut texts = vec![finding.message.as_str(), finding.next.as_str()];
    texts.extend(finding.item.as_ref().map(keytrail_rules::inventory::ItemId::as_str));
    texts.extend(finding.evidence.iter().map(|one| one.note.as_str()));
    if let Some(item) = item {
        texts.push(item.key.as_str());
        texts.extend(item.aliases.iter().map(keytrail_rules::model::Key::as_str));
        texts.extend(item.owner.as_deref());
        texts.extend(item.environment.as_ref().map(keytrail_rules::model::Environment::as_str));
        texts.extend(item.cadence.as_deref());
        texts.extend(item.class.map(keytrail_rules::model::Class::as_str));
    }
    texts.into_iter().flat_map(|text| text.split(|c| !is_word(c))).map(str::to_owned).collect()
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl Shown {
    /// What can be shown of a line, without its end, next to findings that say `words`.
    pub fn new(line: &str, words: &BTreeSet<String>, kind: Kind) -> Self {
        let end = line.char_indices().nth(MAX_LINE).map_or(line.len(), |(at, _)| at);
        let cut = line.find(['=', ':']).map_or(line.len(), |at| at + 1);
        let readable = if kind == Kind::MayHold { cut.min(end) } else { end };
        let mut shown = Self { pieces: Vec::new() };
        let mut at = 0;
        while at < readable {
            let word = is_word(line[at..].chars().next().unwrap_or(' '));
            let rest = &line[at..readable];
            let length = rest.find(|c| is_word(c) != word).unwrap_or(rest.len());
            let text = &rest[..length];
            let is_said = words.contains(text) || (at < cut && COMMON.contains(&text));
            shown.push(line, at, text, word && (!is_said || is_in_url(line, at)));
            at += length;
        }
        if !line[readable..].trim().is_empty() {
            shown.push(line, readable, &line[readable..], true);
        }
        shown.fold(cut, line);
        shown
    }

    fn push(&mut self, line: &str, at: usize, text: &str, is_hidden: bool) {
        self.pieces.push(Piece { column: column(line, at), text: text.to_owned(), is_hidden });
    }

    /// Makes one of hidden pieces and what is between them, and hides punctuation that may be part of a value.
    fn fold(&mut self, cut: usize, line: &str) {
        let cut = column(line, cut);
        let pieces = std::mem::take(&mut self.pieces);
        let is_hidden = |at: Option<usize>| at.and_then(|at| pieces.get(at)).is_some_and(|piece| piece.is_hidden);
        for (at, piece) in pieces.iter().enumerate() {
            let (before, after) = (is_hidden(at.checked_sub(1)), is_hidden(Some(at + 1)));
            let is_frame = piece.text.chars().all(|c| !is_word(c));
            if piece.is_hidden || (is_frame && before && after) {
                self.hide(piece.column);
            } else if is_frame {
                self.frame(piece, cut, before, after);
            } else {
                self.pieces.push(piece.clone());
            }
        }
    }

    fn hide(&mut self, column: u32) {
        if self.pieces.last().is_none_or(|last| !last.is_hidden) {
            self.pieces.push(Piece { column, text: HIDDEN.to_owned(), is_hidden: true });
        }
    }

    /// Punctuation between two words that are shown, or beside one that is not.
    fn frame(&mut self, piece: &Piece, cut: u32, before: bool, after: bool) {
        let mut column = piece.column;
        let units: Vec<(u32, char)> = piece
            .text
            .chars()
            .map(|c| {
                let at = column;
                column += if c.len_utf16() == 2 { 2 } else { 1 };
                (at, if c == '\t' { ' ' } else { c })
            })
            .collect();
        let fits = |(at, c): &(u32, char)| (if *at < cut { FRAME_BEFORE } else { FRAME }).contains(*c);
        let spare = |list: &[(u32, char)]| list.iter().filter(|(_, c)| *c != ' ').count() <= MAX_FRAME;
        let is_plain = units.iter().all(fits);
        let (kept, hidden) = match (before, after) {
            _ if is_plain && ((!before && !after) || spare(&units)) => units.split_at(units.len()),
            (false, true) => {
                let plain = units.iter().take_while(|unit| fits(unit)).count().min(MAX_FRAME);
                units.split_at(plain)
            }
            // A value may end in it.
            _ => units.split_at(0),
        };
        if let Some((at, _)) = kept.first() {
            let text = kept.iter().map(|(_, c)| *c).collect();
            self.pieces.push(Piece { column: *at, text, is_hidden: false });
        }
        if let Some((at, _)) = hidden.first() {
            self.hide(*at);
        }
    }

    /// The line.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>().trim_end().to_owned()
    }

    /// Where a span of columns of the line is in [`Self::text`]: cells before it, and cells under it, at least one.
    pub fn cells(&self, start_column: u32, end_column: u32) -> (usize, usize) {
        let start = self.cells_before(start_column, false);
        let end = self.cells_before(end_column.max(start_column.saturating_add(1)), true);
        let width = self.text().width().max(1);
        let start = start.min(width - 1);
        (start, end.min(width).saturating_sub(start).max(1))
    }

    /// Cells before a column; `is_end` where the column is the first after a span.
    fn cells_before(&self, column: u32, is_end: bool) -> usize {
        let mut cells = 0;
        for (at, piece) in self.pieces.iter().enumerate() {
            let next = self.pieces.get(at + 1).map_or(u32::MAX, |next| next.column);
            if column >= next {
                cells += piece.text.width();
                continue;
            }
            if piece.is_hidden {
                return cells + usize::from(is_end && column > piece.column);
            }
            let mut at = piece.column;
            for c in piece.text.chars() {
                if at >= column {
                    return cells;
                }
                at = at.saturating_add(if c.len_utf16() == 2 { 2 } else { 1 });
                cells += c.to_string().width();
            }
            return cells;
        }
        cells
    }
}

/// Whether a byte of a line is part of a URL, which may hold a user and a password.
fn is_in_url(line: &str, at: usize) -> bool {
    let chunk = line[..at].rfind(char::is_whitespace).unwrap_or(0);
    line[chunk..at].contains("://")
}

/// The column of a byte.
fn column(line: &str, at: usize) -> u32 {
    let units = line.get(..at).map_or(0, |before| before.encode_utf16().count());
    u32::try_from(units).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests;
