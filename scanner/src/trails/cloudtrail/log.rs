//! One file of records.

use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use keytrail_rules::model::{Event, Place, Raw, Time};

use super::opened::Opened;
use super::record;
use super::split::{Piece, Split, Within};
use crate::trails::{Draft, Out};

/// What was seen of a file beside its events.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Records, without those that could not be read.
    pub(super) records: u64,
    /// The oldest time.
    pub(super) first: Option<Time>,
    /// The newest time.
    pub(super) last: Option<Time>,
    /// Pieces that could not be read.
    pub(super) broken: u64,
    /// The first of them, and why.
    pub(super) first_broken: Option<(Raw, &'static str)>,
    /// Calls that were turned away, of which it is not known what they were about.
    pub(super) unattributable: u64,
    /// The SHA-256 of all bytes, where it was asked for.
    pub(super) sha256: Option<[u8; 32]>,
    /// Why the file could not be read to its end.
    pub(super) error: Option<std::io::Error>,
}

/// What a record gives.
pub(super) struct Told {
    pub(super) events: Vec<Event>,
    pub(super) same: Vec<(Place, Place)>,
    pub(super) account: Option<String>,
}

/// Reads a file to its end. Bytes that are no record are counted, and the rest is read.
pub(super) fn read(mut opened: Opened<'_>, name: &str, trail: usize, hash: bool, take: &mut dyn FnMut(Told)) -> Seen {
    let mut seen = Seen::default();
    let mut reading = Reading { source: name.into(), trail, offset: 0, line: 1, seen: &mut seen, take };
    let mut context = hash.then(|| Context::new(&SHA256));
    if let Some(context) = &mut context {
        context.update(opened.text().0);
    }
    let mut within = Within::default();
    let mut error = None;
    loop {
        let (text, last) = opened.text();
        let used = reading.text(text, last, &mut within);
        if last {
            break;
        }
        match opened.advance(used) {
            Ok(more) => context.iter_mut().for_each(|context| context.update(more)),
            Err(why) => error = Some(why),
        }
    }
    seen.error = error;
    seen.sha256 = context.and_then(|context| context.finish().as_ref().try_into().ok());
    seen
}

struct Reading<'a> {
    source: Arc<str>,
    trail: usize,
    /// Bytes of the file before the text in memory.
    offset: u64,
    /// Lines up to the place that was last asked for.
    line: u64,
    seen: &'a mut Seen,
    take: &'a mut dyn FnMut(Told),
}

impl Reading<'_> {
    /// Reads the records of a text; gives how many of its bytes are done with.
    fn text(&mut self, text: &[u8], last: bool, within: &mut Within) -> usize {
        let start = if self.offset == 0 && text.starts_with(BOM) { BOM.len() } else { 0 };
        let mut lines = Lines { text, counted: 0 };
        let mut split = Split::new(text, start, within, last);
        let used = loop {
            match split.next() {
                Piece::More(used) => break used,
                Piece::Broken(range, why) => self.broken(range, why, &mut lines),
                Piece::Record(range) => {
                    if !self.record(range.clone(), &mut lines) {
                        split.search_again(&range);
                    }
                }
            }
        };
        self.line += lines.up_to(used);
        self.offset += used as u64;
        used
    }

    /// Reads a record; false where it is none.
    fn record(&mut self, range: Range<usize>, lines: &mut Lines<'_>) -> bool {
        let mut out = Out::default();
        let seen = record::read(&lines.text[range.clone()], &mut out);
        if let Some(why) = out.broken {
            self.broken(range, why, lines);
            return false;
        }
        self.seen.records += 1;
        self.seen.unattributable += seen.unattributable;
        if let Some(time) = out.time {
            self.seen.first = Some(self.seen.first.map_or(time, |first| first.min(time)));
            self.seen.last = self.seen.last.max(Some(time));
        }
        if !out.events.is_empty() {
            let raw = self.raw(range, lines);
            let events = out.events.into_iter().map(|draft| event(draft, self.trail, raw.clone())).collect();
            (self.take)(Told { events, same: out.same, account: seen.account });
        }
        true
    }

    fn broken(&mut self, range: Range<usize>, why: &'static str, lines: &mut Lines<'_>) {
        self.seen.broken += 1;
        if self.seen.first_broken.is_none() {
            self.seen.first_broken = Some((self.raw(range, lines), why));
        }
    }

    fn raw(&mut self, range: Range<usize>, lines: &mut Lines<'_>) -> Raw {
        self.line += lines.up_to(range.start);
        let sha256 = digest(&SHA256, &lines.text[range.clone()]).as_ref().try_into().unwrap_or_default();
        Raw {
            source: self.source.clone(),
            offset: self.offset + range.start as u64,
            length: range.len() as u64,
            line: self.line,
            sha256,
        }
    }
}

/// UTF-8's byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Counts the lines of a text, each once.
struct Lines<'a> {
    text: &'a [u8],
    counted: usize,
}

impl Lines<'_> {
    /// Lines that end before a place, and after the last place that was asked for.
    fn up_to(&mut self, at: usize) -> u64 {
        let new = self.text.get(self.counted..at).unwrap_or_default();
        self.counted = self.counted.max(at);
        memchr::memchr_iter(b'\n', new).count() as u64
    }
}

/// The event of a draft.
pub(in crate::trails) fn event(draft: Draft, trail: usize, raw: Raw) -> Event {
    let Draft { kind, outcome, target, version, actor, run, time, id, consumer, value, details, raw: own } = draft;
    let raw = own.unwrap_or(raw);
    Event { trail, kind, outcome, target, version, actor, run, time, id, consumer, value, details, raw }
}
