//! Whatever is another byte or another file is named.

use std::fs;
use std::path::{Path, PathBuf};

use keytrail::export::verify::verify;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::company::Company;
use super::tsa::Authority;
use crate::support::copy_tree;

/// Every file below a folder, with its bytes.
pub(super) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(|entry| entry.expect("an entry"));
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().to_owned(), fs::read(entry.path()).expect("a file"))).collect()
}

/// What is done to an export.
#[derive(Clone, Debug)]
enum Act {
    /// Another byte in a file.
    Flip(prop::sample::Index, u8),
    /// Only its first bytes are left.
    Truncate(prop::sample::Index),
    Append(u8),
    Remove,
    /// Under another name.
    Rename,
    /// Each has the bytes of the other.
    Swap(prop::sample::Index),
    /// The first line comes last.
    Reorder,
    /// A new file beside it.
    Add,
    /// A copy of it beside it.
    Copy,
    /// A link to it in its place.
    Link,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (any::<prop::sample::Index>(), 1_u8..).prop_map(|(at, with)| Act::Flip(at, with)),
        2 => any::<prop::sample::Index>().prop_map(Act::Truncate),
        2 => any::<u8>().prop_map(Act::Append),
        1 => Just(Act::Remove),
        1 => Just(Act::Rename),
        2 => any::<prop::sample::Index>().prop_map(Act::Swap),
        1 => Just(Act::Reorder),
        1 => Just(Act::Add),
        1 => Just(Act::Copy),
        1 => Just(Act::Link),
    ]
}

/// Does it. The names of which at least one must be told; none where nothing was changed.
fn tamper(all: &[(PathBuf, Vec<u8>)], file: usize, act: &Act) -> Vec<PathBuf> {
    let (path, bytes) = &all[file];
    let beside = path.with_extension("more");
    let changed = |bytes: &[u8]| {
        fs::write(path, bytes).expect("a file");
        vec![path.clone()]
    };
    match act {
        Act::Flip(..) | Act::Truncate(_) if bytes.is_empty() => Vec::new(),
        Act::Flip(at, with) => {
            let mut bytes = bytes.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= with;
            changed(&bytes)
        }
        Act::Truncate(at) => changed(&bytes[..at.index(bytes.len())]),
        Act::Append(byte) => changed(&[bytes, &[*byte][..]].concat()),
        Act::Remove => {
            fs::remove_file(path).expect("gone");
            vec![path.clone()]
        }
        Act::Rename => {
            fs::rename(path, &beside).expect("renamed");
            vec![path.clone(), beside]
        }
        Act::Swap(other) => {
            let (other, others) = &all[other.index(all.len())];
            if bytes == others {
                return Vec::new();
            }
            fs::write(other, bytes).expect("a file");
            [changed(others), vec![other.clone()]].concat()
        }
        Act::Reorder => match bytes.iter().position(|byte| *byte == b'\n').map(|end| bytes.split_at(end + 1)) {
            Some((first, rest)) if [rest, first].concat() != *bytes => changed(&[rest, first].concat()),
            _ => Vec::new(),
        },
        Act::Add => {
            fs::write(&beside, b"").expect("a file");
            vec![beside]
        }
        Act::Copy => {
            fs::write(&beside, bytes).expect("a file");
            vec![beside]
        }
        Act::Link => {
            fs::rename(path, path.with_file_name("linked")).expect("renamed");
            std::os::unix::fs::symlink("linked", path).expect("a link");
            vec![path.clone()]
        }
    }
}

/// Tampers with copies of an export, and puts back what was there.
fn every_act_is_named(export: &Path, trust: bool, cases: u32) {
    let key = fs::read_to_string(export.join("keys/export.pem")).expect("a key");
    let key = keytrail_reporters::sign::PublicKey::from_pem(&key).expect("a key");
    let trusted = [keytrail_reporters::sign::TrustedKey::always(key)];
    let trusted = trust.then_some(&trusted[..]);
    let place = tempfile::tempdir().expect("a folder");
    let copy = place.path().join("copy");
    copy_tree(export, &copy);
    let whole = verify(&copy, trusted, None).expect("it is read");
    assert_eq!(whole.problems, []);
    let all = files(&copy);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let strategy = (any::<prop::sample::Index>(), act());
    let outcome = runner.run(&strategy, |(file, act)| {
        let names = tamper(&all, file.index(all.len()), &act);
        let result = verify(&copy, trusted, None).expect("it is read");
        if !names.is_empty() {
            let names: Vec<String> =
                names.iter().map(|path| path.strip_prefix(&copy).unwrap().to_string_lossy().into_owned()).collect();
            let told: Vec<&str> = result.problems.iter().map(|problem| problem.file.as_str()).collect();
            prop_assert!(names.iter().any(|name| told.contains(&name.as_str())), "{names:?}: {:?}", result.problems);
        }
        fs::remove_dir_all(&copy).expect("gone");
        copy_tree(export, &copy);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn whatever_is_another_byte_or_file_is_named() {
    let company = Company::new();
    company.export("first", &["--until", "2026-05-01"]);
    company.rotate();
    let authority = Authority::start();
    let out = company.export("evidence", &["--timestamp", &authority.url]);
    assert!(out.path().join("evidence.tsr").is_file());
    for trust in [false, true] {
        every_act_is_named(out.path(), trust, 80);
    }
}

#[test]
fn each_file_is_guarded_at_its_first_middle_and_last_byte() {
    let company = Company::new();
    let out = company.export("evidence", &[]);
    for (path, bytes) in files(out.path()) {
        for at in [0, bytes.len() / 2, bytes.len().saturating_sub(1)].into_iter().filter(|at| *at < bytes.len()) {
            let mut other = bytes.clone();
            other[at] ^= 1;
            fs::write(&path, &other).expect("a file");
            let result = verify(out.path(), None, None).expect("it is read");
            let name = path.strip_prefix(out.path()).unwrap().to_string_lossy().into_owned();
            assert!(result.problems.iter().any(|one| one.file == name), "{name} at {at}: {:?}", result.problems);
        }
        fs::write(&path, &bytes).expect("a file");
    }
    fs::create_dir(out.path().join("empty")).expect("a folder");
    let result = verify(out.path(), None, None).expect("it is read");
    assert_eq!(result.problems.iter().map(|one| one.file.as_str()).collect::<Vec<_>>(), ["empty"]);
    // The binary says it with its exit status.
    let failed = company.keytrail(&["verify", "evidence"]);
    assert_eq!(failed.status, Some(1), "{}", failed.stdout);
    assert!(failed.stdout.contains("FAILED empty is a folder that is not part of the export"), "{}", failed.stdout);
}
