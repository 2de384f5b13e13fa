//! Tells the records of a stream apart, and keeps no more of it than one record.
//!
//! # Guarantees
//! The records are the same in whatever pieces the bytes arrive. Every byte is part of a record, of what is said to be
//! broken, or of what lies between two records. After what is broken, reading goes on at the next line.

mod csv;
mod json;
mod lines;
mod sniff;

use std::io::{self, ErrorKind, Read};

use super::Framing;

/// A longer record is passed over.
pub const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// How much is read at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// Broken JSON is looked through again from its second line on, as long as no more than so many times the bytes of the
/// stream were.
const MAX_REWINDS: u64 = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const TOO_LONG: &str = "longer than 16 MiB";
const NUL_BYTES: &str = "NUL bytes, as a log that is cut while it is written leaves them";
const CUT_OFF: &str = "the file ends within it";

/// Where something lies in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// First byte.
    pub offset: u64,
    /// 1-based line of that byte.
    pub line: u64,
}

/// What a stream consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece<'a> {
    /// A record, without its line end.
    Record(Span, &'a [u8]),
    /// What is no record, and why not.
    Broken(Span, &'static str),
}

/// What a [`Cut`] found, in bytes of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Record {
        begin: u64,
        end: u64,
    },
    /// What begins there is no record, and what comes next is told apart from it.
    Other {
        begin: u64,
        why: &'static str,
    },
    /// What begins there is broken, so that nobody knows where it ends.
    Broken {
        begin: u64,
        why: &'static str,
    },
}

/// Finds where records begin and end. It is shown each byte once, unless it is told to [`Cut::restart`].
trait Cut: Send {
    /// Looks at the bytes that follow those of the last call, the first of which lies at `at`, up to a mark. Says how
    /// many it looked at. It stops before a NUL byte between two records, which is not its business.
    fn cut(&mut self, bytes: &[u8], at: u64) -> (usize, Option<Mark>);

    /// Where the record begins that is not at its end yet.
    fn open(&self) -> Option<u64>;

    /// Where something begins behind that, of which not enough was seen to tell whether it is the next record.
    fn undecided(&self) -> Option<u64> {
        None
    }

    /// Goes on at the start of a line, after what was broken.
    fn restart(&mut self);

    /// The stream ends.
    fn end(&mut self, at: u64) -> Option<Mark>;
}

/// The records of a stream.
pub struct Records<R> {
    reader: R,
    cutter: Box<dyn Cut>,
    /// `window[..filled]` is what was read from the byte `base` on, and `window[..at]` was looked at.
    window: Vec<u8>,
    filled: usize,
    at: usize,
    base: u64,
    /// The line of a byte of the window.
    counted: Span,
    /// Where a record begins whose beginning is no longer in the window.
    spilt: Option<Span>,
    rewound: u64,
    max_record: usize,
    /// Whether the rest of the line belongs to what was broken.
    skips_line: bool,
    /// Whether the last byte was a NUL byte between two records.
    in_nuls: bool,
    has_begun: bool,
}

/// What tells records of a form apart.
fn cutter(framing: Framing) -> Box<dyn Cut> {
    match framing {
        Framing::Lines => Box::new(lines::Lines::default()),
        Framing::Json(keys) => Box::new(json::Json::new(keys)),
        Framing::Csv => Box::new(csv::Csv::default()),
        Framing::Starts(is_start) => Box::new(lines::Starts::new(is_start)),
        Framing::Sniff(tell) => Box::new(sniff::Sniff::new(tell)),
    }
}

impl<R: Read> Records<R> {
    /// The records of all that the reader gives.
    pub fn new(reader: R, framing: Framing) -> Self {
        Self::with_limit(reader, framing, MAX_RECORD_BYTES)
    }

    fn with_limit(reader: R, framing: Framing, max_record: usize) -> Self {
        Self {
            reader,
            cutter: cutter(framing),
            window: Vec::new(),
            filled: 0,
            at: 0,
            base: 0,
            counted: Span { offset: 0, line: 1 },
            spilt: None,
            rewound: 0,
            max_record,
            skips_line: false,
            in_nuls: false,
            has_begun: false,
        }
    }

    /// The next piece; `None` where the reader has no more for now.
    ///
    /// # Errors
    /// The reader's.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        loop {
            if self.begin() {
                while self.at < self.filled {
                    if let Some(mark) = self.look()
                        && let Some(mark) = self.trimmed(mark)
                    {
                        return Ok(Some(self.piece(mark)));
                    }
                }
            }
            self.make_room();
            match self.reader.read(&mut self.window[self.filled..]) {
                Ok(0) => return Ok(None),
                Ok(more) => self.filled += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What the end of the stream ends, once there is no next piece.
    pub fn last_piece(&mut self) -> Option<Piece<'_>> {
        // What may yet have become a byte order mark is none.
        self.has_begun = true;
        loop {
            while self.at < self.filled {
                if let Some(mark) = self.look()
                    && let Some(mark) = self.trimmed(mark)
                {
                    return Some(self.piece(mark));
                }
            }
            if self.skips_line {
                return None;
            }
            let mark = self.cutter.end(self.offset())?;
            // What was cut off may have taken whole records for parts of it.
            if let Mark::Broken { begin, .. } = mark {
                self.resynchronise(begin);
            }
            if let Some(mark) = self.trimmed(self.bounded(mark)) {
                return Some(self.piece(mark));
            }
        }
    }

