//! What each fuzz target does with its bytes. The targets of `fuzz_targets/` run these functions under libFuzzer, and
//! `tests/fuzz_seeds.rs` runs them over `fixtures/fuzz/` in the ordinary test suite.

#![allow(unreachable_pub, reason = "a crate for the fuzz targets, and a module of the tests")]

mod cloudtrail;
mod git_pack;
mod growth;
mod known_values;
mod leaks;
mod planted;
#[allow(clippy::duplicate_mod, reason = "another test has the same samples")]
#[path = "../../../reporters/src/samples.rs"]
mod samples;
#[path = "../../../scanner/src/leaks/toy.rs"]
mod toy;
mod trails;
mod vendor_logs;

use std::path::Path;
use std::time::Duration;

use keytrail::config::{Config, StoreAuth, StoreConfig};
use keytrail::inventory::{self, FileKind, KINDS};
use keytrail::source::{Reader, SourceFile};
use keytrail::stores::vault_export;
use keytrail::yaml::{self, MAX_DEPTH, MAX_PROBLEMS, Node};
use keytrail_reporters::{FORMATS, Format, Options};
use keytrail_rules::cadence::Cadence;
use keytrail_rules::model::{AutoRotation, Facts, FingerprintKey, Key, Location, Place, Secret, Time};
use keytrail_rules::text::is_deceptive;
use keytrail_rules::value::{self, Value};

pub use cloudtrail::cloudtrail;
pub use git_pack::git_pack;
pub use growth::growth;
pub use known_values::known_values;
pub use leaks::{archives, stream};
pub use trails::{trail_kinds, trail_records};
pub use vendor_logs::vendor_logs;

/// A target: its name, and what it does with its bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by the name of its file in `fuzz_targets/` and of its folder of seeds.
pub const TARGETS: &[Target] = &[
    ("archives", archives),
    ("baseline", baseline),
    ("cloudtrail", cloudtrail),
    ("config", config),
    ("dotenv", dotenv),
    ("file_kinds", file_kinds),
    ("git_pack", git_pack),
    ("growth", growth),
    ("known_values", known_values),
    ("reporters", reporters),
    ("rules", rules),
    ("stream", stream),
    ("trail_kinds", trail_kinds),
    ("trail_records", trail_records),
    ("vault_export", vault_export),
    ("vendor_logs", vendor_logs),
    ("yaml", yaml),
];

/// A kind of file, told by the first byte (`a` for the first of [`KINDS`]), reads the rest.
pub fn file_kinds(data: &[u8]) {
    if let Some((kind, content)) = kind_of(data) {
        let facts = read_file(kind, content);
        if planted::only_in_values(kind.name, content) {
            planted::assert_hidden(&format!("{facts:?}"));
        }
    }
}

/// The kind that the first byte names; `None` for what [`SourceFile::read`] refuses.
fn kind_of(data: &[u8]) -> Option<(&'static FileKind, &[u8])> {
    let (first, content) = data.split_first().filter(|_| !data.contains(&0))?;
    let kind = KINDS.get(usize::from(first.wrapping_sub(b'a')))?;
    Some((kind, content))
}

fn read_file(kind: &FileKind, content: &[u8]) -> Facts {
    let path = kind.patterns.first().map_or("src/app.py".to_owned(), |glob| glob.replace("**/", "").replace('*', "x"));
    let mut file = SourceFile::from_bytes(&path, content.to_vec());
    file.mode = Some(0o644);
    let _claimed = (kind.claims)(&file);
    let facts = inventory::read(
        kind,
        &file,
        &Reader {
            key: &FingerprintKey::new([7; 32]),
            generated: true,
            as_of: chrono::DateTime::UNIX_EPOCH,
            known: None,
        },
    );
    let lines = u32::try_from(file.text().lines().count()).unwrap_or(u32::MAX).max(1);
    let in_file = |at: &Location| at.file == path && at.line >= 1 && at.line <= lines;
    assert!(facts.gaps.iter().filter_map(|gap| gap.location.as_ref()).all(in_file), "a gap lies in no line");
    assert!(facts.copies.iter().filter_map(|copy| copy.location.as_ref()).all(in_file), "a copy lies in no line");
    assert!(facts.uses.iter().all(|one| in_file(&one.location)), "a use lies in no line");
    facts
}

/// The lines of a dotenv file are its bytes, and each assignment lies in its line.
pub fn dotenv(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut end = 0;
    for line in keytrail::dotenv::parse(&text) {
        assert!(line.span.start == end && line.span.end > end, "a hole, or an empty line");
        end = line.span.end;
        if let keytrail::dotenv::LineKind::Assignment(found) = line.kind {
            let marks = [line.span.start, found.key.start, found.key.end, found.value.start, found.value.end, end];
            assert!(marks.is_sorted(), "key and value are in order");
            found.read(&text);
        }
    }
    assert_eq!(end, text.len());
}

