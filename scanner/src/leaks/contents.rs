//! Searches one file, and what is packed in it.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::ops::ControlFlow;

use keytrail_rules::model::{Gap, GapReason, Location};
use keytrail_rules::search::Search;

use super::archives::{self, Archive, Members, Reader, Seekable};
use super::bounds::{Bounds, Counted, Guard, Limits, Trouble, is_told};
use super::decompress::{self, Compression};
use super::stream::{Ended, Feed, Filled, Live, Origin, Plain, Streamer};
use super::text::{self, Encoding, Transcoder};
use super::{Progress, Sink};

/// Enough to tell every kind: a header of a tar archive.
const HEAD_BYTES: usize = 512;

/// A pipe may give fewer bytes at first; these tell every other kind.
const MIN_HEAD_BYTES: usize = 10;

/// An archive within another stays in memory up to this size.
const MAX_HELD_IN_MEMORY: usize = 16 * 1024 * 1024;

/// No more gaps than this are kept of one file.
const MAX_GAPS: u64 = 100;

/// Where a file's bytes come from.
pub enum Input<'r> {
    /// A regular file, from its start.
    File(File),
    /// Anything that can be read once.
    Stream(&'r mut dyn Read),
    /// Something that may wait for its writer.
    Live(Live),
}

/// Searches files, one after another.
pub struct Contents<'s, S: Search> {
    streamer: Streamer<'s, S>,
    limits: Limits,
}

impl<'s, S: Search> Contents<'s, S> {
    /// Searches within the limits.
    pub fn new(search: &'s S, limits: Limits) -> Self {
        Self { streamer: Streamer::new(search), limits }
    }

    /// Searches a text that may have grown since an earlier search of it ended at `from`. The file is read from where it
    /// stands, which is `from.next`.
    ///
    /// # Errors
    /// The file's; what came before it is searched.
    pub fn resume(&mut self, path: &str, file: File, from: Ended, sink: &mut dyn Sink) -> io::Result<Ended> {
        let origin = Origin { offset: from.next, lines: from.lines, ..Origin::new(path) };
        self.streamer.run(&mut Plain(file), &origin, sink)
    }

    /// Searches the file and everything that is packed in it. Gives where it ended if it is a text that may grow.
    pub fn search(&mut self, path: &str, input: Input<'_>, sink: &mut dyn Sink) -> Option<Ended> {
        let bounds = Bounds::new(&self.limits);
        let streamer = &mut self.streamer;
        let mut descent = Descent { streamer, bounds: &bounds, outer: path, sink, gaps: 0, ended: None };
        match input {
            Input::File(mut file) => {
                bounds.packed.set(file.metadata().map_or(0, |metadata| metadata.len()));
                let (head, ended) = head(&mut file, HEAD_BYTES);
                descent.content(path, 0, &head, Rest::File(file), ended);
            }
            Input::Stream(reader) => {
                let mut reader = Counted::new(reader, &bounds.packed);
                let (head, ended) = head(&mut reader, HEAD_BYTES);
                descent.content(path, 0, &head, Rest::Stream(&mut reader), ended);
            }
            Input::Live(mut live) => {
                let (head, ended) = head(&mut live, MIN_HEAD_BYTES);
                bounds.packed.set(head.len() as u64);
                descent.content(path, 0, &head, Rest::Live(live), ended);
            }
        }
        descent.finish()
    }
}

/// What follows the first bytes.
enum Rest<'r> {
    File(File),
    Stream(&'r mut dyn Read),
    Live(Live),
    Nothing,
}

impl Read for Rest<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(space),
            Self::Stream(reader) => reader.read(space),
            Self::Live(live) => live.read(space),
            Self::Nothing => Ok(0),
        }
    }
}

