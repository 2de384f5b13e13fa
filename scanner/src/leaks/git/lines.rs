//! Finds the lines of secrets: the few blobs that are told of are made once more, in one walk.

use std::collections::{BTreeMap, HashMap, HashSet};

use gix::ObjectId;

use super::Position;
use super::inflate::{Inflater, Stream};
use super::loose;
use super::objects::{Objects, Unread};
use super::pack::{EntryId, Kind, Pack};
use super::walk::{self, Edit, Visitor};

/// Where values lie in blobs: offset and length, in bytes.
pub(crate) type Wanted = BTreeMap<ObjectId, Vec<(u64, u64)>>;
/// By blob and offset, the line and columns.
pub(crate) type Found = HashMap<(ObjectId, u64), Position>;

/// The lines of values. What cannot be read again has none.
pub(crate) fn find(objects: &Objects, wanted: &Wanted, threads: usize) -> Found {
    let mut found = Found::new();
    let mut rest: Vec<ObjectId> = wanted.keys().copied().collect();
    for pack in &objects.packs {
        let mut entries = HashSet::new();
        rest.retain(|id| {
            let Some(at) = pack.find(id) else { return true };
            // With all that it is made from.
            let mut chain = std::iter::successors(Some(at), |entry| pack.base(*entry));
            chain.by_ref().take_while(|entry| entries.insert(*entry)).for_each(drop);
            false
        });
        if entries.is_empty() {
            continue;
        }
        let is_wanted = |entry: EntryId| entries.contains(&entry);
        for visitor in walk::walk(pack, threads, is_wanted, || Finder { pack, wanted, found: Found::new() }) {
            found.extend(visitor.found);
        }
    }
    let mut inflater = Inflater::default();
    for id in rest {
        if let Some(text) = objects.folders.iter().find_map(|folder| loose::read_whole(&mut inflater, folder, id).ok())
        {
            note(wanted, id, &text, &mut found);
        }
    }
    found
}

fn note(wanted: &Wanted, id: ObjectId, text: &[u8], found: &mut Found) {
    for (offset, len) in wanted.get(&id).into_iter().flatten() {
        let at = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).min(text.len());
        found.insert((id, *offset), Position::of(text, &(at(*offset)..at(offset + len))));
    }
}

struct Finder<'a> {
    pack: &'a Pack,
    wanted: &'a Wanted,
    found: Found,
}

impl Visitor for Finder<'_> {
    type State = ();

    fn whole(&mut self, at: EntryId, text: &[u8]) {
        if self.pack.kind(at) == Kind::Blob {
            note(self.wanted, self.pack.id(at), text, &mut self.found);
        }
    }

    fn edited(&mut self, at: EntryId, edit: &Edit<'_>, _: &()) {
        self.whole(at, edit.text);
    }

    fn streamed(&mut self, _: EntryId, _: u64, _: Stream<'_>) -> Result<(), Unread> {
        // Its lines were counted when it was searched.
        Ok(())
    }

    fn lost(&mut self, _: EntryId, _: Unread) {}
}
