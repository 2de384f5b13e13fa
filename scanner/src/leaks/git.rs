//! Secrets in a git repository: in every object of its history, whichever branch, tag, stash or reflog leads to it, and in
//! those that nothing leads to.

mod blobs;
mod delta;
mod each;
#[doc(hidden)]
pub mod fuzz;
mod graph;
mod history;
mod inflate;
mod inherit;
mod lines;
mod loose;
mod missing;
mod objects;
mod pack;
mod range;
mod refs;
mod report;
mod scan;
mod staged;
mod stream;
mod trees;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use gix::ObjectId;
use keytrail_rules::model::Gap;
use keytrail_rules::search::{Hit, Search};

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
    /// Objects that there are; 0 where that is not known before.
    pub total: u64,
    /// Bytes of the objects that were searched.
    pub bytes: u64,
}

/// Where in a text a secret lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Position {
    /// 1-based.
    pub line: u32,
    /// First column, 1-based, in UTF-16 units; in bytes for a text that is too large to be in memory whole.
    pub start_column: u32,
    /// First column after it, as if it had no line ends.
    pub end_column: u32,
}

impl Position {
    fn new(line: u64, start_column: u64, end_column: u64) -> Self {
        let number = |value| u32::try_from(value).unwrap_or(u32::MAX);
        Self { line: number(line), start_column: number(start_column), end_column: number(end_column) }
    }

    /// The place of a value in a text.
    fn of(text: &[u8], value: &Range<usize>) -> Self {
        let units = |part: &[u8]| String::from_utf8_lossy(part).encode_utf16().count() as u64;
        let before = &text[..value.start.min(text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = units(&before[start..]) + 1;
        Self::new(line, column, column + units(text.get(value.clone()).unwrap_or_default()))
    }
}

/// In what of a repository a secret lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Medium {
    /// A file of a commit.
    History,
    /// The message of a commit or tag, or a note.
    Message,
    /// What is staged for the next commit.
    Index,
    /// An object that no ref and no reflog leads to.
    Unreachable,
}

/// A commit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Commit {
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// Its id in hex.
    pub id: String,
    /// The author's name.
    pub author: String,
    /// The author's address.
    pub email: String,
}

/// A place that a secret was found in: the first in a file, and of a file what the oldest commit that has it there holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Occurrence {
    /// Which secret.
    pub secret: SecretKey,
    /// In what.
    pub medium: Medium,
    /// The commit that brought it there, or in whose message it is; `None` for a tag's, for the index, and for what is
    /// unreachable.
    pub commit: Option<Commit>,
    /// The file, with `/` between its parts; empty where it is no file.
    pub path: String,
    /// The blob, commit or tag, in hex.
    pub object: String,
    /// Where in the file, or in the message.
    pub position: Position,
    /// Whether `HEAD` has it in that file.
    pub in_head: bool,
    /// Whether this commit brought it into the repository: no file of its parents held it, and none is older.
    pub first: bool,
}

/// What a scan found.
#[derive(Default, Debug)]
pub struct Scan {
    /// Every place that each secret was found in, by secret, the oldest first.
    pub occurrences: Vec<Occurrence>,
    /// By secret, the refs whose newest commit holds it in a file: the first [`MAX_REFS`] by name.
    pub refs: BTreeMap<SecretKey, Vec<String>>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// Blobs, commits and tags that were searched.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, the bytes that had to be looked at, because they were not copied from another object.
    pub changed: u64,
}

/// More refs are not named for one secret.
pub const MAX_REFS: usize = 20;

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
    /// A range of commits names what is not there.
    #[error("{range} is no range of commits here: {source}")]
    Range {
        /// The range.
        range: String,
        /// What is wrong.
        source: Box<gix::Error>,
    },
}

impl GitError {
    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Open { .. } => "name a folder that holds a .git, or a bare repository".to_owned(),
            Self::Range { .. } => {
                "name commits as git does: main..topic; a shallow clone has no older ones until `git fetch --unshallow`"
                    .to_owned()
            }
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

    /// Searches every object: the whole history of all refs and reflogs, messages, notes, and what is unreachable.
    pub fn scan<S: Search, I: Identify>(&self, search: &S, identify: &I, options: &Options<'_>) -> Scan {
        let mut gaps = Vec::new();
        let (objects, outcome) = scan::everything(self, search, identify, options, &mut gaps);
        report::report(self, &objects, outcome, options, gaps)
    }

    /// What leads to the objects now: for [`Repository::scan_since`], after a scan that had no gaps. Object ids in hex.
    pub fn tips(&self) -> Vec<String> {
        let mut tips: Vec<String> = refs::tips(self, &mut Vec::new()).iter().map(|tip| tip.id.to_string()).collect();
        tips.dedup();
        tips
    }