/// The first bytes: at least so many, if there are.
fn head(reader: &mut dyn Read, at_least: usize) -> (Vec<u8>, io::Result<()>) {
    let mut head = vec![0; HEAD_BYTES];
    let mut filled = 0;
    let mut ended = Ok(());
    while filled < at_least {
        match reader.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    head.truncate(filled);
    (head, ended)
}

/// First bytes, and what follows them.
struct Headed<'h, 'r> {
    head: &'h [u8],
    rest: Rest<'r>,
}

impl Feed for Headed<'_, '_> {
    fn fill(&mut self, space: &mut [u8]) -> io::Result<Filled> {
        match &mut self.rest {
            _ if !self.head.is_empty() => self.head.read(space).map(Filled::Bytes),
            Rest::Live(live) => live.fill(space),
            rest => rest.read(space).map(Filled::Bytes),
        }
    }
}

/// The search of one file.
struct Descent<'a, 's, S: Search> {
    streamer: &'a mut Streamer<'s, S>,
    bounds: &'a Bounds<'a>,
    outer: &'a str,
    sink: &'a mut dyn Sink,
    gaps: u64,
    /// Where the file ended, if it is a text.
    ended: Option<Ended>,
}

impl<S: Search> Descent<'_, '_, S> {
    fn gap(&mut self, path: &str, trouble: Trouble) {
        self.gaps += 1;
        if self.gaps <= MAX_GAPS {
            let location = Some(Location::of_file(self.outer));
            let hint = match trouble.reason {
                GapReason::TooLarge => "unpack it and search what is in it",
                GapReason::Unsupported | GapReason::PermissionDenied => "unpack it yourself and search what is in it",
                _ => "check the file, or fetch it again",
            };
            self.sink.gap(Gap { location, ..Gap::new(path, trouble.reason, trouble.message).hint(hint) });
        }
    }

    fn finish(mut self) -> Option<Ended> {
        let rest = self.gaps.saturating_sub(MAX_GAPS);
        if rest > 0 {
            self.gaps = 0;
            let message = format!("{rest} more of its parts could not be searched");
            self.gap(self.outer, Trouble::new(GapReason::Malformed, message));
        }
        self.ended
    }

    fn content(&mut self, path: &str, depth: u32, head: &[u8], rest: Rest<'_>, ended: io::Result<()>) {
        let rest = if ended.is_ok() { rest } else { Rest::Nothing };
        let compression = decompress::compression(head);
        let archive = archives::archive(head);
        if (compression.is_some() || archive.is_some()) && depth >= self.bounds.limits.depth {
            let limit = self.bounds.limits.depth;
            let message = format!("it is packed more than {limit} times within each other, and was not searched");
            self.gap(path, Trouble::new(GapReason::TooLarge, message));
        } else if let Some(compression) = compression {
            self.compressed(path, depth, compression, head, rest);
        } else if let Some(archive) = archive {
            self.archive(path, depth, archive, head, rest);
        } else if let Some(name) = decompress::unread(head) {
            let message = format!("it is {name}, which is not read, and was not searched");
            self.gap(path, Trouble::new(GapReason::Unsupported, message));
        } else {
            self.text(path, head, rest);
        }
        if let Err(error) = ended
            && !is_told(&error)
        {
            self.gap(path, unreadable(&error));
        }
    }

    fn text(&mut self, path: &str, head: &[u8], mut rest: Rest<'_>) {
        let origin = Origin::new(path);
        let is_file = matches!(rest, Rest::File(_));
        let mut grows = false;
        let read = match text::detect(head) {
            Encoding::Bytes { mark } => {
                let origin = Origin { offset: mark as u64, ..origin };
                grows = is_file;
                self.streamer.run(&mut Headed { head: &head[mark..], rest }, &origin, self.sink)
            }
            Encoding::Utf16 { order, mark } => {
                let reader = Transcoder::new(head[mark..].chain(&mut rest), order);
                let origin = Origin { offset: mark as u64, utf16: true, ..origin };
                self.streamer.run(&mut Plain(reader), &origin, self.sink)
            }
        };
        match read {
            Ok(ended) => {
                self.ended = grows.then_some(ended);
                self.sink.progress(Progress { files: 1, bytes: 0 });
            }
            Err(error) if is_told(&error) => {}
            Err(error) => self.gap(path, unreadable(&error)),
        }
    }

    fn compressed(&mut self, path: &str, depth: u32, compression: &Compression, head: &[u8], rest: Rest<'_>) {
        let packed = Cell::new(0);
        let source = BufReader::with_capacity(64 * 1024, Counted::new(head.chain(rest), &packed));
        let decoder = match (compression.open)(Box::new(source)) {
            Ok(decoder) => decoder,
            Err(error) => return self.gap(path, unreadable(&error)),
        };
        let mut guard = Guard::new(decoder, compression.name, &packed, self.bounds);
        self.unpacked(path, depth + 1, &mut guard);
    }

    /// Searches what a guard gives, and tells its trouble.
    fn unpacked<R: Read>(&mut self, path: &str, depth: u32, guard: &mut Guard<'_, '_, R>) {
        let (head, ended) = head(guard, HEAD_BYTES);
        self.content(path, depth, &head, Rest::Stream(guard), ended);
        if let Some(trouble) = guard.trouble.take() {
            self.gap(path, trouble);
        }
    }

    fn archive(&mut self, path: &str, depth: u32, archive: &Archive, head: &[u8], rest: Rest<'_>) {
        let read = match (&archive.reader, rest) {
            (Reader::Stream(read), rest) => {
                read(&mut head.chain(rest), &mut Level { descent: self, path, depth, name: archive.name })
            }
            (Reader::Seek(read), Rest::File(mut file)) => file
                .rewind()
                .and_then(|()| read(&mut file, &mut Level { descent: self, path, depth, name: archive.name })),
            (Reader::Seek(read), rest) => self
                .hold(path, head, rest)
                .and_then(|mut held| read(&mut held, &mut Level { descent: self, path, depth, name: archive.name })),
        };
        if let Err(error) = read
            && !is_told(&error)
        {
            let message = format!("the {} is damaged or cut off: {error}; the rest was not searched", archive.name);
            self.gap(path, Trouble::new(GapReason::Malformed, message));
        }
    }

    /// Holds an archive that must be read back and forth: in memory, or in a file that has no name and ends with the scan.
    fn hold(&mut self, path: &str, head: &[u8], rest: Rest<'_>) -> io::Result<impl Seekable + use<S>> {
        let limit = self.bounds.limits.held_bytes;
        let mut held = tempfile::SpooledTempFile::new(MAX_HELD_IN_MEMORY);
        let mut reader = head.chain(rest).take(limit.saturating_add(1));
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(more) => held.write_all(&buffer[..more])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What there is can be read still.
                Err(error) if is_told(&error) => break,
                Err(error) => {
                    self.gap(path, unreadable(&error));
                    break;
                }
            }
        }
        if reader.limit() == 0 {
            let message = format!("the archive is within another and has more than {limit} bytes");
            self.gap(path, Trouble::new(GapReason::TooLarge, message));
        }
        held.rewind()?;
        Ok(held)
    }
}

