//! Inflating what git deflated.

use gix::zlib::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;

use super::objects::Unread;

/// Deflate makes no more of a byte than this.
const MAX_RATIO: u64 = 1_032;

/// A decompressor, and buffers to use again.
pub(crate) struct Inflater {
    whole: Decompressor,
    spare: Vec<Vec<u8>>,
}

/// No more buffers than this are kept, and none that is larger.
const SPARE: usize = 8;
const SPARE_BYTES: usize = 4 << 20;

impl Default for Inflater {
    fn default() -> Self {
        Self { whole: Decompressor::new(), spare: Vec::new() }
    }
}

impl Inflater {
    /// Inflates a zlib stream of which the size is known.
    ///
    /// # Errors
    /// A stream that is broken, or does not have that size.
    pub(crate) fn inflate(&mut self, compressed: &[u8], size: u64, out: &mut Vec<u8>) -> Result<(), Unread> {
        if size > (compressed.len() as u64).saturating_mul(MAX_RATIO) {
            return Err(Unread::Corrupt);
        }
        let size = usize::try_from(size).map_err(|_| Unread::TooLarge)?;
        out.resize(size, 0);
        match self.whole.zlib_decompress(compressed, out) {
            Ok(written) if written == size => Ok(()),
            _ => Err(Unread::Corrupt),
        }
    }

    /// An empty buffer.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back a buffer.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE && buffer.capacity() <= SPARE_BYTES {
            // Its bytes stay: the next text that is inflated into it need not clear them first.
            if buffer.len() > SPARE_BYTES {
                buffer.clear();
            }
            self.spare.push(buffer);
        }
    }
}

/// Inflates a stream piece by piece.
pub(crate) struct Stream<'a> {
    state: Decompress,
    rest: &'a [u8],
    done: bool,
}

impl<'a> Stream<'a> {
    /// Starts at the start.
    pub(crate) fn new(compressed: &'a [u8]) -> Self {
        Self { state: Decompress::new(), rest: compressed, done: false }
    }

    /// Fills `out`, or what the stream still has of it; returns how many bytes.
    ///
    /// # Errors
    /// A stream that is broken or ends early.
    pub(crate) fn fill(&mut self, out: &mut [u8]) -> Result<usize, Unread> {
        let mut filled = 0;
        while filled < out.len() && !self.done {
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(self.rest, &mut out[filled..], FlushDecompress::None);
            let status = status.map_err(|_| Unread::Corrupt)?;
            let read = usize::try_from(self.state.total_in() - before_in).unwrap_or(usize::MAX);
            let written = usize::try_from(self.state.total_out() - before_out).unwrap_or(usize::MAX);
            self.rest = self.rest.get(read..).unwrap_or_default();
            filled += written;
            self.done = matches!(status, Status::StreamEnd);
            if !self.done && read == 0 && written == 0 {
                return Err(Unread::Corrupt);
            }
        }
        Ok(filled)
    }

    /// Whether all was read, and the checksum held.
    ///
    /// # Errors
    /// A stream that has more than was read, or is broken.
    pub(crate) fn finish(mut self) -> Result<(), Unread> {
        let more = self.fill(&mut [0])?;
        if more == 0 && self.done { Ok(()) } else { Err(Unread::Corrupt) }
    }
}
