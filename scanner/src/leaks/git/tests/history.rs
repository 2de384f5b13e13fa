//! Which commit brought a secret in, against the definition.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::super::{Medium, Occurrence, Options, Repository, Scan, SecretKey};
use super::repository::{Dice, git, line, naive};
use super::toy::{Toy, identify};

pub(crate) fn scan(folder: &Path) -> Scan {
    Repository::open(folder).expect("a repository").scan(&Toy, &identify, &Options::default())
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8").trim().to_owned()
}

/// A commit of any tree on any parents.
pub(crate) fn commit(folder: &Path, tree: &str, parents: &[String], time: usize, message: &str) -> String {
    let date = format!("@{time} +0000");
    let mut arguments = vec!["-c", "core.commitGraph=false", "commit-tree", tree, "-m", message];
    parents.iter().for_each(|parent| arguments.extend(["-p", parent]));
    let output = std::process::Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com"), ("GIT_AUTHOR_DATE", &date)])
        .envs([("GIT_COMMITTER_NAME", "Bob"), ("GIT_COMMITTER_EMAIL", "bob@example.com")])
        .env("GIT_COMMITTER_DATE", &date)
        .output()
        .expect("git runs");
    assert!(output.status.success());
    text(output.stdout)
}

/// Commits of random trees on random parents. Some are on no branch.
pub(crate) fn wild_history(folder: &Path, commits: usize, dice: &mut Dice) -> Vec<String> {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    let names = ["a.txt", "b.txt", "sub/a.txt", "sub/deep/c.txt", "sub.txt"];
    let mut made: Vec<String> = Vec::new();
    for number in 0..commits {
        let mut parents: Vec<String> = Vec::new();
        if !made.is_empty() && dice.roll(15) > 0 {
            let newest = made.len().min(6);
            parents = (0..=dice.roll(5) / 3).map(|_| made[made.len() - 1 - dice.roll(newest)].clone()).collect();
            parents.sort();
            parents.dedup();
            git(folder, &["read-tree", "--reset", "-u", &parents[0]]);
        }
        for _ in 0..=dice.roll(3) {
            let path = folder.join(names[dice.roll(names.len())]);
            let _ = fs::create_dir_all(path.parent().expect("a folder"));
            let held = fs::read_to_string(&path).unwrap_or_default();
            let mut lines: Vec<String> = held.lines().map(str::to_owned).collect();
            match dice.roll(6) {
                0 => drop(fs::remove_file(&path)),
                1 if !lines.is_empty() => {
                    let at = dice.roll(lines.len());
                    lines.remove(at);
                    fs::write(&path, lines.join("\n")).expect("a file");
                }
                _ => {
                    lines.insert(dice.roll(lines.len() + 1), line(dice));
                    fs::write(&path, lines.join("\n")).expect("a file");
                }
            }
        }
        git(folder, &["add", "--all"]);
        let tree = text(git(folder, &["write-tree"]));
        made.push(commit(folder, &tree, &parents, 1_000_000 + 1_000 * number, &format!("commit {number}")));
        if dice.roll(8) == 0 {
            git(folder, &["update-ref", &format!("refs/pull/{number}/head"), &made[number]]);
        }
    }
    git(folder, &["update-ref", "refs/heads/main", &made[commits - 1]]);
    git(folder, &["reset", "--quiet", "--hard"]);
    made
}

pub(crate) type Files = BTreeSet<(SecretKey, String)>;

/// By commit of all refs: its parents, its time, and which secrets its files hold.
pub(crate) fn commits(folder: &Path) -> BTreeMap<String, (Vec<String>, usize, Files)> {
    let blobs = naive(folder);
    let log = text(git(folder, &["log", "--all", "--format=%H %ct %P"]));
    let files = |commit: &str| {
        let listed = text(git(folder, &["ls-tree", "-r", commit]));
        let mut files = Files::new();
        for (head, path) in listed.lines().filter_map(|line| line.split_once('\t')) {
            let secrets = blobs.get(head.split(' ').nth(2).expect("an id"));
            files.extend(secrets.into_iter().flatten().map(|(secret, _)| (*secret, path.to_owned())));
        }
        files
    };
    log.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let parents = words[2..].iter().filter(|word| !word.is_empty()).map(|word| (*word).to_owned()).collect();
            (words[0].to_owned(), (parents, words[1].parse().expect("a time"), files(words[0])))
        })
        .collect()
}

