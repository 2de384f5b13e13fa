//! Records of whichever form the first line of a stream has.

use super::{Cut, Framing, Mark};

/// The form of a line is told by so much of it.
const HEAD_BYTES: usize = 4 * 1024;

const NO_FORM: &str = "lines before the first record";

/// Looks at each line until one has a form, and then for records of that form.
pub(super) struct Sniff {
    tell: fn(&[u8]) -> Option<Framing>,
    told: Option<Box<dyn Cut>>,
    /// Where the line begins that is being read, and what was seen of it.
    line: Option<u64>,
    head: Vec<u8>,
    /// The line has no form, and its end was not seen yet.
    skips: bool,
    /// It was said that there are lines without a form.
    is_said: bool,
}

impl Sniff {
    pub(super) fn new(tell: fn(&[u8]) -> Option<Framing>) -> Self {
        Self { tell, told: None, line: None, head: Vec::new(), skips: false, is_said: false }
    }

    /// Enough of the line that begins there was seen. Gives what was found in it.
    fn decide(&mut self, begin: u64) -> Option<Mark> {
        let line = self.head.strip_suffix(b"\r").unwrap_or(&self.head);
        match (self.tell)(line) {
            Some(framing) => {
                let mut told = super::cutter(framing);
                let (_, mark) = told.cut(&self.head, begin);
                self.told = Some(told);
                self.head = Vec::new();
                mark
            }
            None => {
                self.skips = true;
                if line.trim_ascii().is_empty() || std::mem::replace(&mut self.is_said, true) {
                    return None;
                }
                Some(Mark::Broken { begin, why: NO_FORM })
            }
        }
    }
}

impl Cut for Sniff {
    fn cut(&mut self, bytes: &[u8], at: u64) -> (usize, Option<Mark>) {
        if let Some(told) = &mut self.told {
            return told.cut(bytes, at);
        }
        let end = memchr::memchr(b'\n', bytes);
        if self.skips {
            if end.is_some() {
                self.restart();
            }
            return (end.map_or(bytes.len(), |end| end + 1), None);
        }
        let begin = *self.line.get_or_insert(at);
        let line = &bytes[..end.unwrap_or(bytes.len())];
        let seen = line.len().min(HEAD_BYTES - self.head.len());
        self.head.extend_from_slice(&line[..seen]);
        let is_enough = self.head.len() == HEAD_BYTES || end == Some(seen);
        (seen, if is_enough { self.decide(begin) } else { None })
    }

    fn open(&self) -> Option<u64> {
        match &self.told {
            Some(told) => told.open(),
            None => self.line.filter(|_| !self.skips),
        }
    }

    fn restart(&mut self) {
        match &mut self.told {
            Some(told) => told.restart(),
            None => {
                self.line = None;
                self.head.clear();
                self.skips = false;
            }
        }
    }

    fn end(&mut self, at: u64) -> Option<Mark> {
        if self.told.is_none() && !self.skips {
            let begin = self.line.take()?;
            if let Some(mark) = self.decide(begin) {
                return Some(mark);
            }
        }
        self.told.as_mut()?.end(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Framing, Piece, Records};

    /// CSV that begins with a comma, paragraphs that begin with `>`, or lines of JSON.
    const SNIFF: Framing = Framing::Sniff(|line| match line.first() {
        Some(b',') => Some(Framing::Csv),
        Some(b'>') => Some(Framing::Starts(|line| line.starts_with(b">"))),
        Some(b'{') => Some(Framing::Lines),
        _ => None,
    });

    /// The pieces of a text that arrives in parts of that size; what is broken is `!`.
    fn pieces(text: &[u8], part: usize) -> Vec<String> {
        struct Parts<'a>(&'a [u8], usize);
        impl std::io::Read for Parts<'_> {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                let size = self.1.min(self.0.len()).min(into.len());
                let (now, later) = self.0.split_at(size);
                into[..size].copy_from_slice(now);
                self.0 = later;
                Ok(size)
            }
        }
        let shown = |piece: Piece<'_>| match piece {
            Piece::Record(_, bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Piece::Broken(..) => "!".to_owned(),
        };
        let mut records = Records::new(Parts(text, part), SNIFF);
        let mut found = Vec::new();
        while let Some(piece) = records.next_piece().expect("bytes") {
            found.push(shown(piece));
        }
        while let Some(piece) = records.last_piece() {
            found.push(shown(piece));
        }
        found
    }

    #[test]
    fn the_first_line_with_a_form_tells_it() {
        assert_eq!(pieces(b",\"a\nb\"\n,c", 99), [",\"a\nb\"", ",c"]);
        assert_eq!(pieces(b">a\nb\n>c\n{\n", 99), [">a\nb", ">c\n{"]);
        assert_eq!(pieces(b"{a}\n>b", 99), ["{a}", ">b"]);
        assert_eq!(pieces(b"\r\n\n{a}\n", 99), ["{a}"]);
        assert_eq!(pieces(b"rest\nof a record\n{a}\n", 99), ["!", "{a}"]);
        assert_eq!(pieces(b"{a", 99), ["{a"]);
        assert_eq!(pieces(b"rest", 99), ["!"]);
        assert_eq!(pieces(b"\n", 99), [""; 0]);
        let long = format!("{{{}\n>b", "x".repeat(9_000));
        assert_eq!(pieces(long.as_bytes(), 4_096), [&long[..9_001], ">b"]);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_same_in_whatever_parts_they_arrive(
            text in "[,>{\"ab\r\n]{0,40}", part in 1_usize..8,
        ) {
            prop_assert_eq!(pieces(text.as_bytes(), part), pieces(text.as_bytes(), 99));
        }
    }
}
