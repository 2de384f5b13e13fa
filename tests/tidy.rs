//! The shape of the repository: what the design promises and nothing else would notice.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keytrail_rules::checks::{RULES, Rule};

use crate::support::repository;

/// Files longer than this do too many things.
const MAX_LINES: usize = 500;

/// The files that git tracks, or would.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files failed");
    let names = String::from_utf8(listed.stdout).expect("names are UTF-8");
    names.lines().map(PathBuf::from).filter(|path| repository().join(path).is_file()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(repository().join(path)).expect("a text file")
}

/// The dependencies of a crate (not those of its tests), by package name.
fn dependencies(crate_folder: &str) -> BTreeSet<String> {
    let manifest = read(&Path::new(crate_folder).join("Cargo.toml"));
    let table = toml::de::DeTable::parse(&manifest).expect("a manifest");
    let dependencies =
        table.get_ref().get("dependencies").expect("dependencies").get_ref().as_table().expect("a table").clone();
    dependencies.keys().map(|name| name.get_ref().to_string()).collect()
}

#[test]
fn crates_depend_in_the_direction_of_the_data() {
    let ours =
        |folder: &str| dependencies(folder).into_iter().filter(|name| name.starts_with("keytrail")).collect::<Vec<_>>();
    assert_eq!(ours("rules"), Vec::<String>::new());
    assert_eq!(ours("reporters"), ["keytrail-rules"]);
    assert_eq!(ours("rotation"), ["keytrail-rules"]);
    assert_eq!(ours("scanner"), ["keytrail-reporters", "keytrail-rotation", "keytrail-rules"]);
}

#[test]
fn rules_link_nothing_that_could_do_io() {
    let allowed = [
        "aho-corasick",
        "chrono",
        "hmac",
        "memchr",
        "regex",
        "regex-automata",
        "regex-syntax",
        "serde",
        "serde_json",
        "sha2",
        "siphasher",
        "toml",
        "zeroize",
    ]
    .map(str::to_owned);
    let used = dependencies("rules");
    assert!(used.is_subset(&BTreeSet::from(allowed)), "{used:?}");
    let chrono = read(Path::new("Cargo.toml"));
    let line = chrono.lines().find(|line| line.starts_with("chrono = ")).expect("chrono");
    assert!(line.contains("default-features = false") && !line.contains("clock"), "rules must have no clock: {line}");
}

#[test]
fn unsafe_code_stays_in_the_module_of_vector_instructions() {
    for path in files().iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let allowed = path.ends_with("rules/src/simd.rs") || path.ends_with("tests/tidy.rs");
        assert!(allowed || !read(path).contains("allow(unsafe_code)"), "{}", path.display());
    }
}

