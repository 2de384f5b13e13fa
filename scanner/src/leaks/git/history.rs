//! Which commit brought each secret in, and in which file.
//!
//! A commit brings a secret into a file if the file holds it there and in none of the parents; of several such commits
//! the oldest counts. It brings the secret into the repository if no file of any parent holds it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::blobs::Holder;
use super::graph::{CommitId, Graph};
use super::trees::{BlobId, Branch, NameId, Target, TreeId, Trees};

/// The number of a secret.
pub(crate) type SecretId = u32;

/// Entries of trees that are looked at for one scan. Trees that hold one another's copies a thousandfold reach it.
const MAX_STEPS: u64 = 200_000_000;
/// Secrets that one commit may bring into files.
const MAX_ADDED: usize = 300_000;
/// Files that are told of for one secret.
const MAX_PATHS: u32 = 10_000;
/// A path with more parts is not followed.
const MAX_DEPTH: usize = 1_024;

/// A secret came into a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Introduction {
    /// Seconds of the committer; what decides which is the oldest.
    pub(crate) time: i64,
    /// Its place in an order that puts parents first.
    pub(crate) order: u32,
    pub(crate) commit: CommitId,
    pub(crate) blob: BlobId,
}

/// What the history says of the secrets.
#[derive(Default)]
pub(crate) struct History {
    /// By secret and path, how it came in.
    pub(crate) files: BTreeMap<(SecretId, Vec<NameId>), Introduction>,
    /// By secret, how it first came into the repository.
    pub(crate) first: BTreeMap<SecretId, Introduction>,
    /// The blobs that a commit holds.
    pub(crate) reached: HashSet<BlobId>,
    /// Whether not all could be followed.
    pub(crate) cut: bool,
}

/// Follows secrets through commits.
pub(crate) struct Follower<'a> {
    pub(crate) graph: &'a Graph<'a>,
    pub(crate) trees: &'a Trees,
    /// By blob, its secrets, in order.
    pub(crate) secrets: &'a [Vec<SecretId>],
    pub(crate) history: History,
    steps: u64,
    paths: HashMap<SecretId, u32>,
}

/// A secret in a file of one tree, in one blob.
type Addition = (SecretId, Vec<NameId>, BlobId);

impl<'a> Follower<'a> {
    pub(crate) fn new(graph: &'a Graph<'a>, trees: &'a Trees, secrets: &'a [Vec<SecretId>]) -> Self {
        Self { graph, trees, secrets, history: History::default(), steps: 0, paths: HashMap::new() }
    }

    /// Follows all secrets through commits, of which parents come first.
    pub(crate) fn follow(&mut self, commits: &[CommitId]) {
        for (order, &commit) in commits.iter().enumerate() {
            self.look_at(commit, u32::try_from(order).unwrap_or(u32::MAX));
        }
    }

    fn tree(&self, commit: CommitId) -> Option<TreeId> {
        self.trees.number(&self.graph.commit(commit).tree)
    }

    fn look_at(&mut self, commit: CommitId, order: u32) {
        let Some(tree) = self.tree(commit) else { return };
        let parents: Vec<Option<TreeId>> = self.graph.parents(commit).map(|parent| self.tree(parent)).collect();
        if parents.contains(&Some(tree)) {
            return;
        }
        let mut added = Vec::new();
        self.compare(parents.first().copied().flatten(), tree, &mut Vec::new(), &mut added);
        for parent in parents.iter().skip(1).flatten() {
            added.retain(|(secret, path, _)| {
                let blob = self.blob_at(*parent, path);
                blob.is_none_or(|blob| self.secrets[blob as usize].binary_search(secret).is_err())
            });
        }
        if added.is_empty() {
            return;
        }
        let before = self.held(parents.iter().flatten().copied());
        let time = self.graph.commit(commit).time;
        for (secret, path, blob) in added {
            let introduction = Introduction { time, order, commit, blob };
            if !before.contains(&secret) {
                let first = self.history.first.entry(secret).or_insert(introduction);
                *first = introduction.min(*first);
            }
            if let Some(known) = self.history.files.get_mut(&(secret, path.clone())) {
                *known = introduction.min(*known);
                continue;
            }
            let paths = self.paths.entry(secret).or_default();
            *paths += 1;
            if *paths <= MAX_PATHS {
                self.history.files.insert((secret, path), introduction);
            } else {
                self.history.cut = true;
            }
        }
    }

