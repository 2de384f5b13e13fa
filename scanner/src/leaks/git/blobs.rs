//! Searches the objects of a pack: blobs where they changed, messages whole. Keeps the commits that it met.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use gix::ObjectId;
use gix::hash::Kind as HashKind;
use gix::objs::CommitRefIter;
use keytrail_rules::search::{Found, Hit, Hits, Search};

use super::delta::Piece;
use super::inflate::Stream;
use super::objects::{Losses, Unread};
use super::pack::{EntryId, Kind, Pack};
use super::walk::{Edit, Visitor};
use super::{Identify, Position, Progress, SecretKey, inherit, stream};

/// More hits in one text are not kept: it is made to have them.
pub(crate) const MAX_HITS: usize = 100_000;

/// How far from a value [`Identify`] may look, in bytes.
pub const IDENTIFY_REACH: usize = 1_024;

/// A secret in an object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Placed {
    pub(crate) secret: SecretKey,
    /// Where it lies first, in bytes; in a message, from its start.
    pub(crate) offset: u64,
    /// How long it is.
    pub(crate) len: u64,
    /// Its line and columns, where they are known already.
    pub(crate) position: Option<Position>,
}

/// The secrets of an object, each once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Holder {
    pub(crate) id: ObjectId,
    pub(crate) secrets: Vec<Placed>,
}

/// What the graph needs of a commit.
#[derive(Clone, Debug)]
pub(crate) struct CommitInfo {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    /// Seconds of the committer.
    pub(crate) time: i64,
}

/// What came of a search through objects.
#[derive(Default, Debug)]
pub(crate) struct Outcome {
    /// Blobs that hold secrets.
    pub(crate) blobs: Vec<Holder>,
    /// Commits and tags whose messages do.
    pub(crate) messages: Vec<(Kind, Holder)>,
    pub(crate) commits: Vec<CommitInfo>,
    pub(crate) losses: Losses,
    pub(crate) objects: u64,
    /// Bytes of all objects that were searched, whole or where they changed.
    pub(crate) bytes: u64,
    /// Bytes that changed.
    pub(crate) changed: u64,
}

impl Outcome {
    /// Adds what another thread, or another pack, had.
    pub(crate) fn merge(&mut self, other: Self) {
        self.blobs.extend(other.blobs);
        self.messages.extend(other.messages);
        self.commits.extend(other.commits);
        self.losses.merge(other.losses);
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.changed += other.changed;
    }

    /// Brings everything into an order that does not depend on the threads; what two packs hold becomes one.
    pub(crate) fn settle(&mut self) {
        self.blobs.sort_unstable();
        self.blobs.dedup_by(|a, b| a.id == b.id);
        self.messages.sort_unstable();
        self.messages.dedup_by(|a, b| a.1.id == b.1.id);
        self.commits.sort_unstable_by_key(|commit| commit.id);
        self.commits.dedup_by_key(|commit| commit.id);
    }
}

/// Tells the caller how far it is.
pub(crate) struct Meter<'a> {
    pub(crate) report: &'a (dyn Fn(Progress) + Sync),
    pub(crate) objects: AtomicU64,
    pub(crate) total: u64,
    pub(crate) bytes: AtomicU64,
}

impl Meter<'_> {
    /// Adds what was searched since the last time.
    pub(crate) fn add(&self, objects: u64, bytes: u64) {
        let objects = self.objects.fetch_add(objects, Ordering::Relaxed) + objects;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.report)(Progress { objects, total: self.total, bytes });
    }
}

/// What all threads search with.
pub(crate) struct Job<'a, S, I> {
    pub(crate) search: &'a S,
    pub(crate) identify: &'a I,
    pub(crate) hash: HashKind,
    pub(crate) meter: &'a Meter<'a>,
}

/// Searches texts, and notes what they hold. One for each thread.
pub(crate) struct Searcher<'a, S: Search, I> {
    job: &'a Job<'a, S, I>,
    scratch: S::Scratch,
    pub(crate) outcome: Outcome,
    told: (u64, u64),
}

/// A secret at a place, so that the text that inherits it need not ask again which it is.
struct Named {
    value: Range<usize>,
    found: Found,
    secret: SecretKey,
}

/// What a text hands down to those that are made from it.
#[derive(Default)]
pub(crate) struct Held {
    found: Hits,
    named: Vec<Named>,
    /// Whether it has more hits than are kept.
    partial: bool,
}

