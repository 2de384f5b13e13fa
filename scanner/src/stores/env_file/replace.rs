//! Replaces a file at once, with its mode, owner and attributes.
//!
//! # Guarantees
//! * Whoever opens the file sees all of the old content or all of the new one, whatever ends this process and whenever.
//! * What was written between the last look at the file and its replacement is put back, and told as a conflict. (A file
//!   system that cannot exchange two files, such as NFS, has a moment between the last look and the replacement.)
//! * The new content lies in a temporary file beside the old one, 0600 until it has the old one's rights. What a process
//!   that was killed left of it is taken away by the next one that replaces a file of that folder.
//!
//! # Assumptions
//! Every Keytrail that replaces a file holds the [`FolderLock`] of its folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::source::MAX_FILE_BYTES;

/// What the names of temporary files start and end with.
const TEMPORARY: (&str, &str) = (".keytrail-", ".tmp");

/// Pause before a lock is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// The right to replace files of one folder. Ends with the process that holds it.
pub(super) struct FolderLock {
    /// Holds the lock, and is what is synced.
    folder: File,
    path: PathBuf,
}

impl FolderLock {
    /// Waits for the lock of a folder.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] where another process keeps it for longer than `limit`.
    pub(super) async fn take(path: &Path, limit: Duration) -> io::Result<Self> {
        let folder = File::open(path)?;
        let end = Instant::now() + limit;
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(Self { folder, path: path.to_owned() }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Takes away what processes that were killed left in the folder.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let ours = name.to_str().is_some_and(|name| name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1));
            if ours && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Replaces `target`, a file of the folder that has the content `old`, by one with the content `new`. The name `run`
    /// is part of that of the temporary file.
    pub(super) fn replace(&self, target: &Path, old: &[u8], new: &[u8], run: &str) -> Result<(), Unreplaced> {
        let run: String = run.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(100).collect();
        let temporary = Temporary(self.path.join(format!("{}{run}{}", TEMPORARY.0, TEMPORARY.1)));
        prepare(&temporary.0, target, new).map_err(Unreplaced::Untouched)?;
        if !holds(target, old).map_err(Unreplaced::Untouched)? {
            return Err(Unreplaced::Overtaken);
        }
        let exchanged = exchange(&temporary.0, target).map_err(Unreplaced::Untouched)?;
        // Unless it is what was there, it is somebody else's, and goes back.
        if exchanged && !holds(&temporary.0, old).unwrap_or(false) {
            let back = exchange(&temporary.0, target).is_ok() && holds(&temporary.0, new).unwrap_or(false);
            return Err(if back { Unreplaced::Overtaken } else { temporary.keep() });
        }
        drop(temporary);
        self.folder.sync_all().map_err(Unreplaced::Perhaps)
    }
}

/// Why a file was not replaced.
#[derive(Debug)]
pub(super) enum Unreplaced {
    /// It could not be.
    Untouched(io::Error),
    /// Somebody else wrote it.
    Overtaken,
    /// It may be replaced.
    Perhaps(io::Error),
}

/// A temporary file, which is removed with it.
struct Temporary(PathBuf);

impl Temporary {
    /// Leaves the file, which holds what somebody else wrote, under a name that nothing takes away.
    fn keep(self) -> Unreplaced {
        let kept = self.0.with_extension("overtaken");
        Unreplaced::Perhaps(match fs::rename(&self.0, &kept) {
            Ok(()) => io::Error::other(format!("what was written at the same time is in {}", kept.display())),
            Err(error) => error,
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is swept away later.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes the file that is to stand where `target` stands.
fn prepare(temporary: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    let old = File::open(target)?;
    let metadata = old.metadata()?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.write_all(content)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
        std::os::unix::fs::fchown(&file, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    file.set_permissions(metadata.permissions())?;
    attributes::copy(&old, &file)?;
    file.sync_all()
}

/// Whether the file has that content.
fn holds(path: &Path, content: &[u8]) -> io::Result<bool> {
    Ok(read_bounded(&File::open(path)?)?.is_some_and(|bytes| *bytes == content))
}

/// All of a file; `None` for one larger than [`MAX_FILE_BYTES`].
pub(super) fn read_bounded(mut file: &File) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let len = file.metadata()?.len();
    // Room for all of it and a byte more: it must not move in memory while it grows.
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(len.min(MAX_FILE_BYTES)).unwrap_or(0) + 1]);
    let mut filled = 0;
    loop {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled == bytes.len() {
            return if len > MAX_FILE_BYTES { Ok(None) } else { Err(ErrorKind::Interrupted.into()) };
        }
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}

/// Exchanges two files at once, or renames the first to the second where the system can do no more: `true` if the first
/// name has the other file now.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(one, other).map(|()| false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    fs::rename(one, other).map(|()| false)
}

/// Extended attributes: access control lists and labels among them.
#[cfg(target_os = "linux")]
mod attributes {
    use std::fs::File;
    use std::io;

    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
    use rustix::io::Errno;

    /// The system's limits for all names and for one value (xattr(7)).
    const MAX_BYTES: usize = 64 << 10;

    /// Copies the attributes. Those of the system that it sets by itself, and lets nobody set, are left out.
    pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
        let mut names = vec![0; MAX_BYTES];
        let filled = match flistxattr(from, &mut names[..]) {
            Err(Errno::NOTSUP) => return Ok(()),
            filled => filled?,
        };
        let mut value = vec![0; MAX_BYTES];
        for name in names[..filled].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let len = fgetxattr(from, name, &mut value[..])?;
            match fsetxattr(to, name, &value[..len], XattrFlags::empty()) {
                Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) if !is_of_users(name) => {}
                set => set?,
            }
        }
        Ok(())
    }

    fn is_of_users(name: &[u8]) -> bool {
        name.starts_with(b"user.") || name.starts_with(b"system.posix_acl")
    }
}

#[cfg(not(target_os = "linux"))]
mod attributes {
    use std::fs::File;
    use std::io;

    /// Only Linux's are known.
    pub(super) fn copy(_: &File, _: &File) -> io::Result<()> {
        Ok(())
    }
}
