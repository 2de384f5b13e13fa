//! Where the objects of a repository lie, and what keeps one from being read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::hash::Kind as HashKind;
use keytrail_rules::model::{Gap, GapReason};

use super::loose;
use super::pack::Pack;

/// Why an object was not searched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Unread {
    /// Broken zlib, a delta that does not fit its base, a size that is not true, an unknown type.
    Corrupt,
    /// It would take more memory, or more copying, than a scan may use.
    TooLarge,
    /// It is a delta of an object that is not in its pack, or of itself.
    NoBase,
    /// It is not there.
    Missing,
    /// It has more hits than are kept.
    TooManyHits,
}

impl Unread {
    fn describe(self) -> (GapReason, &'static str, &'static str) {
        match self {
            Self::Corrupt => (GapReason::Malformed, "corrupt", "run `git fsck --full`, and fetch what is broken again"),
            Self::TooLarge => (
                GapReason::TooLarge,
                "too large to rebuild in memory",
                "check them out and scan them as files; `git gc` with a core.bigFileThreshold of 32m stores them whole",
            ),
            Self::NoBase => (
                GapReason::Malformed,
                "deltas of an object that their pack does not hold",
                "run `git fsck --full`; `git index-pack --fix-thin` completes a thin pack",
            ),
            Self::Missing => (
                GapReason::Unreachable,
                "not there",
                "fetch them: `git fetch --refetch --no-filter`, and `git fetch --unshallow` for a shallow clone",
            ),
            Self::TooManyHits => {
                (GapReason::TooLarge, "searched only in part: they hold too many hits", "look at them by hand")
            }
        }
    }
}

/// Counts what was not searched, by where it lies.
#[derive(Default, Debug)]
pub(crate) struct Losses(BTreeMap<(String, Unread), (u64, Option<ObjectId>)>);

impl Losses {
    /// Adds objects of a pack, or of a folder of loose objects, with one of them as an example.
    pub(crate) fn add(&mut self, source: &str, why: Unread, count: u64, example: Option<ObjectId>) {
        if count == 0 {
            return;
        }
        let held = self.0.entry((source.to_owned(), why)).or_default();
        held.0 += count;
        // The least, so that it does not depend on the order.
        held.1 = held.1.into_iter().chain(example).min();
    }

    /// Adds what another thread lost.
    pub(crate) fn merge(&mut self, other: Self) {
        for ((source, why), (count, example)) in other.0 {
            self.add(&source, why, count, example);
        }
    }

    /// One gap for each place and reason.
    pub(crate) fn gaps(self) -> Vec<Gap> {
        let gap = |((source, why), (count, example)): ((String, Unread), (u64, Option<ObjectId>))| {
            let (reason, what, hint) = why.describe();
            let objects = if count == 1 { "1 object was".to_owned() } else { format!("{count} objects were") };
            let example = example.map(|id| format!(" ({id})")).unwrap_or_default();
            Gap::new(source, reason, format!("{objects} not searched{example}: {what}")).hint(hint)
        };
        self.0.into_iter().map(gap).collect()
    }
}

/// The objects of a repository and of its alternates.
pub(crate) struct Objects {
    /// The packs that could be opened.
    pub(crate) packs: Vec<Pack>,
    /// Folders that hold loose objects, and packs.
    pub(crate) folders: Vec<PathBuf>,
    /// Whether a remote promised objects that are not here: a partial clone.
    pub(crate) promised: bool,
}

impl Objects {
    /// Opens all packs below `folder`, the `objects` of a repository, and below those of its alternates.
    pub(crate) fn open(folder: &Path, hash: HashKind, gaps: &mut Vec<Gap>) -> Self {
        let mut folders = vec![folder.to_owned()];
        let here = std::env::current_dir().unwrap_or_default();
        match gix::odb::alternate::resolve(folder.to_owned(), &here) {
            Ok(alternates) => folders.extend(alternates),
            Err(error) => gaps.push(
                Gap::new(
                    shown(&folder.join("info/alternates")),
                    GapReason::Malformed,
                    format!("it cannot be read: {error}"),
                )
                .hint("name the objects folder of a repository in each line"),
            ),
        }
        let mut packs = Vec::new();
        for folder in &folders {
            open_packs(&folder.join("pack"), hash, &mut packs, gaps);
        }
        let is_promised = |pack: &Pack| Path::new(&pack.name).with_extension("promisor").exists();
        let promised = packs.iter().any(is_promised);
        Self { packs, folders, promised }
    }

    /// The loose objects that no pack holds too, each once, with the number of their folder.
    pub(crate) fn loose(&self, hash: HashKind) -> impl Iterator<Item = (usize, ObjectId)> {
        let mut seen = BTreeSet::new();
        let all = self.folders.iter().enumerate();
        all.flat_map(move |(number, folder)| loose::list(folder, hash).into_iter().map(move |id| (number, id)))
            .filter(move |(_, id)| !self.packed(id) && seen.insert(*id))
    }

    /// Whether a pack holds an object.
    pub(crate) fn packed(&self, id: &gix::hash::oid) -> bool {
        self.packs.iter().any(|pack| pack.holds(id))
    }
}

fn open_packs(folder: &Path, hash: HashKind, packs: &mut Vec<Pack>, gaps: &mut Vec<Gap>) {
    let mut names: Vec<PathBuf> = match folder.read_dir() {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            gaps.push(
                Gap::new(shown(folder), GapReason::Unreachable, format!("the packs cannot be listed: {error}"))
                    .hint("make the folder readable"),
            );
            return;
        }
    };
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|end| end == "pack")) {
        match Pack::open(path, hash) {
            Ok(pack) => packs.push(pack),
            Err(problem) => gaps.push(
                Gap::new(shown(path), GapReason::Malformed, format!("the pack was not searched: {problem}"))
                    .hint("run `git fsck --full`; `git index-pack` makes a missing or broken index again"),
            ),
        }
    }
}

/// A path for a message.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}
