//! Makes entries of the records of files.

use std::io::Read;
use std::sync::Arc;

use chrono::TimeDelta;
use keytrail_rules::model::{Entry, Event, Gap, GapReason, Hole, Location, Raw, Time};
use sha2::{Digest, Sha256};

use super::framing::{Piece, Records, Span};
use super::{Continue, Draft, Framing, Missing, Opening, Out, Parser, RecordPlace};

/// Progress is told once so many records were read.
const TOLD_RECORDS: u64 = 8 * 1024;

/// So many of the places where records are broken are named.
const NAMED_PLACES: usize = 3;

/// So many holes are told of one file; what is missing after them is told as one.
const MAX_FILE_HOLES: usize = 100;

/// Times of records may be no finer than this, so that the record before may be as late as the one after.
const COARSE: TimeDelta = TimeDelta::seconds(1);

impl Opening<'_> {
    /// The event that a draft becomes, with the bytes that say so.
    pub fn event(&self, draft: Draft, raw: Raw) -> Entry {
        let Draft { kind, outcome, target, version, actor, run, time, id, consumer, value, details, raw: own } = draft;
        let raw = own.unwrap_or(raw);
        let consumer = consumer.or_else(|| self.config.consumer.as_deref().map(Arc::from));
        let trail = self.trail;
        let event =
            Event { trail, kind, outcome, target, version, actor, run, time, id, consumer, value, details, raw };
        Entry::Event(Box::new(event))
    }
}

/// Reads the records of one file after another.
pub(super) struct Reading<'a> {
    opening: &'a Opening<'a>,
    parser: Box<dyn Parser + 'a>,
    framing: Framing,
    delay: TimeDelta,
    out: Out,
    /// The file that is read.
    pub(super) file: FileState,
    /// The last bytes that said something, for what only the end shows.
    raw: Option<Raw>,
    records: u64,
    newest: Option<Time>,
    /// What could not be read.
    pub(super) gaps: Vec<Gap>,
}

/// What is known of a file that is being read.
pub(super) struct FileState {
    source: Arc<str>,
    /// The time of its last record that has one.
    last: Option<Time>,
    /// What is missing since then.
    hole: Option<Hole>,
    /// The next record after it, where more may be missing behind that.
    next: Option<Time>,
    /// How many holes were told.
    holes: usize,
    broken: Broken,
    /// Whether the rest of it cannot be read.
    has_failed: bool,
}

impl FileState {
    pub(super) fn new(name: &str) -> Self {
        Self {
            source: Arc::from(name),
            last: None,
            hole: None,
            next: None,
            holes: 0,
            broken: Broken::default(),
            has_failed: false,
        }
    }
}

/// The records of one file that cannot be read.
#[derive(Default)]
struct Broken {
    count: u64,
    places: Vec<(u64, &'static str)>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        opening: &'a Opening<'a>,
        framing: Framing,
        parser: Box<dyn Parser + 'a>,
        delay: TimeDelta,
    ) -> Self {
        Self {
            opening,
            parser,
            framing,
            delay,
            out: Out::default(),
            file: FileState::new(""),
            raw: None,
            records: 0,
            newest: None,
            gaps: Vec::new(),
        }
    }

    /// Reads a file to its end.
    pub(super) fn file(
        &mut self,
        name: &str,
        reader: impl Read,
        on_entry: &mut dyn FnMut(Entry) -> Continue,
    ) -> Continue {
        self.file = FileState::new(name);
        let mut records = self.records(reader);
        self.go_on(&mut records, on_entry)?;
        self.finish(&mut records, on_entry)
    }

    /// The records of a file.
    pub(super) fn records<R: Read>(&self, reader: R) -> Records<R> {
        Records::new(reader, self.framing)
    }

    /// Reads what there is of the file.
    pub(super) fn go_on<R: Read>(
        &mut self,
        records: &mut Records<R>,
        on_entry: &mut dyn FnMut(Entry) -> Continue,
    ) -> Continue {
        loop {
            match records.next_piece() {
                Ok(Some(piece)) => self.piece(piece, on_entry)?,
                Ok(None) => return Continue::Continue(()),
                Err(error) => {
                    let reason = format!("{} cannot be read to its end", self.file.source);
                    let message = format!("the file cannot be read beyond byte {}: {error}", records.offset());
                    let gap = Gap::at(Location::of_file(&self.file.source), GapReason::Malformed, message);
                    self.gaps.push(gap.hint("bring the whole file, or read it again"));
                    self.lose(reason, None);
                    self.file.has_failed = true;
                    return Continue::Continue(());
                }
            }
        }
    }

    /// The file ends.
    pub(super) fn finish<R: Read>(
        &mut self,
        records: &mut Records<R>,
        on_entry: &mut dyn FnMut(Entry) -> Continue,
    ) -> Continue {
        // What is cut off where reading failed is told already.
        while let Some(piece) = records.last_piece().filter(|_| !self.file.has_failed) {
            self.piece(piece, on_entry)?;
        }
        if let Some(hole) = self.file.hole.take() {
            let hole = match self.file.next.take() {
                Some(next) => self.closed(hole, next),
                None => hole,
            };
            on_entry(Entry::Hole(hole))?;
        }
        self.gaps.extend(std::mem::take(&mut self.file.broken).gap(&self.file.source));
        self.tell_progress(on_entry)
    }