/// By secret and file the commit that brought it in, and whether that is the first of the repository.
pub(crate) fn expected(folder: &Path) -> BTreeMap<(SecretKey, String), (String, bool)> {
    let commits = commits(folder);
    let secrets = |files: &Files| files.iter().map(|(secret, _)| *secret).collect::<BTreeSet<_>>();
    let mut files: BTreeMap<(SecretKey, String), (usize, String)> = BTreeMap::new();
    let mut first: BTreeMap<SecretKey, (usize, String)> = BTreeMap::new();
    for (id, (parents, time, held)) in &commits {
        let before: Vec<&Files> = parents.iter().map(|parent| &commits[parent].2).collect();
        for file in held.iter().filter(|file| !before.iter().any(|before| before.contains(*file))) {
            let introduction = (*time, id.clone());
            let known = files.entry(file.clone()).or_insert(introduction.clone());
            *known = introduction.clone().min(known.clone());
            if !before.iter().any(|before| secrets(before).contains(&file.0)) {
                let known = first.entry(file.0).or_insert(introduction.clone());
                *known = introduction.min(known.clone());
            }
        }
    }
    files
        .into_iter()
        .map(|((secret, path), (_, id))| {
            let is_first = first[&secret].1 == id;
            ((secret, path), (id, is_first))
        })
        .collect()
}

#[test]
fn every_secret_is_told_of_with_the_commit_that_brought_it_into_each_file() {
    let mut total = 0;
    for seed in 0..4 {
        let folder = tempfile::tempdir().expect("a folder");
        wild_history(folder.path(), 100, &mut Dice(seed));
        let expected = expected(folder.path());
        total += expected.len();
        for repack in [false, true] {
            if repack {
                git(folder.path(), &["repack", "-adkfq"]);
            }
            let scan = scan(folder.path());
            assert_eq!(scan.gaps, []);
            let in_history: Vec<&Occurrence> =
                scan.occurrences.iter().filter(|one| one.medium == Medium::History).collect();
            let found: BTreeMap<(SecretKey, String), (String, bool)> = in_history
                .iter()
                .map(|one| {
                    let commit = one.commit.as_ref().expect("a commit");
                    assert_eq!((commit.author.as_str(), commit.email.as_str()), ("Ada", "ada@example.com"));
                    ((one.secret, one.path.clone()), (commit.id.clone(), one.first))
                })
                .collect();
            assert_eq!(found, expected, "seed {seed}");
            assert_eq!(found.len(), in_history.len());
            lines_are_right(folder.path(), &in_history);
            what_no_ref_leads_to_is_told_of(folder.path(), &scan);
            refs_are_named(folder.path(), &scan);
        }
    }
    assert!(total > 60, "{total}");
}

/// At each place lies what the secret was identified by.
fn lines_are_right(folder: &Path, occurrences: &[&Occurrence]) {
    let head = commits(folder)[&text(git(folder, &["rev-parse", "HEAD"]))].2.clone();
    for one in occurrences {
        let commit = &one.commit.as_ref().expect("a commit").id;
        let held = String::from_utf8(git(folder, &["show", &format!("{commit}:{}", one.path)])).expect("UTF-8");
        let at = one.position;
        let start = held.split_inclusive('\n').take(at.line as usize - 1).map(str::len).sum::<usize>();
        let (from, to) = (at.start_column as usize - 1, at.end_column as usize - 1);
        let value = &held.as_bytes()[start + from..start + to];
        let fold = |sum: u128, byte: &u8| sum.wrapping_mul(0x0001_0000_01b3).wrapping_add(u128::from(*byte) + 1);
        assert_eq!(SecretKey(value.iter().fold(value.len() as u128, fold)), one.secret);
        assert_eq!(one.in_head, head.contains(&(one.secret, one.path.clone())));
    }
}

fn what_no_ref_leads_to_is_told_of(folder: &Path, scan: &Scan) {
    let listed = text(git(folder, &["rev-list", "--all", "--objects", "--indexed-objects"]));
    let reached: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    let unreached: BTreeSet<String> = naive(folder).into_keys().filter(|id| !reached.contains(id.as_str())).collect();
    let found = scan.occurrences.iter().filter(|one| one.medium == Medium::Unreachable);
    assert_eq!(found.map(|one| one.object.clone()).collect::<BTreeSet<_>>(), unreached);
}

fn refs_are_named(folder: &Path, scan: &Scan) {
    let commits = commits(folder);
    let listed = text(git(folder, &["for-each-ref", "--format=%(objectname) %(refname)"]));
    let head = text(git(folder, &["rev-parse", "HEAD"]));
    let mut expected: BTreeMap<SecretKey, BTreeSet<String>> = BTreeMap::new();
    for (id, name) in listed.lines().filter_map(|line| line.split_once(' ')).chain([(head.as_str(), "HEAD")]) {
        for (secret, _) in &commits[id].2 {
            expected.entry(*secret).or_default().insert(name.to_owned());
        }
    }
    let found = scan.refs.iter().map(|(secret, names)| (*secret, names.iter().cloned().collect()));
    assert_eq!(found.collect::<BTreeMap<SecretKey, BTreeSet<String>>>(), expected);
}
