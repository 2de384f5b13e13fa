#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keytrail_rules::model::{FingerprintKey, GapReason};

use super::{FileKind, KINDS, code, key_file, read_without_content};
use crate::source::{Reader, SourceFile};

#[test]
fn a_key_store_is_read_without_its_content() {
    let root = tempfile::tempdir().expect("a folder");
    let reader = Reader {
        key: &FingerprintKey::new([7; 32]),
        generated: false,
        as_of: chrono::DateTime::UNIX_EPOCH,
        known: None,
    };
    let keys: &[&FileKind] = &[&key_file::KIND];
    let others: &[&FileKind] = &[&code::KIND];
    let both: &[&FileKind] = &[&code::KIND, &key_file::KIND];
    for (name, content, kinds, expected) in [
        ("store.p12", b"\x30\x82\0\0".as_slice(), keys, (vec!["PKCS #12 key store"], 0)),
        ("server.key", b"\x30\x82\0\0", keys, (vec!["private key"], 0)),
        ("intro.key", b"PK\x03\x04\0", keys, (vec![], 0)),
        ("id_rsa", b"\0", keys, (vec!["SSH private key"], 0)),
        ("main.py", b"\0", others, (vec![], 1)),
        ("store.jks", b"\xfe\xed\0\0", both, (vec!["Java key store"], 1)),
    ] {
        let path = root.path().join(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        let Err(gap) = SourceFile::read(root.path(), name) else { panic!("{name} is binary") };
        assert_eq!(gap.reason, GapReason::Malformed);
        let facts = read_without_content(kinds, root.path(), name, &reader, gap);
        let held: Vec<_> = facts.key_files.iter().map(|key| key.holds.as_str()).collect();
        assert_eq!((held, facts.gaps.len()), expected, "{name}");
        assert!(facts.key_files.iter().all(|key| key.mode == 0o640));
    }
}

#[test]
fn a_file_that_may_not_be_read_is_a_gap_unless_its_name_is_enough() {
    let root = tempfile::tempdir().expect("a folder");
    let reader = Reader {
        key: &FingerprintKey::new([7; 32]),
        generated: false,
        as_of: chrono::DateTime::UNIX_EPOCH,
        known: None,
    };
    for (name, gaps) in [("id_rsa", 0), ("server.pem", 1), ("absent.p12", 1)] {
        if name != "absent.p12" {
            fs::write(root.path().join(name), "").expect("a file");
        }
        let gap = keytrail_rules::model::Gap::new(name, GapReason::PermissionDenied, "the file may not be read");
        let facts = read_without_content(&[&key_file::KIND], root.path(), name, &reader, gap);
        assert_eq!((facts.key_files.len(), facts.gaps.len()), (1 - gaps, gaps), "{name}");
    }
}

#[test]
fn names_of_kinds_are_unique() {
    for (at, kind) in KINDS.iter().enumerate() {
        assert!(KINDS[..at].iter().all(|other| other.name != kind.name), "{}", kind.name);
    }
}
