//! Files that reports are written to.
//!
//! # Guarantees
//! Whoever reads a file meanwhile, as node_exporter does, finds the old report or the new one, whole: it is written beside
//! the old one and takes its place. The mode, the owner and a link that leads there stay.
//!
//! # Assumptions
//! What is no regular file (a pipe, a terminal, `/dev/stdout`) is written to as it is. So is a file in whose folder nothing
//! can be made or replaced; there a reader may see a part.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A step of a workflow shares this file with whatever else the step writes to it.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// So many links lead to one file at most, as in the kernel.
const MAX_LINKS: usize = 40;

/// Puts the bytes in the place of what the file held; adds them to the summary of a step.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::env::var_os(STEP_SUMMARY).is_some_and(|summary| !summary.is_empty() && summary == path.as_os_str()) {
        return append(path, bytes);
    }
    let target = target(path);
    let there = match fs::metadata(&target) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if is_device(&target) || there.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        // What the shell opened for us may be a file that others write to as well.
        return OpenOptions::new().append(true).open(&target)?.write_all(bytes);
    }
    match replace(&target, bytes, there.as_ref()) {
        Err(error) if there.is_some() && is_of_the_folder(&error) => fs::write(&target, bytes),
        done => done,
    }
}

/// Adds the bytes, on a line of their own.
fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let between: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    file.write_all(&[between, bytes].concat())
}

/// What a path leads to, over links; the links of devices, which lead to what this process has open, are not followed.
fn target(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&target) else { break };
        if is_device(&target) {
            break;
        }
        target = target.parent().unwrap_or(Path::new("")).join(next);
    }
    target
}

fn is_device(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// Whether a file could not be replaced for reasons that say nothing of writing to it: its folder belongs to somebody
/// else, or it is a mount of its own.
fn is_of_the_folder(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
    )
}

fn replace(target: &Path, bytes: &[u8], there: Option<&Metadata>) -> io::Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // The collector of node_exporter reads what ends in `.prom`.
    builder.prefix(".keytrail-").suffix(".new");
    if let Some(mode) = new_file() {
        builder.permissions(mode);
    }
    let mut file = builder.tempfile_in(folder).map_err(|error| plain(&error))?;
    if let Some(metadata) = there {
        // Who may write to a file need not be who owns it.
        own(file.as_file(), metadata)?;
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.write_all(bytes).map_err(|error| plain(&error))?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| plain(&error.error))?;
    Ok(())
}

/// The error without the name of the temporary file.
fn plain(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// The mode of a new file, of which the system takes what the user's mask says.
#[cfg(unix)]
fn new_file() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn new_file() -> Option<fs::Permissions> {
    None
}

#[cfg(unix)]
fn own(file: &fs::File, metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) == (metadata.uid(), metadata.gid()) {
        return Ok(());
    }
    fchown(file, Some(metadata.uid()), Some(metadata.gid()))
}

#[cfg(not(unix))]
fn own(_: &fs::File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests;
