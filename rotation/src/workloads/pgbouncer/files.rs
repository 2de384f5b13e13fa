//! Replacing a file as a whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// What a file holds; wiped when it is let go.
pub(super) type Text = Zeroizing<String>;

/// No file of PgBouncer's is longer.
const MAX: u64 = 16 << 20;

/// A file, what it held when it was read, and what it is to hold.
pub(super) struct Edit {
    path: PathBuf,
    before: Text,
    after: Text,
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, is too long, or is no text.
pub(super) fn read(path: &Path) -> Result<Text, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(MAX + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 <= MAX => Ok(text),
        Ok(_) => Err(Failure::not_done(format!("{} is longer than any file of PgBouncer", path.display()))),
        Err(error) => Err(failed(path, "read", &error)),
    }
}

fn failed(path: &Path, verb: &str, error: &io::Error) -> Failure {
    let failure = Failure::not_done(format!("{} cannot be {verb}: {error}", path.display()));
    failure.hint("check the path, and the rights of the user that Keytrail runs as")
}

/// Why a file cannot be replaced, if so: no file can be made beside it.
pub(super) fn unwritable(path: &Path) -> Option<String> {
    let tried = target(path).and_then(|target| {
        let (_, beside) = create(&target)?;
        fs::remove_file(beside)
    });
    tried.err().map(|error| format!("{} cannot be replaced: {error}", path.display()))
}

/// The file itself, where the path is a link to it.
fn target(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// A new file beside a file, for nobody else to read. What an interrupted write left there goes.
fn create(target: &Path) -> io::Result<(File, PathBuf)> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beside = target.with_file_name(format!(".{name}.keytrail"));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok((options.open(&beside)?, beside))
}

impl Edit {
    pub(super) fn new(path: &Path, before: Text, after: Text) -> Self {
        Self { path: path.to_owned(), before, after }
    }

    /// Puts the new file in the place of the old one. Nothing where both are equal.
    ///
    /// # Errors
    /// A conflict where it is not what it was when it was read.
    pub(super) fn write(&self) -> Result<(), Failure> {
        if self.before == self.after {
            return Ok(());
        }
        let target = target(&self.path).map_err(|error| failed(&self.path, "found", &error))?;
        let (file, beside) = create(&target).map_err(|error| failed(&self.path, "replaced", &error))?;
        let done = self.fill(file, &target, &beside);
        if done.is_err() {
            // It failed already; the next write removes it.
            let _ = fs::remove_file(&beside);
        }
        done
    }

    fn fill(&self, mut file: File, target: &Path, beside: &Path) -> Result<(), Failure> {
        let written = fs::metadata(target).and_then(|metadata| {
            give_to_owner(&file, &metadata)?;
            file.set_permissions(Permissions::clone(&metadata.permissions()))?;
            file.write_all(self.after.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| failed(&self.path, "replaced", &error))?;
        if *read(target)? != *self.before {
            let failure = Failure::conflict(format!("{} was changed by another in the meantime", self.path.display()));
            return Err(failure.hint("look at the change, and start again"));
        }
        fs::rename(beside, target).map_err(|error| failed(&self.path, "replaced", &error))?;
        // The name is durable once the folder is.
        let folder = target.parent().map_or_else(|| Ok(()), |folder| File::open(folder).and_then(|f| f.sync_all()));
        folder.map_err(|error| Failure::unknown(format!("{} may not be on disk: {error}", self.path.display())))
    }
}

#[cfg(unix)]
fn give_to_owner(file: &File, metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (metadata.uid(), metadata.gid()) {
        return Ok(());
    }
    fchown(file, Some(metadata.uid()), Some(metadata.gid()))
}

#[cfg(not(unix))]
fn give_to_owner(_file: &File, _metadata: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