fn unreadable(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Trouble::new(GapReason::PermissionDenied, format!("the file may not be read: {error}"))
        }
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            Trouble::new(GapReason::Malformed, format!("it is damaged or cut off: {error}; the rest was not searched"))
        }
        _ => Trouble::new(GapReason::Unreachable, format!("it cannot be read to its end: {error}")),
    }
}

/// The members of one archive, on their way to the search.
struct Level<'d, 'a, 's, S: Search> {
    descent: &'d mut Descent<'a, 's, S>,
    path: &'d str,
    depth: u32,
    name: &'static str,
}

impl<S: Search> Members for Level<'_, '_, '_, S> {
    fn member(&mut self, name: &str, packed: Option<u64>, content: &mut dyn Read) -> ControlFlow<()> {
        let path = format!("{}!{name}", self.path);
        if let Some(trouble) = self.descent.bounds.member() {
            self.descent.gap(&path, trouble);
            return ControlFlow::Break(());
        }
        if let Some(packed) = packed {
            let packed = Cell::new(packed);
            let mut guard = Guard::new(content, self.name, &packed, self.descent.bounds);
            self.descent.unpacked(&path, self.depth + 1, &mut guard);
        } else {
            let (head, ended) = head(content, HEAD_BYTES);
            self.descent.content(&path, self.depth + 1, &head, Rest::Stream(content), ended);
        }
        if self.descent.bounds.stopped.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn unread(&mut self, name: Option<&str>, trouble: Trouble) -> ControlFlow<()> {
        let path = name.map_or_else(|| self.path.to_owned(), |name| format!("{}!{name}", self.path));
        self.descent.gap(&path, trouble);
        match self.descent.bounds.member() {
            Some(trouble) => {
                self.descent.gap(self.path, trouble);
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests;