/// A YAML tree is bounded, and its lines are those of the text.
pub fn yaml(data: &[u8]) {
    fn check(node: &Node, depth: usize, lines: u32) {
        assert!(depth <= MAX_DEPTH && node.line >= 1 && node.line <= lines && node.column >= 1);
        node.items().unwrap_or_default().iter().for_each(|item| check(item, depth + 1, lines));
        for (key, value) in node.pairs().unwrap_or_default() {
            check(key, depth + 1, lines);
            check(value, depth + 1, lines);
        }
    }
    let text = String::from_utf8_lossy(data);
    let lines = u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX) + 1;
    let stream = yaml::parse(&text);
    stream.documents.iter().for_each(|document| check(document, 0, lines));
    assert!(stream.problems.len() <= MAX_PROBLEMS && stream.problems.iter().all(|one| one.line <= lines));
    assert!(!stream.problems.iter().any(|one| one.to_string().contains(planted::MARKER)), "a problem quotes the text");
}

/// A config is read, or its mistakes are rendered.
pub fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Err(mistakes) = Config::parse(text, "keytrail.toml", Path::new("/nowhere")) {
        let shown = mistakes.to_string();
        assert!(!shown.contains(|c| is_deceptive(c) && c != '\n'), "a mistake can deceive");
        if planted::only_in_values("config", data) {
            planted::assert_hidden(&shown);
        }
    }
}

/// The entries of an export, and the metadata in them.
pub fn vault_export(data: &[u8]) {
    let file = SourceFile::from_bytes("export.jsonl", data.to_vec());
    let mut facts = Facts::default();
    vault_export::read_entries(&store(), &file, now(), &mut facts);
    if planted::only_in_values("vault-export", data) {
        planted::assert_hidden(&format!("{facts:?}"));
    }
}

fn store() -> StoreConfig {
    StoreConfig {
        name: "vault".to_owned(),
        kind: vault_export::KIND.name.to_owned(),
        location: Location::of_file("keytrail.toml"),
        root: "/nowhere".into(),
        address: None,
        mounts: Vec::new(),
        namespace: None,
        paths: Vec::new(),
        read_values: false,
        environment: None,
        auth: StoreAuth::Ambient,
        ca_file: None,
        timeout: Duration::from_secs(1),
        concurrency: 1,
    }
}

fn now() -> Time {
    Time::from_timestamp(1_780_000_000, 0).unwrap_or_default()
}

/// An earlier report is read, or refused without repeating it.
pub fn baseline(data: &[u8]) {
    if let Err(error) = keytrail_reporters::baseline(data) {
        let shown = error.to_string();
        assert!(shown.len() < 1_000 && !shown.contains(is_deceptive), "a refusal can deceive");
        if planted::only_in_values("baseline", data) {
            planted::assert_hidden(&shown);
        }
    }
}

/// The small languages of people: cadences, places, names, and what a value looks like.
pub fn rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(cadence) = Cadence::parse(&text) {
        let shown = cadence.to_string();
        if let Cadence::Every(period) = &cadence {
            assert_eq!(Cadence::parse(&shown), Some(cadence.clone()), "{text:?} is {shown:?}");
            assert!(period.after(now()).is_none_or(|after| after > now()));
            assert!(period.before(now()).is_none_or(|before| before < now()));
        }
    }
    AutoRotation::parse(&text);
    if let Some(place) = Place::parse(&text) {
        assert_eq!(Place::parse(place.as_str()).as_ref(), Some(&place), "a place is its own spelling");
        let again = match place.key() {
            Some(key) => Place::new(place.source(), &place.path(), &key),
            None => Place::of_path(place.source(), &place.path()),
        };
        assert_eq!(again, place);
    }
    let key = Key::new(&text);
    assert_eq!(Key::new(key.as_str()), key);
    value::is_secret_name(&key);
    value::shape(&text);
    value::url_password(&text);
    Value::observe(&Secret::from(text.as_ref()), &FingerprintKey::new([7; 32]));
}

/// A report of any strings, told apart by line feeds with a `%` before them, comes out harmless in every format.
pub fn reporters(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let strings: Vec<String> = String::from_utf8_lossy(data).split("%\n").take(8).map(str::to_owned).collect();
    let report = samples::full_of(&strings);
    let width = (*first >= b' ').then(|| u16::from(first - b' '));
    let options = Options { width, verbose: first % 2 == 0, prefix: strings[0].clone(), ..Options::default() };
    for Format { name, render, extension, is_text, .. } in FORMATS.iter().copied() {
        let Ok(bytes) = render(&report, &options) else { panic!("{name} refuses a report") };
        if !is_text {
            continue;
        }
        let Ok(shown) = str::from_utf8(&bytes) else { panic!("{name} is not UTF-8") };
        assert!(
            !shown.contains(|c| is_deceptive(c) && c != '\n' && !(c == '\r' && *extension == "csv")),
            "{name} can deceive"
        );
        if matches!(*extension, "json" | "sarif") {
            assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(), "{name} is not JSON");
        }
    }
}
