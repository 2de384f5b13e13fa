//! One file of the scanned tree, read whole and bounded, with its lines.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use keytrail_rules::model::{Environment, Fingerprint, FingerprintKey, Gap, GapReason, Location, Secret, Time};
use keytrail_rules::value::Value;
use zeroize::Zeroize;

/// Schemas, runbooks and manifests are kilobytes; what is larger is not one of them, and is not read.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A location spans no more than this of its line: in a file of one huge line, every location would cost its length.
const MAX_LOCATED_BYTES: usize = 1_000;
/// Enough to tell a DER structure from an archive.
const HEAD_BYTES: u64 = 4;

/// A text file, in memory. It may hold secrets, so it is wiped on drop and has no `Debug`.
pub struct SourceFile {
    path: String,
    text: String,
    starts: Vec<usize>,
    /// The first line that was not UTF-8; what follows was read with replacement characters.
    pub broken_line: Option<u32>,
    /// Permission bits, where the system has them and the file was read from disk.
    pub mode: Option<u32>,
    /// The first bytes of a file that was opened without its content.
    pub head: Vec<u8>,
}

impl Drop for SourceFile {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl SourceFile {
    /// Reads `path`, relative to `root` and with `/` between its parts.
    ///
    /// # Errors
    /// A [`Gap`] for a file that is missing, refused, larger than [`MAX_FILE_BYTES`], or binary (holds a NUL byte).
    pub fn read(root: &Path, path: &str) -> Result<Self, Gap> {
        let gap = |reason, message: String| Gap::at(Location::of_file(path), reason, message);
        let unreadable = |error: std::io::Error| match error.kind() {
            ErrorKind::PermissionDenied => {
                gap(GapReason::PermissionDenied, format!("the file may not be read: {error}"))
            }
            _ => gap(GapReason::Unreachable, format!("the file cannot be read: {error}")),
        };
        let Some((file, metadata)) = open_regular(&root.join(path)).map_err(unreadable)? else {
            return Err(gap(GapReason::Unsupported, "not a regular file".into()));
        };
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or(0) + 1);
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let megabytes = metadata.len().max(bytes.len() as u64) / (1024 * 1024);
            bytes.zeroize();
            return Err(gap(
                GapReason::TooLarge,
                format!("the file has {megabytes} MiB; the limit is {} MiB", MAX_FILE_BYTES >> 20),
            )
            .hint("exclude it in [inventory] exclude, or split it"));
        }
        if bytes.contains(&0) {
            bytes.zeroize();
            return Err(gap(GapReason::Malformed, "the file is binary, not text".into()));
        }
        let mut file = Self::from_bytes(path, bytes);
        file.mode = mode(&metadata);
        Ok(file)
    }

    /// Takes only the name, the mode and the first bytes of `path`, for a file that [`SourceFile::read`] refuses. Its
    /// text is empty; so is its head, where the file may not be read.
    ///
    /// # Errors
    /// A file that is missing or not a regular file.
    pub fn without_content(root: &Path, path: &str) -> std::io::Result<Self> {
        let full = root.join(path);
        let metadata = full.metadata()?;
        if !metadata.is_file() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut file = Self::from_bytes(path, Vec::new());
        file.mode = mode(&metadata);
        if let Ok(content) = File::open(full) {
            content.take(HEAD_BYTES).read_to_end(&mut file.head)?;
        }
        Ok(file)
    }

    /// Takes bytes over as the file of that path. A byte order mark is dropped; bytes that are not UTF-8 become
    /// replacement characters, and [`SourceFile::broken_line`] tells where they begin.
    pub fn from_bytes(path: &str, mut bytes: Vec<u8>) -> Self {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        let (text, broken_line) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let mut bytes = error.into_bytes();
                let line = bytes[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                bytes.zeroize();
                (text, u32::try_from(line).ok())
            }
        };
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path: path.to_owned(), text, starts, broken_line, mode: None, head: Vec::new() }
    }

    /// Path relative to the scanned folder, with `/` between its parts.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name without the folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The whole text; lines may end in `\n` or `\r\n`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines with their 1-based numbers, without line ends.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (u32::try_from(at + 1).unwrap_or(u32::MAX), line))
    }

    /// The text of a 1-based line, without its end; empty past the end of the file.
    pub fn line(&self, line: u32) -> &str {
        let at = line.saturating_sub(1) as usize;
        let Some(start) = self.starts.get(at) else {
            return "";
        };
        let end = self.starts.get(at + 1).copied().unwrap_or(self.text.len());
        self.text[*start..end].trim_end_matches(['\n', '\r'])
    }

    /// The 1-based line that holds the byte at `offset`.
    pub fn line_of(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    /// A path relative to the folder of this file as one relative to the scanned folder; `None` outside of it.
    pub fn path_in_tree(&self, path: &str) -> Option<String> {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        if path.starts_with(['/', '~']) {
            return None;
        }
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        (!parts.is_empty()).then(|| parts.join("/"))
    }

    /// A line of this file as a location.
    pub fn at(&self, line: u32) -> Location {
        let text = self.line(line);
        Location::of_line(&self.path, line, &text[..text.floor_char_boundary(MAX_LOCATED_BYTES)])
    }
}

