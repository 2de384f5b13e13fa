//! A pack: its entries, and which is a delta of which (<https://git-scm.com/docs/pack-format>).

use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::hash::{Kind as HashKind, oid};
use gix::odb::pack::data::{Entry as GixEntry, File, entry::Header};
use gix::odb::pack::index;

use super::objects::{Unread, shown};

/// What an entry is in the end, after its deltas.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
    /// Nothing that can be read: its header is broken, or its base is not there.
    Broken,
}

/// The number of an entry: the place of its offset among all.
pub(crate) type EntryId = u32;

/// No entry.
const NONE: EntryId = EntryId::MAX;

/// One entry, linked to its base and its deltas.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    /// Its place in the index, by which its id is found.
    position: u32,
    base: EntryId,
    first_child: EntryId,
    next_sibling: EntryId,
    /// Compressed bytes of it and of all that are made from it, in units of 16.
    weight: u32,
    kind: Kind,
}

/// Why a whole pack cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error("{0}")]
    Unreadable(gix::Error),
    #[error("it holds {pack} objects, and its index {index}")]
    OtherIndex { pack: u32, index: u32 },
    #[error("its index names places outside of it")]
    Offsets,
}

/// What an entry holds, deflated.
pub(crate) struct Raw<'a> {
    /// The zlib stream, and perhaps some bytes more.
    pub(crate) compressed: &'a [u8],
    /// The size of what it holds: of the object, or of the delta.
    pub(crate) size: u64,
}

/// A pack and its index, mapped into memory.
pub(crate) struct Pack {
    data: File,
    index: index::File,
    entries: Vec<Entry>,
    /// What messages call it.
    pub(crate) name: String,
}

impl Pack {
    /// Opens a `.pack` with the `.idx` beside it, and links its entries.
    ///
    /// # Errors
    /// A pack or an index that is not one, or that do not belong together.
    pub(crate) fn open(path: &Path, hash: HashKind) -> Result<Self, PackError> {
        let index_path: PathBuf = path.with_extension("idx");
        let data = File::at(path, hash).map_err(PackError::Unreadable)?;
        let index = index::File::at(index_path, hash).map_err(PackError::Unreadable)?;
        Self::new(data, index, shown(path))
    }

    fn new(data: File, index: index::File, name: String) -> Result<Self, PackError> {
        if data.num_objects() != index.num_objects() {
            return Err(PackError::OtherIndex { pack: data.num_objects(), index: index.num_objects() });
        }
        let mut entries: Vec<Entry> = (0..index.num_objects())
            .map(|position| Entry {
                offset: index.pack_offset_at_index(position),
                position,
                base: NONE,
                first_child: NONE,
                next_sibling: NONE,
                weight: 0,
                kind: Kind::Broken,
            })
            .collect();
        entries.sort_unstable_by_key(|entry| entry.offset);
        let inside = |entry: &Entry| entry.offset >= 12 && entry.offset < data.pack_end() as u64;
        if !entries.iter().all(inside) || entries.windows(2).any(|pair| pair[0].offset == pair[1].offset) {
            return Err(PackError::Offsets);
        }
        let mut pack = Self { data, index, entries, name };
        pack.link();
        Ok(pack)
    }

    /// Links every delta to its base, and gives every entry the kind of what it is made from.
    fn link(&mut self) {
        for number in 0..self.len() {
            let at = number as usize;
            let size = (self.end(number) - self.entries[at].offset) / 16 + 1;
            self.entries[at].weight = u32::try_from(size).unwrap_or(u32::MAX);
            let Ok(header) = self.header(number) else { continue };
            let base = match header.header {
                Header::Commit => self.root(at, Kind::Commit),
                Header::Tree => self.root(at, Kind::Tree),
                Header::Blob => self.root(at, Kind::Blob),
                Header::Tag => self.root(at, Kind::Tag),
                Header::OfsDelta { base_distance } => {
                    self.entries[at].offset.checked_sub(base_distance).and_then(|offset| self.at_offset(offset))
                }
                Header::RefDelta { base_id } => self.find(&base_id),
            };
            // An entry that is its own base is never met from a root.
            if let Some(base) = base {
                self.entries[at].base = base;
            }
        }
        self.chain();
    }

    fn root(&mut self, at: usize, kind: Kind) -> Option<EntryId> {
        self.entries[at].kind = kind;
        None
    }

