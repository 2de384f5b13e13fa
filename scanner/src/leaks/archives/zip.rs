//! zip and what is made of it: jar, wheel, office documents.
//!
//! The entries are read one by one: an index of all of them, as the stable part of the library makes, would take more
//! memory than a large archive has bytes.

use std::io::{self, BufReader, SeekFrom};
use std::ops::ControlFlow;

use keytrail_rules::model::GapReason;
use zip::read::{Config, ZipReadOptions, read_zipfile_from_stream};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use super::{Members, Seekable, text_of};
use crate::leaks::bounds::Trouble;

/// Hands every file over: those of the archive's directory; where that is damaged, those that follow each other.
pub(super) fn read(input: &mut dyn Seekable, members: &mut dyn Members) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let damage = match ZipIterable::try_new(&mut input, Config::default()) {
        Ok(mut archive) => return read_directory(&mut archive, members),
        Err(error) => io_error(error),
    };
    io::Seek::seek(&mut input, SeekFrom::Start(0))?;
    while let Ok(Some(mut file)) = read_zipfile_from_stream(&mut input) {
        let (name, packed) = (text_of(file.name_raw()), file.compressed_size());
        if !file.is_dir() && members.member(&name, Some(packed), &mut file) == ControlFlow::Break(()) {
            return Ok(());
        }
    }
    Err(damage)
}

fn read_directory<R: io::Read + io::Seek>(archive: &mut ZipIterable<R>, members: &mut dyn Members) -> io::Result<()> {
    let files = archive.files().map_err(io_error)?;
    while let Some(entry) = files.next() {
        let entry = entry.map_err(io_error)?;
        if entry.is_dir() {
            continue;
        }
        let (name, packed, encrypted) = (text_of(entry.name_raw()), entry.compressed_size(), entry.encrypted());
        let goes_on = match entry.with_reader(files.reader_mut(), ZipReadOptions::new()) {
            _ if encrypted => {
                let trouble =
                    Trouble::new(GapReason::PermissionDenied, "the member is encrypted, and was not searched");
                members.unread(Some(&name), trouble)
            }
            Ok(mut file) => members.member(&name, Some(packed), &mut file),
            Err(error) => members.unread(Some(&name), trouble(error)),
        };
        if goes_on == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

fn io_error(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

fn trouble(error: ZipError) -> Trouble {
    match error {
        ZipError::CompressionMethodNotSupported(method) => Trouble::new(
            GapReason::Unsupported,
            format!("the member is compressed by method {method}, which is not read"),
        ),
        ZipError::UnsupportedArchive(message) => {
            Trouble::new(GapReason::Unsupported, format!("the member was not searched: {message}"))
        }
        error => Trouble::new(GapReason::Malformed, format!("the member is damaged, and was not searched: {error}")),
    }
}
