//! Records that are lines, or begin at lines.

use super::{Cut, Mark};

/// A line is a record.
#[derive(Default)]
pub(super) struct Lines {
    begin: Option<u64>,
}

impl Cut for Lines {
    fn cut(&mut self, bytes: &[u8], at: u64) -> (usize, Option<Mark>) {
        let begin = *self.begin.get_or_insert(at);
        match memchr::memchr(b'\n', bytes) {
            None => (bytes.len(), None),
            Some(end) => {
                self.begin = None;
                (end + 1, Some(Mark::Record { begin, end: at + end as u64 }))
            }
        }
    }

    fn open(&self) -> Option<u64> {
        self.begin
    }

    fn restart(&mut self) {
        self.begin = None;
    }

    fn end(&mut self, at: u64) -> Option<Mark> {
        self.begin.take().map(|begin| Mark::Record { begin, end: at })
    }
}

/// What begins a record is told by so much of its line.
const HEAD_BYTES: usize = 4 * 1024;

const NO_START: &str = "lines before the first record";

/// A record is a line for which something holds, and the lines up to the next such line.
pub(super) struct Starts {
    is_start: fn(&[u8]) -> bool,
    /// Where the record begins, and whether it does: what comes before the first one is none.
    record: Option<(u64, bool)>,
    /// Where the line begins of which not enough was seen to tell, and what was seen.
    line: Option<u64>,
    head: Vec<u8>,
    is_told: bool,
}

impl Starts {
    pub(super) fn new(is_start: fn(&[u8]) -> bool) -> Self {
        Self { is_start, record: None, line: None, head: Vec::new(), is_told: false }
    }

    /// The beginning of the line is known. Gives the record that it ends.
    fn tell(&mut self) -> Option<Mark> {
        self.is_told = true;
        let begin = self.line?;
        let head = self.head.strip_suffix(b"\r").unwrap_or(&self.head);
        let starts = (self.is_start)(head);
        match self.record {
            None => {
                self.record = Some((begin, starts));
                None
            }
            Some(_) if starts => {
                let ended = self.take(begin);
                self.record = Some((begin, true));
                ended
            }
            Some(_) => None,
        }
    }

    /// The record that ends there.
    fn take(&mut self, end: u64) -> Option<Mark> {
        let (begin, is_record) = self.record.take()?;
        Some(if is_record { Mark::Record { begin, end } } else { Mark::Other { begin, why: NO_START } })
    }
}

impl Cut for Starts {
    fn cut(&mut self, bytes: &[u8], at: u64) -> (usize, Option<Mark>) {
        let mut looked = 0;
        while looked < bytes.len() {
            if self.line.is_none() {
                if bytes[looked] == 0 {
                    return (looked, self.take(at + looked as u64));
                }
                self.line = Some(at + looked as u64);
                self.head.clear();
                self.is_told = false;
            }
            let rest = &bytes[looked..];
            let end = memchr::memchr(b'\n', rest);
            if !self.is_told {
                let line = &rest[..end.unwrap_or(rest.len())];
                self.head.extend_from_slice(&line[..line.len().min(HEAD_BYTES - self.head.len())]);
                if (end.is_some() || self.head.len() == HEAD_BYTES)
                    && let Some(mark) = self.tell()
                {
                    return (looked, Some(mark));
                }
            }
            looked += end.map_or(rest.len(), |end| end + 1);
            if end.is_some() {
                self.line = None;
            }
        }
        (looked, None)
    }

    fn open(&self) -> Option<u64> {
        self.record.map(|(begin, _)| begin).or(self.line)
    }

    fn undecided(&self) -> Option<u64> {
        self.line.filter(|_| !self.is_told)
    }

    fn restart(&mut self) {
        (self.record, self.line) = (None, None);
    }

    fn end(&mut self, at: u64) -> Option<Mark> {
        // Of the last line, no more is to come.
        if self.line.is_some()
            && !self.is_told
            && let Some(ended) = self.tell()
        {
            return Some(ended);
        }
        self.take(at)
    }
}
