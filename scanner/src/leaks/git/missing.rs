//! Counts the objects that a partial clone left with its remote.

use std::sync::{Mutex, PoisonError};

use gix::ObjectId;
use gix::hash::{Kind as HashKind, oid};
use gix::hashtable::HashMap as IdMap;
use gix::objs::TreeRefIter;

use super::blobs::CommitInfo;
use super::inflate::{Inflater, Stream};
use super::loose;
use super::objects::{Losses, Objects, Unread, shown};
use super::pack::{EntryId, Kind, Pack};
use super::walk::{self, Edit, Visitor};

/// Adds the objects that commits and trees name, and that are not there, to `losses`.
pub(crate) fn count(objects: &Objects, commits: &[CommitInfo], hash: HashKind, threads: usize, losses: &mut Losses) {
    let seen = Seen { objects, missing: Mutex::default() };
    commits.iter().for_each(|commit| seen.look_for(&commit.tree));
    for pack in &objects.packs {
        walk::walk(pack, threads, |at| pack.kind(at) == Kind::Tree, || Looker { pack, hash, seen: &seen });
    }
    let mut inflater = Inflater::default();
    for (folder, id) in objects.loose(hash) {
        if let Ok(Some(tree)) = loose::tree(&mut inflater, &objects.folders[folder], id) {
            seen.look_through(&tree, hash);
        }
    }
    let known = seen.missing.into_inner().unwrap_or_else(PoisonError::into_inner);
    let missing = || known.iter().filter(|(_, missing)| **missing).map(|(id, _)| *id);
    let source = objects.folders.first().map(|folder| shown(folder)).unwrap_or_default();
    losses.add(&source, Unread::Missing, missing().count() as u64, missing().min());
}

/// What was looked for already, and whether it is missing.
struct Seen<'a> {
    objects: &'a Objects,
    missing: Mutex<IdMap<ObjectId, bool>>,
}

impl Seen<'_> {
    fn look_for(&self, id: &oid) {
        let mut known = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(id) {
            let is_loose = || self.objects.folders.iter().any(|folder| loose::path(folder, id).exists());
            let empty = *id == *ObjectId::empty_tree(id.kind());
            known.insert(id.to_owned(), !(empty || self.objects.packed(id) || is_loose()));
        }
    }

    fn look_through(&self, tree: &[u8], hash: HashKind) {
        for entry in TreeRefIter::from_bytes(tree, hash).flatten().filter(|entry| !entry.mode.is_commit()) {
            self.look_for(entry.oid);
        }
    }
}

struct Looker<'a> {
    pack: &'a Pack,
    hash: HashKind,
    seen: &'a Seen<'a>,
}

impl Visitor for Looker<'_> {
    type State = ();

    fn whole(&mut self, _: EntryId, text: &[u8]) {
        self.seen.look_through(text, self.hash);
    }

    fn edited(&mut self, _: EntryId, edit: &Edit<'_>, _: &()) {
        self.seen.look_through(edit.text, self.hash);
    }

    fn streamed(&mut self, at: EntryId, _: u64, _: Stream<'_>) -> Result<(), Unread> {
        // A tree of that size is no tree of a project; that it was not looked through counts as missing too.
        self.seen.look_for(&self.pack.id(at));
        Err(Unread::TooLarge)
    }

    fn lost(&mut self, _: EntryId, _: Unread) {}
}
