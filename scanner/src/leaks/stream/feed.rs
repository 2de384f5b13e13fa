//! Where the bytes of a stream come from.

use std::io::{self, Read};

/// What a feed had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filled {
    /// So many bytes; none at the end.
    Bytes(usize),
    /// Nothing for a while; more may follow.
    Idle,
}

/// Gives bytes.
pub trait Feed {
    /// Writes what there is to the start of `space`, which is not empty.
    ///
    /// # Errors
    /// What the source says.
    fn fill(&mut self, space: &mut [u8]) -> io::Result<Filled>;
}

/// A reader that is never idle.
pub struct Plain<R>(pub R);

impl<R: Read> Feed for Plain<R> {
    fn fill(&mut self, space: &mut [u8]) -> io::Result<Filled> {
        self.0.read(space).map(Filled::Bytes)
    }
}
