use std::path::Path;

use keytrail_rules::model::{Class, CopyKind, Environment, Facts, GapReason, SecretCopy, Time};
use proptest::prelude::*;

use super::{objects, read};
use crate::config::StoreConfig;
use crate::source::SourceFile;

fn read_in(root: &Path, paths: &[&str]) -> Facts {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let config = StoreConfig { root: root.into(), paths, ..super::super::vault::tests::config("") };
    read(&config, "2026-06-01T00:00:00Z".parse::<Time>().expect("a time"))
}

fn read_text(text: &str) -> Facts {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("export.jsonl"), text).expect("written");
    read_in(folder.path(), &["export.jsonl"])
}

fn places(facts: &Facts) -> Vec<&str> {
    facts.copies.iter().map(|copy| copy.place.as_str()).collect()
}

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/stores/vault_export");

#[test]
fn lines_and_whole_objects_are_read() {
    let facts = read_in(Path::new(FIXTURES), &["*.json*"]);
    assert!(facts.gaps.is_empty(), "{:?}", facts.gaps);
    let [file, a, db, app, old] = &facts.copies[..] else { panic!("five copies: {:?}", places(&facts)) };
    assert_eq!(
        places(&facts),
        [
            "vault:secret/whole/file#k",
            "vault:secret/prod/db#a%23b",
            "vault:secret/prod/db#password",
            "vault:secret/app",
            "vault:kv/old#token"
        ]
    );
    assert_eq!((file.kind, old.kind), (CopyKind::VaultKv2, CopyKind::VaultKv1));
    assert_eq!((&a.environment, &app.environment), (&Some(Environment::new("production")), &None));
    assert_eq!(a.history.versions.iter().map(|version| version.number).collect::<Vec<_>>(), [1, 2]);
    assert!(old.history.versions.is_empty());
    let line = |copy: &SecretCopy| copy.location.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!([file, db, app].map(line), ["path.json:1", "paths.jsonl:1", "paths.jsonl:2"]);
    let [_, of_db, of_app] = &facts.declarations[..] else { panic!("three declarations") };
    assert_eq!((of_db.owner.as_deref(), of_db.class), (Some("payments"), Some(Class::RotationRequired)));
    assert_eq!((of_db.places.len(), of_app.places.len()), (2, 1));
    // The deleted path is counted, and that is all.
    assert_eq!((facts.scope[0].source.as_str(), facts.scope[0].held), ("vault", 5 + 3 + 1));
}

#[test]
fn a_broken_line_is_a_gap_and_the_next_one_is_read() {
    let text = "{\"path\": \"secret/a\"}\n{\"path\": \"secret/b\", \"keys\": \n{\"path\": 7}\n[]\n{\"data\": {\"password\": \"hunter2\"}}\n{\"path\": \"/\"}\n{\"path\": \"secret/c\"} {\"path\": \"secret/d\", \"metadata\": {\"current_version\": 3}}";
    let facts = read_text(text);
    assert_eq!(places(&facts), ["vault:secret/a", "vault:secret/c"]);
    let gaps: Vec<_> =
        facts.gaps.iter().map(|gap| (gap.location.as_ref().map_or(0, |at| at.line), gap.message.as_str())).collect();
    let none = "not an entry of an export";
    assert_eq!(
        gaps,
        [
            (2, none),
            (3, none),
            (4, none),
            (5, none),
            (6, none),
            (7, "the current version is not the newest in the metadata of secret/d")
        ]
    );
    assert!(!format!("{gaps:?}").contains("hunter2"));
    assert!(facts.gaps.iter().all(|gap| gap.source == "vault" && gap.reason == GapReason::Malformed));
}

#[test]
fn globs_find_files_and_none_is_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, path) in [("x/a.jsonl", "secret/a"), ("x/y/b.jsonl", "secret/b"), ("c.jsonl", "secret/c")] {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, format!("{{\"path\":\"{path}\"}}")).expect("written");
    }
    let found = |paths: &[&str]| {
        let facts = read_in(folder.path(), paths);
        let places: Vec<String> = places(&facts).into_iter().map(str::to_owned).collect();
        (places.join(" "), facts.gaps.into_iter().map(|gap| gap.message).collect::<Vec<_>>().join("; "))
    };
    assert_eq!(found(&["x/*.jsonl"]), ("vault:secret/a".into(), String::new()));
    assert_eq!(
        found(&["./x/**/*.jsonl", "c.jsonl"]),
        ("vault:secret/c vault:secret/a vault:secret/b".into(), String::new())
    );
    assert_eq!(
        found(&["nope.json", "nope/*.json"]),
        (String::new(), "no file matches nope.json; no file matches nope/*.json".into())
    );
    assert!(found(&["a[.json"]).1.starts_with("a[.json is no glob"));
}

#[test]
fn a_file_that_is_no_export_gives_few_gaps() {
    let facts = read_text(&"{x\n".repeat(10_000));
    assert_eq!(facts.gaps.len(), super::MAX_BROKEN + 1);
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[{}\\[\\]\"path:,1 \\n\\r\\\\é]{0,80}") {
        let file = SourceFile::from_bytes("f", text.clone().into_bytes());
        // Each step moves on, so that it ends.
        prop_assert!(objects(&file).count() <= text.len());
        read_text(&text);
    }
}
