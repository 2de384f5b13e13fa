//! Searches files and folders.
//!
//! # Guarantees
//! Nothing outside of a searched folder is read: symbolic links in it are not followed. Pipes and devices in it are not
//! opened. Whatever else could not be read is a gap.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};
use keytrail_rules::model::{FingerprintKey, Gap, GapReason, Location};
use keytrail_rules::search::{Hit, Search};

use super::bounds::Limits;
use super::checkpoint::{self, Checkpoint};
use super::contents::{Contents, Input};
use super::stream::{Ended, Live};
use super::{Position, Progress, Sink};
use crate::source::open_regular;
use crate::state;

/// How files are searched.
pub struct Options<'o> {
    /// Whether what the `.gitignore` files of a repository name is left out.
    pub respect_ignored: bool,
    /// See [`Limits`].
    pub limits: Limits,
    /// How many files are searched at once.
    pub threads: usize,
    /// Where earlier searches ended, and where this one says that it did.
    pub resume: Option<Resume<'o>>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { respect_ignored: true, limits: Limits::default(), threads: 2, resume: None }
    }
}

/// Lets a search begin where an earlier one ended.
pub struct Resume<'o> {
    key: &'o FingerprintKey,
    checkpoints: HashMap<(u64, u64), Checkpoint>,
}

impl<'o> Resume<'o> {
    /// Takes what the sink of the earlier search was given; nothing, where there was none. First bytes of files are
    /// fingerprinted under `key`.
    pub fn new(key: &'o FingerprintKey, checkpoints: impl IntoIterator<Item = Checkpoint>) -> Self {
        Self { key, checkpoints: checkpoints.into_iter().map(|one| ((one.device, one.inode), one)).collect() }
    }
}

/// Searches a file, or every file of a folder. `name` is how positions name it; it may be empty for a folder.
pub fn search<S: Search>(search: &S, path: &Path, name: &str, options: &Options<'_>, sink: &mut (dyn Sink + Send)) {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return sink.gap(unreadable(name, "the path", &error)),
    };
    if metadata.is_dir() {
        search_folder(search, path, name, options, sink);
    } else if metadata.is_file() {
        search_file(&mut Contents::new(search, options.limits.clone()), path, name, options, sink);
    } else {
        // What the user names is read even if it is a pipe: shells make one of `<(command)`.
        match File::open(path) {
            Ok(file) => search_live(search, file, name, options, sink),
            Err(error) => sink.gap(unreadable(name, "the path", &error)),
        }
    }
}

/// Searches what may wait for its writer, such as standard input. Hits are given to the sink while the writer pauses.
pub fn search_live<S: Search>(
    search: &S,
    reader: impl Read + Send + 'static,
    name: &str,
    options: &Options<'_>,
    sink: &mut dyn Sink,
) {
    Contents::new(search, options.limits.clone()).search(name, Input::Live(Live::new(reader)), sink);
}

fn search_folder<S: Search>(search: &S, root: &Path, name: &str, options: &Options<'_>, sink: &mut (dyn Sink + Send)) {
    let inside = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let ignored = options.respect_ignored;
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .git_ignore(ignored)
        .git_exclude(ignored)
        .parents(ignored)
        .follow_links(false)
        .threads(options.threads.max(1))
        .filter_entry(|entry| {
            entry.depth() == 0 || !(entry.file_name() == ".git" || entry.file_name() == state::FOLDER)
        })
        .build_parallel();
    let sink = Mutex::new(sink);
    walk.run(|| {
        let mut contents = Contents::new(search, options.limits.clone());
        let mut sink = Shared { sink: &sink, held: Progress::default() };
        let (root, inside) = (root, &inside);
        Box::new(move |entry| {
            match entry {
                Ok(entry) => search_entry(&mut contents, &entry, root, inside, name, options, &mut sink),
                Err(error) => sink.gap(unwalkable(root, name, &error)),
            }
            WalkState::Continue
        })
    });
}

fn search_entry<S: Search>(
    contents: &mut Contents<'_, S>,
    entry: &DirEntry,
    root: &Path,
    inside: &Path,
    name: &str,
    options: &Options<'_>,
    sink: &mut dyn Sink,
) {
    let Some(kind) = entry.file_type() else { return };
    let path = named(root, name, entry.path());
    if kind.is_file() {
        search_file(contents, entry.path(), &path, options, sink);
    } else if kind.is_symlink() && leads_out(entry.path(), inside) {
        let gap = Gap::at(
            Location::of_file(&path),
            GapReason::Unreachable,
            "the symbolic link leads out of the scanned folder, and is not followed",
        );
        sink.gap(gap.hint("scan the folder that it leads to"));
    }
}

/// Links within the folder lead to what is searched anyway; those that lead nowhere hold nothing.
fn leads_out(link: &Path, inside: &Path) -> bool {
    link.canonicalize().is_ok_and(|target: PathBuf| !target.starts_with(inside))
}

