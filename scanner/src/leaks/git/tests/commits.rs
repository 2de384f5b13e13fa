//! Scans of a part: a range of commits, what came since the last scan, and the index.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::super::{Medium, Options, Repository, Scan, SecretKey};
use super::history::{commits, expected, scan, text, wild_history};
use super::repository::{Dice, git};
use super::toy::{Toy, identify};

fn open(folder: &Path) -> Repository {
    Repository::open(folder).expect("a repository")
}

fn files(scan: &Scan) -> BTreeSet<(SecretKey, String)> {
    let in_files = scan.occurrences.iter().filter(|one| one.medium == Medium::History);
    in_files.map(|one| (one.secret, one.path.clone())).collect()
}

#[test]
fn a_range_of_everything_is_everything_that_its_tip_leads_to() {
    for seed in 10..12 {
        let folder = tempfile::tempdir().expect("a folder");
        let made = wild_history(folder.path(), 50, &mut Dice(seed));
        // Nothing but main is left.
        for name in text(git(folder.path(), &["for-each-ref", "--format=%(refname)", "refs/pull"])).lines() {
            git(folder.path(), &["update-ref", "-d", name]);
        }
        let range = open(folder.path()).scan_range("main", &Toy, &identify, &Options::default()).expect("a range");
        assert_eq!(range.gaps, []);
        let found: BTreeSet<_> = range
            .occurrences
            .iter()
            .filter(|one| one.medium == Medium::History)
            .map(|one| (one.secret, one.path.clone(), one.commit.as_ref().expect("a commit").id.clone()))
            .collect();
        let expected = expected(folder.path());
        assert_eq!(found, expected.into_iter().map(|((secret, path), (id, _))| (secret, path, id)).collect());
        // From a commit on its way: what the commits behind it brought into files.
        let from = &made[made.len() / 2];
        let listed = text(git(folder.path(), &["rev-list", &format!("{from}..main")]));
        let all = commits(folder.path());
        let mut brought = BTreeSet::new();
        for id in listed.lines() {
            let (parents, _, held) = &all[id];
            let new = held.iter().filter(|file| !parents.iter().any(|parent| all[parent].2.contains(*file)));
            brought.extend(new.cloned());
        }
        let range = open(folder.path()).scan_range(&format!("{from}..main"), &Toy, &identify, &Options::default());
        assert_eq!(files(&range.expect("a range")), brought);
    }
}

#[test]
fn after_a_scan_only_what_is_new_is_searched() {
    let folder = tempfile::tempdir().expect("a folder");
    wild_history(folder.path(), 40, &mut Dice(20));
    let tips = open(folder.path()).tips();
    let since = |tips: &[String]| open(folder.path()).scan_since(tips, &Toy, &identify, &Options::default());
    let nothing = since(&tips);
    assert_eq!((nothing.objects, nothing.occurrences.len()), (0, 0));
    fs::write(folder.path().join("new.txt"), "tok_brandnew\n").expect("a file");
    git(folder.path(), &["add", "--all"]);
    git(folder.path(), &["commit", "--quiet", "--message", "tok_inwords0"]);
    git(folder.path(), &["tag", "--annotate", "v1", "--message", "tok_intag000"]);
    let new = since(&tips);
    assert_eq!(new.gaps, []);
    assert_eq!(new.occurrences.len(), 3, "{:?}", new.occurrences);
    assert_eq!(files(&new).into_iter().map(|(_, path)| path).collect::<Vec<_>>(), ["new.txt"]);
    // A tip that is gone hides nothing, and no tips are a scan of all that is reached.
    let all = since(&["0123456789".repeat(4)]);
    assert_eq!(files(&all), files(&scan(folder.path())));
}

#[test]
fn what_is_staged_is_told_apart_from_what_head_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let staged = || open(at).scan_staged(&Toy, &identify, &Options::default());
    git(at, &["init", "--quiet", "--initial-branch", "main"]);
    fs::create_dir_all(at.join("sub/deep")).expect("folders");
    fs::write(at.join("sub/deep/old.txt"), "tok_inhead00\n").expect("a file");
    fs::write(at.join("sub/same.txt"), "tok_same0000\n").expect("a file");
    git(at, &["add", "--all"]);
    // Before the first commit all is new.
    assert_eq!(staged().occurrences.len(), 2);
    git(at, &["commit", "--quiet", "--message", "x"]);
    assert_eq!(staged().objects, 0);
    fs::write(at.join("sub/deep/old.txt"), "tok_inhead00\ntok_isnew000\n").expect("a file");
    fs::write(at.join("not-staged.txt"), "tok_unstaged\n").expect("a file");
    git(at, &["add", "sub/deep/old.txt"]);
    let scan = staged();
    assert_eq!(scan.gaps, []);
    let found: Vec<_> =
        scan.occurrences.iter().map(|one| (one.path.as_str(), one.position.line, one.in_head)).collect();
    let mut found = found;
    found.sort_unstable();
    assert_eq!(found, [("sub/deep/old.txt", 1, true), ("sub/deep/old.txt", 2, false)]);
    // The index of an older git says nothing of folders.
    git(at, &["-c", "index.version=4", "update-index", "--force-write-index", "--index-version", "4"]);
    assert_eq!(staged().occurrences.len(), 2);
    fs::write(at.join(".git/index"), "no index").expect("a file");
    assert_eq!(staged().gaps.len(), 1);
}

#[test]
fn a_range_that_is_none_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "--quiet", "--initial-branch", "main"]);
    let error = open(folder.path()).scan_range("a..b", &Toy, &identify, &Options::default()).expect_err("no range");
    assert!(error.to_string().starts_with("a..b is no range") && error.hint().contains("main..topic"), "{error}");
    assert!(Repository::open(&folder.path().join("nothing")).is_err());
}
