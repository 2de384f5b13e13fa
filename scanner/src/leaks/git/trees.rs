//! The trees of a repository, in memory: only what leads to a blob that holds a secret.
//!
//! Every tree of the packs is read once, along its deltas, when it is known which blobs count. That is much less work
//! than to look at the trees of one commit after the other.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gix::ObjectId;
use gix::hash::{Kind as HashKind, oid};
use gix::hashtable::HashMap as IdMap;
use gix::objs::TreeRefIter;

use super::inflate::{Inflater, Stream};
use super::loose;
use super::objects::{Losses, Objects, Unread, shown};
use super::pack::{EntryId, Kind, Pack};
use super::walk::{self, Edit, Visitor};

/// The number of a tree.
pub(crate) type TreeId = u32;
/// The number of a blob that counts.
pub(crate) type BlobId = u32;
/// The number of a name in a path.
pub(crate) type NameId = u32;

/// What an entry of a tree leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Target {
    Tree(TreeId),
    Blob(BlobId),
}

/// An entry of a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Branch {
    pub(crate) name: NameId,
    pub(crate) target: Target,
}

/// The trees that lead to blobs that count.
pub(crate) struct Trees {
    numbers: IdMap<ObjectId, TreeId>,
    /// By tree, its entries that lead to such blobs, by name.
    branches: Vec<Box<[Branch]>>,
    names: Vec<Box<[u8]>>,
}

impl Trees {
    /// Reads all trees, for the blobs that `wanted` numbers. What cannot be read is added to `losses`.
    pub(crate) fn read(
        objects: &Objects,
        hash: HashKind,
        wanted: &IdMap<ObjectId, BlobId>,
        threads: usize,
        losses: &mut Losses,
    ) -> Self {
        let shared = Mutex::new(Reader::default());
        let filter = Filter::new(wanted);
        for pack in &objects.packs {
            let visitor =
                || TreeVisitor { pack, hash, wanted, filter: &filter, shared: &shared, losses: Losses::default() };
            for visitor in walk::walk(pack, threads, |at| pack.kind(at) == Kind::Tree, visitor) {
                losses.merge(visitor.losses);
            }
        }
        let mut reader = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut inflater = Inflater::default();
        for (folder, id) in objects.loose(hash) {
            let folder = &objects.folders[folder];
            match loose::tree(&mut inflater, folder, id) {
                Ok(Some(tree)) => match parse(&tree, hash, wanted, &filter) {
                    Some(entries) => reader.add(id, &entries),
                    None => losses.add(&shown(folder), Unread::Corrupt, 1, Some(id)),
                },
                Ok(None) => {}
                // What cannot be read whole was counted when it was searched.
                Err(_) => {}
            }
        }
        reader.finish()
    }

    /// The number of a tree, if it leads to a blob that counts.
    pub(crate) fn number(&self, id: &ObjectId) -> Option<TreeId> {
        self.numbers.get(id).copied().filter(|number| !self.branches(*number).is_empty())
    }

    /// The entries of a tree that lead to blobs that count, by name.
    pub(crate) fn branches(&self, tree: TreeId) -> &[Branch] {
        self.branches.get(tree as usize).map_or(&[], |branches| branches)
    }

    /// The name of an entry.
    pub(crate) fn name(&self, name: NameId) -> &[u8] {
        self.names.get(name as usize).map_or(&[], |name| name)
    }
}

/// Says of most ids that they are not wanted, without a look at the table.
struct Filter(Vec<u64>);

impl Filter {
    const BITS: usize = 1 << 20;

    fn new(wanted: &IdMap<ObjectId, BlobId>) -> Self {
        let mut words = vec![0; Self::BITS / 64];
        for id in wanted.keys() {
            let bit = Self::bit(id);
            words[bit / 64] |= 1 << (bit % 64);
        }
        Self(words)
    }

    fn bit(id: &oid) -> usize {
        let bytes = id.as_bytes();
        (usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16) % Self::BITS
    }

    fn may_hold(&self, id: &oid) -> bool {
        let bit = Self::bit(id);
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }
}

/// An entry as a tree has it.
enum Parsed<'a> {
    Tree(&'a [u8], &'a oid),
    Blob(&'a [u8], BlobId),
}

/// The entries of a tree that are trees or wanted; `None` where it is broken.
fn parse<'a>(
    tree: &'a [u8],
    hash: HashKind,
    wanted: &IdMap<ObjectId, BlobId>,
    filter: &Filter,
) -> Option<Vec<Parsed<'a>>> {
    let mut entries = Vec::new();
    for entry in TreeRefIter::from_bytes(tree, hash) {
        let entry = entry.ok()?;
        if entry.mode.is_tree() {
            entries.push(Parsed::Tree(entry.filename, entry.oid));
        } else if !entry.mode.is_commit() && filter.may_hold(entry.oid) {
            entries.extend(wanted.get(entry.oid).map(|blob| Parsed::Blob(entry.filename, *blob)));
        }
    }
    Some(entries)
}

