//! Searches a stream of any length in a bounded window.
//!
//! # Guarantees
//! The hits are those of one search of the whole, whatever the pieces in which the bytes arrive, and each is reported
//! once. While the writer pauses, what is certain already is reported at once; where two hits share a place, the one
//! that was certain first then stands.

mod count;
mod feed;
mod live;
mod pending;

use std::io;
use std::ops::Range;

use keytrail_rules::search::{Hit, Hits, Search};
use zeroize::Zeroize;

use super::{Position, Progress, Sink, lines};
use count::Counter;
pub use feed::{Feed, Filled, Plain};
pub use live::Live;
use pending::Pending;

/// How much is searched at once. Larger pieces leave the processor's cache before they are searched.
pub const CHUNK_BYTES: usize = 512 * 1024;

/// How much of what was searched stays before the next piece: the start of its line, in which an escape or a prefix may
/// begin, and what a sink shows around a hit.
const CONTEXT_BYTES: usize = 4 * 1024;

/// Streams in smaller pieces keep less, but so much.
const MIN_CONTEXT_BYTES: usize = 64;

/// Hits that overlap are settled together up to so many times the reach of one.
const MAX_PENDING_REACHES: usize = 4;

/// What the bytes of a stream are, and where they begin.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// See [`Position::path`].
    pub path: &'a str,
    /// Bytes of the source that come before the stream: a byte order mark, or what an earlier search has seen.
    pub offset: u64,
    /// Lines that come before the stream.
    pub lines: u64,
    /// Whether the stream was made from UTF-16, so that offsets are those of the units.
    pub utf16: bool,
}

impl<'a> Origin<'a> {
    /// The whole of a source.
    pub fn new(path: &'a str) -> Self {
        Self { path, offset: 0, lines: 0, utf16: false }
    }
}

/// Where a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Where to begin when more has been added to the source: hits may start before its present end. In bytes of the
    /// source, at the start of a line unless the line is longer than the window.
    pub next: u64,
    /// Lines before `next`.
    pub lines: u64,
    /// Where the source ended, in bytes of it.
    pub end: u64,
}

/// Searches streams, one after another, and keeps its buffers between them.
pub struct Streamer<'s, S: Search> {
    search: &'s S,
    scratch: S::Scratch,
    found: Hits,
    chunk: usize,
    context: usize,
    buffer: Vec<u8>,
    /// The window is `buffer[..filled]`, and starts at `base` in the stream.
    filled: usize,
    base: usize,
    /// Hits that depend on nothing before this place of the stream have not been collected yet.
    core: usize,
    counter: Counter,
    pending: Pending,
    decoded: lines::Buffers,
}

impl<S: Search> Drop for Streamer<'_, S> {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

impl<'s, S: Search> Streamer<'s, S> {
    /// Searches in pieces of [`CHUNK_BYTES`].
    pub fn new(search: &'s S) -> Self {
        Self::with_chunk(search, CHUNK_BYTES)
    }

    /// Searches in pieces of so many bytes.
    pub fn with_chunk(search: &'s S, chunk: usize) -> Self {
        Self {
            search,
            scratch: S::Scratch::default(),
            found: Hits::default(),
            chunk: chunk.max(1),
            context: chunk.clamp(MIN_CONTEXT_BYTES, CONTEXT_BYTES),
            buffer: Vec::new(),
            filled: 0,
            base: 0,
            core: 0,
            counter: Counter::default(),
            pending: Pending::default(),
            decoded: lines::Buffers::default(),
        }
    }