fn search_file<S: Search>(
    contents: &mut Contents<'_, S>,
    path: &Path,
    name: &str,
    options: &Options<'_>,
    sink: &mut dyn Sink,
) {
    let searched = match (open_regular(path), &options.resume) {
        (Ok(Some((file, _))), None) => {
            contents.search(name, Input::File(file), sink);
            Ok(())
        }
        (Ok(Some((file, _))), Some(resume)) => resume_file(contents, file, name, resume, sink),
        (Ok(None), _) => Ok(()),
        (Err(error), _) => Err(error),
    };
    // A file that is gone since the folder was listed holds nothing any more.
    if let Err(error) = searched
        && error.kind() != io::ErrorKind::NotFound
    {
        sink.gap(unreadable(name, "the file", &error));
    }
}

fn resume_file<S: Search>(
    contents: &mut Contents<'_, S>,
    mut file: File,
    name: &str,
    resume: &Resume<'_>,
    sink: &mut dyn Sink,
) -> io::Result<()> {
    let metadata = file.metadata()?;
    let earlier = resume.checkpoints.get(&checkpoint::numbers(&metadata));
    let mut reopened = file.try_clone()?;
    let ended = if let Some(earlier) = earlier
        && earlier.is_of(&mut file, &metadata, resume.key)?
    {
        file.seek(SeekFrom::Start(earlier.next))?;
        let from = Ended { next: earlier.next, lines: earlier.lines, end: earlier.length };
        Some(contents.resume(name, file, from, &mut Unseen { sink, length: earlier.length })?)
    } else {
        file.rewind()?;
        contents.search(name, Input::File(file), sink)
    };
    if let Some(ended) = ended {
        sink.checkpoint(name, Checkpoint::new(&mut reopened, ended, resume.key)?);
    }
    Ok(())
}

/// Passes on what ends behind what was searched before.
struct Unseen<'s> {
    sink: &'s mut dyn Sink,
    length: u64,
}

impl Sink for Unseen<'_> {
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
        if at.offset + hit.value.len() as u64 > self.length {
            self.sink.hit(at, text, hit);
        }
    }

    fn gap(&mut self, gap: Gap) {
        self.sink.gap(gap);
    }

    fn progress(&mut self, more: Progress) {
        self.sink.progress(more);
    }
}

/// One thread's way to the sink.
struct Shared<'m, 's> {
    sink: &'m Mutex<&'s mut (dyn Sink + Send)>,
    held: Progress,
}

/// Progress is told once so much has been searched.
const TOLD_BYTES: u64 = 8 * 1024 * 1024;
const TOLD_FILES: u64 = 64;

impl Shared<'_, '_> {
    fn with(&self, tell: impl FnOnce(&mut dyn Sink)) {
        tell(&mut **self.sink.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell_progress(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.with(|sink| sink.progress(held));
    }
}

impl Drop for Shared<'_, '_> {
    fn drop(&mut self) {
        self.tell_progress();
    }
}

impl Sink for Shared<'_, '_> {
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
        self.with(|sink| sink.hit(at, text, hit));
    }

    fn gap(&mut self, gap: Gap) {
        self.with(|sink| sink.gap(gap));
    }

    fn progress(&mut self, more: Progress) {
        self.held.add(more);
        if self.held.bytes >= TOLD_BYTES || self.held.files >= TOLD_FILES {
            self.tell_progress();
        }
    }

    fn checkpoint(&mut self, path: &str, checkpoint: Checkpoint) {
        self.with(|sink| sink.checkpoint(path, checkpoint));
    }
}

/// The name of what is below the folder, with `/` between its parts. What is not UTF-8 in it becomes `�`.
fn named(root: &Path, name: &str, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
    let name = Some(name.trim_end_matches('/').into()).filter(|_| !name.is_empty());
    name.into_iter().chain(parts).collect::<Vec<_>>().join("/")
}

fn unwalkable(root: &Path, name: &str, error: &ignore::Error) -> Gap {
    let path = path_of(error).map(|path| named(root, name, path)).filter(|path| !path.is_empty());
    let path = path.unwrap_or_else(|| ".".into());
    match error.io_error() {
        Some(error) => unreadable(&path, "the folder", error),
        None => Gap::new(path, GapReason::Unreachable, "the folder cannot be read"),
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

fn unreadable(name: &str, what: &str, error: &io::Error) -> Gap {
    let (reason, message, hint) = match error.kind() {
        io::ErrorKind::PermissionDenied => (
            GapReason::PermissionDenied,
            format!("{what} may not be read"),
            "give the search read access, or leave it out",
        ),
        io::ErrorKind::NotFound => {
            (GapReason::Unreachable, format!("{what} is not there"), "check the name, or search again")
        }
        _ => (GapReason::Unreachable, format!("{what} cannot be read: {error}"), "search again"),
    };
    Gap::at(Location::of_file(name), reason, message).hint(hint)
}

#[cfg(test)]
mod tests;
