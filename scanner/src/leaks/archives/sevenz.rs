//! 7z (<https://py7zr.readthedocs.io/en/latest/archive_format.html>).

use std::io::{self, Read, SeekFrom};
use std::ops::ControlFlow;

use keytrail_rules::model::GapReason;
use sevenz_rust2::{Archive, Block, BlockDecoder, Error, Password};

use super::{Members, Seekable, damage, text_of};
use crate::leaks::bounds::Trouble;

/// The first bytes.
pub(super) const MAGIC: &[u8] = b"7z\xbc\xaf\x27\x1c";

/// The library takes the header, decoded, into memory: that of a million files is not larger.
const MAX_HEADER_BYTES: u64 = 64 * 1024 * 1024;

/// Dictionaries may be so large: what 7-Zip makes unless it is asked for more.
const MAX_DICTIONARY_BYTES: u64 = 256 * 1024 * 1024;

const ENCODED_HEADER: u8 = 0x17;

/// Hands every file over.
pub(super) fn read(mut input: &mut dyn Seekable, members: &mut dyn Members) -> io::Result<()> {
    check_header(input)?;
    let password = Password::empty();
    let archive = Archive::read(&mut input, &password).map_err(io_error)?;
    for index in 0..archive.blocks.len() {
        let decoder = BlockDecoder::new(1, index, &archive, &password, &mut input);
        let first = decoder.entries().first().map(|entry| text_of(entry.name.as_bytes()));
        let mut goes_on = ControlFlow::Continue(());
        let read = match needs(&archive.blocks[index]) {
            Some(trouble) => Err(trouble),
            None => decoder
                .for_each_entries(&mut |entry, content| {
                    if !entry.is_directory {
                        goes_on = members.member(&text_of(entry.name.as_bytes()), None, content);
                    }
                    Ok(goes_on == ControlFlow::Continue(()))
                })
                .map_err(trouble),
        };
        if let Err(trouble) = read {
            goes_on = members.unread(first.as_deref(), trouble);
        }
        if goes_on == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// Refuses a header that would fill the memory.
fn check_header(input: &mut dyn Seekable) -> io::Result<()> {
    let mut start = [0; 32];
    input.read_exact(&mut start)?;
    let field = |at: usize| start[at..at + 8].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let (offset, size) = (field(12), field(20));
    if size > MAX_HEADER_BYTES {
        return Err(damage("its header is larger than any"));
    }
    input.seek(SeekFrom::Start(offset.saturating_add(32)))?;
    let mut header = Vec::new();
    input.take(size).read_to_end(&mut header)?;
    input.seek(SeekFrom::Start(0))?;
    match header.split_first() {
        Some((&ENCODED_HEADER, fields)) => {
            Fields(fields).check().ok_or_else(|| damage("its header is broken, or larger than any"))
        }
        _ => Ok(()),
    }
}

/// What is left of the description of an encoded header.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    /// The leading ones of the first byte count the bytes that follow it.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let more = first.leading_ones();
        let low = self.bytes(u64::from(more))?.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let high = if more >= 7 { 0 } else { u64::from(first) & (0x7f >> more) };
        Some(low | high.checked_shl(8 * more).unwrap_or(0))
    }

    fn expect(&mut self, id: u8) -> Option<()> {
        (self.byte()? == id).then_some(())
    }

    /// Whether decoding takes no more memory than the limits say: packed streams, then coders in a row, then sizes.
    fn check(&mut self) -> Option<()> {
        self.expect(0x06)?;
        self.number()?;
        let streams = self.number().filter(|streams| *streams <= 4)?;
        self.expect(0x09)?;
        for _ in 0..streams {
            self.number()?;
        }
        // Checksums of all streams may come before the end.
        match self.byte()? {
            0x00 => {}
            0x0a => {
                self.expect(0x01)?;
                self.bytes(4 * streams)?;
                self.expect(0x00)?;
            }
            _ => return None,
        }
        self.expect(0x07)?;
        self.expect(0x0b)?;
        (self.number()? == 1).then_some(())?;
        self.expect(0x00)?;
        let coders = self.number().filter(|coders| *coders <= 4)?;
        for _ in 0..coders {
            let flags = self.byte().filter(|flags| flags & 0xd0 == 0)?;
            let method = self.bytes(u64::from(flags & 0x0f))?;
            let length = if flags & 0x20 == 0 { 0 } else { self.number()? };
            let properties = self.bytes(length)?;
            (dictionary(method, properties) <= MAX_DICTIONARY_BYTES).then_some(())?;
        }
        for _ in 0..2 * coders.saturating_sub(1) {
            self.number()?;
        }
        self.expect(0x0c)?;
        for _ in 0..coders {
            (self.number()? <= MAX_HEADER_BYTES).then_some(())?;
        }
        Some(())
    }
}

/// The memory that a coder takes, in bytes, by its method and properties: LZMA, LZMA2, PPMd.
fn dictionary(method: &[u8], properties: &[u8]) -> u64 {
    match (method, properties) {
        ([0x03, 0x01, 0x01] | [0x03, 0x04, 0x01], [_, size @ ..]) => {
            size.iter().take(4).rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        }
        ([0x21], [bits, ..]) => (2 | u64::from(bits & 1)) << (u32::from(bits & 0x3f) / 2 + 11),
        _ => 0,
    }
}

/// What keeps a block from being read.
fn needs(block: &Block) -> Option<Trouble> {
    let coders = || block.ordered_coder_iter().map(|(_, coder)| coder);
    if coders().any(|coder| coder.encoder_method_id().starts_with(&[0x06, 0xf1, 0x07])) {
        return Some(encrypted());
    }
    let largest = coders().map(|coder| dictionary(coder.encoder_method_id(), coder.properties())).max().unwrap_or(0);
    (largest > MAX_DICTIONARY_BYTES).then(|| {
        let message = format!(
            "the members from here on need {} MiB of memory to be read, and were not searched",
            largest / (1024 * 1024)
        );
        Trouble::new(GapReason::TooLarge, message)
    })
}

fn encrypted() -> Trouble {
    Trouble::new(GapReason::PermissionDenied, "the members from here on are encrypted, and were not searched")
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error, _) | Error::MaybeBadPassword(error) => error,
        Error::PasswordRequired => damage("its header is encrypted"),
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

fn trouble(error: Error) -> Trouble {
    match error {
        Error::PasswordRequired => encrypted(),
        Error::UnsupportedCompressionMethod(_) | Error::Unsupported(_) => Trouble::new(
            GapReason::Unsupported,
            format!("the members from here on are compressed in a way that is not read: {error}"),
        ),
        error => Trouble::new(
            GapReason::Malformed,
            format!("the archive is damaged: {}; the members from here on were not searched", io_error(error)),
        ),
    }
}
