use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use keytrail_rules::correlate::Names;

use super::super::testing::{config, events, holes, opening};
use super::*;

fn line(number: u32) -> String {
    format!("{{\"ts\":\"2026-03-01T10:00:{number:02}Z\",\"event\":\"loaded\",\"key\":\"K{number}\"}}\n")
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("a line");
}

type Step<'a> = Box<dyn FnMut() + 'a>;

/// Follows `paths` of a folder; each step runs while it pauses.
fn followed(folder: &Path, paths: &[&str], steps: Vec<Step<'_>>) -> (Vec<Entry>, Vec<Gap>) {
    let (config, names) = (config("json-log", folder, paths), Names::default());
    let mut entries = Vec::new();
    let mut steps = steps.into_iter();
    let gaps = follow(
        &opening(&config, &names),
        &mut || match steps.next() {
            Some(mut step) => {
                step();
                Continue::Continue(())
            }
            None => Continue::Break(()),
        },
        &mut |entry| {
            entries.push(entry);
            Continue::Continue(())
        },
    );
    (entries, gaps)
}

fn keys(entries: &[Entry]) -> Vec<String> {
    events(entries).iter().map(|event| event.target.path()).collect()
}

#[test]
fn what_is_added_is_read_record_by_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("a.log");
    append(&log, &line(1));
    let (half, rest) = (line(2)[..20].to_owned(), line(2)[20..].to_owned());
    let steps: Vec<Step<'_>> = vec![
        Box::new(|| append(&log, &half)),
        Box::new(|| append(&log, &rest)),
        Box::new(|| append(&folder.path().join("b.log"), &line(3))),
        Box::new(|| append(&log, &line(4))),
    ];
    let (entries, gaps) = followed(folder.path(), &["*.log"], steps);
    assert_eq!(keys(&entries), ["K1", "K2", "K3", "K4"]);
    let offsets: Vec<_> = events(&entries).iter().map(|event| (event.raw.offset, event.raw.line)).collect();
    let length = line(1).len() as u64;
    assert_eq!(offsets, [(0, 1), (length, 2), (0, 1), (2 * length, 3)]);
    assert_eq!((holes(&entries).len(), gaps), (0, Vec::new()));
}

#[test]
fn a_log_that_rotates_is_read_once_and_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, old) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
    append(&log, &line(1));
    for pattern in ["a.log", "a.log*"] {
        let steps: Vec<Step<'_>> = vec![
            Box::new(|| {
                append(&log, &line(2));
                fs::rename(&log, &old).expect("a rotation");
            }),
            // Whoever writes it has not noticed.
            Box::new(|| append(&old, &line(3))),
            Box::new(|| append(&log, &line(4))),
        ];
        let (entries, gaps) = followed(folder.path(), &[pattern], steps);
        assert_eq!(keys(&entries), ["K1", "K2", "K3", "K4"], "{pattern}");
        assert_eq!((holes(&entries).len(), gaps), (0, Vec::new()), "{pattern}");
        fs::remove_file(&old).expect("a file");
        fs::write(&log, line(1)).expect("a file");
    }
}

#[test]
fn a_log_that_is_truncated_has_a_hole() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("a.log");
    for again in [line(3), format!("{}{}{}", line(3), line(4), line(5))] {
        append(&log, &format!("{}{}", line(1), line(2)));
        let steps: Vec<Step<'_>> = vec![
            Box::new(|| {
                fs::write(&log, &again).expect("a file");
            }),
            Box::new(|| append(&log, &line(6))),
        ];
        let (entries, _) = followed(folder.path(), &["a.log"], steps);
        let left = ["K3", "K4", "K5"].into_iter().take(again.lines().count());
        let expected: Vec<&str> = ["K1", "K2"].into_iter().chain(left).chain(["K6"]).collect();
        assert_eq!(keys(&entries), expected, "each line that is left is read once");
        let holes = holes(&entries);
        assert_eq!(holes.len(), 1, "{holes:?}");
        assert_eq!(holes[0].reason, format!("a.log: {TRUNCATED}"));
        assert_eq!(holes[0].from, Some(super::super::testing::time("2026-03-01T10:00:02Z")));
        assert!(holes[0].to.is_some());
        fs::remove_file(&log).expect("a file");
    }
}

#[test]
fn it_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    append(&folder.path().join("a.log"), &format!("{}{}", line(1), line(2)));
    let (config, names) = (config("json-log", folder.path(), &["a.log"]), Names::default());
    let mut count = 0;
    follow(&opening(&config, &names), &mut || panic!("it was told to stop"), &mut |_| {
        count += 1;
        Continue::Break(())
    });
    assert_eq!(count, 1);
}
