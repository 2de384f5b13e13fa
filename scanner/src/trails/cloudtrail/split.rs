//! Which bytes of a text are records: the elements of `Records` (or `Events`, as the API answers), of an outermost array,
//! or outermost objects.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::structure::{Structure, Unclosed};

/// A record longer than this is none: CloudTrail's own end at 1 MB.
pub(super) const MAX_RECORD: usize = 16 << 20;

/// What was found in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// A record, closed where it should be; whether it is JSON is not known yet.
    Record(Range<usize>),
    /// Bytes that are no record.
    Broken(Range<usize>, &'static str),
    /// From here on, the text has to be seen with more after it; at its end, nothing is left.
    More(usize),
}

/// What the bytes at the current place are within of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Within {
    /// Nothing.
    #[default]
    Text,
    /// An outermost array.
    Array,
    /// The array of records in an outermost object.
    Records,
    /// An outermost object, after its array of records.
    Object,
    /// What comes after something broken: a record is where one seems to begin, up to the end of the text.
    Salvage,
}

/// The longest beginning of an object that is looked at to see whether it holds records.
const HEAD: usize = 64;

static HOLDS_RECORDS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\A\{[ \t\r\n]*"(?:Records|Events)"[ \t\r\n]*:[ \t\r\n]*\["#).ok());
/// An object whose first key is what records begin with: as AWS writes them, or sorted.
static BEGINS_RECORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"\{[ \t\r\n]*"(?:eventVersion|additionalEventData|apiVersion|awsRegion|userIdentity)"|\n\{"#).ok()
});

/// Splits a text, or as much of one as is in memory.
pub(super) struct Split<'a> {
    text: &'a [u8],
    at: usize,
    within: &'a mut Within,
    last: bool,
    structure: Structure<'a>,
}

impl<'a> Split<'a> {
    /// Splits `text` from `at` on, which is `within` what came before it; `last` where nothing comes after it.
    pub(super) fn new(text: &'a [u8], at: usize, within: &'a mut Within, last: bool) -> Self {
        Self { text, at, within, last, structure: Structure::new(text) }
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> Piece {
        loop {
            if *self.within == Within::Salvage {
                return self.salvage();
            }
            self.skip_separators();
            let Some(byte) = self.text.get(self.at) else { return Piece::More(self.text.len()) };
            match (*self.within, byte) {
                (Within::Text, b'{') => match self.enter_object() {
                    Some(piece) => return piece,
                    None => *self.within = Within::Records,
                },
                (Within::Array | Within::Records, b'{') => return self.record(),
                (Within::Text, b'[') => self.step(Within::Array),
                (Within::Array, b']') | (Within::Object, b'}') => self.step(Within::Text),
                (Within::Records, b']') => self.step(Within::Object),
                (Within::Object, _) => {
                    if let Some(piece) = self.skip_member() {
                        return piece;
                    }
                }
                _ => return self.broken(self.at, self.at + 1, "there is something between the records"),
            }
        }
    }

    fn step(&mut self, within: Within) {
        self.at += 1;
        *self.within = within;
    }

    fn skip_separators(&mut self) {
        let rest = &self.text[self.at..];
        let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',');
        self.at += rest.iter().position(|byte| !is_separator(byte)).unwrap_or(rest.len());
    }

    /// An outermost object: a record, or nothing where it holds records, which are gone into.
    fn enter_object(&mut self) -> Option<Piece> {
        let rest = &self.text[self.at..];
        let head = &rest[..rest.len().min(HEAD)];
        if let Some(found) = HOLDS_RECORDS.as_ref().and_then(|regex| regex.find(head)) {
            self.at += found.end();
            return None;
        }
        if head.len() < HEAD && !self.last {
            return Some(Piece::More(self.at));
        }
        Some(self.record())
    }

