//! Walks the deltas of a pack, so that each entry is inflated once and few texts are in memory.
//!
//! # Guarantees
//! Every entry of the kinds asked for is visited once, or lost with a reason. Memory stays below [`MAX_HELD`] for all
//! threads, beside three times the largest text, of which there is one at a time above [`LARGE`].
//!
//! An entry is left as soon as its last delta was applied, and that with the most below it comes last: so no more
//! texts are alive than the logarithm of how many there are.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::delta::{self, Piece};
use super::inflate::{Inflater, Stream};
use super::objects::Unread;
use super::pack::{EntryId, Pack};

/// Texts that wait for their deltas, of all threads together. In bytes.
const MAX_HELD: usize = 160 << 20;
/// Larger texts are rebuilt one at a time; those that are no base are never in memory whole. In bytes.
pub(crate) const LARGE: u64 = 24 << 20;
/// Larger texts are not rebuilt. In bytes.
pub(crate) const MAX_TEXT: usize = 128 << 20;
/// Bases that are followed to rebuild one text: git makes chains of 4,095 at most.
const MAX_CHAIN: usize = 10_000;
/// A pack whose texts together are larger than this, and than [`MAX_GROWTH`] times itself, is a bomb. In bytes.
const MAX_REBUILT: u64 = 64 << 30;
const MAX_GROWTH: u64 = 5_000;
/// Subtrees per thread that the work is split into.
const TASKS_PER_THREAD: u64 = 16;

/// A text that was made from its base.
pub(crate) struct Edit<'a> {
    /// How long the base is.
    pub(crate) base_len: usize,
    /// The text.
    pub(crate) text: &'a [u8],
    /// What of it was copied from the base.
    pub(crate) pieces: &'a [Piece],
}

/// What is done with each text.
pub(crate) trait Visitor {
    /// What is kept of a text as long as deltas of it come.
    type State;

    /// A text of which no base was visited.
    fn whole(&mut self, at: EntryId, text: &[u8]) -> Self::State;

    /// A text that was made from one that was visited.
    fn edited(&mut self, at: EntryId, edit: &Edit<'_>, base: &Self::State) -> Self::State;

    /// A text too large for memory, that nothing is made from.
    ///
    /// # Errors
    /// A stream that is broken.
    fn streamed(&mut self, at: EntryId, size: u64, text: Stream<'_>) -> Result<(), Unread>;

    /// An entry that cannot be read.
    fn lost(&mut self, at: EntryId, why: Unread);
}

/// What the threads that walk one pack share.
struct Shared<'a> {
    pack: &'a Pack,
    wanted: &'a (dyn Fn(EntryId) -> bool + Sync),
    /// Where a walk begins, and another ends.
    starts: BTreeSet<EntryId>,
    large: Mutex<()>,
    rebuilt: AtomicU64,
    held_per_thread: usize,
}

/// Visits every entry of a pack that is `wanted`, with a visitor for each thread. If an entry is, its base must be.
pub(crate) fn walk<V: Visitor + Send>(
    pack: &Pack,
    threads: usize,
    wanted: impl Fn(EntryId) -> bool + Sync,
    make: impl Fn() -> V + Sync,
) -> Vec<V> {
    let tasks = split(pack, threads, &wanted);
    let shared = Shared {
        pack,
        wanted: &wanted,
        starts: tasks.iter().copied().collect(),
        large: Mutex::default(),
        rebuilt: AtomicU64::new(0),
        held_per_thread: MAX_HELD / threads.max(1),
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut walker = Walker::new(&shared, make());
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            walker.walk(*task);
        }
        walker.visitor
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(tasks.len())).map(|_| scope.spawn(work)).collect();
        let mut visitors = vec![work()];
        for other in others {
            match other.join() {
                Ok(visitor) => visitors.push(visitor),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        visitors
    })
}

