//! ar, which Debian packages are (`deb(5)`), with the long names of GNU and BSD (<https://man.freebsd.org/ar/5>).

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::{MAX_NAME_BYTES, Members, damage, skip, text_of};

/// The first bytes.
pub(super) const MAGIC: &[u8] = b"!<arch>\n";

/// Larger tables of long names are cut.
const MAX_TABLE_BYTES: u64 = 16 * 1024 * 1024;

/// Hands every member over.
pub(super) fn read(input: &mut dyn Read, members: &mut dyn Members) -> io::Result<()> {
    input.read_exact(&mut [0; MAGIC.len()])?;
    let mut long_names = Vec::new();
    while let Some(header) = header(input)? {
        let size = number(&header[48..58]).ok_or_else(|| damage("a header has no size"))?;
        let mut content = (&mut *input).take(size);
        let field = header[..16].trim_ascii_end();
        if field == b"//" {
            content.by_ref().take(MAX_TABLE_BYTES).read_to_end(&mut long_names)?;
        } else {
            let name = name(field, &long_names, &mut content)?;
            if members.member(&name, None, &mut content) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        skip(&mut content)?;
        // Members start at even places; the last need not be filled up.
        io::copy(&mut (&mut *input).take(size % 2), &mut io::sink())?;
    }
    Ok(())
}

fn header(input: &mut dyn Read) -> io::Result<Option<[u8; 60]>> {
    let mut header = [0; 60];
    let first = loop {
        match input.read(&mut header[..1]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    input.read_exact(&mut header[1..])?;
    if header.ends_with(b"`\n") { Ok(Some(header)) } else { Err(damage("a header is broken")) }
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

/// A short name; `/OFFSET` into the table of long names; or `#1/LENGTH`, with the name before the content.
fn name(field: &[u8], long_names: &[u8], content: &mut impl Read) -> io::Result<String> {
    if let Some(length) = field.strip_prefix(b"#1/").and_then(number) {
        let mut name = Vec::new();
        let mut rest = content.take(length);
        rest.by_ref().take(MAX_NAME_BYTES as u64).read_to_end(&mut name)?;
        io::copy(&mut rest, &mut io::sink())?;
        return Ok(text_of(&name));
    }
    let offset = field.strip_prefix(b"/").and_then(number).and_then(|offset| usize::try_from(offset).ok());
    let long = offset.and_then(|offset| long_names.get(offset..));
    let name = long.map_or(field, |rest| rest.split(|byte| *byte == b'\n').next().unwrap_or_default());
    Ok(text_of(name.strip_suffix(b"/").unwrap_or(name)))
}