    /// Searches everything that the feed gives, to its end.
    ///
    /// # Errors
    /// The feed's; what came before it is searched and reported.
    pub fn run(&mut self, feed: &mut dyn Feed, origin: &Origin<'_>, sink: &mut dyn Sink) -> io::Result<Ended> {
        (self.filled, self.base, self.core) = (0, 0, 0);
        self.counter = Counter::new(origin);
        self.pending.clear();
        // The window of a short stream stays short.
        self.buffer.resize(self.buffer.len().max(self.capacity().min(64 * 1024)), 0);
        let ended = loop {
            if self.filled == self.buffer.len() {
                self.make_room(origin, sink);
            }
            match feed.fill(&mut self.buffer[self.filled..]) {
                Ok(Filled::Bytes(0)) => break Ok(()),
                Ok(Filled::Bytes(bytes)) => {
                    self.filled += bytes;
                    sink.progress(Progress { files: 0, bytes: bytes as u64 });
                }
                Ok(Filled::Idle) => self.report_early(origin, sink),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.collect(self.filled);
        self.core = usize::MAX;
        self.report(origin, sink);
        ended.map(|()| self.ended())
    }

    fn ended(&self) -> Ended {
        let text = &self.buffer[..self.filled];
        let tail = text.len().saturating_sub(self.reach());
        let start = memchr::memrchr(b'\n', &text[..tail]).map_or(tail, |end| end + 1);
        let mut counter = self.counter;
        counter.advance(&text[..start]);
        let (next, lines) = (counter.offset(), counter.line() - 1);
        counter.advance(&text[start..]);
        Ended { next, lines, end: counter.offset() }
    }

    /// No hit depends on more bytes than this.
    fn reach(&self) -> usize {
        2 * self.search.reach() + 1
    }

    fn capacity(&self) -> usize {
        self.chunk + self.reach() + self.context
    }

    /// The window is full: it grows to its size; then it moves on.
    fn make_room(&mut self, origin: &Origin<'_>, sink: &mut dyn Sink) {
        if self.buffer.len() < self.capacity() {
            self.buffer.resize(self.capacity().min(self.buffer.len() * 4), 0);
            return;
        }
        let end = self.filled.saturating_sub(self.reach());
        self.collect(end.max(self.core - self.base));
        self.report(origin, sink);
        let needed = self.pending.start().map_or(self.core, |start| start.min(self.core)) - self.base;
        let drop = needed.saturating_sub(self.context).min(self.filled);
        self.counter.advance(&self.buffer[..drop]);
        self.buffer.copy_within(drop..self.filled, 0);
        self.base += drop;
        self.filled -= drop;
        // Hits that overlap in a chain without end would fill the window.
        if self.filled > self.capacity() + MAX_PENDING_REACHES * self.reach() {
            self.pending.close();
            self.report(origin, sink);
        }
        if self.filled + self.chunk.div_ceil(2) > self.buffer.len() {
            self.buffer.resize(self.filled + self.chunk, 0);
        }
    }

    /// Collects the hits that depend on nothing before `core`, and on something before `end` of the window.
    fn collect(&mut self, end: usize) {
        let start = self.core - self.base;
        if start < end {
            let text = &self.buffer[..self.filled];
            self.search.search(text, start..end, &mut self.scratch, &mut self.found);
            self.found.long.clear();
            lines::search_decoded(self.search, text, start, &mut self.scratch, &mut self.decoded, &mut self.found.hits);
            let own = self.found.hits.drain(..).filter(|hit| (start..end).contains(&hit.depends.start));
            self.pending.extend(own.map(|hit| shifted(hit, self.base, 0)));
            self.core = self.base + end;
        }
    }

    /// Reports the hits that no later one can meet.
    fn report(&mut self, origin: &Origin<'_>, sink: &mut dyn Sink) {
        let mut hits = self.pending.take(self.core);
        if !hits.is_empty() {
            self.settle(&mut hits);
            self.hand_over(hits, origin, sink);
        }
        self.pending.forget_reported(self.core);
    }

    /// Reports what is certain though more may follow.
    fn report_early(&mut self, origin: &Origin<'_>, sink: &mut dyn Sink) {
        let (core, filled) = (self.core, self.filled);
        self.collect(filled);
        self.core = core;
        let end = self.base + filled;
        let whole_line = self.buffer[..filled].ends_with(b"\n");
        let short = self.search.margin();
        let mut hits = self
            .pending
            .split(core, |hit| hit.depends.end < end || whole_line && hit.value.end < end && hit.value.len() <= short);
        if !hits.is_empty() {
            self.settle(&mut hits);
            self.pending.remember_reported(&hits);
            self.hand_over(hits, origin, sink);
        }
    }

    /// Leaves one hit for each place where none was reported.
    fn settle(&self, hits: &mut Vec<Hit>) {
        self.pending.drop_reported(hits);
        lines::prefer_decoded(hits, &self.buffer, self.base);
        self.search.settle(hits);
    }

    fn hand_over(&self, hits: Vec<Hit>, origin: &Origin<'_>, sink: &mut dyn Sink) {
        let text = &self.buffer[..self.filled];
        let (mut counter, mut at) = (self.counter, 0);
        for hit in hits {
            let hit = shifted(hit, 0, self.base);
            if hit.value.start < at {
                (counter, at) = (self.counter, 0);
            }
            counter.advance(&text[at..hit.value.start]);
            at = hit.value.start;
            let position = Position {
                path: origin.path,
                line: counter.line(),
                start_column: counter.column(),
                end_column: counter.column_after(&text[hit.value.clone()]),
                offset: counter.offset(),
            };
            sink.hit(&position, text, &hit);
        }
    }
}

/// The hit with offsets that count from elsewhere.
fn shifted(hit: Hit, plus: usize, minus: usize) -> Hit {
    let shift = |range: Range<usize>| range.start + plus - minus..range.end + plus - minus;
    Hit { value: shift(hit.value), depends: shift(hit.depends), ..hit }
}

#[cfg(test)]
mod tests;
