//! Reads trails as they grow.
//!
//! A log is known by its number on its device, so that one that was renamed is not read again; one that is new, or that
//! was made anew under the old name, is read from its start. A log that is cut while it is followed has lost lines that
//! nobody has seen: that is a hole.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keytrail_rules::model::{Entry, Gap, GapReason};

use super::files::{Files, Found, is_compressed, unreadable};
use super::framing::Records;
use super::records::{FileState, Reading};
use super::stream::unread;
use super::{Continue, Opening, Reads, TrailKind};

/// How often it is looked whether there is more.
const PERIOD: Duration = Duration::from_millis(250);

/// A log that is gone is read on for a while: whoever writes it learns of that later.
const MAX_MISSED: u32 = 240;

/// So much of the start of a log tells whether it is still the same.
const HEAD_BYTES: usize = 256;

const TRUNCATED: &str = "the log was truncated: lines may be lost";

/// Waits until it is worth looking again.
pub fn wait() -> Continue {
    std::thread::sleep(PERIOD);
    Continue::Continue(())
}

/// Reads a trail, and goes on as its files grow, rotate and are truncated, until `on_entry` or `pause` says to stop. The
/// entries come in the order of each file. `pause` is called each time when all that is there was read; see [`wait`].
/// Gives what could not be read.
pub fn follow(
    opening: &Opening<'_>,
    pause: &mut dyn FnMut() -> Continue,
    on_entry: &mut dyn FnMut(Entry) -> Continue,
) -> Vec<Gap> {
    let Some(kind) = TrailKind::find(&opening.config.kind) else {
        return Vec::new();
    };
    let Reads::Records { framing, parser } = kind.reads else {
        let name = &opening.config.name;
        let message = format!("a trail of kind `{}` cannot be followed", kind.name);
        let gap = Gap::new(name.clone(), GapReason::Unsupported, message);
        return vec![gap.hint("read it again from time to time")];
    };
    let reading = Reading::new(opening, framing, parser(opening), kind.delay(opening.config));
    let mut following = Following { opening, reading, logs: BTreeMap::new(), has_looked: false, told: Vec::new() };
    let _ = following.run(pause, on_entry);
    following.reading.gaps.append(&mut following.told);
    following.reading.gaps
}

/// What tells a file from another, whatever it is called: device and number; its path on systems without such.
type Identity = (u64, u64, Option<PathBuf>);

struct Following<'a> {
    opening: &'a Opening<'a>,
    reading: Reading<'a>,
    /// The files that were found; `None` for one that does not grow and was read.
    logs: BTreeMap<Identity, Option<Log>>,
    has_looked: bool,
    /// What was said to be unreadable, which is not said again.
    told: Vec<Gap>,
}

/// A file that may grow.
struct Log {
    name: String,
    records: Records<File>,
    state: FileState,
    /// Its first bytes.
    head: Vec<u8>,
    /// How often it was looked for in vain, and nothing was added to it.
    missed: u32,
}