    /// Fills in kinds and weights along the deltas, and orders each entry's deltas, the heaviest last.
    fn chain(&mut self) {
        let by_base = |entries: &mut Vec<Entry>, number: EntryId| {
            let base = entries[number as usize].base as usize;
            if let Some(head) = entries.get(base).map(|base| base.first_child) {
                entries[number as usize].next_sibling = head;
                entries[base].first_child = number;
            }
        };
        for number in 0..self.len() {
            by_base(&mut self.entries, number);
        }
        // What no root leads to (a cycle, a delta of what is not there) stays broken.
        let roots = (0..self.len()).filter(|number| self.entries[*number as usize].kind != Kind::Broken);
        let mut order: Vec<EntryId> = roots.collect();
        let mut next = 0;
        while let Some(&number) = order.get(next) {
            next += 1;
            let kind = self.entries[number as usize].kind;
            let mut child = self.entries[number as usize].first_child;
            while child != NONE {
                self.entries[child as usize].kind = kind;
                order.push(child);
                child = self.entries[child as usize].next_sibling;
            }
        }
        for &number in order.iter().rev() {
            let Entry { weight, base, .. } = self.entries[number as usize];
            if let Some(base) = self.entries.get_mut(base as usize) {
                base.weight = base.weight.saturating_add(weight);
            }
        }
        for entry in &mut self.entries {
            (entry.first_child, entry.next_sibling) = (NONE, NONE);
        }
        order.sort_unstable_by_key(|number| (std::cmp::Reverse(self.entries[*number as usize].weight), *number));
        for number in order {
            by_base(&mut self.entries, number);
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> EntryId {
        u32::try_from(self.entries.len()).unwrap_or(NONE)
    }

    /// All entries, as they lie in the file.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = EntryId> + use<> {
        0..self.len()
    }

    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.data.data_len() as u64
    }

    /// What an entry is.
    pub(crate) fn kind(&self, number: EntryId) -> Kind {
        self.entries[number as usize].kind
    }

    /// What an entry is a delta of.
    pub(crate) fn base(&self, number: EntryId) -> Option<EntryId> {
        Some(self.entries[number as usize].base).filter(|base| *base != NONE)
    }

    /// Compressed bytes of an entry and of all that are made from it, about.
    pub(crate) fn weight(&self, number: EntryId) -> u64 {
        u64::from(self.entries[number as usize].weight) * 16
    }

    /// The id of an entry's object.
    pub(crate) fn id(&self, number: EntryId) -> ObjectId {
        self.index.oid_at_index(self.entries[number as usize].position).to_owned()
    }

    /// Entries whose base nothing leads to, or whose header is broken.
    pub(crate) fn broken(&self) -> impl Iterator<Item = EntryId> {
        (0..self.len()).filter(|number| self.kind(*number) == Kind::Broken)
    }

    /// Entries that are no deltas.
    pub(crate) fn roots(&self) -> impl Iterator<Item = EntryId> {
        (0..self.len()).filter(|number| self.kind(*number) != Kind::Broken && self.base(*number).is_none())
    }

    /// The entries that are deltas of this one, the one with the most below it last.
    pub(crate) fn first_delta(&self, number: EntryId) -> Option<EntryId> {
        Some(self.entries[number as usize].first_child).filter(|child| *child != NONE)
    }

    /// The next delta of the same base.
    pub(crate) fn next_delta(&self, number: EntryId) -> Option<EntryId> {
        Some(self.entries[number as usize].next_sibling).filter(|child| *child != NONE)
    }

    /// Whether an object is in the pack.
    pub(crate) fn holds(&self, id: &oid) -> bool {
        self.index.lookup(id).is_some()
    }

    /// The entry of an object.
    pub(crate) fn find(&self, id: &oid) -> Option<EntryId> {
        self.at_offset(self.index.pack_offset_at_index(self.index.lookup(id)?))
    }

    fn at_offset(&self, offset: u64) -> Option<EntryId> {
        let found = self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        u32::try_from(found).ok()
    }

    /// Where the next entry begins.
    fn end(&self, number: EntryId) -> u64 {
        self.entries.get(number as usize + 1).map_or(self.data.pack_end() as u64, |next| next.offset)
    }

    fn header(&self, number: EntryId) -> Result<GixEntry, Unread> {
        let offset = self.entries[number as usize].offset;
        let bytes = self.data.entry_slice(offset..self.end(number)).ok_or(Unread::Corrupt)?;
        GixEntry::from_bytes(bytes, offset, self.data.object_hash()).map_err(|_| Unread::Corrupt)
    }

    /// What an entry holds.
    ///
    /// # Errors
    /// An entry whose header is broken.
    pub(crate) fn raw(&self, number: EntryId) -> Result<Raw<'_>, Unread> {
        let header = self.header(number)?;
        let compressed = self.data.entry_slice(header.data_offset..self.end(number)).ok_or(Unread::Corrupt)?;
        Ok(Raw { compressed, size: header.decompressed_size })
    }
}