    /// The trail ends.
    pub(super) fn end(&mut self, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        self.parser.end(&mut self.out);
        let out = std::mem::take(&mut self.out);
        let nothing = || Raw { source: self.file.source.clone(), offset: 0, length: 0, line: 0, sha256: sha256(&[]) };
        let raw = self.raw.clone().unwrap_or_else(nothing);
        self.pass_on(out, &raw, on_entry)
    }

    /// Records of the file are missing from the last one on, up to the next.
    pub(super) fn lose(&mut self, reason: String, raw: Option<Raw>) {
        let from = self.file.last.and_then(|last| last.checked_sub_signed(self.delay));
        self.file.next = None;
        self.file.hole.get_or_insert(Hole { from, to: None, reason, tampered: false, raw });
    }

    fn piece(&mut self, piece: Piece<'_>, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        self.records += 1;
        match piece {
            Piece::Broken(span, why) => self.break_at(span, &[], why),
            Piece::Record(span, bytes) => {
                self.out.place = Some(RecordPlace { source: self.file.source.clone(), span });
                self.parser.record(bytes, &mut self.out);
                let mut out = std::mem::take(&mut self.out);
                if let Some(why) = out.broken.take() {
                    self.break_at(span, bytes, why);
                }
                self.pass_record(span, bytes, out, on_entry)?;
            }
        }
        if self.records >= TOLD_RECORDS {
            self.tell_progress(on_entry)?;
        }
        Continue::Continue(())
    }

    fn pass_record(
        &mut self,
        span: Span,
        bytes: &[u8],
        mut out: Out,
        on_entry: &mut dyn FnMut(Entry) -> Continue,
    ) -> Continue {
        let time = out.time;
        if let Some(Missing { reason, tampered }) = out.missing_before.take() {
            let raw = Some(self.raw(span, bytes));
            if self.file.holes < MAX_FILE_HOLES {
                self.file.holes += 1;
                on_entry(Entry::Hole(Hole { from: self.file.last, to: time, reason, tampered, raw }))?;
            } else {
                self.lose(reason, raw);
                self.file.hole.iter_mut().for_each(|hole| hole.tampered |= tampered);
            }
        }
        if let Some(time) = time {
            if self.file.holes >= MAX_FILE_HOLES {
                self.file.next = Some(time);
            } else if let Some(hole) = self.file.hole.take() {
                self.file.holes += 1;
                on_entry(Entry::Hole(self.closed(hole, time)))?;
            }
            self.file.last = Some(time);
            self.newest = self.newest.max(Some(time));
        }
        if out.events.is_empty() {
            if out.same.is_empty() && out.covered.is_empty() {
                // Most records are about nothing; what they were read into is used again.
                self.out = Out { time: None, ..out };
                return Continue::Continue(());
            }
            let nothing = Raw { source: self.file.source.clone(), offset: 0, length: 0, line: 0, sha256: [0; 32] };
            return self.pass_on(out, &nothing, on_entry);
        }
        let raw = self.raw(span, bytes);
        self.pass_on(out, &raw, on_entry)?;
        self.raw = Some(raw);
        Continue::Continue(())
    }

    fn pass_on(&mut self, out: Out, raw: &Raw, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        for (one, other) in out.same {
            on_entry(Entry::Same(one, other))?;
        }
        for covered in out.covered {
            on_entry(Entry::Covered(covered))?;
        }
        for draft in out.events {
            on_entry(self.opening.event(draft, raw.clone()))?;
        }
        Continue::Continue(())
    }

    /// The hole up to a record. Those around it may be as far out of order as they may be late.
    fn closed(&self, hole: Hole, next: Time) -> Hole {
        let late = |time: Time| time.checked_add_signed(self.delay).and_then(|time| time.checked_add_signed(COARSE));
        let early = |time: Time| time.checked_sub_signed(self.delay);
        let from = hole.from.and_then(|from| early(next).map(|next| from.min(next)));
        Hole { from, to: self.file.last.map_or(Some(next), |last| Some(last.max(next))).and_then(late), ..hole }
    }

    fn break_at(&mut self, span: Span, bytes: &[u8], why: &'static str) {
        self.file.broken.count += 1;
        if self.file.broken.places.len() < NAMED_PLACES {
            self.file.broken.places.push((span.line, why));
        }
        self.file.next = None;
        if self.file.hole.is_none() {
            let raw = self.raw(span, bytes);
            self.lose(
                format!("a record at line {} of {} cannot be read: {why}", span.line, self.file.source),
                Some(raw),
            );
        }
    }

    fn raw(&self, span: Span, bytes: &[u8]) -> Raw {
        RecordPlace { source: self.file.source.clone(), span }.raw(bytes)
    }

    fn tell_progress(&mut self, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        match self.newest {
            Some(time) if self.records > 0 => {
                let records = std::mem::take(&mut self.records);
                on_entry(Entry::Progress { records, time })
            }
            _ => Continue::Continue(()),
        }
    }
}

impl Broken {
    fn gap(self, source: &str) -> Option<Gap> {
        let (first, _) = self.places.first()?;
        let what = match self.count {
            1 => "a record".to_owned(),
            count => format!("{count} records"),
        };
        let places: Vec<String> = self.places.iter().map(|(line, why)| format!("line {line} ({why})")).collect();
        let more = if self.count > self.places.len() as u64 { ", …" } else { "" };
        let message = format!("{what} cannot be read: {}{more}", places.join(", "));
        let location = Location::of_line(source, u32::try_from(*first).unwrap_or(u32::MAX), "");
        let hint = "check the kind of the trail, or bring a whole copy of the file";
        Some(Gap::at(location, GapReason::Malformed, message).hint(hint))
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests;