impl Following<'_> {
    fn run(&mut self, pause: &mut dyn FnMut() -> Continue, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        loop {
            self.look(on_entry)?;
            self.read(on_entry)?;
            pause()?;
        }
    }

    /// Looks for files.
    fn look(&mut self, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        self.logs.values_mut().flatten().for_each(|log| log.missed += 1);
        let files = Files::of(self.opening.config);
        // A log that rotates is not there for a moment.
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        for gap in files.gaps.into_iter().chain(files.unmatched.into_iter().filter(|_| is_first)) {
            self.tell(gap, on_entry)?;
        }
        for found in files.found {
            let identity = match &found.path {
                None => Ok((0, 0, Some(PathBuf::from(&found.name)))),
                Some(path) => path.metadata().map(|metadata| identity(&metadata, path)),
            };
            match identity.and_then(|identity| self.add(&found, identity, on_entry)) {
                Ok(flow) => flow?,
                Err(error) => self.tell(unreadable(&found.name, &error), on_entry)?,
            }
        }
        Continue::Continue(())
    }

    fn add(
        &mut self,
        found: &Found,
        identity: Identity,
        on_entry: &mut dyn FnMut(Entry) -> Continue,
    ) -> io::Result<Continue> {
        if let Some(log) = self.logs.get_mut(&identity) {
            log.iter_mut().for_each(|log| log.missed = 0);
            return Ok(Continue::Continue(()));
        }
        let log = match &found.path {
            Some(path) if !is_compressed(path) => Some(Log {
                name: found.name.clone(),
                records: self.reading.records(File::open(path)?),
                state: FileState::new(&found.name),
                head: Vec::new(),
                missed: 0,
            }),
            _ => None,
        };
        let is_read_once = log.is_none();
        self.logs.insert(identity, log);
        Ok(if is_read_once { self.read_once(found, on_entry) } else { Continue::Continue(()) })
    }

    /// Reads what has an end: standard input, and what is compressed.
    fn read_once(&mut self, found: &Found, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        match found.open() {
            Ok(reader) => self.reading.file(&found.name, reader, on_entry),
            Err(gap) => self.tell(gap, on_entry),
        }
    }

    /// Reads what was added to the logs.
    fn read(&mut self, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        let reading = &mut self.reading;
        let mut ended = Vec::new();
        for (identity, log) in &mut self.logs {
            let Some(log) = log else { continue };
            std::mem::swap(&mut reading.file, &mut log.state);
            let before = log.records.offset();
            let mut flow = log.go_on(reading, on_entry);
            if log.records.offset() != before {
                log.missed = 0;
            } else if flow.is_continue() && log.missed > MAX_MISSED {
                flow = reading.finish(&mut log.records, on_entry);
                ended.push(identity.clone());
            }
            std::mem::swap(&mut reading.file, &mut log.state);
            flow?;
        }
        ended.iter().for_each(|identity| drop(self.logs.remove(identity)));
        Continue::Continue(())
    }

    /// Says once what cannot be read.
    fn tell(&mut self, gap: Gap, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        if self.told.contains(&gap) {
            return Continue::Continue(());
        }
        let hole = unread(&gap);
        self.told.push(gap);
        on_entry(Entry::Hole(hole))
    }
}

impl Log {
    fn go_on(&mut self, reading: &mut Reading<'_>, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Continue {
        match self.was_truncated() {
            Ok(false) => {}
            Ok(true) => {
                // What was read of a record whose end is lost is part of what is lost.
                self.head.clear();
                reading.lose(format!("{}: {TRUNCATED}", self.name), None);
                match self.reopen() {
                    Ok(file) => self.records = reading.records(file),
                    Err(error) => reading.gaps.push(unreadable(&self.name, &error)),
                }
            }
            Err(error) => reading.gaps.push(unreadable(&self.name, &error)),
        }
        reading.go_on(&mut self.records, on_entry)
    }

    /// Whether it is shorter than what was read of it, or begins with something else.
    fn was_truncated(&mut self) -> io::Result<bool> {
        let read = self.records.offset();
        let file = self.records.reader_mut();
        let length = file.metadata()?.len();
        if length < read {
            return Ok(true);
        }
        let mut head = vec![0; usize::try_from(length).unwrap_or(HEAD_BYTES).min(HEAD_BYTES)];
        let held = read_head(file, &mut head)?;
        head.truncate(held);
        let is_other =
            !head.starts_with(&self.head[..self.head.len().min(usize::try_from(read).unwrap_or(HEAD_BYTES))]);
        self.head = head;
        Ok(is_other)
    }

    fn reopen(&mut self) -> io::Result<File> {
        let mut file = self.records.reader_mut().try_clone()?;
        file.rewind()?;
        Ok(file)
    }
}

/// Reads the first bytes of a file without moving on in it.
#[cfg(unix)]
fn read_head(file: &File, head: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, head, 0)
}

/// Systems without such reads do not notice a log that grew longer again after it was cut.
#[cfg(not(unix))]
fn read_head(_: &File, _: &mut [u8]) -> io::Result<usize> {
    Ok(0)
}

#[cfg(unix)]
fn identity(metadata: &Metadata, _: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), None)
}

#[cfg(not(unix))]
fn identity(_: &Metadata, path: &Path) -> Identity {
    (0, 0, Some(path.to_owned()))
}

#[cfg(test)]
mod tests;