    /// How many bytes were read.
    pub fn offset(&self) -> u64 {
        self.base + self.filled as u64
    }

    /// The reader.
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Passes over a byte order mark. Whether enough was read to tell.
    fn begin(&mut self) -> bool {
        let head = &self.window[..self.filled];
        if !self.has_begun && (head.len() >= BYTE_ORDER_MARK.len() || !BYTE_ORDER_MARK.starts_with(head)) {
            self.has_begun = true;
            if head.starts_with(BYTE_ORDER_MARK) {
                self.at = BYTE_ORDER_MARK.len();
            }
        }
        self.has_begun
    }

    fn look(&mut self) -> Option<Mark> {
        let bytes = &self.window[self.at..self.filled];
        let here = self.base + self.at as u64;
        if self.skips_line {
            let end = memchr::memchr(b'\n', bytes);
            self.at += end.map_or(bytes.len(), |end| end + 1);
            if end.is_some() {
                self.skips_line = false;
                self.cutter.restart();
            }
            return None;
        }
        if bytes[0] == 0 && self.cutter.open().is_none() {
            self.at += bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
            let is_first = !std::mem::replace(&mut self.in_nuls, true);
            return is_first.then_some(Mark::Other { begin: here, why: NUL_BYTES });
        }
        self.in_nuls = false;
        let (looked, mark) = self.cutter.cut(bytes, here);
        self.at += looked;
        let mark = mark?;
        if let Mark::Broken { begin, .. } = mark {
            self.resynchronise(begin);
        }
        Some(self.bounded(mark))
    }

    /// A record of which only the end is still there is broken.
    fn bounded(&self, mark: Mark) -> Mark {
        match mark {
            Mark::Record { begin, end } if begin < self.base || end - begin > self.max_record as u64 => {
                Mark::Other { begin, why: TOO_LONG }
            }
            mark => mark,
        }
    }

    /// Goes on at the line after the one in which something broken begins; after the one in which it was seen to be
    /// broken, where the former is gone or was looked at too often.
    fn resynchronise(&mut self, begin: u64) {
        let back = usize::try_from(begin.saturating_sub(self.base)).unwrap_or(self.at).min(self.at);
        let cost = (self.at - back) as u64;
        let seen = self.base + self.at as u64;
        let from = if seen - begin <= self.max_record as u64 && self.rewound + cost <= MAX_REWINDS * seen {
            self.rewound += cost;
            back
        } else {
            self.at
        };
        match memchr::memchr(b'\n', &self.window[from..self.filled]) {
            Some(end) => {
                self.at = from + end + 1;
                self.cutter.restart();
            }
            None => {
                self.at = self.filled;
                self.skips_line = true;
            }
        }
    }

    /// A record without the line end; nothing where nothing else is in it.
    fn trimmed(&self, mark: Mark) -> Option<Mark> {
        let Mark::Record { begin, mut end } = mark else { return Some(mark) };
        while end > begin && matches!(self.window[self.index(end - 1)], b'\r' | b'\n') {
            end -= 1;
        }
        (end > begin).then_some(Mark::Record { begin, end })
    }

    fn piece(&mut self, mark: Mark) -> Piece<'_> {
        match mark {
            Mark::Record { begin, end } => {
                let span = self.span(begin);
                Piece::Record(span, &self.window[self.index(begin)..self.index(end)])
            }
            Mark::Other { begin, why } | Mark::Broken { begin, why } => Piece::Broken(self.span(begin), why),
        }
    }

    /// The place in the window of a byte that is in it.
    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(self.filled).min(self.filled)
    }

    /// Where a byte lies. Lines are counted on from the last call, so that bytes have to come in their order.
    fn span(&mut self, offset: u64) -> Span {
        if let Some(spilt) = self.spilt.filter(|spilt| spilt.offset == offset) {
            return spilt;
        }
        let (from, to) = (self.index(self.counted.offset), self.index(offset));
        if from < to {
            let lines = memchr::memchr_iter(b'\n', &self.window[from..to]).count();
            self.counted = Span { offset, line: self.counted.line + lines as u64 };
        }
        Span { offset, line: self.counted.line }
    }

    /// Makes room in the window: drops what is no longer needed; of a record that is too long, all of it.
    fn make_room(&mut self) {
        let seen = self.base + self.at as u64;
        let open = self.cutter.open().unwrap_or(seen).min(seen);
        let certain = self.cutter.undecided().unwrap_or(seen);
        let is_too_long = certain.saturating_sub(open) > self.max_record as u64;
        if self.filled == self.window.len() || is_too_long {
            if is_too_long {
                self.spilt = Some(self.span(open));
            }
            let needed = if is_too_long { certain } else { open };
            self.span(needed);
            let drop = self.index(needed);
            self.window.copy_within(drop..self.filled, 0);
            self.base += drop as u64;
            self.filled -= drop;
            self.at -= drop;
        }
        if self.filled < CHUNK_BYTES && self.window.len() > 8 * CHUNK_BYTES {
            self.window.truncate(2 * CHUNK_BYTES);
            self.window.shrink_to_fit();
        }
        if self.window.len() - self.filled < CHUNK_BYTES / 2 {
            self.window.resize((self.window.len() * 2).clamp(CHUNK_BYTES, self.filled + 16 * CHUNK_BYTES), 0);
        }
    }
}

#[cfg(test)]
mod tests;
