//! The commits of a repository, in memory: who follows whom, and what is reached.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::hashtable::HashMap as IdMap;

use super::blobs::CommitInfo;

/// The number of a commit: by its id, among all.
pub(crate) type CommitId = u32;

/// Commits and their parents.
pub(crate) struct Graph<'a> {
    pub(crate) commits: &'a [CommitInfo],
    numbers: IdMap<ObjectId, CommitId>,
    /// Parents that are not there.
    pub(crate) missing: BTreeSet<ObjectId>,
}

impl<'a> Graph<'a> {
    /// Links commits, which are sorted by id.
    pub(crate) fn new(commits: &'a [CommitInfo]) -> Self {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let numbers: IdMap<ObjectId, CommitId> =
            commits.iter().enumerate().map(|(at, commit)| (commit.id, number(at))).collect();
        let parents = commits.iter().flat_map(|commit| &commit.parents);
        let missing = parents.filter(|parent| !numbers.contains_key(*parent)).copied().collect();
        Self { commits, numbers, missing }
    }

    /// The number of a commit.
    pub(crate) fn find(&self, id: &ObjectId) -> Option<CommitId> {
        self.numbers.get(id).copied()
    }

    /// The commit of a number.
    pub(crate) fn commit(&self, number: CommitId) -> &'a CommitInfo {
        &self.commits[number as usize]
    }

    /// The parents of a commit that are there.
    pub(crate) fn parents(&self, number: CommitId) -> impl Iterator<Item = CommitId> {
        self.commit(number).parents.iter().filter_map(|parent| self.find(parent))
    }

    /// By commit, whether any of `tips` leads to it.
    pub(crate) fn reached(&self, tips: impl Iterator<Item = CommitId>) -> Vec<bool> {
        let mut reached = vec![false; self.commits.len()];
        let mut queue: Vec<CommitId> = tips.collect();
        while let Some(commit) = queue.pop() {
            if !std::mem::replace(&mut reached[commit as usize], true) {
                queue.extend(self.parents(commit));
            }
        }
        reached
    }

    /// The commits that `among` holds, parents first; what would follow itself is left out.
    pub(crate) fn parents_first(&self, among: &[bool]) -> Vec<CommitId> {
        let all = || (0..u32::try_from(self.commits.len()).unwrap_or(u32::MAX)).filter(|one| among[*one as usize]);
        let mut waiting = vec![0_u32; self.commits.len()];
        let mut first_child = vec![0_usize; self.commits.len() + 1];
        for commit in all() {
            for parent in self.parents(commit).filter(|parent| among[*parent as usize]) {
                waiting[commit as usize] += 1;
                first_child[parent as usize + 1] += 1;
            }
        }
        for at in 1..first_child.len() {
            first_child[at] += first_child[at - 1];
        }
        let mut children = vec![0_u32; first_child.last().copied().unwrap_or(0)];
        let mut next = first_child.clone();
        for commit in all() {
            for parent in self.parents(commit).filter(|parent| among[*parent as usize]) {
                children[next[parent as usize]] = commit;
                next[parent as usize] += 1;
            }
        }
        let mut order: Vec<CommitId> = all().filter(|commit| waiting[*commit as usize] == 0).collect();
        let mut at = 0;
        while let Some(&commit) = order.get(at) {
            at += 1;
            for &child in &children[first_child[commit as usize]..first_child[commit as usize + 1]] {
                waiting[child as usize] -= 1;
                if waiting[child as usize] == 0 {
                    order.push(child);
                }
            }
        }
        order
    }
}
