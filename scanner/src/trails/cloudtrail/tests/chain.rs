use chrono::TimeDelta;

use super::signed::{Bucket, hour};
use super::*;

/// What of each hole has to be known: its hours, whether it was tampered with, and a part of the reason.
fn holes(given: &Given) -> Vec<(Option<Time>, Option<Time>, bool, &str)> {
    given.holes.iter().map(|hole| (hole.from, hole.to, hole.tampered, hole.reason.as_str())).collect()
}

/// The time of the one record of an hour, which is listed up to the next second.
fn listed(number: i64) -> (Option<Time>, Option<Time>) {
    let written = hour(number) + TimeDelta::minutes(10);
    (Some(written), Some(written + TimeDelta::seconds(1)))
}

#[track_caller]
fn assert_one_hole(given: &Given, (from, to): (Option<Time>, Option<Time>), tampered: bool, reason: &str) {
    let holes = holes(given);
    let [hole] = holes[..] else { panic!("{holes:#?}") };
    assert_eq!((hole.0, hole.1, hole.2), (from, to, tampered), "{}", hole.3);
    assert!(hole.3.contains(reason), "{}", hole.3);
}

#[test]
fn a_whole_chain_covers_its_hours() {
    let given = Bucket::of_hours(4).read();
    assert_eq!(holes(&given), []);
    assert!(given.gaps.is_empty(), "{:?}", given.gaps);
    // Records of the last minutes come with the next digest.
    assert_eq!(given.covered, [(hour(0), hour(4) - DELAY)]);
    assert_eq!((given.events.len(), given.records), (4, 4));
}

#[test]
fn a_signature_may_lie_beside_in_hexadecimal() {
    let mut bucket = Bucket::new();
    bucket.hour(0);
    bucket.hour(1);
    let given = bucket.read();
    assert_eq!(given.covered, [(hour(0), hour(1) - DELAY)]);
    assert!(given.gaps[0].message.contains("signatures of 1 digests"), "{:?}", given.gaps);
    bucket.keep_signature();
    let last = bucket.path(&format!("{}.metadata.json", bucket.digests[1]));
    let head: Value = serde_json::from_slice(&fs::read(&last).unwrap()).unwrap();
    fs::remove_file(last).unwrap();
    bucket
        .write(&format!("{}.signature", bucket.digests[1]), head["Metadata"]["signature"].as_str().unwrap().as_bytes());
    assert_eq!(bucket.read().covered, [(hour(0), hour(2) - DELAY)]);
}

#[test]
fn a_changed_log_file() {
    let bucket = Bucket::of_hours(3);
    bucket.write(&bucket.logs[1], &gzip(&file(&[noise(1)])));
    assert_one_hole(&bucket.read(), listed(1), true, "is not the file that the digest");
}

#[test]
fn bytes_after_the_end_of_a_log_file() {
    let bucket = Bucket::of_hours(2);
    let bytes = fs::read(bucket.path(&bucket.logs[1])).unwrap();
    for more in [gzip(b""), b"x".to_vec(), bytes.clone()] {
        bucket.write(&bucket.logs[1], &[bytes.clone(), more].concat());
        let given = bucket.read();
        assert!(given.holes.iter().any(|hole| hole.tampered), "{:?}", given.holes);
        assert_eq!(given.events.len(), 2);
    }
}

#[test]
fn a_log_file_that_is_gone() {
    let bucket = Bucket::of_hours(3);
    fs::remove_file(bucket.path(&bucket.logs[1])).unwrap();
    assert_one_hole(&bucket.read(), listed(1), false, "is missing");
}

#[test]
fn a_log_file_that_no_digest_lists() {
    let bucket = Bucket::of_hours(3);
    let planted = bucket.logs[1].replace("_r1", "_r9");
    bucket.write(&planted, &gzip(&file(&[put(3_700)])));
    let given = bucket.read();
    let stamp = hour(1) + TimeDelta::minutes(15);
    assert_one_hole(&given, (Some(stamp - DELAY * 2), Some(stamp)), false, "is listed by no digest");
    assert_eq!(given.events.len(), 4);
}

#[test]
fn a_digest_that_is_gone() {
    let bucket = Bucket::of_hours(4);
    fs::remove_file(bucket.path(&bucket.digests[1])).unwrap();
    let given = bucket.read();
    assert_one_hole(&given, (Some(hour(1)), Some(hour(2))), false, "names as the one before, is missing");
    // The signature of the first is in the one that is gone.
    assert_eq!(given.covered, [(hour(2), hour(4) - DELAY)]);
}

