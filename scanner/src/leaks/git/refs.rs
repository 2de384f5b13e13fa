//! What leads to the objects of a repository: refs, reflogs, and the heads of its worktrees.

use std::path::Path;

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::refs::TargetRef;
use keytrail_rules::model::{Gap, GapReason};

use super::Repository;
use super::objects::shown;

/// A reflog that is larger is cut. In bytes.
const MAX_REFLOG: u64 = 256 << 20;

/// A name that leads to an object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tip {
    /// What it leads to; of an annotated tag what that tags.
    pub(crate) id: ObjectId,
    /// `refs/heads/main`, `HEAD`; nothing for an entry of a reflog, and for what git notes in passing, as `ORIG_HEAD`.
    pub(crate) name: Option<String>,
    /// Whether it leads to notes, whose files are named for the commits that they are about.
    pub(crate) notes: bool,
}

impl Tip {
    fn named(id: ObjectId, name: String) -> Self {
        let is_told = name == "HEAD" || name.starts_with("refs/");
        Self { id, notes: name.starts_with("refs/notes/"), name: Some(name).filter(|_| is_told) }
    }
}

/// Everything that keeps objects alive: refs of every kind (branches, remotes, tags, notes, the stash, pull requests),
/// `HEAD`s, and reflogs. In order, each once. What cannot be read is added to `gaps`.
pub(crate) fn tips(repository: &Repository, gaps: &mut Vec<Gap>) -> Vec<Tip> {
    let git = &repository.git;
    let mut tips = Vec::new();
    let broken = |what: String| {
        Gap::new(shown(git.common_dir()), GapReason::Malformed, what)
            .hint("run `git fsck`; what only such a ref leads to was searched, and counts as unreachable")
    };
    match git.references().and_then(|all| {
        let named = all.all()?.map(|one| (one, false));
        let pseudo = all.pseudo()?.map(|one| (one, true));
        Ok(named.chain(pseudo).map(|(one, _)| one).map(read).collect::<Vec<_>>())
    }) {
        Ok(read) => {
            let (good, bad): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
            tips.extend(good.into_iter().flatten().flatten());
            if !bad.is_empty() {
                gaps.push(broken(format!("{} refs cannot be read", bad.len())));
            }
        }
        Err(error) => gaps.push(broken(format!("the refs cannot be read: {error}"))),
    }
    if let Some(id) = git.head().ok().and_then(|head| head.id()) {
        tips.push(Tip::named(id.detach(), "HEAD".into()));
    }
    tips.extend(logged(git.common_dir()).into_iter().map(|(id, notes)| Tip { id, name: None, notes }));
    tips.sort_unstable();
    tips.dedup();
    tips
}

/// Where a ref leads, and the tag that it is.
fn read(reference: gix::Result<gix::Reference<'_>>) -> gix::Result<Vec<Tip>> {
    let mut reference = reference?;
    let name = reference.name().as_bstr().to_str_lossy().into_owned();
    if let TargetRef::Symbolic(_) = reference.target() {
        // It says nothing that the ref it leads to does not say, and may lead to none.
        return Ok(Vec::new());
    }
    let direct = reference.try_id().map(gix::Id::detach);
    let id = match reference.peel_to_id() {
        Ok(id) => id.detach(),
        // A shallow or partial clone may lack what a tag tags.
        Err(_) => return Ok(direct.map(|id| Tip::named(id, name)).into_iter().collect()),
    };
    // The tag itself is searched too.
    let tag = direct.filter(|direct| *direct != id).map(|id| Tip { id, name: None, notes: false });
    Ok(tag.into_iter().chain([Tip::named(id, name)]).collect())
}

/// The ids in all reflogs, with whether the log is of notes, and in the `HEAD`s of worktrees.
fn logged(git: &Path) -> Vec<(ObjectId, bool)> {
    let mut ids = Vec::new();
    let logs = |folder: &Path| walkdir::WalkDir::new(folder).follow_links(false).max_depth(64).into_iter().flatten();
    let worktrees: Vec<_> = git.join("worktrees").read_dir().into_iter().flatten().flatten().collect();
    let folders = std::iter::once(git.join("logs")).chain(worktrees.iter().map(|one| one.path().join("logs")));
    for log in folders.flat_map(|folder| logs(&folder).collect::<Vec<_>>()).filter(|log| log.file_type().is_file()) {
        // Each line begins with the id before and the id after.
        let text = bounded(log.path());
        let words = text.split(|byte| *byte == b'\n').flat_map(|line| line.splitn(3, |byte| *byte == b' ').take(2));
        let notes = shown(log.path()).contains("/logs/refs/notes/");
        ids.extend(words.filter_map(|hex| Some((ObjectId::from_hex(hex).ok()?, notes))));
        ids.sort_unstable();
        ids.dedup();
    }
    let heads = worktrees.iter().map(|one| bounded(&one.path().join("HEAD")));
    ids.extend(heads.filter_map(|head| Some((ObjectId::from_hex(head.trim_ascii()).ok()?, false))));
    ids.retain(|(id, _)| !id.is_null());
    ids
}

fn bounded(path: &Path) -> Vec<u8> {
    use std::io::Read as _;
    let mut text = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What cannot be read to its end leads to less: what it led to counts as unreachable then.
        let _ = file.take(MAX_REFLOG).read_to_end(&mut text);
    }
    text
}
