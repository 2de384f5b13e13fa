//! Repositories that are broken, or made to harm.

use std::fs;
use std::path::{Path, PathBuf};

use super::history::scan;
use super::repository::{Dice, git, line};

/// A packed repository, and its pack.
fn packed(folder: &Path) -> PathBuf {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    let mut dice = Dice(3);
    let mut lines: Vec<String> = (0..60).map(|_| line(&mut dice)).collect();
    for number in 0..20 {
        lines[number * 2] = line(&mut dice);
        fs::write(folder.join("file.txt"), lines.join("\n")).expect("a file");
        git(folder, &["add", "--all"]);
        git(folder, &["commit", "--quiet", "--message", "x"]);
    }
    git(folder, &["repack", "-adfq"]);
    let folder = folder.join(".git/objects/pack");
    let mut packs = folder.read_dir().expect("packs").map(|entry| entry.expect("an entry").path());
    packs.find(|path| path.extension().is_some_and(|end| end == "pack")).expect("a pack")
}

fn overwrite(path: &Path, bytes: &[u8]) {
    // Git makes packs read-only.
    fs::remove_file(path).expect("a file");
    fs::write(path, bytes).expect("a file");
}

#[test]
fn any_broken_byte_of_a_pack_is_a_gap_or_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = packed(folder.path());
    let whole = scan(folder.path());
    assert_eq!(whole.gaps, []);
    let bytes = fs::read(&pack).expect("a pack");
    // Entries lie behind the header of 12 bytes and before the checksum of 20.
    for at in (4..bytes.len() - 20).step_by(bytes.len() / 100 + 1) {
        for bit in [0x01, 0x40] {
            let mut broken = bytes.clone();
            broken[at] ^= bit;
            overwrite(&pack, &broken);
            let scan = scan(folder.path());
            assert!(!scan.gaps.is_empty() || scan.occurrences == whole.occurrences, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_pack_that_ends_early_is_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = packed(folder.path());
    let bytes = fs::read(&pack).expect("a pack");
    for len in [0, 11, 12, 40, bytes.len() / 2, bytes.len() - 1] {
        overwrite(&pack, &bytes[..len]);
        assert!(!scan(folder.path()).gaps.is_empty(), "{len} bytes");
    }
}

#[test]
fn an_index_that_is_broken_or_missing_is_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = packed(folder.path()).with_extension("idx");
    let bytes = fs::read(&index).expect("an index");
    let fan = 8 + 4 * 255;
    for at in [0, 5, 9, fan + 3, bytes.len() - 50] {
        let mut broken = bytes.clone();
        broken[at] ^= 0x11;
        overwrite(&index, &broken);
        assert!(!scan(folder.path()).gaps.is_empty(), "byte {at}");
    }
    fs::remove_file(&index).expect("an index");
    assert!(!scan(folder.path()).gaps.is_empty());
}

#[test]
fn loose_objects_that_are_broken_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "--quiet"]);
    let objects = folder.path().join(".git/objects");
    fs::create_dir(objects.join("ab")).expect("a folder");
    // Empty, no zlib at all, and a name that is no id.
    fs::write(objects.join("ab").join("0".repeat(38)), b"").expect("a file");
    fs::write(objects.join("ab").join("1".repeat(38)), b"tok_abcdefgh").expect("a file");
    fs::write(objects.join("ab/tmp_obj_x"), b"").expect("a file");
    let gaps = scan(folder.path()).gaps;
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].message.starts_with("2 objects were not searched (ab00"), "{}", gaps[0].message);
}
