//! Finds and opens the files of a trail.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use globset::GlobSet;
use keytrail_rules::model::{Gap, GapReason, Location};
use walkdir::WalkDir;

use super::TrailConfig;
use crate::discover::globs;
use crate::leaks::decompress;

/// The path that stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// How much is read of a file at once, as it is on the disk.
const BUFFER_BYTES: usize = 64 * 1024;

/// Enough to tell how a file is compressed.
const HEAD_BYTES: u64 = 16;

/// A file of a trail.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Found {
    /// As reports call it.
    pub(super) name: String,
    /// Where it lies; `None` for standard input.
    pub(super) path: Option<PathBuf>,
}

/// The files of a trail, by name, and what could not be found.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) found: Vec<Found>,
    pub(super) gaps: Vec<Gap>,
    /// Paths that lead to nothing, and patterns that match nothing.
    pub(super) unmatched: Vec<Gap>,
}

impl Files {
    /// Looks for what the config of a trail names.
    pub(super) fn of(config: &TrailConfig) -> Self {
        let mut files = Self::default();
        let mut seen = BTreeSet::new();
        for pattern in &config.paths {
            let before = files.found.len() + files.gaps.len();
            if pattern == STANDARD_INPUT {
                files.found.push(Found { name: pattern.clone(), path: None });
            } else {
                files.look_for(&config.root, pattern);
            }
            if files.found.len() + files.gaps.len() == before {
                let message = format!("no file matches '{pattern}', which the trail {} is read from", config.name);
                let gap = Gap::new(pattern.clone(), GapReason::Unreachable, message);
                files.unmatched.push(gap.hint("correct the path in keytrail.toml, or bring the file"));
            }
        }
        // Patterns may overlap, and links lead to files that are named as well.
        files.found.sort();
        files
            .found
            .retain(|one| seen.insert(one.path.as_ref().map(|path| path.canonicalize().unwrap_or(path.clone()))));
        files
    }

    fn look_for(&mut self, root: &Path, pattern: &str) {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let is_glob = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
        if !is_glob(pattern) {
            return self.walk(root, &root.join(pattern), None);
        }
        // The config has checked the pattern.
        let Ok(globs) = globs([pattern, &format!("{pattern}/**")]) else { return };
        let folder: Vec<&str> = pattern.split('/').take_while(|part| !is_glob(part)).collect();
        let folder = if pattern.starts_with('/') { format!("/{}", folder[1..].join("/")) } else { folder.join("/") };
        self.walk(root, &root.join(folder), Some(&globs));
    }

    /// Adds the path, or every file below it.
    fn walk(&mut self, root: &Path, path: &Path, globs: Option<&GlobSet>) {
        if !path.exists() && path.symlink_metadata().is_err() {
            return;
        }
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) => {
                    let name = name(root, entry.path());
                    // What is named outright is read even if it is a pipe: shells make one of `<(command)`.
                    let is_read =
                        if entry.depth() == 0 { !entry.file_type().is_dir() } else { entry.file_type().is_file() };
                    if is_read && globs.is_none_or(|globs| globs.is_match(&name)) {
                        self.found.push(Found { name, path: Some(entry.into_path()) });
                    }
                }
                Err(error) => {
                    let name = error.path().map_or_else(|| name(root, path), |path| name(root, path));
                    // Only what may be a file of the trail is missed.
                    let is_elsewhere = error.loop_ancestor().is_some()
                        || globs.is_some_and(|globs| {
                            let kind = error.io_error().map(io::Error::kind);
                            kind == Some(ErrorKind::NotFound) && !globs.is_match(&name)
                        });
                    if !is_elsewhere {
                        let kind = error.io_error().map_or(ErrorKind::Other, io::Error::kind);
                        self.gaps.push(unreadable(&name, &io::Error::from(kind)));
                    }
                }
            }
        }
    }
}

/// The files of a trail, to be read again.
pub struct Sources(Vec<Found>);

impl Sources {
    /// Those that the config of a trail names now.
    pub fn of(config: &TrailConfig) -> Self {
        Self(Files::of(config).found)
    }

    /// Opens what reports call so, inflated where it is compressed; `None` for what is no file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn open(&self, name: &str) -> Option<Result<Box<dyn Read>, Gap>> {
        let found = self.0.iter().find(|found| found.name == name)?;
        found.path.as_ref().filter(|path| path.is_file()).map(|_| found.open())
    }
}

/// What reports call a path: relative to the scanned folder where it lies in it, with `/` between its parts.
pub(super) fn name(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

impl Found {
    /// Opens it, and inflates it where it is compressed.
    pub(super) fn open(&self) -> Result<Box<dyn Read>, Gap> {
        let reader: Box<dyn Read> = match &self.path {
            None => Box::new(io::stdin()),
            Some(path) => Box::new(File::open(path).map_err(|error| unreadable(&self.name, &error))?),
        };
        inflated(&self.name, reader)
    }
}

/// Whether a file is one that does not grow: its first bytes say that it is compressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && (decompress::compression(&head).is_some() || decompress::unread(&head).is_some())
}

/// A reader of what a reader gives, inflated where its first bytes say that it is compressed.
fn inflated(name: &str, reader: Box<dyn Read>) -> Result<Box<dyn Read>, Gap> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
    let head = reader.fill_buf().map_err(|error| unreadable(name, &error))?;
    if let Some(kind) = decompress::unread(head) {
        let gap = Gap::at(Location::of_file(name), GapReason::Unsupported, format!("{kind} is not read"));
        return Err(gap.hint("decompress it, or compress it with gzip or zstd"));
    }
    match decompress::compression(head) {
        None => Ok(Box::new(reader)),
        Some(compression) => (compression.open)(Box::new(reader)).map_err(|error| unreadable(name, &error)),
    }
}

pub(super) fn unreadable(name: &str, error: &io::Error) -> Gap {
    let at = Location::of_file(name);
    match error.kind() {
        ErrorKind::PermissionDenied => Gap::at(at, GapReason::PermissionDenied, "the file may not be read")
            .hint("give the scan read access to the log"),
        ErrorKind::NotFound => {
            Gap::at(at, GapReason::Unreachable, "the file is not there").hint("bring it, or correct the path")
        }
        _ => Gap::at(at, GapReason::Unreachable, format!("the file cannot be read: {error}")).hint("read it again"),
    }
}

#[cfg(test)]
mod tests;
