//! Where secrets lie beside files of branches: messages, notes, the stash, reflogs, alternates, worktrees, submodules.

use std::fs;
use std::path::Path;

use super::super::{Medium, Scan};
use super::history::scan;
use super::repository::git;
use super::toy::identify;
use keytrail_rules::search::{Found, Hit};

/// The media and paths that a token was found at.
fn places(scan: &Scan, token: &str) -> Vec<(Medium, String)> {
    let value = 0..token.len();
    let hit = Hit { found: Found::Detector(0), value: value.clone(), depends: value, decoded: None };
    let secret = identify(token.as_bytes(), &hit);
    let found = scan.occurrences.iter().filter(|one| one.secret == secret);
    found.map(|one| (one.medium, one.path.clone())).collect()
}

fn repository(folder: &Path) {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    fs::write(folder.join("file.txt"), "tok_infile00\n").expect("a file");
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "tok_subject0\n\ntok_body0000"]);
}

#[test]
fn secrets_are_found_wherever_a_repository_keeps_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    repository(at);
    git(at, &["tag", "--annotate", "v1", "--message", "tok_tagged00"]);
    git(at, &["notes", "add", "--message", "tok_noted000"]);
    fs::write(at.join("file.txt"), "tok_stashed0\n").expect("a file");
    git(at, &["stash", "--quiet"]);
    fs::write(at.join("file.txt"), "tok_amended0\n").expect("a file");
    git(at, &["commit", "--quiet", "--all", "--message", "x"]);
    fs::write(at.join("file.txt"), "tok_replaced\n").expect("a file");
    git(at, &["commit", "--quiet", "--all", "--amend", "--message", "x"]);
    fs::write(at.join("staged.txt"), "tok_staged00\n").expect("a file");
    git(at, &["add", "--all"]);
    fs::write(at.join("lost.txt"), "tok_nowhere0\n").expect("a file");
    git(at, &["hash-object", "-w", "lost.txt"]);
    for packed in [false, true] {
        if packed {
            git(at, &["gc", "--quiet", "--prune=now"]);
            git(at, &["hash-object", "-w", "lost.txt"]);
        }
        let scan = scan(at);
        assert_eq!(scan.gaps, []);
        let file = |medium, path: &str| vec![(medium, path.to_owned())];
        assert_eq!(places(&scan, "tok_infile00"), file(Medium::History, "file.txt"));
        // The stash's commits have the subject too.
        assert_eq!(
            places(&scan, "tok_subject0"),
            [(Medium::Message, String::new()), (Medium::Message, String::new()), (Medium::Message, String::new())]
        );
        assert_eq!(places(&scan, "tok_body0000"), file(Medium::Message, ""));
        assert_eq!(places(&scan, "tok_tagged00"), file(Medium::Message, ""));
        let noted = places(&scan, "tok_noted000");
        assert!(noted.iter().all(|(medium, path)| *medium == Medium::Message && path.len() == 40), "{noted:?}");
        assert_eq!(noted.len(), 1);
        assert_eq!(places(&scan, "tok_stashed0"), file(Medium::History, "file.txt"));
        // Only the reflog leads to it.
        assert_eq!(places(&scan, "tok_amended0"), file(Medium::History, "file.txt"));
        assert_eq!(places(&scan, "tok_replaced"), file(Medium::History, "file.txt"));
        assert_eq!(places(&scan, "tok_staged00"), file(Medium::Index, "staged.txt"));
        assert_eq!(places(&scan, "tok_nowhere0"), file(Medium::Unreachable, ""));
    }
}

#[test]
fn the_same_is_found_from_a_clone_a_worktree_and_a_submodule() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("origin")).expect("a folder");
    repository(&at("origin"));
    git(folder.path(), &["clone", "--quiet", "--shared", "origin", "borrower"]);
    git(folder.path(), &["clone", "--quiet", "--bare", "origin", "bare.git"]);
    git(&at("origin"), &["worktree", "add", "--quiet", "../worktree"]);
    fs::create_dir(at("super")).expect("a folder");
    git(&at("super"), &["init", "--quiet"]);
    git(&at("super"), &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../origin", "below"]);
    for name in ["origin", "borrower", "bare.git", "worktree", "super/below"] {
        let scan = scan(&at(name));
        assert_eq!(scan.gaps, [], "{name}");
        assert_eq!(places(&scan, "tok_infile00"), [(Medium::History, "file.txt".to_owned())], "{name}");
        assert_eq!(places(&scan, "tok_subject0").len(), 1, "{name}");
    }
}

#[test]
fn a_shallow_clone_is_no_clean_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = folder.path().join("origin");
    fs::create_dir(&origin).expect("a folder");
    repository(&origin);
    for number in 0..3 {
        fs::write(origin.join("file.txt"), format!("tok_version{number}\n")).expect("a file");
        git(&origin, &["commit", "--quiet", "--all", "--message", "x"]);
    }
    let url = format!("file://{}", origin.display());
    git(folder.path(), &["clone", "--quiet", "--depth=1", &url, "shallow"]);
    let scan = scan(&folder.path().join("shallow"));
    assert_eq!(places(&scan, "tok_version2").len(), 1);
    assert_eq!(scan.gaps.len(), 1, "{:?}", scan.gaps);
    assert!(scan.gaps[0].message.contains("shallow") && scan.gaps[0].message.contains("before 1 commits"));
}

#[test]
fn what_a_partial_clone_left_behind_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = folder.path().join("origin");
    fs::create_dir(&origin).expect("a folder");
    repository(&origin);
    for number in 0..3 {
        fs::write(origin.join("file.txt"), format!("tok_version{number}\n")).expect("a file");
        git(&origin, &["commit", "--quiet", "--all", "--message", "x"]);
    }
    git(&origin, &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", origin.display());
    git(folder.path(), &["clone", "--quiet", "--filter=blob:none", &url, "partial"]);
    let scan = scan(&folder.path().join("partial"));
    // The checkout fetched the newest of four.
    assert_eq!(places(&scan, "tok_version2").len(), 1);
    assert_eq!(scan.gaps.len(), 1, "{:?}", scan.gaps);
    assert!(scan.gaps[0].message.starts_with("3 objects were not searched"), "{:?}", scan.gaps);
}