    /// The object that begins here.
    fn record(&mut self) -> Piece {
        let start = self.at;
        match self.structure.close(start, self.text.len().min(start + MAX_RECORD)) {
            Ok(end) => {
                self.at = end;
                Piece::Record(start..end)
            }
            Err(Unclosed::Control) => {
                self.broken(start, start + 1, "a string of a record holds a control character, or never ends")
            }
            Err(Unclosed::End) if self.text.len() - start >= MAX_RECORD => {
                self.broken(start, start + 1, "a record does not end within 16 MiB")
            }
            Err(Unclosed::End) if self.last => self.broken(start, start + 1, "a record does not end"),
            Err(Unclosed::End) => Piece::More(start),
        }
    }

    /// Passes what follows the records in their object.
    fn skip_member(&mut self) -> Option<Piece> {
        let rest = &self.text[self.at..];
        match rest.first() {
            Some(b'{' | b'[') => match self.record() {
                Piece::Record(_) => None,
                piece => Some(piece),
            },
            Some(b'"') => {
                // A key or a string is passed as far as its quotes go; a second `Records` is gone into.
                let Some(length) = string_length(rest) else {
                    return Some(if self.last || rest.len() > MAX_RECORD {
                        self.broken(self.at, self.at + 1, "a string never ends")
                    } else {
                        Piece::More(self.at)
                    });
                };
                let is_key = matches!(&rest[..length], br#""Records""# | br#""Events""#);
                self.at += length;
                let gap = self.text[self.at..].iter().position(|byte| !b" \t\r\n:".contains(byte));
                if is_key
                    && let Some(gap) = gap
                    && self.text[self.at + gap] == b'['
                {
                    self.at += gap + 1;
                    *self.within = Within::Records;
                }
                None
            }
            _ => {
                self.at += 1;
                None
            }
        }
    }

    /// The bytes from `start` on are no record; the next one is searched for from `search` on.
    fn broken(&mut self, start: usize, search: usize, why: &'static str) -> Piece {
        *self.within = Within::Salvage;
        let end = self.candidate(search).unwrap_or_else(|| self.resume());
        self.at = end.max(search.min(self.text.len()));
        Piece::Broken(start..self.at, why)
    }

    /// The next place where a record seems to begin.
    fn candidate(&self, from: usize) -> Option<usize> {
        // The line end before the place shows that a record begins at it.
        let from = if from > 0 && self.text.get(from - 1) == Some(&b'\n') { from - 1 } else { from };
        let rest = self.text.get(from..)?;
        let found = BEGINS_RECORD.as_ref()?.find(rest)?;
        Some(from + found.start() + usize::from(rest[found.start()] == b'\n'))
    }

    /// Where to go on when no record begins in this text: what may be the first half of a beginning stays.
    fn resume(&self) -> usize {
        if self.last { self.text.len() } else { self.text.len().saturating_sub(HEAD).max(self.at.saturating_sub(1)) }
    }

    fn salvage(&mut self) -> Piece {
        let Some(start) = self.candidate(self.at) else {
            let resume = self.resume();
            self.at = resume;
            return Piece::More(resume);
        };
        if !self.text[self.at..start].iter().all(|byte| b" \t\r\n,]}".contains(byte)) {
            let skipped = self.at..start;
            self.at = start;
            return Piece::Broken(skipped, "there is something between the records");
        }
        let next = self.candidate(start + 1);
        let end = next.unwrap_or(self.text.len());
        match self.structure.close(start, end) {
            Ok(end) => {
                self.at = end;
                Piece::Record(start..end)
            }
            Err(Unclosed::End) if next.is_none() && !self.last && self.text.len() - start < MAX_RECORD => {
                self.at = start.saturating_sub(1);
                Piece::More(self.at)
            }
            Err(_) => {
                self.at = end.max(start + 1);
                Piece::Broken(start..end, "a record does not end before another one begins")
            }
        }
    }

    /// A record turned out to be no JSON: searches for others within it.
    pub(super) fn search_again(&mut self, within: &Range<usize>) {
        *self.within = Within::Salvage;
        self.at = self.candidate(within.start + 1).unwrap_or(within.end).min(within.end);
    }
}

/// Bytes of the string that the text begins with, with its quotes.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}