/// Where to begin: at what is no delta, and in the midst of what would keep one thread at work when the others are done.
/// The most work first.
fn split(pack: &Pack, threads: usize, wanted: &dyn Fn(EntryId) -> bool) -> Vec<EntryId> {
    let mut starts: Vec<EntryId> = pack.roots().filter(|root| wanted(*root)).collect();
    let all: u64 = starts.iter().map(|root| pack.weight(*root)).sum();
    let enough = if threads > 1 { all / (threads as u64 * TASKS_PER_THREAD) } else { all };
    let mut tasks = Vec::new();
    while let Some(mut start) = starts.pop() {
        let (mut weight, mut at) = (pack.weight(start), start);
        while pack.weight(at) > enough {
            let Some(heaviest) = deltas(pack, at).filter(|delta| wanted(*delta)).last() else { break };
            let others = deltas(pack, at).filter(|delta| *delta != heaviest && wanted(*delta));
            for delta in others.filter(|delta| pack.weight(*delta) > enough) {
                weight = weight.saturating_sub(pack.weight(delta));
                starts.push(delta);
            }
            at = heaviest;
            if pack.weight(at) > enough / 8 && weight.saturating_sub(pack.weight(at)) >= enough {
                tasks.push((weight - pack.weight(at), start));
                (weight, start) = (pack.weight(at), at);
            }
        }
        tasks.push((weight, start));
    }
    tasks.sort_unstable_by_key(|(weight, start)| (std::cmp::Reverse(*weight), *start));
    tasks.into_iter().map(|(_, start)| start).collect()
}

/// The deltas of an entry.
fn deltas(pack: &Pack, number: EntryId) -> impl Iterator<Item = EntryId> {
    std::iter::successors(pack.first_delta(number), |delta| pack.next_delta(*delta))
}

/// An entry whose deltas are being visited.
struct Frame<S> {
    entry: EntryId,
    /// Nothing, where the memory was needed: it is made again.
    text: Option<Vec<u8>>,
    state: S,
    next: Option<EntryId>,
}

struct Walker<'a, V: Visitor> {
    shared: &'a Shared<'a>,
    visitor: V,
    inflater: Inflater,
    frames: Vec<Frame<V::State>>,
    held: usize,
    pieces: Vec<Piece>,
    delta: Vec<u8>,
    alone: Option<MutexGuard<'a, ()>>,
}

impl<'a, V: Visitor> Walker<'a, V> {
    fn new(shared: &'a Shared<'a>, visitor: V) -> Self {
        let (frames, pieces, delta) = (Vec::new(), Vec::new(), Vec::new());
        Self { shared, visitor, inflater: Inflater::default(), frames, held: 0, pieces, delta, alone: None }
    }

    /// Visits an entry and all that are made from it, up to where another walk begins.
    fn walk(&mut self, start: EntryId) {
        if self.is_streamed(start) {
            let raw = self.shared.pack.raw(start);
            let result = raw.and_then(|raw| self.visitor.streamed(start, raw.size, Stream::new(raw.compressed)));
            if let Err(why) = result {
                self.visitor.lost(start, why);
            }
            return;
        }
        match self.rebuild(start) {
            Ok(text) => {
                let state = self.visitor.whole(start, &text);
                self.push(start, text, state);
            }
            Err(why) => self.lose(start, why),
        }
        while let Some(frame) = self.frames.last_mut() {
            match frame.next {
                Some(delta) => {
                    frame.next = self.shared.pack.next_delta(delta);
                    if self.shared.is_next(delta) {
                        self.visit(delta);
                    }
                }
                None => self.pop(),
            }
        }
        self.alone = None;
    }

    fn is_streamed(&self, start: EntryId) -> bool {
        let pack = self.shared.pack;
        let large = || pack.raw(start).is_ok_and(|raw| raw.size > LARGE);
        pack.base(start).is_none() && pack.first_delta(start).is_none() && large()
    }

    /// Visits a delta of the last frame's entry.
    fn visit(&mut self, entry: EntryId) {
        let Some(mut frame) = self.frames.pop() else { return };
        let made = match frame.text.take() {
            Some(text) => Ok(text),
            None => self.rebuild(frame.entry).inspect(|text| self.held += text.len()),
        };
        let made = made.and_then(|base| {
            let result = self.apply(entry, &base);
            frame.text = Some(base);
            result
        });
        let visited = made.map(|text| {
            let base_len = frame.text.as_ref().map_or(0, Vec::len);
            let edit = Edit { base_len, text: &text, pieces: &self.pieces };
            (self.visitor.edited(entry, &edit, &frame.state), text)
        });
        let last = frame.next.is_none();
        self.frames.push(frame);
        if last {
            self.pop();
        }
        match visited {
            Ok((state, text)) => self.push(entry, text, state),
            Err(why) => self.lose(entry, why),
        }
    }

