//! Files and folders that only their owner may read.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::StateError;

/// Makes the folder of the state, 0700, with a `.gitignore` that keeps it out of repositories. A folder that is there
/// is tightened.
pub(super) fn make_folder(path: &Path) -> Result<(), StateError> {
    let failed = |error| StateError::file(path, error);
    match create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if !metadata.is_dir() {
        return Err(StateError::NotPlain(path.to_owned(), "folder"));
    }
    tighten(path, &metadata, 0o700)?;
    let ignore = path.join(".gitignore");
    if fs::symlink_metadata(&ignore).is_err() {
        make_file(&ignore, b"*\n")?;
    }
    Ok(())
}

/// Makes a file, 0600, with all of its content at once; leaves a file that is there as it is. Folders on the way to it
/// that are not there are made, 0700.
///
/// # Guarantees
/// Whoever sees the file sees all of it, and of many who make it at once, one does. It is closed before anyone sees it:
/// to close a database that SQLite has open would drop SQLite's locks on it (POSIX locks belong to the process).
pub(super) fn make_file(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let make = || -> io::Result<()> {
        create_folders(folder)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        match file.into_temp_path().persist_noclobber(path) {
            Err(refused) if refused.error.kind() != ErrorKind::AlreadyExists => Err(refused.error),
            _ => Ok(()),
        }
    };
    // The text of the error would name the temporary file.
    make().map_err(|error| StateError::file(path, error.kind().into()))
}

/// The metadata of a file; `None` where there is none.
pub(super) fn find_file(path: &Path) -> Result<Option<Metadata>, StateError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(StateError::NotPlain(path.to_owned(), "file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::file(path, error)),
    }
}

/// Takes the rights of group and others away, if there are any; refuses what belongs to another user.
#[cfg(unix)]
pub(super) fn tighten(path: &Path, metadata: &Metadata, mode: u32) -> Result<(), StateError> {
    use std::os::unix::fs::PermissionsExt;
    if !is_ours(metadata) {
        return Err(StateError::OtherOwner(path.to_owned()));
    }
    if is_loose(metadata) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| StateError::file(path, error))?;
    }
    Ok(())
}

/// Whether it belongs to the user who runs this process.
#[cfg(unix)]
pub(super) fn is_ours(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
}

/// Whether group or others have any right.
#[cfg(unix)]
pub(super) fn is_loose(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o077 != 0
}

#[cfg(unix)]
fn create_dir(path: &Path) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(path)
}

#[cfg(unix)]
fn create_folders(path: &Path) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).recursive(true).create(path)
}

// Elsewhere a new file inherits the rights of its folder, which is the user's own.

#[cfg(not(unix))]
pub(super) fn tighten(_: &Path, _: &Metadata, _: u32) -> Result<(), StateError> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn is_ours(_: &Metadata) -> bool {
    true
}

#[cfg(not(unix))]
pub(super) fn is_loose(_: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn create_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

#[cfg(not(unix))]
fn create_folders(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}
