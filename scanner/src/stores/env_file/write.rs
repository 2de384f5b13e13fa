//! Writes `.env` files.
//!
//! # Guarantees
//! * Every byte of a file but its new values stays: comments, order, quotes, line ends, the mark at its start, its
//!   mode, owner and attributes. Of a link, the file that it leads to is replaced, and the link stays.
//! * Of several that write one file, one is first, and the others are told that they were overtaken. Another Keytrail
//!   waits for its turn; of an editor see [`super::replace`].
//! * Of a store that no `[[store]]` describes, only files inside the scanned folder are written.
//!
//! # Versions
//! A version is the file's inode, size and times, and no digest: one that stands in a journal would let whoever reads
//! it try guesses of a weak value. A file that was changed a moment ago is not read before the clock of the file system
//! has moved on, so that no later change can have the same version.
//!
//! # Assumptions
//! The file system sets the time of change of a file itself, as all that keep one do.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use keytrail_rotation::context::{Act, Context};
use keytrail_rotation::failure::Failure;
use keytrail_rotation::store::{Abilities, Held, Store, Version, no_such};
use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::obstacles;
use super::replace::{FolderLock, Unreplaced, read_bounded};
use crate::config::StoreConfig;
use crate::discover::matching;
use crate::dotenv::edit::{Refused, edit};
use crate::dotenv::{LineKind, parse};
use crate::source::MAX_FILE_BYTES;
use crate::stores::Writable;

/// The clocks of file systems move on at least this often; 2 s where they tell no part of a second (FAT).
const TICK: Duration = Duration::from_millis(50);
const COARSE_TICK: Duration = Duration::from_millis(2_100);

/// So often a file is looked at that changes while it is read.
const LOOKS: usize = 5;

/// `.env` files that can be written.
struct EnvFiles {
    name: String,
    root: PathBuf,
    /// The patterns of the `[[store]]`; empty for the files of the scanned folder.
    paths: Vec<String>,
}

/// Opens the files of a `[[store]]`, or of the scanned folder where it has no `paths`.
#[expect(clippy::unnecessary_wraps, reason = "the table's type")]
pub(super) fn open(config: &StoreConfig) -> Writable {
    let StoreConfig { name, root, paths, .. } = config;
    Ok(Arc::new(EnvFiles { name: name.clone(), root: root.clone(), paths: paths.clone() }))
}

/// A file at one moment.
struct Snapshot {
    version: Version,
    text: Zeroizing<String>,
}

impl Store for EnvFiles {
    fn abilities(&self) -> Abilities {
        Abilities { reads: true, compares: true, stages: false }
    }

    fn preflight<'a>(&'a self, _: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>> {
        async move {
            let read = async {
                let target = self.target(path)?;
                let snapshot = read(&target, path).await?;
                let values = values(&snapshot.text, keys);
                let missing = keys.iter().filter(|key| !values.contains_key(*key));
                let mut found: Vec<String> = missing.map(|key| Refused::Missing(key.clone()).to_string()).collect();
                found.extend(obstacles::of(&target).map_err(|error| unreadable(path, &error))?);
                Ok(found)
            };
            Ok(read.await.unwrap_or_else(|failure: Failure| vec![failure.what]))
        }
        .boxed()
    }

    fn read<'a>(&'a self, _: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held> {
        async move {
            let Snapshot { version, text } = read(&self.target(path)?, path).await?;
            Ok(Held { version, values: values(&text, keys) })
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        context: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
        expected: &'a Version,
    ) -> Act<'a, Version> {
        async move {
            let target = self.target(path)?;
            let folder = target.parent().unwrap_or(Path::new("/"));
            let unlockable = |error: io::Error| match error.kind() {
                io::ErrorKind::WouldBlock => Failure::not_done(format!("{path} is being written by another keytrail")),
                _ => Failure::not_done(format!("the folder of {path} cannot be locked: {error}")),
            };
            let lock = FolderLock::take(folder, context.timeout).await.map_err(unlockable)?;
            lock.sweep().map_err(|error| unwritten(path, &error))?;
            let Snapshot { version, text } = read(&target, path).await?;
            if version != *expected {
                return Err(overtaken(path));
            }
            let edited = edit(&text, values).map_err(|refused| Failure::not_done(format!("{path}: {refused}")))?;
            if *edited == *text {
                return Ok(version);
            }
            if let Some(obstacle) = obstacles::of(&target).map_err(|error| unwritten(path, &error))?.first() {
                return Err(Failure::not_done(format!("{path} was not written: {obstacle}")));
            }
            lock.replace(&target, text.as_bytes(), edited.as_bytes(), &context.run).map_err(|why| match why {
                Unreplaced::Untouched(error) => unwritten(path, &error),
                Unreplaced::Overtaken => overtaken(path),
                Unreplaced::Perhaps(error) => Failure::unknown(format!("{path} may not be written: {error}")),
            })?;
            let later = |what: &str| Failure::unknown(format!("{path} was written, and {what}"));
            let after = read(&target, path).await.map_err(|_| later("cannot be read again"))?;
            if *after.text == *edited { Ok(after.version) } else { Err(later("somebody else changed it at once")) }
        }
        .boxed()
    }
}

