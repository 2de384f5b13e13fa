//! Loose objects: one file each (<https://git-scm.com/docs/gitrepository-layout>).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::hash::Kind as HashKind;
use keytrail_rules::search::Search;

use super::Identify;
use super::blobs::Searcher;
use super::inflate::{Inflater, Stream};
use super::objects::Unread;
use super::pack::Kind;
use super::walk::{LARGE, MAX_TEXT};

/// A compressed file that is larger is not read. In bytes.
const MAX_FILE: u64 = 256 << 20;
/// The longest header: a type, a size and what is between them.
const MAX_HEADER: usize = 32;

/// The ids of the loose objects below a folder, in order. Names that are no ids are temporary files.
pub(crate) fn list(folder: &Path, hash: HashKind) -> Vec<ObjectId> {
    let mut ids = Vec::new();
    for first in 0..=255_u8 {
        let name = format!("{first:02x}");
        let Ok(entries) = folder.join(&name).read_dir() else { continue };
        for entry in entries.flatten() {
            let hex = format!("{name}{}", entry.file_name().to_string_lossy());
            if hex.len() == hash.len_in_hex() {
                ids.extend(ObjectId::from_hex(hex.as_bytes()).ok());
            }
        }
    }
    ids.sort_unstable();
    ids
}

/// Where a loose object lies.
pub(crate) fn path(folder: &Path, id: &gix::hash::oid) -> PathBuf {
    let hex = id.to_string();
    let (first, rest) = hex.split_at(2);
    folder.join(first).join(rest)
}

/// The compressed bytes of an object.
///
/// # Errors
/// A file that cannot be read, or is too large.
fn read(path: &Path) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|_| Unread::Missing)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|_| Unread::Missing)?;
    if bytes.len() as u64 > MAX_FILE { Err(Unread::TooLarge) } else { Ok(bytes) }
}

/// What the header of an object says: what it is, how many bytes it has, and how long the header is.
pub(crate) fn header(compressed: &[u8]) -> Result<(Kind, u64, usize), Unread> {
    let mut head = [0; MAX_HEADER];
    let mut stream = Stream::new(compressed);
    let read = stream.fill(&mut head)?;
    let end = head[..read].iter().position(|byte| *byte == 0).ok_or(Unread::Corrupt)?;
    let text = std::str::from_utf8(&head[..end]).map_err(|_| Unread::Corrupt)?;
    let (kind, size) = text.split_once(' ').ok_or(Unread::Corrupt)?;
    let kind = match kind {
        "blob" => Kind::Blob,
        "tree" => Kind::Tree,
        "commit" => Kind::Commit,
        "tag" => Kind::Tag,
        _ => return Err(Unread::Corrupt),
    };
    Ok((kind, size.parse().map_err(|_| Unread::Corrupt)?, end + 1))
}

/// Searches a loose object.
///
/// # Errors
/// One that cannot be read.
pub(crate) fn search<S: Search, I: Identify>(
    searcher: &mut Searcher<'_, S, I>,
    inflater: &mut Inflater,
    source: &str,
    folder: &Path,
    id: ObjectId,
) -> Result<(), Unread> {
    let compressed = read(&path(folder, &id))?;
    let (kind, size, head) = header(&compressed)?;
    if kind == Kind::Tree {
        return Ok(());
    }
    if size > LARGE {
        if kind != Kind::Blob {
            return Err(Unread::TooLarge);
        }
        let mut text = Stream::new(&compressed);
        text.fill(&mut [0; MAX_HEADER][..head])?;
        return searcher.large_blob(id, source, size, text);
    }
    let mut object = inflater.buffer();
    inflater.inflate(&compressed, size + head as u64, &mut object)?;
    if kind == Kind::Blob {
        searcher.blob(|| id, source, &object[head..]);
    } else {
        searcher.message(kind, id, source, &object[head..]);
    }
    inflater.recycle(object);
    Ok(())
}

/// A loose tree, for the graph; `None` for an object of another kind.
///
/// # Errors
/// One that cannot be read.
pub(crate) fn tree(inflater: &mut Inflater, folder: &Path, id: ObjectId) -> Result<Option<Vec<u8>>, Unread> {
    let compressed = read(&path(folder, &id))?;
    let (kind, ..) = header(&compressed)?;
    if kind == Kind::Tree { inflate(inflater, &compressed).map(Some) } else { Ok(None) }
}

/// What a loose object holds.
///
/// # Errors
/// One that cannot be read.
pub(crate) fn read_whole(inflater: &mut Inflater, folder: &Path, id: ObjectId) -> Result<Vec<u8>, Unread> {
    inflate(inflater, &read(&path(folder, &id))?)
}

fn inflate(inflater: &mut Inflater, compressed: &[u8]) -> Result<Vec<u8>, Unread> {
    let (_, size, head) = header(compressed)?;
    if size > MAX_TEXT as u64 {
        return Err(Unread::TooLarge);
    }
    let mut object = Vec::new();
    inflater.inflate(compressed, size + head as u64, &mut object)?;
    object.drain(..head);
    Ok(object)
}
