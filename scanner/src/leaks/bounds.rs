//! Limits to what one file may unfold to.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

use keytrail_rules::model::GapReason;

/// What one file may hold, compressed and packed within each other.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Archives and compressions within each other.
    pub depth: u32,
    /// Members of all archives in it.
    pub members: u64,
    /// Bytes that all compressed parts of it unfold to.
    pub bytes: u64,
    /// How many times its size a compressed part may unfold to, once it is more than `free_bytes`.
    pub ratio: u64,
    /// See `ratio`.
    pub free_bytes: u64,
    /// Bytes of an archive within another that can only be read back and forth: they are held on disk, unnamed.
    pub held_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 8, members: 250_000, bytes: 1 << 40, ratio: 250, free_bytes: 1 << 30, held_bytes: 4 << 30 }
    }
}

/// What of the limits one file has used.
pub(super) struct Bounds<'l> {
    pub(super) limits: &'l Limits,
    /// Bytes of the file itself that were read.
    pub(super) packed: Cell<u64>,
    unpacked: Cell<u64>,
    members: Cell<u64>,
    /// Whether a limit of the whole file was met.
    pub(super) stopped: Cell<bool>,
}

impl<'l> Bounds<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        let [packed, unpacked, members] = [0; 3].map(Cell::new);
        Self { limits, packed, unpacked, members, stopped: Cell::new(false) }
    }

    /// Counts a member of an archive. Gives the limit that it goes beyond.
    pub(super) fn member(&self) -> Option<Trouble> {
        add(&self.members, 1);
        if self.members.get() <= self.limits.members {
            return None;
        }
        self.stopped.set(true);
        let message = format!("the file holds more than {} members; the rest was not searched", self.limits.members);
        Some(Trouble::new(GapReason::TooLarge, message))
    }

    /// Counts bytes that a compressed part gave. `unpacked` and `packed` are what it gave and took so far.
    fn unpack(&self, more: u64, unpacked: u64, packed: u64) -> Option<Trouble> {
        add(&self.unpacked, more);
        let Limits { bytes, ratio, free_bytes, .. } = *self.limits;
        let is_bomb = |unpacked: u64, packed: u64| unpacked > free_bytes && unpacked / ratio.max(1) > packed;
        let all = self.unpacked.get();
        let message = if all > bytes {
            self.stopped.set(true);
            format!("the file unfolds to more than {bytes} bytes; the rest was not searched")
        } else if is_bomb(unpacked, packed) {
            format!("it unfolds to more than {ratio} times its size, as bombs do; the rest was not searched")
        } else if is_bomb(all, self.packed.get()) {
            self.stopped.set(true);
            format!("the file unfolds to more than {ratio} times its size, as bombs do; the rest was not searched")
        } else {
            return None;
        };
        Some(Trouble::new(GapReason::TooLarge, message))
    }
}

fn add(cell: &Cell<u64>, more: u64) {
    cell.set(cell.get().saturating_add(more));
}

/// Why a part of a file was not searched to its end.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) reason: GapReason,
    pub(super) message: String,
}

impl Trouble {
    pub(super) fn new(reason: GapReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Stands for a trouble that is told elsewhere, in the readers above the one that met it.
#[derive(Debug)]
struct Told;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what it is read from ended early")
    }
}

impl std::error::Error for Told {}

/// Whether the error is one that another reader tells.
pub(super) fn is_told(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Told>() || inner.downcast_ref::<io::Error>().is_some_and(is_told))
}

/// Counts what is read.
pub(super) struct Counted<'c, R> {
    reader: R,
    bytes: &'c Cell<u64>,
}

impl<'c, R: Read> Counted<'c, R> {
    pub(super) fn new(reader: R, bytes: &'c Cell<u64>) -> Self {
        Self { reader, bytes }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(space)?;
        add(self.bytes, length as u64);
        Ok(length)
    }
}

/// Reads a compressed part within the limits, and keeps the trouble that it met.
pub(super) struct Guard<'a, 'l, R> {
    reader: R,
    what: &'static str,
    /// What the part took so far, or takes in all.
    packed: &'a Cell<u64>,
    unpacked: u64,
    bounds: &'a Bounds<'l>,
    pub(super) trouble: Option<Trouble>,
}

impl<'a, 'l, R: Read> Guard<'a, 'l, R> {
    /// `what` names the kind of data in messages.
    pub(super) fn new(reader: R, what: &'static str, packed: &'a Cell<u64>, bounds: &'a Bounds<'l>) -> Self {
        Self { reader, what, packed, unpacked: 0, bounds, trouble: None }
    }
}

impl<R: Read> Read for Guard<'_, '_, R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.trouble.is_some() {
            return Err(io::Error::other(Told));
        }
        let more = match self.reader.read(space) {
            Ok(more) => more as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted || is_told(&error) => return Err(error),
            Err(error) => {
                let message = format!("the {} is damaged or cut off: {error}; the rest was not searched", self.what);
                self.trouble = Some(Trouble::new(GapReason::Malformed, message));
                return Err(io::Error::other(Told));
            }
        };
        self.unpacked += more;
        match self.bounds.unpack(more, self.unpacked, self.packed.get()) {
            None => Ok(usize::try_from(more).unwrap_or(space.len())),
            Some(trouble) => {
                self.trouble = Some(trouble);
                Err(io::Error::other(Told))
            }
        }
    }
}