impl EnvFiles {
    /// The file of a path, at the end of its links.
    fn target(&self, path: &str) -> Result<PathBuf, Failure> {
        let full = self.root.join(path);
        let unusable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => no_such(path),
            _ => unreadable(path, &error),
        };
        if !self.paths.is_empty() && !self.paths.iter().any(|pattern| names(&self.root, pattern, path)) {
            return Err(Failure::not_done(format!("{path} is none of the files of the store {}", self.name))
                .hint("add it to the paths of the store, or correct the place in `copies`"));
        }
        let target = full.canonicalize().map_err(unusable)?;
        if self.paths.is_empty() && !target.starts_with(self.root.canonicalize().map_err(unusable)?) {
            return Err(Failure::not_done(format!("{path} lies outside the scanned folder"))
                .hint("name it in the paths of a [[store]] of kind env-file, and that store in `copies`"));
        }
        if !target.metadata().map_err(unusable)?.is_file() {
            return Err(Failure::not_done(format!("{path} is not a regular file")));
        }
        Ok(target)
    }
}

/// Whether a path of the config names the file, as the inventory of the store calls it.
fn names(root: &Path, pattern: &str, path: &str) -> bool {
    matching(root, pattern).is_ok_and(|found| found.iter().any(|found| found == path))
}

/// The values of some keys. Of a key that is set twice, the later counts, as for programs.
fn values(text: &str, keys: &[String]) -> BTreeMap<String, Secret> {
    let mut values = BTreeMap::new();
    for line in parse(text) {
        if let LineKind::Assignment(found) = line.kind
            && let Some(key) = keys.iter().find(|key| **key == text[found.key.clone()])
        {
            values.insert(key.clone(), found.read(text));
        }
    }
    values
}

/// Reads a file that nobody changes meanwhile.
async fn read(target: &Path, path: &str) -> Result<Snapshot, Failure> {
    let failed = |error: io::Error| unreadable(path, &error);
    for _ in 0..LOOKS {
        let metadata = settled(target).await.map_err(failed)?;
        let bytes = File::open(target).and_then(|file| read_bounded(&file)).map_err(failed)?;
        let bytes = bytes.ok_or_else(|| {
            Failure::not_done(format!("{path} cannot be read: it is larger than {} MiB", MAX_FILE_BYTES >> 20))
        })?;
        let version = version(&metadata);
        if target.metadata().is_ok_and(|now| self::version(&now) == version) {
            let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0'));
            let text = text.ok_or_else(|| Failure::not_done(format!("{path} cannot be read: it is no UTF-8 text")))?;
            return Ok(Snapshot { version, text: Zeroizing::new(text.to_owned()) });
        }
    }
    Err(Failure::not_done(format!("{path} cannot be read: it changes all the time")))
}

/// The state of a file, once every later change of it will be seen as one.
async fn settled(target: &Path) -> io::Result<Metadata> {
    let mut metadata = target.metadata()?;
    for _ in 0..LOOKS {
        let tick = if metadata.ctime_nsec() == 0 && metadata.mtime_nsec() == 0 { COARSE_TICK } else { TICK };
        let nanos = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
        let changed = SystemTime::UNIX_EPOCH + Duration::new(u64::try_from(metadata.ctime()).unwrap_or(0), nanos);
        let age = SystemTime::now().duration_since(changed).unwrap_or_default();
        if age >= tick {
            break;
        }
        tokio::time::sleep(tick - age).await;
        let now = target.metadata()?;
        let same = version(&now) == version(&metadata);
        metadata = now;
        // Also where the clock was set back, and the file seems to be changed in the future.
        if same {
            break;
        }
    }
    Ok(metadata)
}

fn version(metadata: &Metadata) -> Version {
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    let (inode, size) = (metadata.ino(), metadata.size());
    Version(format!("{inode}-{size}-{}.{:09}-{}.{:09}", modified.0, modified.1, changed.0, changed.1))
}

fn unreadable(path: &str, error: &io::Error) -> Failure {
    Failure::not_done(format!("{path} cannot be read: {error}"))
}

fn unwritten(path: &str, error: &io::Error) -> Failure {
    Failure::not_done(format!("{path} was not written: {error}"))
}

fn overtaken(path: &str) -> Failure {
    Failure::conflict(format!("{path} was changed by somebody else")).hint("look at the change, then start again")
}

#[cfg(test)]
mod tests;
