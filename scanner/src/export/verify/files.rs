//! The files of an export, as they lie there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use keytrail_reporters::sign::statement::Subject;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::super::folder::hex;
use super::super::{ENVELOPE, SSH_SIGNATURE, TIMESTAMP, TIMESTAMP_SIGNATURE};
use super::Verification;
use crate::error::Error;

/// What is parsed is no larger.
const MAX_PARSED: u64 = 512 << 20;

/// Exports have far fewer files than this; what has more is none.
const MAX_FILES: usize = 1_000_000;

/// The files that are signed in other ways than by being listed.
const BESIDE: [&str; 4] = [ENVELOPE, SSH_SIGNATURE, TIMESTAMP, TIMESTAMP_SIGNATURE];

/// A folder, and the plain files in it.
pub(super) struct Files {
    folder: PathBuf,
    found: BTreeSet<String>,
    /// Folders that hold nothing.
    folders: BTreeSet<String>,
}

impl Files {
    /// A folder of which nothing is listed.
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), found: BTreeSet::new(), folders: BTreeSet::new() }
    }

    /// Lists a folder. What is neither a file nor a folder is a problem.
    pub(super) fn list(folder: &Path, result: &mut Verification) -> Result<Self, Error> {
        let mut files = Self::at(folder);
        for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(folder).to_owned();
                Error::Read(path, error.into_io_error().unwrap_or_else(|| ErrorKind::Other.into()))
            })?;
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let name = below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
            let kind = entry.file_type();
            if kind.is_dir() {
                files.folders.insert(name);
            } else if !kind.is_file() {
                result.problem(&name, "is no plain file, and not part of the export");
            } else if files.found.len() >= MAX_FILES {
                return Err(Error::Read(folder.to_owned(), io::Error::other("it holds a million files or more")));
            } else {
                files.found.insert(name);
            }
        }
        Ok(files)
    }

    /// Whether the folder holds a file of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.found.contains(name)
    }

    /// The bytes of a file, of which nothing is known; `None` where it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => read_whole(&path).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::Read(path, error)),
        }
    }

    /// Compares the files with what is signed of them.
    pub(super) fn compare(&self, subjects: &[Subject], result: &mut Verification) -> Result<Intact<'_>, Error> {
        let mut extra: BTreeSet<&str> = self.found.iter().map(String::as_str).collect();
        extra.retain(|name| !BESIDE.contains(name));
        let (mut missing, mut intact, mut folders) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let before = result.problems.len();
        for subject in subjects {
            let (name, expected) = (subject.name.as_str(), subject.digest.sha256.as_str());
            folders.extend(name.match_indices('/').map(|(at, _)| &name[..at]));
            if !is_below(name) || BESIDE.contains(&name) {
                result.problem(name, "is a name that no file of an export has");
            } else if !extra.remove(name) {
                missing.push(subject);
            } else if self.digest(name)? == expected {
                intact.insert(name.to_owned(), expected.to_owned());
            } else {
                result.problem(name, "was changed: its digest is another");
            }
        }
        let mut digests = BTreeMap::new();
        if !missing.is_empty() {
            for name in &extra {
                digests.insert(self.digest(name)?, *name);
            }
        }
        for subject in missing {
            match digests.get(&subject.digest.sha256) {
                Some(now) => result.problem(&subject.name, format!("was renamed to {now}")),
                None => result.problem(&subject.name, "is missing"),
            }
        }
        for name in extra {
            result.problem(name, "is not part of the export");
        }
        for name in self.folders.iter().filter(|name| !folders.contains(name.as_str())) {
            result.problem(name, "is a folder that is not part of the export");
        }
        if result.problems.len() == before {
            result.hold(format!("{} files are as they were signed, and there are no others", subjects.len()));
        }
        Ok(Intact { files: self, digests: intact })
    }

    fn digest(&self, name: &str) -> Result<String, Error> {
        let path = self.folder.join(name);
        let mut digest = Sha256::new();
        let mut chunk = vec![0; 128 << 10];
        let unreadable = |error| Error::Read(path.clone(), error);
        let mut file = File::open(&path).map_err(unreadable)?;
        loop {
            match file.read(&mut chunk).map_err(unreadable)? {
                0 => return Ok(hex(&digest.finalize())),
                read => digest.update(&chunk[..read]),
            }
        }
    }
}

/// The files that are as they were signed.
pub(super) struct Intact<'a> {
    files: &'a Files,
    digests: BTreeMap<String, String>,
}

impl Intact<'_> {
    /// The bytes of a file that was signed; `None` for another, of which a problem is told already.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(expected) = self.digests.get(name) else { return Ok(None) };
        // It may have been changed since it was compared.
        Ok(self.files.read(name)?.filter(|bytes| hex(&Sha256::digest(bytes)) == *expected))
    }

    /// The names of files whose names begin so.
    pub(super) fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.digests.keys().map(String::as_str).filter(move |name| name.starts_with(folder))
    }

    /// Whether it was signed, and is as it was.
    pub(super) fn has(&self, name: &str) -> bool {
        self.digests.contains_key(name)
    }
}

/// Whether a name stays in the folder that it is in.
fn is_below(name: &str) -> bool {
    !name.is_empty() && name.split('/').all(|part| !matches!(part, "" | "." | "..")) && !name.contains('\\')
}

/// The bytes of a file that is to be parsed.
pub(super) fn read_whole(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error| Error::Read(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_PARSED + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 > MAX_PARSED {
        true => Err(unreadable(io::Error::other("larger than 512 MiB"))),
        false => Ok(bytes),
    }
}
