//! What is staged for the next commit: the files of the index that `HEAD` does not have.
//!
//! The history is not looked at, and of `HEAD` only the folders in which something is staged: the index says of the others
//! that they are as they were.

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::index::entry::Mode;
use gix::index::extension::Tree as CachedTree;
use gix::index::{Entry, State};
use keytrail_rules::model::{Gap, GapReason};
use keytrail_rules::search::Search;

use super::each::Each;
use super::objects::shown;
use super::{Identify, Medium, Occurrence, Repository, Scan};

/// Folders in folders that are looked into; files below count as changed.
const MAX_DEPTH: usize = 512;

/// A staged file.
#[derive(Debug)]
struct Change {
    path: Vec<u8>,
    id: ObjectId,
    /// The blob that `HEAD` has there.
    before: Option<ObjectId>,
}

/// Searches what is staged.
pub(crate) fn staged<S: Search, I: Identify>(repository: &Repository, each: &mut Each<'_, S, I>, scan: &mut Scan) {
    let git = &repository.git;
    let index = match git.index_or_empty() {
        Ok(index) => index,
        Err(error) => {
            let message = format!("the index cannot be read: {error}");
            let gap = Gap::new(shown(&git.index_path()), GapReason::Malformed, message);
            scan.gaps.push(gap.hint("remove it, and make it again with `git reset`"));
            return;
        }
    };
    let mut changes = Changes { index: &index, each, found: Vec::new() };
    let head = git.head_tree_id().ok().map(gix::Id::detach);
    changes.compare(0..index.entries().len(), 0, index.tree(), head, 0);
    for change in std::mem::take(&mut changes.found) {
        let before = change.before.map(|id| each.secrets(id));
        let path = change.path.to_str_lossy().into_owned();
        let held = |secret| before.iter().flat_map(|held| held.iter()).any(|placed| placed.secret == secret);
        let places = each.secrets(change.id);
        scan.occurrences.extend(places.iter().map(|placed| Occurrence {
            secret: placed.secret,
            medium: Medium::Index,
            commit: None,
            path: path.clone(),
            object: change.id.to_string(),
            position: placed.position.unwrap_or_default(),
            in_head: held(placed.secret),
            first: false,
        }));
    }
}

struct Changes<'a, 'b, 'c, S: Search, I> {
    index: &'a State,
    each: &'b mut Each<'c, S, I>,
    found: Vec<Change>,
}

impl<S: Search, I: Identify> Changes<'_, '_, '_, S, I> {
    /// Compares the entries of a folder, whose path has `prefix` bytes, with a tree of `HEAD`.
    fn compare(
        &mut self,
        entries: std::ops::Range<usize>,
        prefix: usize,
        cached: Option<&CachedTree>,
        head: Option<ObjectId>,
        depth: usize,
    ) {
        let valid = cached.filter(|cached| cached.num_entries.is_some()).map(|cached| cached.id);
        if head.is_some() && valid == head {
            return;
        }
        let before = head.map(|head| self.each.tree(head)).unwrap_or_default();
        let find = |name: &[u8]| before.binary_search_by(|entry| entry.name.as_slice().cmp(name)).ok();
        let index = self.index;
        let mut at = entries.start;
        while at < entries.end {
            let entry = &index.entries()[at];
            let path = entry.path(index);
            let rest = path.get(prefix..).unwrap_or_default();
            let folder = rest.find_byte(b'/').filter(|_| depth < MAX_DEPTH);
            let Some(len) = folder else {
                let before = find(rest).map(|at| before[at].id);
                if before != Some(entry.id) && is_file(entry) {
                    self.found.push(Change { path: path.to_vec(), id: entry.id, before });
                }
                at += 1;
                continue;
            };
            // All that lie in the same folder follow one another.
            let name = &path[..prefix + len + 1];
            let inside = |entry: &Entry| entry.path(index).starts_with(name);
            let end = at + index.entries()[at..entries.end].partition_point(inside);
            let child = cached.and_then(|cached| cached.children.iter().find(|child| child.name[..] == rest[..len]));
            let below = find(&rest[..len]).map(|at| &before[at]).filter(|entry| entry.is_tree).map(|entry| entry.id);
            self.compare(at..end.max(at + 1), prefix + len + 1, child, below, depth + 1);
            at = end.max(at + 1);
        }
    }
}

/// Whether an entry has text: not a submodule, and not a folder of a sparse index.
fn is_file(entry: &Entry) -> bool {
    matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE | Mode::SYMLINK)
}
