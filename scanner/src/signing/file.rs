//! The file of a private key.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use keytrail_reporters::sign::PrivateKey;
use zeroize::Zeroizing;

use crate::error::Error;

/// More than any key.
const MAX_BYTES: u64 = 16 << 10;

/// There is no key.
pub(super) fn missing(path: &Path) -> Error {
    let message = format!("there is no key to sign with: {} is not there", path.display());
    Error::usage(message, "`keytrail keys new` makes one; --key FILE or --transit MOUNT/KEY name another")
}

/// Reads a key that nobody else may read.
pub(super) fn read(path: &Path) -> Result<PrivateKey, Error> {
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => missing(path),
        _ => Error::Read(path.to_owned(), error),
    };
    let metadata = fs::symlink_metadata(path).map_err(unreadable)?;
    // A link may lead to a key that is kept elsewhere; what counts is the file.
    let metadata = if metadata.is_symlink() { fs::metadata(path).map_err(unreadable)? } else { metadata };
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    refuse_loose(path, &metadata)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize));
    File::open(path).map_err(unreadable)?.take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    PrivateKey::from_pem(&text).ok_or_else(|| {
        let message = format!("{} holds no Ed25519 key in PKCS#8", path.display());
        Error::usage(message, "make one with `keytrail keys new` or `openssl genpkey -algorithm ed25519`")
    })
}

#[cfg(unix)]
fn refuse_loose(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("others than its owner may use the key {}: its mode is {mode:04o}", path.display());
    Err(Error::usage(message, format!("chmod 600 {}, and rotate it if somebody may have read it", path.display())))
}

#[cfg(not(unix))]
fn refuse_loose(_: &Path, _: &Metadata) -> Result<(), Error> {
    Ok(())
}

/// A new key.
pub(super) fn generate() -> Result<PrivateKey, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| Error::Random(error.into()))?;
    Ok(PrivateKey::from_seed(&seed))
}

/// Puts a file in the place of the one before, all at once, with mode 0600. The folder of the state is made where it is
/// not there.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.file_name().is_some_and(|name| name == crate::state::FOLDER) {
        crate::state::make_folder(folder)?;
    }
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|refused| refused.error)
    };
    // The text of the error would name the temporary file.
    write().map_err(|error| Error::Write(path.to_owned(), error.kind().into()))
}
