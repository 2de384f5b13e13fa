//! The folder of an export, while it is made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use keytrail_reporters::sign::statement::{Digest, Subject};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::error::Error;

/// Files that become an export at once. What is not finished is taken away, unless the process is killed: then it lies
/// beside the place of the export, under another name.
pub(super) struct Folder {
    temporary: TempDir,
    out: PathBuf,
    digests: BTreeMap<String, String>,
}

/// Refuses a place where something is.
pub(super) fn refuse_existing(out: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(out) {
        Ok(_) => Err(Error::usage(
            format!("{} is there already, and nothing is overwritten", out.display()),
            "name a folder that is not there: --out evidence-2026-11",
        )),
        Err(_) => Ok(()),
    }
}

impl Folder {
    pub(super) fn new(out: &Path) -> Result<Self, Error> {
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let made = fs::create_dir_all(parent)
            .and_then(|()| tempfile::Builder::new().prefix(".keytrail-export-").tempdir_in(parent));
        let temporary = made.map_err(|error| Error::Write(out.to_owned(), error.kind().into()))?;
        Ok(Self { temporary, out: out.to_owned(), digests: BTreeMap::new() })
    }

    /// Writes a file; its name has `/` between its parts.
    pub(super) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut file = self.create(name)?;
        file.append(bytes)?;
        self.close(file)
    }

    /// Begins a file that is written piece by piece.
    pub(super) fn create(&self, name: &str) -> Result<Growing, Error> {
        let path = self.temporary.path().join(name);
        let create = || -> io::Result<File> {
            fs::create_dir_all(path.parent().unwrap_or(self.temporary.path()))?;
            File::create_new(&path)
        };
        let file = create().map_err(|error| Error::Write(self.out.join(name), error))?;
        let shown = self.out.join(name);
        Ok(Growing { name: name.to_owned(), shown, file: BufWriter::new(file), digest: Sha256::new(), size: 0 })
    }

    pub(super) fn close(&mut self, mut file: Growing) -> Result<(), Error> {
        file.file.flush().map_err(|error| Error::Write(file.shown.clone(), error))?;
        let digest = hex(&file.digest.finalize());
        self.digests.insert(file.name, digest);
        Ok(())
    }

    /// Every file, in the order of the names.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        let subject = |(name, sha256): (&String, &String)| Subject {
            name: name.clone(),
            digest: Digest { sha256: sha256.clone() },
        };
        self.digests.iter().map(subject).collect()
    }

    /// Gives the folder its name. Says how many files are in it.
    pub(super) fn finish(self) -> Result<usize, Error> {
        refuse_existing(&self.out)?;
        let files = self.digests.len();
        let temporary = self.temporary.keep();
        fs::rename(&temporary, &self.out).map(|()| files).map_err(|error| {
            // It is not an export without its name.
            let _ = fs::remove_dir_all(&temporary);
            Error::Write(self.out, error)
        })
    }
}

/// A file that grows.
pub(super) struct Growing {
    name: String,
    shown: PathBuf,
    file: BufWriter<File>,
    digest: Sha256,
    /// How many bytes it has.
    pub(super) size: u64,
}

impl Growing {
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| Error::Write(self.shown.clone(), error))
    }
}

/// Hexadecimal digits in lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