/// No more declarations or copies than this are taken from one file: beyond it lies no file that a person wrote.
pub const MAX_FILE_ENTRIES: usize = 250_000;

/// No more gaps than this are kept of one file: one in which most lines are broken is not what it says it is.
pub const MAX_FILE_GAPS: usize = 100;

/// The gaps of one file: the first [`MAX_FILE_GAPS`], and one more that counts the rest.
pub struct FileGaps<'a> {
    file: &'a SourceFile,
    gaps: Vec<Gap>,
    /// The first line whose gap was not kept, and how many were not.
    rest: Option<(u32, u64)>,
}

impl<'a> FileGaps<'a> {
    /// No gaps yet.
    pub fn new(file: &'a SourceFile) -> Self {
        Self { file, gaps: Vec::new(), rest: None }
    }

    /// Adds what was lost at a line, and what the user can do. Neither text may hold a value.
    pub fn push(&mut self, line: u32, reason: GapReason, message: impl Into<String>, hint: impl Into<String>) {
        self.add(line, |at| Gap::at(at, reason, message).hint(hint));
    }

    /// Adds the gap at a line.
    pub fn add(&mut self, line: u32, gap: impl FnOnce(Location) -> Gap) {
        if self.gaps.len() < MAX_FILE_GAPS {
            self.gaps.push(gap(self.file.at(line)));
        } else {
            self.add_count(line, 1);
        }
    }

    /// Adds gaps of which only the number is known, from a line on.
    pub fn add_count(&mut self, line: u32, count: u64) {
        if count > 0 {
            self.rest.get_or_insert((line, 0)).1 += count;
        }
    }

    /// Whether `held` entries are all that may be taken from the file; if so, says that reading ends at `line`.
    pub fn full(&mut self, held: usize, line: u32) -> bool {
        let full = held >= MAX_FILE_ENTRIES;
        if full {
            let message = format!("the file holds more than {MAX_FILE_ENTRIES} entries; the rest was not read");
            self.gaps.push(Gap::at(self.file.at(line), GapReason::TooLarge, message).hint("split the file"));
        }
        full
    }

    /// The gaps.
    pub fn finish(mut self) -> Vec<Gap> {
        if let Some((line, count)) = self.rest {
            let message = format!("from this line on, {count} more lines could not be read");
            self.gaps
                .push(Gap::at(self.file.at(line), GapReason::Malformed, message).hint("check the kind of the file"));
        }
        self.gaps
    }
}

/// Opens a regular file; `None` for anything else. It looks before it opens: opening a pipe would wait for its writer.
pub(crate) fn open_regular(path: &Path) -> std::io::Result<Option<(File, Metadata)>> {
    let metadata = path.metadata()?;
    if metadata.is_file() { Ok(Some((File::open(path)?, metadata))) } else { Ok(None) }
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<u32> {
    None
}

/// The values that a scan read, kept in memory until leaks were searched for, by their fingerprints.
#[derive(Debug, Default)]
pub struct KnownSecrets(Mutex<BTreeMap<Fingerprint, Secret>>);

impl KnownSecrets {
    /// Keeps a value; an empty one is none.
    pub fn add(&self, fingerprint: &Fingerprint, secret: &Secret) {
        if secret.expose().is_empty() {
            return;
        }
        // A thread that panicked left the map whole: it only ever gains entries.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(fingerprint.clone()).or_insert_with(|| Secret::from(secret.expose()));
    }

    /// The value of a fingerprint.
    pub fn get(&self, fingerprint: &Fingerprint) -> Option<Secret> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(fingerprint).map(|secret| Secret::from(secret.expose()))
    }

    /// The values, by fingerprint.
    pub fn into_inner(self) -> BTreeMap<Fingerprint, Secret> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every reader of a source needs: how to observe a value without keeping it, and what the config says of
/// the file at hand.
pub struct Reader<'a> {
    /// The key under which values are fingerprinted.
    pub key: &'a FingerprintKey,
    /// Whether the file at hand is generated from the schema.
    pub generated: bool,
    /// The instant that is scanned as of.
    pub as_of: Time,
    /// Where the values go that leaks are searched for; `None` where none are.
    pub known: Option<&'a KnownSecrets>,
}

impl Reader<'_> {
    /// Observes the text of a value.
    pub fn observe(&self, text: &str) -> Value {
        self.observe_secret(&Secret::from(text))
    }

    /// Observes a value.
    pub fn observe_secret(&self, secret: &Secret) -> Value {
        let value = Value::observe(secret, self.key);
        if let (Some(known), Some(fingerprint)) = (self.known, &value.fingerprint) {
            known.add(fingerprint, secret);
        }
        value
    }

    /// The fingerprint of a value that was replaced.
    pub fn fingerprint(&self, secret: &Secret) -> Fingerprint {
        let fingerprint = self.key.fingerprint(secret);
        if let Some(known) = self.known {
            known.add(&fingerprint, secret);
        }
        fingerprint
    }

    /// The environment that a file belongs to, by its path.
    pub fn environment(&self, file: &SourceFile) -> Option<Environment> {
        Environment::in_path(file.path())
    }
}