#[test]
fn the_top_level_is_what_the_design_says() {
    let folders: BTreeSet<String> = files()
        .iter()
        .filter(|path| path.components().count() > 1)
        .filter_map(|path| path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned()))
        .collect();
    let expected = [".ci", ".config", ".github", "fixtures", "reporters", "rotation", "rules", "scanner", "tests"];
    let expected = BTreeSet::from(expected.map(str::to_owned));
    assert!(folders.is_subset(&expected), "{:?}", folders.difference(&expected));
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = files()
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs" || end == "sh" || end == "py"))
        .map(|path| (path, read(path).lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{}: {lines}", path.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_file_is_unfinished() {
    let marks = ["todo!", "unimplemented!", "FIXME", "XXX:", "dbg!(", "#[ignore]"];
    for path in
        files().iter().filter(|path| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tidy.rs"))
    {
        let text = read(path);
        for mark in marks {
            assert!(!text.contains(mark), "{}: {mark}", path.display());
        }
    }
}

#[test]
fn every_rule_is_named_numbered_and_documented() {
    let mut ids = BTreeSet::new();
    let mut codes = BTreeSet::new();
    for rule in RULES {
        assert!(ids.insert(rule.id), "{} is there twice", rule.id);
        assert!(codes.insert(rule.code), "{} is there twice", rule.code);
        assert!(rule.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{} is not kebab-case", rule.id);
        assert!(rule.code.len() == 6 && rule.code.starts_with("KT"), "{}", rule.code);
        let docs = rule.markdown();
        assert!(rule.summary().ends_with('.') && rule.summary().len() < 160, "{}: {}", rule.id, rule.summary());
        assert!(docs.lines().nth(1).is_some_and(str::is_empty), "{}: the summary is one line", rule.id);
        assert!(docs.contains("\n# How to fix\n"), "{} says how to fix it", rule.id);
        let file = format!("rules/src/checks/{}.rs", rule.id.replace('-', "_"));
        assert!(repository().join(&file).is_file(), "{file}");
    }
}

#[test]
fn every_rule_has_a_firing_and_a_silent_fixture_and_no_fixture_is_left_over() {
    let folder = repository().join("fixtures/checks");
    for rule in RULES {
        for side in ["fires", "silent"] {
            assert!(folder.join(rule.id).join(side).is_dir(), "fixtures/checks/{}/{side} is missing", rule.id);
        }
    }
    for entry in fs::read_dir(folder).expect("fixtures") {
        let name = entry.expect("an entry").file_name();
        assert!(Rule::find(&name.to_string_lossy()).is_some(), "fixtures/checks/{} belongs to no rule", name.display());
    }
}

#[test]
fn every_kind_of_file_store_trail_and_incident_has_a_fixture() {
    for kind in keytrail::inventory::KINDS {
        let held = [kind.config_key, &kind.name.replace('-', "_")]
            .iter()
            .any(|name| repository().join("fixtures/inventory").join(name).is_dir());
        assert!(held, "fixtures/inventory/{} is missing", kind.config_key);
    }
    let is_config = |path: &&PathBuf| path.starts_with("fixtures") && path.extension().is_some_and(|end| end == "toml");
    let configs: String = files().iter().filter(is_config).map(|path| read(path)).collect();
    for kind in keytrail::stores::KINDS {
        // A store that is a server is tested against the real one.
        let tests = ["tests", "tests/rotation_stores", "tests/rotation_cloud"];
        let name = format!("{}.rs", kind.name.replace('-', "_"));
        let against_a_server = tests.iter().any(|folder| repository().join(folder).join(&name).is_file());
        let in_a_fixture = configs.contains(&format!("kind = \"{}\"", kind.name));
        assert!(against_a_server || in_a_fixture, "no test and no fixture has the store {}", kind.name);
    }
    for kind in keytrail::trails::KINDS {
        let is_a_server = matches!(kind.reads, keytrail::trails::Reads::Server(_));
        let held = repository().join("fixtures/trails").join(kind.name).is_dir();
        assert!(is_a_server || held, "fixtures/trails/{} is missing", kind.name);
    }
    for kind in keytrail::incidents::KINDS {
        assert!(configs.contains(&format!("kind = \"{}\"", kind.name)), "no fixture files with {}", kind.name);
    }
}

#[test]
fn every_workspace_dependency_is_used() {
    let manifest = read(Path::new("Cargo.toml"));
    let table = toml::de::DeTable::parse(&manifest).expect("a manifest");
    let workspace = table.get_ref().get("workspace").expect("a workspace").get_ref();
    let all = workspace.get("dependencies").expect("dependencies").get_ref().as_table().expect("a table").clone();
    let crates: String =
        ["rules", "reporters", "rotation", "scanner"].map(|name| read(&Path::new(name).join("Cargo.toml"))).concat();
    for name in all.keys() {
        let name = name.get_ref();
        let used =
            crates.contains(&format!("\n{name}.workspace")) || crates.contains(&format!("\n{name} = {{ workspace"));
        assert!(used, "{name} is in [workspace.dependencies], and no crate uses it");
    }
}