impl<'a, S: Search, I: Identify> Searcher<'a, S, I> {
    pub(crate) fn new(job: &'a Job<'a, S, I>) -> Self {
        Self { job, scratch: S::Scratch::default(), outcome: Outcome::default(), told: (0, 0) }
    }

    /// Searches a blob whole.
    pub(crate) fn blob(&mut self, id: impl FnOnce() -> ObjectId, source: &str, text: &[u8]) -> Held {
        self.count(text.len(), text.len() as u64);
        let found = inherit::whole(self.job.search, text, &mut self.scratch);
        self.keep(id, source, text, found, None)
    }

    /// Searches a blob where it differs from what it was made from.
    fn changed_blob(&mut self, id: impl FnOnce() -> ObjectId, source: &str, edit: &Edit<'_>, base: &Held) -> Held {
        let mut changed = 0;
        let found = inherit::edited(self.job.search, edit, &base.found, &mut self.scratch, &mut changed);
        self.count(edit.text.len(), changed);
        self.keep(id, source, edit.text, found, Some((base, edit)))
    }

    /// Notes the secrets of a blob.
    fn keep(
        &mut self,
        id: impl FnOnce() -> ObjectId,
        source: &str,
        text: &[u8],
        mut found: Hits,
        base: Option<(&Held, &Edit<'_>)>,
    ) -> Held {
        let partial = found.hits.len() > MAX_HITS || base.is_some_and(|(base, _)| base.partial);
        if found.hits.is_empty() && !partial {
            return Held { found, named: Vec::new(), partial };
        }
        let id = id();
        if partial {
            found.hits.truncate(MAX_HITS);
            self.outcome.losses.add(source, Unread::TooManyHits, 1, Some(id));
        }
        let mut hits: Vec<Hit> = found.hits.iter().map(inherit::copied).collect();
        self.job.search.settle(&mut hits);
        let named: Vec<Named> = hits
            .iter()
            .map(|hit| {
                let known = base.and_then(|(base, edit)| inherited_name(hit, edit, &base.named));
                let secret = known.unwrap_or_else(|| self.job.identify.identify(text, hit));
                Named { value: hit.value.clone(), found: hit.found, secret }
            })
            .collect();
        let placed = named.iter().map(|one| Placed {
            secret: one.secret,
            offset: one.value.start as u64,
            len: one.value.len() as u64,
            position: None,
        });
        let secrets = first_of_each(placed.collect());
        if !secrets.is_empty() {
            self.outcome.blobs.push(Holder { id, secrets });
        }
        let mut named = named;
        named.sort_unstable_by_key(|one| (one.value.start, one.value.end));
        Held { found, named, partial }
    }

    /// Searches a blob that is larger than memory should hold.
    ///
    /// # Errors
    /// A stream that is broken.
    pub(crate) fn large_blob(&mut self, id: ObjectId, source: &str, size: u64, text: Stream<'_>) -> Result<(), Unread> {
        let found = stream::search(self.job.search, self.job.identify, &mut self.scratch, size, text)?;
        if found.partial {
            self.outcome.losses.add(source, Unread::TooManyHits, 1, Some(id));
        }
        let secrets = first_of_each(found.placed);
        if !secrets.is_empty() {
            self.outcome.blobs.push(Holder { id, secrets });
        }
        self.outcome.changed += size;
        self.outcome.bytes += size;
        self.count(0, 0);
        Ok(())
    }

    /// Searches the message of a commit or tag, and notes the commit.
    pub(crate) fn message(&mut self, kind: Kind, id: ObjectId, source: &str, object: &[u8]) {
        if kind == Kind::Commit {
            match commit_info(id, object, self.job.hash) {
                Some(info) => self.outcome.commits.push(info),
                None => self.outcome.losses.add(source, Unread::Corrupt, 1, Some(id)),
            }
        }
        let start = memchr_two_newlines(object);
        let message = &object[start..];
        self.count(message.len(), message.len() as u64);
        let mut found = inherit::whole(self.job.search, message, &mut self.scratch);
        if found.hits.is_empty() {
            return;
        }
        if found.hits.len() > MAX_HITS {
            found.hits.truncate(MAX_HITS);
            self.outcome.losses.add(source, Unread::TooManyHits, 1, Some(id));
        }
        self.job.search.settle(&mut found.hits);
        let placed = found.hits.iter().map(|hit| Placed {
            secret: self.job.identify.identify(message, hit),
            offset: hit.value.start as u64,
            len: hit.value.len() as u64,
            position: Some(Position::of(message, &hit.value)),
        });
        let secrets = first_of_each(placed.collect());
        self.outcome.messages.push((kind, Holder { id, secrets }));
    }

    fn count(&mut self, bytes: usize, changed: u64) {
        /// Objects between two reports.
        const STEP: u64 = 512;
        self.outcome.objects += 1;
        self.outcome.bytes += bytes as u64;
        self.outcome.changed += changed;
        if self.outcome.objects - self.told.0 >= STEP {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let Outcome { objects, bytes, .. } = self.outcome;
        self.job.meter.add(objects - self.told.0, bytes - self.told.1);
        self.told = (objects, bytes);
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Outcome {
        self.tell();
        self.outcome
    }
}

/// The least offset of each secret, by secret.
fn first_of_each(mut placed: Vec<Placed>) -> Vec<Placed> {
    placed.sort_unstable();
    placed.dedup_by_key(|one| one.secret);
    placed
}

/// Which secret a hit is, where the bytes that tell were all copied.
fn inherited_name(hit: &Hit, edit: &Edit<'_>, named: &[Named]) -> Option<SecretKey> {
    let after = edit.pieces.partition_point(|piece| piece.to <= hit.value.start);
    let piece: &Piece = edit.pieces.get(after.checked_sub(1)?)?;
    let target = piece.target();
    let start = hit.value.start >= target.start + IDENTIFY_REACH || (piece.to == 0 && piece.from == 0);
    let at_end = target.end == edit.text.len() && piece.source().end == edit.base_len;
    let end = hit.value.end + IDENTIFY_REACH <= target.end || (at_end && hit.value.end <= target.end);
    if !start || !end {
        return None;
    }
    let value = hit.value.start - piece.to + piece.from..hit.value.end - piece.to + piece.from;
    let first = named.partition_point(|one| (one.value.start, one.value.end) < (value.start, value.end));
    let one = named.get(first).filter(|one| one.value == value && one.found == hit.found)?;
    Some(one.secret)
}

/// Where the message of a commit or tag begins: behind the first empty line.
fn memchr_two_newlines(object: &[u8]) -> usize {
    object.windows(2).position(|pair| pair == b"\n\n").map_or(object.len(), |at| at + 2)
}

/// Reads the head of a commit; `None` where it is broken.
pub(crate) fn commit_info(id: ObjectId, object: &[u8], hash: HashKind) -> Option<CommitInfo> {
    let mut head = CommitRefIter::from_bytes(object, hash);
    let tree = head.tree_id().ok()?;
    let parents = CommitRefIter::from_bytes(object, hash).parent_ids().collect();
    // A commit without a readable date is still a commit.
    let committer = CommitRefIter::from_bytes(object, hash).committer().ok();
    let time = committer.and_then(|committer| committer.time().ok()).map_or(0, |time| time.seconds);
    Some(CommitInfo { id, tree, parents, time })
}

/// Visits the entries of one pack.
pub(crate) struct PackSearcher<'a, S: Search, I> {
    pub(crate) pack: &'a Pack,
    pub(crate) searcher: Searcher<'a, S, I>,
}

impl<S: Search, I: Identify> Visitor for PackSearcher<'_, S, I> {
    type State = Held;

    fn whole(&mut self, at: EntryId, text: &[u8]) -> Held {
        let pack = self.pack;
        match pack.kind(at) {
            Kind::Blob => self.searcher.blob(|| pack.id(at), &pack.name, text),
            kind => {
                self.searcher.message(kind, pack.id(at), &pack.name, text);
                Held::default()
            }
        }
    }

    fn edited(&mut self, at: EntryId, edit: &Edit<'_>, base: &Held) -> Held {
        let pack = self.pack;
        match pack.kind(at) {
            Kind::Blob => self.searcher.changed_blob(|| pack.id(at), &pack.name, edit, base),
            _ => self.whole(at, edit.text),
        }
    }

    fn streamed(&mut self, at: EntryId, size: u64, text: Stream<'_>) -> Result<(), Unread> {
        if self.pack.kind(at) == Kind::Blob {
            self.searcher.large_blob(self.pack.id(at), &self.pack.name, size, text)
        } else {
            // No commit has a message of that size.
            Err(Unread::TooLarge)
        }
    }

    fn lost(&mut self, at: EntryId, why: Unread) {
        self.searcher.outcome.losses.add(&self.pack.name, why, 1, Some(self.pack.id(at)));
    }
}
