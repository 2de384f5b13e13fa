//! From the blobs that hold secrets to commits, files and lines.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::hashtable::HashMap as IdMap;
use keytrail_rules::model::{Gap, GapReason};

use super::blobs::{Holder, Outcome, Placed};
use super::graph::{CommitId, Graph};
use super::history::{self, Follower, SecretId};
use super::objects::{Losses, Objects, Unread, shown};
use super::pack::Kind;
use super::refs::{self, Tip};
use super::trees::{BlobId, TreeId, Trees};
use super::{Commit, MAX_REFS, Medium, Occurrence, Options, Position, Repository, Scan, SecretKey, lines, missing};

/// Tells where the secrets of an outcome lie.
pub(crate) fn report(
    repository: &Repository,
    objects: &Objects,
    outcome: Outcome,
    options: &Options<'_>,
    mut gaps: Vec<Gap>,
) -> Scan {
    let Outcome { blobs, messages, commits, mut losses, objects: count, bytes, changed } = outcome;
    let tips = refs::tips(repository, &mut gaps);
    let graph = Graph::new(&commits);
    missing_commits(repository, &graph, &mut losses, &mut gaps);
    if objects.promised {
        missing::count(objects, &commits, repository.git.object_hash(), options.threads, &mut losses);
    }
    let mut scan = Scan { objects: count, bytes, changed, ..Scan::default() };
    let resolver = Resolver { repository, graph: &graph, tips: &tips };
    if !blobs.is_empty() {
        resolver.files(objects, &blobs, options.threads, &mut scan, &mut losses, &mut gaps);
    }
    let reached = graph.reached(tips.iter().filter_map(|tip| graph.find(&tip.id)));
    let is_reached = |id: &ObjectId| graph.find(id).is_some_and(|number| reached[number as usize]);
    let time = |id: &ObjectId| graph.find(id).map_or(0, |number| graph.commit(number).time);
    scan.occurrences.extend(self::messages(&repository.git, &messages, is_reached, time));
    gaps.extend(losses.gaps());
    scan.gaps = gaps;
    sort(&mut scan.occurrences);
    scan
}

/// Says which part of the history is not there.
fn missing_commits(repository: &Repository, graph: &Graph<'_>, losses: &mut Losses, gaps: &mut Vec<Gap>) {
    let shallow = repository.git.shallow_commits().ok().flatten();
    let boundary: BTreeSet<ObjectId> = shallow.iter().flat_map(|all| all.iter().copied()).collect();
    if !boundary.is_empty() {
        let message = format!("a shallow clone: the history before {} commits is not there", boundary.len());
        let gap = Gap::new(shown(repository.git.common_dir()), GapReason::Unreachable, message);
        gaps.push(gap.hint("run `git fetch --unshallow`"));
    }
    let cut = graph.commits.iter().filter(|commit| boundary.contains(&commit.id)).flat_map(|commit| &commit.parents);
    let cut: HashSet<&ObjectId> = cut.collect();
    let lost: Vec<&ObjectId> = graph.missing.iter().filter(|id| !cut.contains(id)).collect();
    let example = lost.first().map(|id| **id);
    losses.add(&shown(repository.git.common_dir()), Unread::Missing, lost.len() as u64, example);
}

struct Resolver<'a> {
    repository: &'a Repository,
    graph: &'a Graph<'a>,
    tips: &'a [Tip],
}

