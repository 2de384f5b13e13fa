//! The bytes of a file, inflated.
//!
//! A gzip file of usual size is inflated at once, which costs half of what a stream does; all others are read in pieces.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use libdeflater::{Decompressor, crc32};

/// Bytes that are read at a time.
const PIECE: usize = 4 << 20;
/// A file that is compressed to more, or inflates to more, is read in pieces.
const AT_ONCE: usize = 64 << 20;
/// Deflate makes no more of a byte than this.
const MAX_RATIO: usize = 1_032;
/// Bytes after the compressed data in a gzip file: the checksum and the size of what was compressed.
const TRAILER: usize = 8;

/// Buffers to use for one file after the other.
pub(super) struct Buffers {
    inflater: Decompressor,
    compressed: Vec<u8>,
    /// Inflated bytes that are in memory; after them, bytes of earlier use.
    text: Vec<u8>,
}

/// An open file.
pub(super) struct Opened<'a> {
    text: &'a mut Vec<u8>,
    /// Bytes of `text` that are of the file.
    filled: usize,
    rest: Option<Box<dyn Read + 'a>>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { inflater: Decompressor::new(), compressed: Vec::new(), text: Vec::new() }
    }
}

impl Buffers {
    /// Opens a file; `-` is standard input. With `strict`, a gzip file must be one member with nothing after it.
    ///
    /// # Errors
    /// A file that cannot be opened or read.
    pub(super) fn open(&mut self, path: &Path, strict: bool) -> io::Result<Opened<'_>> {
        if path.as_os_str() == "-" {
            return self.stream(Box::new(BufReader::with_capacity(1 << 16, io::stdin())), strict);
        }
        let mut file = File::open(path)?;
        if file.metadata()?.len() > AT_ONCE as u64 {
            return self.stream(Box::new(BufReader::with_capacity(1 << 16, file)), strict);
        }
        self.compressed.clear();
        (&mut file).take(AT_ONCE as u64).read_to_end(&mut self.compressed)?;
        if !strict && let Some(filled) = self.inflate_at_once() {
            return Ok(Opened { text: &mut self.text, filled, rest: None });
        }
        let compressed = &self.compressed[..];
        let rest = inflated(Box::new(compressed.chain(file_rest(file))), strict)?;
        Ok(Opened { text: &mut self.text, filled: 0, rest: Some(rest) })
    }

    fn stream<'a>(&'a mut self, reader: Box<dyn BufRead + 'a>, strict: bool) -> io::Result<Opened<'a>> {
        Ok(Opened { text: &mut self.text, filled: 0, rest: Some(inflated(reader, strict)?) })
    }

    /// Inflates a gzip file of one member.
    fn inflate_at_once(&mut self) -> Option<usize> {
        let (rest, trailer) = self.compressed.split_last_chunk::<TRAILER>()?;
        let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
        let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
        let deflated = after_header(rest)?;
        if size > AT_ONCE.min(deflated.len().saturating_mul(MAX_RATIO)) {
            return None;
        }
        if self.text.len() < size {
            self.text.resize(size, 0);
        }
        let text = &mut self.text[..size];
        let written = self.inflater.deflate_decompress(deflated, text).ok()?;
        // A second member, or anything else at the end, has another checksum or size.
        (written == size && crc32(text) == u32::from_le_bytes([c0, c1, c2, c3])).then_some(size)
    }
}

/// What follows the header of a gzip member, if that has nothing but perhaps a name.
///
/// Source: RFC 1952, 2.3
fn after_header(member: &[u8]) -> Option<&[u8]> {
    const DEFLATE: u8 = 8;
    const NAME: u8 = 8;
    let [0x1f, 0x8b, DEFLATE, flags, _, _, _, _, _, _, rest @ ..] = member else { return None };
    match *flags {
        0 => Some(rest),
        NAME => rest.get(memchr::memchr(0, rest)? + 1..),
        _ => None,
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What came to the file while its first bytes were read.
fn file_rest(file: File) -> impl BufRead {
    BufReader::new(file)
}

pub(super) fn inflated<'a>(mut reader: Box<dyn BufRead + 'a>, strict: bool) -> io::Result<Box<dyn Read + 'a>> {
    let start = reader.fill_buf()?;
    if start.starts_with(&GZIP) {
        Ok(Box::new(Members { current: Some(GzDecoder::new(reader)), strict }))
    } else if start.starts_with(&ZSTD) {
        Ok(Box::new(zstd::stream::read::Decoder::with_buffer(reader)?))
    } else {
        Ok(reader)
    }
}

/// The members of a gzip file, one after the other.
struct Members<R: BufRead> {
    current: Option<GzDecoder<R>>,
    strict: bool,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.current {
            let read = member.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            let Some(mut reader) = self.current.take().map(GzDecoder::into_inner) else { break };
            let after = reader.fill_buf()?;
            if after.is_empty() {
                break;
            }
            if self.strict || !after.starts_with(&GZIP) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "there are bytes after the end of the gzip data",
                ));
            }
            self.current = Some(GzDecoder::new(reader));
        }
        Ok(0)
    }
}

impl Opened<'_> {
    /// The bytes that are in memory, and whether they are the last.
    pub(super) fn text(&self) -> (&[u8], bool) {
        (&self.text[..self.filled], self.rest.is_none())
    }

    /// Drops the first bytes, and reads more after the others. Gives the new ones.
    ///
    /// # Errors
    /// A file that cannot be read further, or is not what it was compressed from; it counts as ended then.
    pub(super) fn advance(&mut self, used: usize) -> io::Result<&[u8]> {
        self.text.copy_within(used..self.filled, 0);
        self.filled -= used;
        let start = self.filled;
        let Some(rest) = &mut self.rest else { return Ok(&[]) };
        if self.text.len() < start + PIECE {
            self.text.resize(start + PIECE, 0);
        }
        let end = start + PIECE;
        while self.filled < end {
            match rest.read(&mut self.text[self.filled..end]) {
                Ok(0) => {
                    self.rest = None;
                    break;
                }
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.rest = None;
                    return Err(error);
                }
            }
        }
        Ok(&self.text[start..self.filled])
    }
}
