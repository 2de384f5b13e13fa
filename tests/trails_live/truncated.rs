//! An audit log that is copied and truncated while the server writes on (`copytruncate` of logrotate): what is written
//! between the copy and the cut is in neither file.

use std::fs::{self, OpenOptions};
use std::path::Path;

use keytrail::trails::follow::follow;
use keytrail::trails::{Continue, Opening, TrailConfig};
use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Entry, Event, FingerprintKey, Hole, Location};
use serde_json::json;

use super::{Estate, findings, verdicts};
use crate::support::openbao::OpenBao;

const TABLES: &str = "\
[[store]]
name = \"vault\"
kind = \"vault\"
address = \"ADDRESS\"
mounts = [\"secret\"]
read_values = true

[[trail]]
name = \"vault-audit\"
kind = \"vault-audit\"
paths = [\"audit.log*\"]
COVERS
";

async fn put(bao: &OpenBao, key: &str, value: &str) {
    bao.write("secret", key, json!({ key: format!("{value}-{key}") })).await;
}

/// Cuts a log to nothing, as the server goes on to append to it.
fn truncate(log: &Path) {
    OpenOptions::new().write(true).truncate(true).open(log).expect("a log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_copytruncate_loses_is_neither_traced_nor_silent() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    let log = bao.audit_logs()[0].clone();
    let mut estate = Estate::new();
    for key in ["BEFORE", "LOST", "LOST_AND_UNASKED", "AFTER"] {
        estate.secret(key, &format!("vault:secret/{key}#{key}"), "");
        put(&bao, key, "planted-first").await;
    }
    let folder = estate.folder.path().to_owned();
    estate.request("run-before", "BEFORE");
    put(&bao, "BEFORE", "planted-second").await;
    estate.load("BEFORE");

    fs::copy(&log, folder.join("audit.log.1")).expect("a copy");
    estate.request("run-lost", "LOST");
    put(&bao, "LOST", "planted-second").await;
    estate.load("LOST");
    put(&bao, "LOST_AND_UNASKED", "planted-second").await;
    truncate(&log);

    estate.request("run-after", "AFTER");
    put(&bao, "AFTER", "planted-second").await;
    estate.load("AFTER");
    fs::copy(&log, folder.join("audit.log")).expect("a copy");
    let text = fs::read(&log).expect("a log");
    assert!(text.starts_with(b"{"), "the server appends where the log ends");

    estate.write(&TABLES.replace("ADDRESS", &bao.address));
    let report = estate.scan(&[("VAULT_TOKEN", &bao.root_token)]).json();
    let found = verdicts(&report);
    assert_eq!((&found["BEFORE"][..], &found["AFTER"][..]), (&["traced".to_owned()][..], &["traced".to_owned()][..]));
    assert!(found["LOST"].iter().all(|verdict| verdict.starts_with("inconclusive")), "{found:#?}");
    assert!(!found["LOST"].is_empty());
    // That nobody asked is for the ledger to say, which is whole, and that it changed for the store.
    assert_eq!(found["LOST_AND_UNASKED"], ["silent state-only"]);
    let tampered = findings(&report).into_iter().filter(|finding| finding.starts_with("trail-tampered")).count();
    assert!(tampered > 0, "{:#?}", findings(&report));
}

/// What a step of the test does when all that is there was read.
enum Step {
    Put(&'static str),
    Copy,
    Truncate,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_truncated_while_it_is_followed_has_a_hole_where_lines_are_lost() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    let log = bao.audit_logs()[0].clone();
    let config = TrailConfig {
        paths: vec![log.display().to_string()],
        ..TrailConfig::new("audit", "vault-audit", "/", Location::of_file("keytrail.toml"))
    };
    let (names, key) = (Names::default(), FingerprintKey::new([7; 32]));
    let opening = Opening { config: &config, trail: 0, names: &names, as_of: chrono::Utc::now(), key: &key };
    let folder = tempfile::tempdir().expect("a folder");
    // The second put lies in neither file: nobody looks between it and the cut.
    let mut pauses = vec![
        vec![Step::Put("one")],
        vec![Step::Copy, Step::Put("lost"), Step::Truncate, Step::Put("two")],
        vec![Step::Put("three")],
    ]
    .into_iter();
    let runtime = tokio::runtime::Handle::current();
    let (mut events, mut holes): (Vec<Event>, Vec<Hole>) = Default::default();
    let mut lost = chrono::DateTime::<chrono::Utc>::MIN_UTC;
    let gaps = tokio::task::block_in_place(|| {
        follow(
            &opening,
            &mut || {
                let Some(steps) = pauses.next() else { return Continue::Break(()) };
                for step in steps {
                    match step {
                        Step::Put(key) => runtime.block_on(put(&bao, key, "planted")),
                        Step::Copy => drop(fs::copy(&log, folder.path().join("audit.log.1")).expect("a copy")),
                        Step::Truncate => {
                            lost = chrono::Utc::now();
                            truncate(&log);
                        }
                    }
                }
                Continue::Continue(())
            },
            &mut |entry| {
                match entry {
                    Entry::Event(event) => events.push(*event),
                    Entry::Hole(hole) => holes.push(hole),
                    _ => {}
                }
                Continue::Continue(())
            },
        )
    });
    let written: Vec<&str> = events.iter().map(|event| event.target.as_str()).collect();
    assert_eq!(written, ["vault:secret/one#one", "vault:secret/two#two", "vault:secret/three#three"], "{gaps:?}");
    let [hole] = holes.as_slice() else { panic!("{holes:#?} {gaps:?}") };
    assert!(hole.reason.ends_with("the log was truncated: lines may be lost"), "{hole:?}");
    // What was lost was written between the first and the second that is left.
    assert!(hole.from.is_some_and(|from| from <= lost), "{hole:?} {lost}");
    assert!(hole.to.is_some_and(|to| to >= lost), "{hole:?} {lost}");
}
