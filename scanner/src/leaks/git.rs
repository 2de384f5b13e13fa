//! Secrets in a git repository: in every object of its history, whichever branch, tag, stash or reflog leads to it, and in
//! those that nothing leads to.

mod blobs;
mod delta;
mod inflate;
mod inherit;
mod loose;
mod objects;
mod pack;
mod scan;
mod stream;
mod walk;

use std::path::{Path, PathBuf};

use keytrail_rules::search::Hit;

pub use blobs::IDENTIFY_REACH;

/// Which secret a hit is: the same for two hits if they are to be one finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SecretKey(pub u128);

/// Tells which secret a hit is.
pub trait Identify: Sync {
    /// The secret that a hit in a text is. It may depend on the bytes from [`IDENTIFY_REACH`] before the value to as many
    /// behind it, and on nothing else: it is not asked again for a text in which these were copied.
    fn identify(&self, text: &[u8], hit: &Hit) -> SecretKey;
}

impl<F: Fn(&[u8], &Hit) -> SecretKey + Sync> Identify for F {
    fn identify(&self, text: &[u8], hit: &Hit) -> SecretKey {
        self(text, hit)
    }
}

/// How far a scan is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// Objects that were searched.
    pub objects: u64,
    /// Objects that there are.
    pub total: u64,
    /// Bytes of the objects that were searched.
    pub bytes: u64,
}

/// Why a repository cannot be scanned at all.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It is no repository, or one of a kind that is not read.
    #[error("{} cannot be opened as a git repository: {}", path.display(), source)]
    Open {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: Box<gix::Error>,
    },
}

impl GitError {
    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Open { .. } => "name a folder that holds a .git, or a bare repository".to_owned(),
        }
    }
}

/// A git repository: bare or not, a worktree, or a submodule.
pub struct Repository {
    git: gix::Repository,
}

/// How to scan.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Threads to search with.
    pub threads: usize,
    /// Is told now and then how far the scan is, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl Default for Options<'_> {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, progress: &|_| {} }
    }
}

impl Repository {
    /// Opens the repository whose working tree, or whose `.git`, is `path`. Configuration outside of it is not read.
    ///
    /// # Errors
    /// A folder that is no repository.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let failed = |source| GitError::Open { path: path.to_owned(), source: Box::new(source) };
        let git = gix::open_opts(path, gix::open::Options::isolated()).map_err(failed)?;
        Ok(Self { git })
    }
}

#[cfg(test)]
mod tests;
