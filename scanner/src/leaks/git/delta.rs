//! Deltas: how git stores a text as an edit of another (<https://git-scm.com/docs/pack-format#_deltified_representation>).

use std::ops::Range;

use super::objects::Unread;

/// A part of a text that was copied from its base. Pieces that follow one another in both texts are one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// Where it lies in the base.
    pub(crate) from: usize,
    /// Where it lies in the text.
    pub(crate) to: usize,
    /// How long it is.
    pub(crate) len: usize,
}

impl Piece {
    /// Its place in the base.
    pub(crate) fn source(&self) -> Range<usize> {
        self.from..self.from + self.len
    }

    /// Its place in the text.
    pub(crate) fn target(&self) -> Range<usize> {
        self.to..self.to + self.len
    }
}

/// The sizes that a delta states: of its base, and of its result; and what follows them.
///
/// # Errors
/// A delta that ends within.
pub(crate) fn sizes(delta: &[u8]) -> Result<(u64, u64, &[u8]), Unread> {
    let (base, rest) = size(delta)?;
    let (result, rest) = size(rest)?;
    Ok((base, result, rest))
}

fn size(bytes: &[u8]) -> Result<(u64, &[u8]), Unread> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[at + 1..]));
        }
    }
    Err(Unread::Corrupt)
}

/// Applies a delta to its base: `out` becomes the text, `pieces` what of it was copied.
///
/// # Errors
/// A delta that is broken, is not of that base, or makes more than `limit` bytes.
pub(crate) fn apply(
    base: &[u8],
    delta: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
    pieces: &mut Vec<Piece>,
) -> Result<(), Unread> {
    out.clear();
    pieces.clear();
    let (base_size, result_size, mut rest) = sizes(delta)?;
    if base_size != base.len() as u64 {
        return Err(Unread::Corrupt);
    }
    let result_size = usize::try_from(result_size).ok().filter(|size| *size <= limit).ok_or(Unread::TooLarge)?;
    out.reserve(result_size);
    while let Some((&operation, after)) = rest.split_first() {
        rest = after;
        if operation & 0x80 != 0 {
            let from = fields(operation, 4, &mut rest)?;
            let len = match fields(operation >> 4, 3, &mut rest)? {
                0 => 0x1_0000,
                len => len,
            };
            let copied = base.get(from..from + len).ok_or(Unread::Corrupt)?;
            copy(out, copied, result_size)?;
            let to = out.len() - len;
            match pieces.last_mut() {
                Some(last) if last.from + last.len == from && last.to + last.len == to => last.len += len,
                _ => pieces.push(Piece { from, to, len }),
            }
        } else {
            let (inserted, after) = rest.split_at_checked(operation.into()).ok_or(Unread::Corrupt)?;
            rest = after;
            // Zero is reserved.
            if inserted.is_empty() {
                return Err(Unread::Corrupt);
            }
            copy(out, inserted, result_size)?;
        }
    }
    if out.len() == result_size { Ok(()) } else { Err(Unread::Corrupt) }
}

fn copy(out: &mut Vec<u8>, bytes: &[u8], result_size: usize) -> Result<(), Unread> {
    if bytes.len() > result_size - out.len() {
        return Err(Unread::Corrupt);
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// A little-endian number of which only the bytes are there whose bit is set in `present`.
fn fields(present: u8, count: u8, rest: &mut &[u8]) -> Result<usize, Unread> {
    let mut value = 0;
    for at in 0..count {
        if present & (1 << at) != 0 {
            let (byte, after) = rest.split_first().ok_or(Unread::Corrupt)?;
            value |= usize::from(*byte) << (8 * at);
            *rest = after;
        }
    }
    Ok(value)
}

/// What of a text may give other hits than its base did: all that was not copied, where two pieces meet that did not
/// meet in the base, and the text's ends where the base's were elsewhere. Ranges nearer than `margin` are one.
pub(crate) fn changes(pieces: &[Piece], base_len: usize, len: usize, margin: usize) -> Vec<Range<usize>> {
    let mut changed: Vec<Range<usize>> = Vec::new();
    let mut add = |range: Range<usize>| match changed.last_mut() {
        Some(last) if range.start.saturating_sub(last.end) < margin => last.end = last.end.max(range.end),
        _ => changed.push(range),
    };
    // Where the last piece ended: in the text, and in the base.
    let (mut end, mut base_end) = (0, 0);
    let ends = Piece { from: base_len, to: len, len: 0 };
    for piece in pieces.iter().chain([&ends]) {
        if piece.to > end || piece.from != base_end {
            // A hit across a seam depends on the byte on either side of it; one beside it may have ended its base.
            let around = end.saturating_sub(1)..(piece.to + 1).min(len);
            if !around.is_empty() {
                add(around);
            }
        }
        (end, base_end) = (piece.to + piece.len, piece.from + piece.len);
    }
    changed
}