impl Resolver<'_> {
    fn files(
        &self,
        objects: &Objects,
        blobs: &[Holder],
        threads: usize,
        scan: &mut Scan,
        losses: &mut Losses,
        gaps: &mut Vec<Gap>,
    ) {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let wanted: IdMap<ObjectId, BlobId> =
            blobs.iter().enumerate().map(|(at, blob)| (blob.id, number(at))).collect();
        let trees = Trees::read(objects, self.repository.git.object_hash(), &wanted, threads, losses);
        let (secrets, keys) = history::number_secrets(blobs);
        let reached = self.graph.reached(self.tips.iter().filter_map(|tip| self.graph.find(&tip.id)));
        let files = self.tips.iter().filter(|tip| !tip.notes);
        let in_files = self.graph.reached(files.filter_map(|tip| self.graph.find(&tip.id)));
        let mut follower = Follower::new(self.graph, &trees, &secrets);
        follower.follow(&self.graph.parents_first(&reached));
        if follower.history.cut {
            let message = "the trees hold too many copies of files with secrets: not all files are told of";
            let gap = Gap::new(shown(self.repository.git.common_dir()), GapReason::TooLarge, message);
            gaps.push(gap.hint("every object was searched; look for repeated folders with `git ls-tree -r`"));
        }
        let head = self.repository.git.head_id().ok().and_then(|id| self.graph.find(&id.detach()));
        let head = head.and_then(|head| trees.number(&self.graph.commit(head).tree));
        self.name_refs(&follower, &trees, &keys, scan);
        let mut known: HashMap<CommitId, Commit> = HashMap::new();
        let mut places = Vec::new();
        for ((secret, path), introduction) in &follower.history.files {
            let first = follower.history.first.get(secret).is_some_and(|first| first.commit == introduction.commit);
            let commit = known.entry(introduction.commit).or_insert_with(|| {
                commit(&self.repository.git, self.graph.commit(introduction.commit).id, introduction.time)
            });
            let medium = if in_files[introduction.commit as usize] { Medium::History } else { Medium::Message };
            let holds = |tree: TreeId| {
                let blob = follower.blob_at(tree, path);
                blob.is_some_and(|blob| secrets[blob as usize].binary_search(secret).is_ok())
            };
            let place = Occurrence {
                secret: keys[*secret as usize],
                medium,
                commit: Some(commit.clone()),
                path: follower.shown(path),
                object: String::new(),
                position: Position::default(),
                in_head: head.is_some_and(holds),
                first,
            };
            places.push((place, introduction.blob));
        }
        places.extend(self.without_commit(blobs, &follower.history.reached));
        scan.occurrences.extend(with_lines(objects, blobs, places, threads));
    }

    /// The places of blobs that no commit holds: in the index, or nowhere.
    fn without_commit(&self, blobs: &[Holder], reached: &HashSet<BlobId>) -> Vec<(Occurrence, BlobId)> {
        let unreached = (0..u32::try_from(blobs.len()).unwrap_or(u32::MAX)).filter(|blob| !reached.contains(blob));
        let unreached: Vec<BlobId> = unreached.collect();
        if unreached.is_empty() {
            return Vec::new();
        }
        let mut staged: HashMap<ObjectId, String> = HashMap::new();
        if let Ok(index) = self.repository.git.index_or_empty() {
            let wanted: HashSet<ObjectId> = unreached.iter().map(|blob| blobs[*blob as usize].id).collect();
            for entry in index.entries().iter().filter(|entry| wanted.contains(&entry.id)) {
                let path = entry.path(&index).to_str_lossy().into_owned();
                staged.entry(entry.id).or_insert(path);
            }
        }
        let mut places = Vec::new();
        for blob in unreached {
            let path = staged.get(&blobs[blob as usize].id);
            let medium = if path.is_some() { Medium::Index } else { Medium::Unreachable };
            places.extend(blobs[blob as usize].secrets.iter().map(|placed| {
                let place = Occurrence {
                    secret: placed.secret,
                    medium,
                    commit: None,
                    path: path.cloned().unwrap_or_default(),
                    object: String::new(),
                    position: Position::default(),
                    in_head: false,
                    first: false,
                };
                (place, blob)
            }));
        }
        places
    }

    /// Which refs hold which secrets now.
    fn name_refs(&self, follower: &Follower<'_>, trees: &Trees, keys: &[SecretKey], scan: &mut Scan) {
        let mut held: HashMap<TreeId, BTreeSet<SecretId>> = HashMap::new();
        let mut names: Vec<(&String, TreeId)> = self
            .tips
            .iter()
            .filter_map(|tip| {
                let commit = self.graph.commit(self.graph.find(&tip.id)?);
                Some((tip.name.as_ref()?, trees.number(&commit.tree)?))
            })
            .collect();
        names.sort_unstable();
        for (name, tree) in names {
            let secrets = held.entry(tree).or_insert_with(|| follower.held(std::iter::once(tree)));
            for secret in secrets.iter() {
                let named = scan.refs.entry(keys[*secret as usize]).or_default();
                if named.len() < MAX_REFS {
                    named.push(name.clone());
                }
            }
        }
    }
}