    fn push(&mut self, entry: EntryId, text: Vec<u8>, state: V::State) {
        let next = self.shared.pack.first_delta(entry);
        if next.is_none() {
            self.inflater.recycle(text);
            return;
        }
        self.held += text.len();
        self.frames.push(Frame { entry, text: Some(text), state, next });
        let newest = self.frames.len() - 1;
        for frame in &mut self.frames[..newest] {
            if self.held <= self.shared.held_per_thread {
                break;
            }
            self.held -= frame.text.take().map_or(0, |text| text.len());
        }
    }

    fn pop(&mut self) {
        if let Some(text) = self.frames.pop().and_then(|frame| frame.text) {
            self.held -= text.len();
            self.inflater.recycle(text);
        }
    }

    /// Waits until no other thread is at large texts, where this is one; until the walk ends, none is.
    fn be_alone(&mut self, size: u64) {
        if size > LARGE && self.alone.is_none() {
            self.alone = Some(self.shared.large.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The text of an entry, from what it is made from.
    fn rebuild(&mut self, entry: EntryId) -> Result<Vec<u8>, Unread> {
        let pack = self.shared.pack;
        let mut chain = vec![entry];
        while let Some(base) = chain.last().and_then(|entry| pack.base(*entry)) {
            if chain.len() >= MAX_CHAIN {
                return Err(Unread::TooLarge);
            }
            chain.push(base);
        }
        let root = chain.pop().unwrap_or(entry);
        let raw = pack.raw(root)?;
        if raw.size > MAX_TEXT as u64 {
            return Err(Unread::TooLarge);
        }
        self.be_alone(raw.size);
        let mut text = self.inflater.buffer();
        self.inflater.inflate(raw.compressed, raw.size, &mut text)?;
        for entry in chain.into_iter().rev() {
            let made = self.apply(entry, &text)?;
            self.inflater.recycle(std::mem::replace(&mut text, made));
        }
        Ok(text)
    }

    /// The text of a delta.
    fn apply(&mut self, entry: EntryId, base: &[u8]) -> Result<Vec<u8>, Unread> {
        let raw = self.shared.pack.raw(entry)?;
        if raw.size > MAX_TEXT as u64 {
            return Err(Unread::TooLarge);
        }
        self.be_alone(raw.size);
        let mut delta = std::mem::take(&mut self.delta);
        let applied = self.inflater.inflate(raw.compressed, raw.size, &mut delta).and_then(|()| {
            let (_, size, _) = delta::sizes(&delta)?;
            if size > MAX_TEXT as u64 {
                return Err(Unread::TooLarge);
            }
            self.be_alone(size);
            self.shared.spend(size)?;
            let mut text = self.inflater.buffer();
            delta::apply(base, &delta, MAX_TEXT, &mut text, &mut self.pieces)?;
            Ok(text)
        });
        if delta.capacity() as u64 <= LARGE {
            self.delta = delta;
        }
        applied
    }

    /// Gives up an entry and all that are made from it.
    fn lose(&mut self, entry: EntryId, why: Unread) {
        let pack = self.shared.pack;
        let mut lost = vec![entry];
        while let Some(entry) = lost.pop() {
            self.visitor.lost(entry, why);
            lost.extend(deltas(pack, entry).filter(|delta| self.shared.is_next(*delta)));
        }
    }
}

impl Shared<'_> {
    /// Whether a delta is visited after its base, by the same thread.
    fn is_next(&self, delta: EntryId) -> bool {
        (self.wanted)(delta) && !self.starts.contains(&delta)
    }

    /// Counts what is rebuilt.
    fn spend(&self, bytes: u64) -> Result<(), Unread> {
        let before = self.rebuilt.fetch_add(bytes, Ordering::Relaxed);
        let limit = MAX_REBUILT.max(self.pack.bytes().saturating_mul(MAX_GROWTH));
        if before.saturating_add(bytes) > limit { Err(Unread::TooLarge) } else { Ok(()) }
    }
}