    /// Searches what came since a scan: the commits, notes and tags that refs and reflogs lead to and `tips` do not.
    /// Tips that are not there any more hide nothing. Objects that nothing leads to are not searched.
    pub fn scan_since<S: Search, I: Identify>(
        &self,
        tips: &[String],
        search: &S,
        identify: &I,
        options: &Options<'_>,
    ) -> Scan {
        let mut gaps = Vec::new();
        let now: BTreeSet<ObjectId> = refs::tips(self, &mut gaps).into_iter().map(|tip| tip.id).collect();
        let known = tips.iter().filter_map(|tip| ObjectId::from_hex(tip.as_bytes()).ok());
        let known: BTreeSet<ObjectId> = known.filter(|tip| self.git.has_object(tip)).collect();
        let new: Vec<ObjectId> = now.difference(&known).copied().collect();
        self.scan_commits(new, known.into_iter().collect(), gaps, search, identify, options)
    }

    /// Searches what the commits of a range brought in: `main..topic`, `main...topic`, or `topic` for all that it leads
    /// to. In [`Scan::occurrences`], `first` is meant among these commits.
    ///
    /// # Errors
    /// A range that names what is not there.
    pub fn scan_range<S: Search, I: Identify>(
        &self,
        range: &str,
        search: &S,
        identify: &I,
        options: &Options<'_>,
    ) -> Result<Scan, GitError> {
        use gix::revision::plumbing::Spec;
        let failed = |source| GitError::Range { range: range.to_owned(), source: Box::new(source) };
        let (include, exclude) = match self.git.rev_parse(range).map_err(failed)?.detach() {
            Spec::Include(id) => (vec![id], vec![]),
            Spec::Exclude(id) => (vec![], vec![id]),
            Spec::Range { from, to } => (vec![to], vec![from]),
            Spec::Merge { theirs, ours } => {
                let base = self.git.merge_base(theirs, ours).map_err(failed)?;
                (vec![theirs, ours], base.map(gix::Id::detach).into_iter().collect())
            }
            Spec::IncludeOnlyParents(id) => (self.parents(id), vec![]),
            Spec::ExcludeParents(id) => (vec![id], self.parents(id)),
        };
        Ok(self.scan_commits(include, exclude, Vec::new(), search, identify, options))
    }

    fn parents(&self, id: ObjectId) -> Vec<ObjectId> {
        let commit = self.git.find_commit(id).ok();
        commit.iter().flat_map(|commit| commit.parent_ids().map(gix::Id::detach).collect::<Vec<_>>()).collect()
    }

    fn scan_commits<S: Search, I: Identify>(
        &self,
        include: Vec<ObjectId>,
        exclude: Vec<ObjectId>,
        gaps: Vec<Gap>,
        search: &S,
        identify: &I,
        options: &Options<'_>,
    ) -> Scan {
        let scan = Scan { gaps, ..Scan::default() };
        self.each(search, identify, options, scan, |each, scan| {
            let (commits, tags) = range::sort_out(each, include);
            let exclude = range::sort_out(each, exclude).0;
            for tag in tags {
                each.message(pack::Kind::Tag, tag);
            }
            let commits = range::commits(each, &commits, exclude);
            range::search(each, &commits, scan);
        })
    }

    /// Searches what is staged for the next commit. The history is not looked at: `in_head` says whether `HEAD` has the
    /// secret in that file already.
    pub fn scan_staged<S: Search, I: Identify>(&self, search: &S, identify: &I, options: &Options<'_>) -> Scan {
        self.each(search, identify, options, Scan::default(), |each, scan| staged::staged(self, each, scan))
    }

    /// Searches objects one by one.
    fn each<S: Search, I: Identify>(
        &self,
        search: &S,
        identify: &I,
        options: &Options<'_>,
        mut scan: Scan,
        work: impl FnOnce(&mut each::Each<'_, S, I>, &mut Scan),
    ) -> Scan {
        let meter =
            blobs::Meter { report: options.progress, objects: AtomicU64::new(0), total: 0, bytes: AtomicU64::new(0) };
        let job = blobs::Job { search, identify, hash: self.git.object_hash(), meter: &meter };
        let mut each = each::Each::new(&self.git, &job);
        work(&mut each, &mut scan);
        let outcome = each.finish();
        let times: BTreeMap<ObjectId, i64> = outcome.commits.iter().map(|commit| (commit.id, commit.time)).collect();
        let time = |id: &ObjectId| times.get(id).copied().unwrap_or_default();
        scan.occurrences.extend(report::messages(&self.git, &outcome.messages, |_| true, time));
        scan.gaps.extend(outcome.losses.gaps());
        (scan.objects, scan.bytes, scan.changed) = (outcome.objects, outcome.bytes, outcome.changed);
        report::sort(&mut scan.occurrences);
        scan
    }
}

#[cfg(test)]
mod tests;
