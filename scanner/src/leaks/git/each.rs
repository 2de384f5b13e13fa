//! Searches single blobs whole, each once: for scans that look at a few commits, or at the index.

use std::rc::Rc;

use gix::ObjectId;
use gix::hashtable::HashMap as IdMap;
use gix::objs::TreeRefIter;
use keytrail_rules::search::Search;

use super::blobs::{Job, Outcome, Placed, Searcher};
use super::objects::{Unread, shown};
use super::pack::Kind;
use super::walk::MAX_TEXT;
use super::{Identify, Position};

/// How much of what was read is kept. In bytes.
const CACHE: usize = 64 << 20;

/// Entries of trees that are looked at in one scan. Trees that hold one another a thousandfold reach it.
const MAX_ENTRIES: u64 = 200_000_000;

/// An entry of a tree.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) is_tree: bool,
    pub(crate) id: ObjectId,
}

/// Reads objects one by one.
pub(crate) struct Each<'a, S: Search, I> {
    pub(crate) git: gix::Repository,
    source: String,
    searcher: Searcher<'a, S, I>,
    known: IdMap<ObjectId, Rc<[Placed]>>,
    entries: u64,
}

impl<'a, S: Search, I: Identify> Each<'a, S, I> {
    pub(crate) fn new(git: &gix::Repository, job: &'a Job<'a, S, I>) -> Self {
        let mut git = git.clone();
        git.object_cache_size(CACHE);
        Self { source: shown(git.common_dir()), git, searcher: Searcher::new(job), known: IdMap::default(), entries: 0 }
    }

    /// What an object holds; nothing, and a loss, where it cannot be read.
    fn read(&mut self, id: ObjectId) -> Option<Vec<u8>> {
        let size = self.git.find_header(id).map(|header| header.size());
        let read = match size {
            Ok(size) if size > MAX_TEXT as u64 => Err(Unread::TooLarge),
            Ok(_) => self.git.find_object(id).map(|object| object.detach().data).map_err(|_| Unread::Corrupt),
            Err(_) => Err(Unread::Missing),
        };
        read.map_err(|why| self.lose(id, why)).ok()
    }

    /// Counts an object that cannot be read.
    pub(crate) fn lose(&mut self, id: ObjectId, why: Unread) {
        self.searcher.outcome.losses.add(&self.source, why, 1, Some(id));
    }

    /// The secrets of a blob, with their lines, by secret.
    pub(crate) fn secrets(&mut self, id: ObjectId) -> Rc<[Placed]> {
        if let Some(known) = self.known.get(&id) {
            return Rc::clone(known);
        }
        let mut secrets = Vec::new();
        if let Some(text) = self.read(id) {
            self.searcher.blob(|| id, &self.source, &text);
            secrets = self.searcher.outcome.blobs.pop().map(|holder| holder.secrets).unwrap_or_default();
            for placed in &mut secrets {
                let at = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).min(text.len());
                placed.position = Some(Position::of(&text, &(at(placed.offset)..at(placed.offset + placed.len))));
            }
        }
        let secrets: Rc<[Placed]> = secrets.into();
        self.known.insert(id, Rc::clone(&secrets));
        secrets
    }

    /// The entries of a tree that are trees or files, by name.
    pub(crate) fn tree(&mut self, id: ObjectId) -> Vec<Entry> {
        if self.entries > MAX_ENTRIES {
            self.lose(id, Unread::TooLarge);
            return Vec::new();
        }
        let Some(bytes) = self.read(id) else { return Vec::new() };
        let mut entries = Vec::new();
        for entry in TreeRefIter::from_bytes(&bytes, self.git.object_hash()) {
            match entry {
                Ok(entry) if entry.mode.is_commit() => {}
                Ok(entry) => entries.push(Entry {
                    name: entry.filename.to_vec(),
                    is_tree: entry.mode.is_tree(),
                    id: entry.oid.to_owned(),
                }),
                Err(_) => {
                    self.lose(id, Unread::Corrupt);
                    break;
                }
            }
        }
        self.entries += entries.len() as u64 + 1;
        entries.sort_unstable();
        entries
    }

    /// Searches the message of a commit or tag.
    pub(crate) fn message(&mut self, kind: Kind, id: ObjectId) {
        if let Some(bytes) = self.read(id) {
            self.searcher.message(kind, id, &self.source, &bytes);
        }
    }

    /// What came of it.
    pub(crate) fn finish(self) -> Outcome {
        self.searcher.finish()
    }
}
