//! The sources that are searched for leaked secrets: files, folders, logs, archives, standard input.
//!
//! # Guarantees
//! What could not be read is a gap. Memory does not grow with what is read.

pub mod accepted;
mod archives;
mod bounds;
pub mod checkpoint;
pub mod contents;
pub(crate) mod decompress;
pub mod files;
pub mod gather;
pub mod git;
pub mod hunt;
pub mod known;
mod lines;
#[cfg(test)]
mod samples;
pub mod stream;
mod text;
#[cfg(test)]
mod toy;

pub use bounds::Limits;

use checkpoint::Checkpoint;
use keytrail_rules::model::Gap;
use keytrail_rules::search::Hit;

/// Where a hit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position<'a> {
    /// Path with `/` between its parts; members of archives follow a `!`: `a.zip!dir/b.txt`.
    pub path: &'a str,
    /// 1-based, in the text: of a compressed file, the text that was compressed.
    pub line: u64,
    /// First column of the value, 1-based, in UTF-16 units.
    pub start_column: u32,
    /// First column after the value, on the line where it begins.
    pub end_column: u32,
    /// Bytes before the value: in the file or member, decompressed, before any change of encoding.
    pub offset: u64,
}

/// How far a search has come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// Files and members of archives that were searched to their end.
    pub files: u64,
    /// Bytes that were searched, decompressed.
    pub bytes: u64,
}

impl Progress {
    /// Adds what another thread, or another source, did.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// Takes what a search finds, when it finds it.
pub trait Sink {
    /// A secret, with the text around it. The offsets of the hit count from the start of `text`, which holds the bytes
    /// that the hit depends on and some before.
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit);

    /// Something that could not be searched.
    fn gap(&mut self, gap: Gap);

    /// More was searched than before.
    fn progress(&mut self, _more: Progress) {}

    /// How far a file that may grow was searched, for the next search of it.
    fn checkpoint(&mut self, _path: &str, _checkpoint: Checkpoint) {}
}
