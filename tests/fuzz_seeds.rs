//! The seeds of the fuzz targets, through the same functions as libFuzzer's inputs. See `tests/fuzz/README.md`.

use std::collections::BTreeSet;
use std::fs;

use keytrail::inventory::KINDS;

use crate::fuzz::TARGETS;
use crate::support::repository;

/// The seeds of a target, with their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = repository().join("fixtures/fuzz").join(target);
    let entries = fs::read_dir(folder).expect("every target has a folder of seeds").map(|entry| entry.expect("a seed"));
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("bytes")))
        .collect()
}

#[test]
fn every_seed_is_read() {
    for (target, run) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "fixtures/fuzz/{target} is empty");
        for (name, bytes) in seeds {
            let outcome = std::panic::catch_unwind(|| run(&bytes));
            assert!(outcome.is_ok(), "fixtures/fuzz/{target}/{name}");
        }
    }
}

#[test]
fn every_kind_of_file_has_a_seed() {
    for target in ["file_kinds", "growth"] {
        let first: BTreeSet<u8> = seeds(target).iter().filter_map(|(_, bytes)| bytes.first().copied()).collect();
        for (kind, letter) in KINDS.iter().zip(b'a'..) {
            assert!(first.contains(&letter), "fixtures/fuzz/{target} has nothing for {}", kind.name);
        }
    }
}

#[test]
fn every_target_is_run_by_libfuzzer_too() {
    let folder = repository().join("tests/fuzz/fuzz_targets");
    let files: BTreeSet<_> =
        fs::read_dir(folder).expect("targets").map(|entry| entry.expect("a file").path()).collect();
    let names: BTreeSet<_> = files.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    assert_eq!(names, TARGETS.iter().map(|(name, _)| *name).collect());
}
