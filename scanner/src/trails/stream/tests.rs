use std::fs;
use std::io::Write;
use std::path::Path;

use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Covered, GapReason, Proof};

use super::super::testing::{config, events, holes, opening, time};
use super::super::{TrailConfig, json_log};
use super::*;

fn line(day: u32, key: &str) -> String {
    format!("{{\"ts\":\"2026-03-{day:02}T10:00:00Z\",\"event\":\"loaded\",\"key\":\"{key}\"}}\n")
}

/// Reads the trail in the background, as a scan does.
fn scanned(config: &TrailConfig) -> (Vec<Entry>, Done) {
    let names = Names::default();
    let opening = opening(config, &names);
    std::thread::scope(|scope| {
        let (stream, handle) = spawn(scope, &json_log::KIND, &opening);
        (stream.collect(), handle.join().expect("no panic"))
    })
}

fn keys(entries: &[Entry]) -> Vec<String> {
    events(entries).iter().map(|event| event.target.path()).collect()
}

fn gzip(path: &Path, text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("bytes");
    let bytes = encoder.finish().expect("bytes");
    fs::write(path, &bytes).expect("a file");
    bytes
}

#[test]
fn files_are_read_in_the_order_of_their_first_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    fs::write(file("app.log"), line(9, "D")).expect("a file");
    fs::write(file("app.log.1"), format!("not JSON\n{}{}", line(6, "B"), line(7, "C"))).expect("a file");
    gzip(&file("app.log.2.gz"), line(2, "A").as_bytes());
    fs::write(file("app.log.empty"), "").expect("a file");
    let (entries, done) = scanned(&config("json-log", folder.path(), &["."]));
    assert_eq!((keys(&entries), done.events), (["A", "B", "C", "D"].map(str::to_owned).to_vec(), 4));
    assert_eq!(done.gaps.len(), 1);
    let sources: Vec<_> = events(&entries).iter().map(|event| event.raw.source.to_string()).collect();
    assert_eq!(sources, ["app.log.2.gz", "app.log.1", "app.log.1", "app.log"]);
}

#[test]
fn a_compressed_file_that_is_cut_off_is_a_hole_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.gz");
    let text: String = (0..5_000).map(|number| line(1 + number % 28, &format!("K{number}"))).collect();
    let bytes = gzip(&path, text.as_bytes());
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("a file");
    let (entries, done) = scanned(&config("json-log", folder.path(), &["a.gz"]));
    assert!((1..5_000).contains(&done.events), "{}", done.events);
    let found = holes(&entries);
    assert_eq!((found.len(), found[0].to), (1, None));
    assert!(found[0].from.is_some());
    assert_eq!((done.gaps.len(), done.gaps[0].reason), (1, GapReason::Malformed));
}

#[test]
fn what_was_not_read_at_all_is_a_hole_without_bounds() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.lz4"), b"\x04\x22\x4d\x18....").expect("a file");
    let mut config = config("json-log", folder.path(), &["a.lz4", "absent/*.log"]);
    let covered =
        Covered { from: time("2026-01-01T00:00:00Z"), to: time("2026-07-01T00:00:00Z"), proof: Proof::Declared };
    config.covers = vec![covered];
    let (entries, done) = scanned(&config);
    assert_eq!(entries[0], Entry::Covered(covered));
    let bounds: Vec<_> = holes(&entries).iter().map(|hole| (hole.from, hole.to)).collect();
    assert_eq!(bounds, [(None, None), (None, None)]);
    let sources: Vec<_> = done.gaps.iter().map(|gap| gap.source.as_str()).collect();
    assert_eq!(sources, ["absent/*.log", "a.lz4"]);
}

#[test]
fn a_reader_stops_when_nobody_takes_what_it_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let text: String = (0..50_000).map(|number| line(1, &format!("K{number}"))).collect();
    fs::write(folder.path().join("a.log"), text).expect("a file");
    let (config, names) = (config("json-log", folder.path(), &["a.log"]), Names::default());
    let opening = opening(&config, &names);
    std::thread::scope(|scope| {
        let (mut stream, handle) = spawn(scope, &json_log::KIND, &opening);
        assert!(stream.next().is_some());
        drop(stream);
        assert!(handle.join().expect("no panic").events < 50_000);
    });
}

#[test]
fn a_log_and_its_copy_give_events_of_the_same_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("{}{}", line(1, "A"), line(2, "B"));
    fs::write(folder.path().join("a.log"), &text).expect("a file");
    gzip(&folder.path().join("a.log.gz"), text.as_bytes());
    let (entries, _) = scanned(&config("json-log", folder.path(), &["."]));
    let found = events(&entries);
    assert_eq!(found.len(), 4);
    assert_eq!((&found[0].id, &found[1].id), (&found[2].id, &found[3].id));
    assert_eq!(found[0].raw.sha256, found[2].raw.sha256);
}
