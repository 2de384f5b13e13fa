//! Archives, told by their first bytes. A reader of a kind hands each member over while it reads; what it cannot read it
//! names.
//!
//! # Assumptions
//! Names of members are only names: nothing is written to where they point, and links are not followed.

mod ar;
mod sevenz;
mod tar;
mod zip;

use std::io::{self, Read, Seek};
use std::ops::ControlFlow;

use super::bounds::Trouble;

/// A file that can be read back and forth.
pub(super) trait Seekable: Read + Seek {}

impl<T: Read + Seek> Seekable for T {}

/// Takes the members of an archive.
pub(super) trait Members {
    /// A member, with the number of bytes that it has in the archive where it is compressed there.
    ///
    /// # Errors
    /// None of the member's: [`ControlFlow::Break`] is a limit that ends the reading of the archive.
    fn member(&mut self, name: &str, packed: Option<u64>, content: &mut dyn Read) -> ControlFlow<()>;

    /// A member that cannot be read, or with no name the rest of the archive.
    fn unread(&mut self, name: Option<&str>, trouble: Trouble) -> ControlFlow<()>;
}

/// How an archive is read. An error is said to be damage of the archive.
pub(super) enum Reader {
    /// From its start to its end.
    Stream(fn(&mut dyn Read, &mut dyn Members) -> io::Result<()>),
    /// Back and forth.
    Seek(fn(&mut dyn Seekable, &mut dyn Members) -> io::Result<()>),
}

/// A kind of archive.
pub(super) struct Archive {
    /// As messages name it.
    pub(super) name: &'static str,
    is: fn(&[u8]) -> bool,
    pub(super) reader: Reader,
}

/// Every kind.
const ARCHIVES: &[Archive] = &[
    // APPNOTE 4.3.7, 4.3.16 and 8.5.4: a member, the end of an empty archive, the mark of one in several parts.
    Archive {
        name: "zip archive",
        is: |head| [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"].iter().any(|magic| head.starts_with(*magic)),
        reader: Reader::Seek(zip::read),
    },
    Archive { name: "tar archive", is: tar::is_header, reader: Reader::Stream(tar::read) },
    Archive { name: "ar archive", is: |head| head.starts_with(ar::MAGIC), reader: Reader::Stream(ar::read) },
    Archive { name: "7z archive", is: |head| head.starts_with(sevenz::MAGIC), reader: Reader::Seek(sevenz::read) },
];

/// The archive that a stream starts as.
pub(super) fn archive(head: &[u8]) -> Option<&'static Archive> {
    ARCHIVES.iter().find(|one| (one.is)(head))
}

/// Longer names are cut.
const MAX_NAME_BYTES: usize = 4096;

/// A name as text. What is not UTF-8 in it becomes `�`.
fn text_of(name: &[u8]) -> String {
    let name = &name[..name.len().min(MAX_NAME_BYTES)];
    String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn damage(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Reads on to the end of a member, whose reader counted what is left.
///
/// # Errors
/// The reader's, and its end before the member's.
fn skip<R: Read>(content: &mut io::Take<R>) -> io::Result<()> {
    io::copy(content, &mut io::sink())?;
    if content.limit() > 0 { Err(damage("it ends within a member")) } else { Ok(()) }
}