#[test]
fn a_changed_digest() {
    let bucket = Bucket::of_hours(3);
    let path = bucket.path(&bucket.digests[1]);
    let text = super::super::opened::Buffers::default().open(&path, false).unwrap().text().0.to_vec();
    let text = String::from_utf8(text).unwrap().replace("_r1.", "_rX.");
    bucket.write(&bucket.digests[1], &gzip(text.as_bytes()));
    let given = bucket.read();
    let tampered: Vec<_> = given.holes.iter().filter(|hole| hole.tampered).collect();
    assert!(tampered.iter().all(|hole| (hole.from, hole.to) == (Some(hour(1)), Some(hour(2)))), "{tampered:?}");
    assert!(tampered[0].reason.contains("does not fit its signature"), "{tampered:?}");
    assert!(tampered[1].reason.contains("is not the one that"), "{tampered:?}");
    assert_eq!(given.covered, [(hour(0), hour(1) - DELAY), (hour(2), hour(3) - DELAY)]);
}

#[test]
fn a_digest_of_another_key() {
    let mut bucket = Bucket::of_hours(2);
    bucket.change_key();
    bucket.hour(2);
    bucket.keep_signature();
    let given = bucket.read();
    assert_one_hole(&given, (Some(hour(2)), Some(hour(3))), true, "does not fit its signature");
    assert_eq!(given.covered, [(hour(0), hour(2) - DELAY)]);
    // Without any key of that fingerprint, too.
    let keys = fs::read_to_string(bucket.path("keys.json")).unwrap().replace("\"f1\"", "\"f2\"");
    fs::write(bucket.path("keys.json"), keys).unwrap();
    let given = bucket.read();
    assert_eq!((given.holes.iter().filter(|hole| hole.tampered).count(), given.covered.len()), (3, 0));
}

#[test]
fn a_chain_that_begins_anew() {
    let mut bucket = Bucket::of_hours(2);
    bucket.restart();
    bucket.hour(4);
    bucket.hour(5);
    bucket.keep_signature();
    let given = bucket.read();
    assert_one_hole(&given, (Some(hour(2)), Some(hour(4))), false, "begins anew");
    assert_eq!(given.covered, [(hour(0), hour(2) - DELAY), (hour(4), hour(6) - DELAY)]);
}

#[test]
fn a_digest_under_another_name() {
    let bucket = Bucket::of_hours(2);
    let (first, second) = (bucket.path(&bucket.digests[0]), bucket.path(&bucket.digests[1]));
    fs::copy(first, second).unwrap();
    assert!(bucket.read().holes.iter().any(|hole| hole.tampered && hole.reason.contains("under the name of another")));
}

#[test]
fn without_keys_nothing_is_proven_and_changes_still_show() {
    let bucket = Bucket::of_hours(2);
    bucket.write(&bucket.logs[1], &gzip(&file(&[noise(1)])));
    let given = bucket.read_with(&config(bucket.folder.path()));
    assert!(given.covered.is_empty());
    assert_one_hole(&given, listed(1), true, "is not the file");
    assert!(given.gaps[0].message.contains("`public_keys` is not set"), "{:?}", given.gaps);
    let mut wrong = config(bucket.folder.path());
    wrong.public_keys = Some("nowhere.json".into());
    assert_eq!(bucket.read_with(&wrong).gaps[0].reason, GapReason::Unreachable);
}

#[test]
fn a_digest_of_impossible_times() {
    let bucket = Bucket::of_hours(2);
    let text = |key: &str| {
        let mut buffers = super::super::opened::Buffers::default();
        String::from_utf8(buffers.open(&bucket.path(key), false).unwrap().text().0.to_vec()).unwrap()
    };
    let (end, far) = ("2026-02-01T02:00:00Z", "+262142-12-31T23:59:59Z");
    bucket.write(&bucket.digests[1], &gzip(text(&bucket.digests[1]).replace(end, far).as_bytes()));
    let given = bucket.read();
    assert_eq!(holes(&given)[0].0, Some(hour(1)), "the name says of which hour it is");
    assert!(given.gaps[0].message.contains("is not what CloudTrail writes"), "{:?}", given.gaps);
    // A log file whose times are the wrong way round.
    let newest = format!(r#""newestEventTime":"{}""#, "2026-02-01T00:10:00Z");
    let text = text(&bucket.digests[0]).replace(&newest, r#""newestEventTime":"2026-02-01T00:05:00Z""#);
    bucket.write(&bucket.digests[0], &gzip(text.as_bytes()));
    fs::remove_file(bucket.path(&bucket.logs[0])).unwrap();
    let given = bucket.read_with(&config(bucket.folder.path()));
    let gone = given.holes.iter().find(|hole| hole.reason.contains("is missing")).unwrap();
    assert_eq!(gone.from, Some(hour(0) + TimeDelta::minutes(5)));
    assert!(gone.to > Some(hour(0) + TimeDelta::minutes(10)));
}
