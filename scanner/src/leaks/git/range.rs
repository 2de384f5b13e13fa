//! What some commits brought in: those of a range, or those that came since the last scan.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use gix::ObjectId;
use keytrail_rules::search::Search;

use super::blobs::Placed;
use super::each::{Each, Entry};
use super::objects::Unread;
use super::pack::Kind;
use super::{Identify, Medium, Occurrence, Scan, SecretKey};

/// Folders in folders that are followed.
const MAX_DEPTH: usize = 512;

/// A file that a commit changed: its path, its blob, and those of the parents there.
struct Change {
    path: Vec<u8>,
    id: ObjectId,
    before: Vec<ObjectId>,
}

/// How a secret came in.
struct Introduction {
    time: i64,
    /// Its place in an order that puts parents first.
    order: usize,
    commit: ObjectId,
    object: ObjectId,
    placed: Placed,
}

/// Commits and tags apart; a tag's commit is among the tips itself. Other objects lead to no commits.
pub(crate) fn sort_out<S: Search, I: Identify>(
    each: &mut Each<'_, S, I>,
    ids: Vec<ObjectId>,
) -> (Vec<ObjectId>, Vec<ObjectId>) {
    let (mut commits, mut tags) = (Vec::new(), Vec::new());
    for id in ids {
        match each.git.find_header(id).map(|header| header.kind()) {
            Ok(gix::objs::Kind::Commit) => commits.push(id),
            Ok(gix::objs::Kind::Tag) => tags.push(id),
            Ok(_) => {}
            Err(_) => each.lose(id, Unread::Missing),
        }
    }
    (commits, tags)
}

/// The commits that `include` leads to and `exclude` does not, parents first. What is not there is counted.
pub(crate) fn commits<S: Search, I: Identify>(
    each: &mut Each<'_, S, I>,
    include: &[ObjectId],
    exclude: Vec<ObjectId>,
) -> Vec<ObjectId> {
    let walked: Vec<Result<ObjectId, gix::Error>> =
        match each.git.rev_walk(include.iter().copied()).with_hidden(exclude).all() {
            Ok(walk) => walk.map(|one| one.map(|one| one.id)).collect(),
            Err(error) => vec![Err(error)],
        };
    let mut commits = Vec::new();
    let mut failed = false;
    for one in walked {
        match one {
            Ok(id) => commits.push(id),
            Err(_) => failed = true,
        }
    }
    if let Some(example) = include.first().filter(|_| failed) {
        each.lose(*example, Unread::Missing);
    }
    commits.reverse();
    commits
}

/// Searches what commits changed, and their messages.
pub(crate) fn search<S: Search, I: Identify>(each: &mut Each<'_, S, I>, commits: &[ObjectId], scan: &mut Scan) {
    let mut found: BTreeMap<(SecretKey, Vec<u8>), Introduction> = BTreeMap::new();
    for (order, &id) in commits.iter().enumerate() {
        each.message(Kind::Commit, id);
        let Ok(commit) = each.git.find_commit(id) else { continue };
        let time = commit.time().map_or(0, |time| time.seconds);
        let Ok(tree) = commit.tree_id().map(gix::Id::detach) else { continue };
        let parents: Vec<ObjectId> = commit.parent_ids().map(gix::Id::detach).collect();
        drop(commit);
        let trees: Vec<ObjectId> = parents
            .iter()
            .filter_map(|parent| Some(each.git.find_commit(*parent).ok()?.tree_id().ok()?.detach()))
            .collect();
        let mut changes = Vec::new();
        compare(each, &trees.iter().copied().map(Some).collect::<Vec<_>>(), tree, &mut Vec::new(), 0, &mut changes);
        for change in changes {
            let before: BTreeSet<SecretKey> =
                change.before.iter().flat_map(|id| each.secrets(*id).to_vec()).map(|placed| placed.secret).collect();
            let held: Rc<[Placed]> = each.secrets(change.id);
            for placed in held.iter().filter(|placed| !before.contains(&placed.secret)) {
                let one = Introduction { time, order, commit: id, object: change.id, placed: placed.clone() };
                let key = (placed.secret, change.path.clone());
                if found.get(&key).is_none_or(|known| (one.time, one.order) < (known.time, known.order)) {
                    found.insert(key, one);
                }
            }
        }
    }
    tell(each, found, scan);
}

/// Files that differ from those of all parents.
fn compare<S: Search, I: Identify>(
    each: &mut Each<'_, S, I>,
    parents: &[Option<ObjectId>],
    tree: ObjectId,
    path: &mut Vec<u8>,
    depth: usize,
    changes: &mut Vec<Change>,
) {
    if parents.contains(&Some(tree)) {
        return;
    }
    if depth > MAX_DEPTH {
        each.lose(tree, Unread::TooLarge);
        return;
    }
    let before: Vec<Vec<Entry>> =
        parents.iter().map(|parent| parent.map(|id| each.tree(id)).unwrap_or_default()).collect();
    for entry in each.tree(tree) {
        let find = |entries: &Vec<Entry>| -> Option<Entry> {
            let at = entries.binary_search_by(|other| other.name.cmp(&entry.name)).ok()?;
            Some(entries[at].clone())
        };
        let held: Vec<Option<Entry>> = before.iter().map(find).collect();
        if held.iter().flatten().any(|other| other.id == entry.id) {
            continue;
        }
        let len = path.len();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&entry.name);
        let same_kind = held.into_iter().map(|other| other.filter(|other| other.is_tree == entry.is_tree));
        let ids = same_kind.map(|other| other.map(|other| other.id));
        if entry.is_tree {
            compare(each, &ids.collect::<Vec<_>>(), entry.id, path, depth + 1, changes);
        } else {
            changes.push(Change { path: path.clone(), id: entry.id, before: ids.flatten().collect() });
        }
        path.truncate(len);
    }
}

fn tell<S: Search, I: Identify>(
    each: &mut Each<'_, S, I>,
    found: BTreeMap<(SecretKey, Vec<u8>), Introduction>,
    scan: &mut Scan,
) {
    let mut first: HashMap<SecretKey, (i64, usize)> = HashMap::new();
    for ((secret, _), one) in &found {
        let least = first.entry(*secret).or_insert((one.time, one.order));
        *least = (one.time, one.order).min(*least);
    }
    let head = each.git.head_tree_id().ok().map(gix::Id::detach);
    for ((secret, path), one) in found {
        let in_head = head.is_some_and(|head| holds(each, head, &path, secret));
        scan.occurrences.push(Occurrence {
            secret,
            medium: Medium::History,
            commit: Some(super::report::commit(&each.git, one.commit, one.time)),
            path: String::from_utf8_lossy(&path).into_owned(),
            object: one.object.to_string(),
            position: one.placed.position.unwrap_or_default(),
            in_head,
            first: first.get(&secret) == Some(&(one.time, one.order)),
        });
    }
}

/// Whether a file of a tree holds a secret.
fn holds<S: Search, I: Identify>(each: &mut Each<'_, S, I>, tree: ObjectId, path: &[u8], secret: SecretKey) -> bool {
    let mut at = Entry { name: Vec::new(), is_tree: true, id: tree };
    for part in path.split(|byte| *byte == b'/') {
        if !at.is_tree {
            return false;
        }
        let entries = each.tree(at.id);
        match entries.binary_search_by(|entry| entry.name.as_slice().cmp(part)) {
            Ok(found) => at = entries[found].clone(),
            Err(_) => return false,
        }
    }
    !at.is_tree && each.secrets(at.id).iter().any(|placed| placed.secret == secret)
}