/// Gathers the trees.
#[derive(Default)]
struct Reader {
    numbers: IdMap<ObjectId, TreeId>,
    /// By tree, where its entries lie in `branches`.
    spans: Vec<(usize, u32)>,
    branches: Vec<Branch>,
    names: HashMap<Box<[u8]>, NameId>,
}

impl Reader {
    fn number(&mut self, id: &oid) -> TreeId {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = u32::try_from(self.spans.len()).unwrap_or(u32::MAX);
        self.numbers.insert(id.to_owned(), number);
        self.spans.push((0, 0));
        number
    }

    fn name(&mut self, name: &[u8]) -> NameId {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.insert(name.into(), number);
        number
    }

    fn add(&mut self, id: ObjectId, entries: &[Parsed<'_>]) {
        let number = self.number(&id) as usize;
        if entries.is_empty() || self.spans[number].1 > 0 {
            return;
        }
        let start = self.branches.len();
        for entry in entries {
            let branch = match entry {
                Parsed::Tree(name, id) => Branch { name: self.name(name), target: Target::Tree(self.number(id)) },
                Parsed::Blob(name, blob) => Branch { name: self.name(name), target: Target::Blob(*blob) },
            };
            self.branches.push(branch);
        }
        self.spans[number] = (start, u32::try_from(entries.len()).unwrap_or(u32::MAX));
    }

    fn span(&self, tree: TreeId) -> &[Branch] {
        let (start, len) = self.spans[tree as usize];
        &self.branches[start..start + len as usize]
    }

    /// Drops what leads to no blob.
    fn finish(self) -> Trees {
        let leads = self.leading();
        let branches = (0..self.spans.len()).map(|tree| {
            let kept = |branch: &&Branch| match branch.target {
                Target::Blob(_) => true,
                Target::Tree(tree) => leads[tree as usize],
            };
            let tree = u32::try_from(tree).unwrap_or(u32::MAX);
            let mut kept: Vec<Branch> = self.span(tree).iter().filter(kept).copied().collect();
            kept.sort_unstable();
            kept.dedup_by_key(|branch| branch.name);
            kept.into_boxed_slice()
        });
        let branches: Vec<Box<[Branch]>> = branches.collect();
        let mut names = vec![Box::default(); self.names.len()];
        for (name, number) in self.names {
            names[number as usize] = name;
        }
        Trees { numbers: self.numbers, branches, names }
    }

    /// By tree, whether a blob that counts lies below. Also ends where trees hold one another.
    fn leading(&self) -> Vec<bool> {
        // The trees that hold each, in one list.
        let targets = || {
            (0..self.spans.len()).flat_map(|tree| {
                let number = u32::try_from(tree).unwrap_or(u32::MAX);
                self.span(number).iter().map(move |branch| (tree, branch.target))
            })
        };
        let mut first = vec![0_usize; self.spans.len() + 1];
        for (_, target) in targets() {
            if let Target::Tree(below) = target {
                first[below as usize + 1] += 1;
            }
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut above = vec![0_u32; first.last().copied().unwrap_or(0)];
        let mut next = first.clone();
        let mut leads = vec![false; self.spans.len()];
        let mut queue: Vec<usize> = Vec::new();
        for (tree, target) in targets() {
            match target {
                Target::Tree(below) => {
                    above[next[below as usize]] = u32::try_from(tree).unwrap_or(u32::MAX);
                    next[below as usize] += 1;
                }
                Target::Blob(_) => queue.push(tree),
            }
        }
        while let Some(tree) = queue.pop() {
            if !std::mem::replace(&mut leads[tree], true) {
                queue.extend(above[first[tree]..first[tree + 1]].iter().map(|holder| *holder as usize));
            }
        }
        leads
    }
}

struct TreeVisitor<'a> {
    pack: &'a Pack,
    hash: HashKind,
    wanted: &'a IdMap<ObjectId, BlobId>,
    filter: &'a Filter,
    shared: &'a Mutex<Reader>,
    losses: Losses,
}

impl Visitor for TreeVisitor<'_> {
    type State = ();

    fn whole(&mut self, at: EntryId, text: &[u8]) {
        let id = self.pack.id(at);
        match parse(text, self.hash, self.wanted, self.filter) {
            Some(entries) => self.shared.lock().unwrap_or_else(PoisonError::into_inner).add(id, &entries),
            None => self.losses.add(&self.pack.name, Unread::Corrupt, 1, Some(id)),
        }
    }

    fn edited(&mut self, at: EntryId, edit: &Edit<'_>, _: &()) {
        self.whole(at, edit.text);
    }

    fn streamed(&mut self, _: EntryId, _: u64, _: Stream<'_>) -> Result<(), Unread> {
        Err(Unread::TooLarge)
    }

    fn lost(&mut self, at: EntryId, why: Unread) {
        self.losses.add(&self.pack.name, why, 1, Some(self.pack.id(at)));
    }
}