/// Fills in the blobs and the lines.
fn with_lines(
    objects: &Objects,
    blobs: &[Holder],
    places: Vec<(Occurrence, BlobId)>,
    threads: usize,
) -> Vec<Occurrence> {
    let placed = |place: &Occurrence, blob: BlobId| -> Option<&Placed> {
        let secrets = &blobs[blob as usize].secrets;
        secrets.binary_search_by_key(&place.secret, |placed| placed.secret).ok().map(|at| &secrets[at])
    };
    let mut wanted: lines::Wanted = BTreeMap::new();
    for (place, blob) in &places {
        if let Some(placed) = placed(place, *blob).filter(|placed| placed.position.is_none()) {
            wanted.entry(blobs[*blob as usize].id).or_default().push((placed.offset, placed.len));
        }
    }
    let found = lines::find(objects, &wanted, threads);
    let fill = |(mut place, blob): (Occurrence, BlobId)| {
        let id = blobs[blob as usize].id;
        if let Some(placed) = placed(&place, blob) {
            place.position = placed.position.or(found.get(&(id, placed.offset)).copied()).unwrap_or_default();
        }
        place.object = id.to_string();
        place
    };
    places.into_iter().map(fill).collect()
}

/// A commit with who wrote it.
pub(crate) fn commit(git: &gix::Repository, id: ObjectId, time: i64) -> Commit {
    let object = git.find_commit(id).ok();
    let author = object.as_ref().and_then(|commit| commit.author().ok());
    let text = |part: &gix::bstr::BStr| part.to_str_lossy().into_owned();
    Commit {
        time,
        id: id.to_string(),
        author: author.map(|author| text(author.name)).unwrap_or_default(),
        email: author.map(|author| text(author.email)).unwrap_or_default(),
    }
}

/// The order of a report: by secret, the oldest first.
pub(crate) fn sort(occurrences: &mut [Occurrence]) {
    let age = |one: &Occurrence| (one.commit.is_none(), one.commit.as_ref().map(|commit| commit.time), !one.first);
    occurrences.sort_by(|a, b| (a.secret, age(a), &a.path, &a.object).cmp(&(b.secret, age(b), &b.path, &b.object)));
}

/// Messages that hold secrets. `is_reached` says of a commit whether anything leads to it.
pub(crate) fn messages(
    git: &gix::Repository,
    messages: &[(Kind, Holder)],
    is_reached: impl Fn(&ObjectId) -> bool,
    time: impl Fn(&ObjectId) -> i64,
) -> Vec<Occurrence> {
    let mut occurrences = Vec::new();
    for (kind, holder) in messages {
        let is_commit = *kind == Kind::Commit;
        let medium = if is_commit && !is_reached(&holder.id) { Medium::Unreachable } else { Medium::Message };
        let commit = is_commit.then(|| commit(git, holder.id, time(&holder.id)));
        occurrences.extend(holder.secrets.iter().map(|placed| Occurrence {
            secret: placed.secret,
            medium,
            commit: commit.clone(),
            path: String::new(),
            object: holder.id.to_string(),
            position: placed.position.unwrap_or_default(),
            in_head: false,
            first: false,
        }));
    }
    occurrences
}
