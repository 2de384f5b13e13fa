//! Repositories that git made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::super::{Options, Repository, SecretKey, scan};
use super::toy::{Toy, identify};
use keytrail_rules::search::{Hits, Search};

/// Runs git in a folder; its output.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Bob"), ("GIT_COMMITTER_EMAIL", "bob@example.com")])
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Every object of a repository: its id, its type, and what it holds.
pub(crate) fn all_objects(folder: &Path) -> Vec<(String, String, Vec<u8>)> {
    let bytes = git(folder, &["cat-file", "--batch-all-objects", "--batch"]);
    let (mut objects, mut rest) = (Vec::new(), &bytes[..]);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let head = String::from_utf8(rest[..end].to_vec()).expect("a head");
        let words: Vec<&str> = head.split(' ').collect();
        let size: usize = words[2].parse().expect("a size");
        objects.push((words[0].to_owned(), words[1].to_owned(), rest[end + 1..end + 1 + size].to_vec()));
        rest = &rest[end + 2 + size..];
    }
    objects
}

/// The secrets of a text that is searched whole, with the least offset of each.
pub(crate) fn secrets_of(text: &[u8]) -> BTreeMap<SecretKey, u64> {
    let mut found = Hits::default();
    Toy.search(text, 0..text.len(), &mut (), &mut found);
    Toy.settle(&mut found.hits);
    let mut secrets = BTreeMap::new();
    for hit in &found.hits {
        let offset = hit.value.start as u64;
        let least = secrets.entry(identify(text, hit)).or_insert(offset);
        *least = offset.min(*least);
    }
    secrets
}

/// The secrets of every blob of a repository, each blob searched whole.
pub(crate) fn naive(folder: &Path) -> BTreeMap<String, BTreeMap<SecretKey, u64>> {
    let blobs = all_objects(folder).into_iter().filter(|(_, kind, _)| kind == "blob");
    let searched = blobs.map(|(id, _, text)| (id, secrets_of(&text)));
    searched.filter(|(_, secrets)| !secrets.is_empty()).collect()
}

fn walked(folder: &Path, threads: usize) -> BTreeMap<String, BTreeMap<SecretKey, u64>> {
    let repository = Repository::open(folder).expect("a repository");
    let mut gaps = Vec::new();
    let options = Options { threads, ..Options::default() };
    let (_, outcome) = scan::everything(&repository, &Toy, &identify, &options, &mut gaps);
    gaps.extend(outcome.losses.gaps());
    assert_eq!(gaps, []);
    let secrets =
        |blob: &super::super::blobs::Holder| blob.secrets.iter().map(|placed| (placed.secret, placed.offset)).collect();
    outcome.blobs.iter().map(|blob| (blob.id.to_string(), secrets(blob))).collect()
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// A line that may hold a secret, or a part of one.
pub(crate) fn line(dice: &mut Dice) -> String {
    match dice.roll(9) {
        0 => format!("token: tok_{:08}", dice.roll(20)),
        1 => "the key is SECRETVAL".to_owned(),
        2 => "SECRETVAL".to_owned(),
        3 => "PEM{".to_owned(),
        4 => "}".to_owned(),
        5 => "pass hunter2hunter2".to_owned(),
        6 => format!("xtok_{:08}", dice.roll(20)),
        _ => format!("line {} {}", dice.roll(1_000_000), dice.roll(1_000_000)),
    }
}

/// Makes a repository with a history of edits to a few files.
fn edited_history(folder: &Path, commits: usize, dice: &mut Dice) {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    let mut files: Vec<Vec<String>> = (0..4).map(|_| (0..80).map(|_| line(dice)).collect()).collect();
    for commit in 0..commits {
        for _ in 0..=dice.roll(3) {
            let file = dice.roll(files.len());
            let at = dice.roll(files[file].len());
            match dice.roll(4) {
                0 if files[file].len() > 10 => drop(files[file].remove(at)),
                1 => files[file][at] = line(dice),
                2 => {
                    let moved = files[file].split_off(at);
                    files[file].splice(0..0, moved);
                }
                _ => files[file].insert(at, line(dice)),
            }
        }
        for (number, lines) in files.iter().enumerate() {
            std::fs::write(folder.join(format!("file{number}.txt")), lines.join("\n")).expect("a file");
        }
        git(folder, &["add", "--all"]);
        git(folder, &["commit", "--quiet", "--allow-empty", "--message", &format!("commit {commit}")]);
    }
}

#[test]
fn a_pack_gives_what_its_blobs_give_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    edited_history(folder.path(), 60, &mut Dice(7));
    let loose = naive(folder.path());
    assert!(loose.len() > 60, "{}", loose.len());
    assert_eq!(walked(folder.path(), 2), loose);
    for deltas in ["--depth=250", "--depth=3"] {
        git(folder.path(), &["repack", "-adfq", "--window=50", deltas]);
        assert_eq!(walked(folder.path(), 1), loose);
        assert_eq!(walked(folder.path(), 4), loose);
    }
    let distinct: BTreeSet<&SecretKey> = loose.values().flat_map(BTreeMap::keys).collect();
    assert!(distinct.len() > 20, "{}", distinct.len());
}
