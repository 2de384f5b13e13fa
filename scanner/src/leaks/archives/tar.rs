//! tar: ustar and pax (IEEE Std 1003.1-2024, `pax`), and GNU's long names and sparse files
//! (<https://www.gnu.org/software/tar/manual/html_node/Standard.html>).
//!
//! Own code, as the readers there are take names of any length into memory. Of a sparse file, the parts that are stored
//! are searched.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::{MAX_NAME_BYTES, Members, damage, skip, text_of};

const BLOCK: usize = 512;

/// Longer extended headers are cut.
const MAX_PAX_BYTES: u64 = 64 * 1024;

type Header = [u8; BLOCK];

/// Whether the bytes start with a header: its sum tells.
pub(super) fn is_header(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<BLOCK>() else { return false };
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'7' | b' ' | 0);
    header[148..156].iter().all(is_digit) && header[0] != 0 && number(&header[148..156]) == Some(sum(header))
}

/// Hands every file over.
pub(super) fn read(input: &mut dyn Read, members: &mut dyn Members) -> io::Result<()> {
    let mut next = Next::default();
    while let Some(header) = header(input)? {
        let stored = number(&header[124..136]).ok_or_else(|| damage("a header has no size"))?;
        let size = next.size.take().unwrap_or(stored);
        match header[156] {
            b'L' => next.name = Some(name_in(input, stored)?),
            b'x' => next.pax(&in_blocks(input, stored, MAX_PAX_BYTES)?),
            b'K' | b'g' => drop(in_blocks(input, stored, 0)?),
            // Links, devices, folders and pipes hold nothing.
            b'1'..=b'6' => next = Next::default(),
            kind => {
                if kind == b'S' {
                    skip_sparse_map(input, &header)?;
                }
                let name = std::mem::take(&mut next).name.unwrap_or_else(|| name(&header));
                let mut content = (&mut *input).take(size);
                if members.member(&name, None, &mut content) == ControlFlow::Break(()) {
                    return Ok(());
                }
                skip(&mut content)?;
                skip(&mut (&mut *input).take(padding(size)))?;
            }
        }
    }
    Ok(())
}

/// What earlier headers say of the next file.
#[derive(Default)]
struct Next {
    name: Option<String>,
    size: Option<u64>,
}

impl Next {
    /// Reads the records of an extended header: `LENGTH KEY=VALUE\n`.
    fn pax(&mut self, mut records: &[u8]) {
        while let Some(space) = records.iter().take(20).position(|byte| *byte == b' ') {
            let length = std::str::from_utf8(&records[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let Some((record, rest)) = length.and_then(|length| records.split_at_checked(length)) else { return };
            let Some(record) = record.get(space + 1..).and_then(|record| record.strip_suffix(b"\n")) else { return };
            if let Some(path) = record.strip_prefix(b"path=").or_else(|| record.strip_prefix(b"GNU.sparse.name=")) {
                self.name = Some(text_of(path));
            } else if let Some(size) = record.strip_prefix(b"size=") {
                self.size = std::str::from_utf8(size).ok().and_then(|digits| digits.parse().ok());
            }
            records = rest;
        }
    }
}

/// The next header; `None` at the end of the archive, or where another was appended, the end of the last.
fn header(input: &mut dyn Read) -> io::Result<Option<Header>> {
    let mut block = [0; BLOCK];
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(damage("it ends within a header")),
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if is_header(&block) {
            return Ok(Some(block));
        }
        if block.iter().any(|byte| *byte != 0) {
            return Err(damage("a header is broken"));
        }
    }
}

fn sum(header: &Header) -> u64 {
    let all: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    let own: u64 = header[148..156].iter().map(|byte| u64::from(*byte)).sum();
    all - own + 8 * u64::from(b' ')
}

/// A number in octal digits, or for large ones in GNU's binary form.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (first, rest) = (u64::from(field[0] & 0x7f), &field[1..]);
        return rest.iter().try_fold(first, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let digits = field.iter().skip_while(|byte| **byte == b' ').take_while(|byte| !matches!(byte, b' ' | 0));
    digits.into_iter().try_fold(0_u64, |sum, digit| {
        matches!(digit, b'0'..=b'7').then(|| sum.checked_mul(8)?.checked_add(u64::from(digit - b'0')))?
    })
}

fn name(header: &Header) -> String {
    let name = text_of(&header[..100]);
    let prefix = text_of(&header[345..500]);
    // GNU's own format has other things there.
    if &header[257..263] == b"ustar\0" && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Content that belongs to the archive itself, up to `limit` bytes of it.
fn in_blocks(input: &mut dyn Read, size: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut held = Vec::new();
    let mut content = (&mut *input).take(size);
    content.by_ref().take(limit).read_to_end(&mut held)?;
    skip(&mut content)?;
    skip(&mut (&mut *input).take(padding(size)))?;
    Ok(held)
}

fn name_in(input: &mut dyn Read, size: u64) -> io::Result<String> {
    Ok(text_of(&in_blocks(input, size, MAX_NAME_BYTES as u64)?))
}

/// A sparse file's header may go on in further blocks, the last byte but seven of which says whether another follows.
fn skip_sparse_map(input: &mut dyn Read, header: &Header) -> io::Result<()> {
    let mut more = header[482] != 0;
    while more {
        let mut block = [0; BLOCK];
        input.read_exact(&mut block)?;
        more = block[504] != 0;
    }
    Ok(())
}