    /// What a tree holds in files that another does not hold there.
    fn compare(&mut self, old: Option<TreeId>, new: TreeId, path: &mut Vec<NameId>, added: &mut Vec<Addition>) {
        let trees = self.trees;
        let old = old.map_or(&[][..], |old| trees.branches(old));
        if path.len() >= MAX_DEPTH {
            self.history.cut = true;
            return;
        }
        let mut rest = old.iter().peekable();
        for branch in trees.branches(new) {
            self.steps += 1;
            if self.steps > MAX_STEPS || added.len() > MAX_ADDED {
                self.history.cut = true;
                return;
            }
            while rest.next_if(|old| old.name < branch.name).is_some() {}
            let before = rest.next_if(|old| old.name == branch.name).map(|old| old.target);
            if before == Some(branch.target) {
                continue;
            }
            path.push(branch.name);
            match branch.target {
                Target::Tree(tree) => {
                    let before = match before {
                        Some(Target::Tree(before)) => Some(before),
                        _ => None,
                    };
                    self.compare(before, tree, path, added);
                }
                Target::Blob(blob) => {
                    self.history.reached.insert(blob);
                    let before = match before {
                        Some(Target::Blob(before)) => &self.secrets[before as usize][..],
                        _ => &[],
                    };
                    let new = self.secrets[blob as usize].iter().filter(|secret| before.binary_search(secret).is_err());
                    added.extend(new.map(|secret| (*secret, path.clone(), blob)));
                }
            }
            path.pop();
        }
    }

    /// The blob at a path of a tree.
    pub(crate) fn blob_at(&self, mut tree: TreeId, path: &[NameId]) -> Option<BlobId> {
        for name in path {
            let branches = self.trees.branches(tree);
            let at = branches.binary_search_by_key(name, |branch: &Branch| branch.name).ok()?;
            match branches[at].target {
                Target::Tree(below) => tree = below,
                Target::Blob(blob) => return Some(blob),
            }
        }
        None
    }

    /// All secrets below some trees.
    pub(crate) fn held(&self, roots: impl Iterator<Item = TreeId>) -> BTreeSet<SecretId> {
        let mut seen = HashSet::new();
        let mut blobs = HashSet::new();
        let mut queue: Vec<TreeId> = roots.collect();
        while let Some(tree) = queue.pop() {
            if !seen.insert(tree) {
                continue;
            }
            for branch in self.trees.branches(tree) {
                match branch.target {
                    Target::Tree(below) => queue.push(below),
                    Target::Blob(blob) => drop(blobs.insert(blob)),
                }
            }
        }
        blobs.into_iter().flat_map(|blob| self.secrets[blob as usize].iter().copied()).collect()
    }

    /// The path as text.
    pub(crate) fn shown(&self, path: &[NameId]) -> String {
        let parts: Vec<_> = path.iter().map(|name| String::from_utf8_lossy(self.trees.name(*name))).collect();
        parts.join("/")
    }
}

/// Numbers the secrets of all blobs: by blob its secrets, and by number the secret.
pub(crate) fn number_secrets(blobs: &[Holder]) -> (Vec<Vec<SecretId>>, Vec<super::SecretKey>) {
    let all: BTreeSet<super::SecretKey> = blobs.iter().flat_map(|blob| &blob.secrets).map(|one| one.secret).collect();
    let all: Vec<super::SecretKey> = all.into_iter().collect();
    let number = |secret| u32::try_from(all.partition_point(|other| *other < secret)).unwrap_or(u32::MAX);
    let numbers = blobs.iter().map(|blob| {
        let mut numbers: Vec<SecretId> = blob.secrets.iter().map(|one| number(one.secret)).collect();
        numbers.sort_unstable();
        numbers
    });
    (numbers.collect(), all)
}
