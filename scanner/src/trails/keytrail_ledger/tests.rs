use std::fs;

use keytrail_rotation::journal::Journal;
use keytrail_rotation::journal::seal::SealKey;
use keytrail_rotation::ledger::Row as LedgerRow;
use keytrail_rules::correlate::Names;

use super::*;
use crate::trails::testing::{config, events, holes, opening, time};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/trails/keytrail-ledger");

fn read_all(config: &TrailConfig) -> Answer {
    let names = Names::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(read(&opening(config, &names)))
}

fn covered(entries: &[Entry]) -> Vec<Covered> {
    let covered = entries.iter().filter_map(|entry| match entry {
        Entry::Covered(covered) => Some(*covered),
        _ => None,
    });
    covered.collect()
}

fn said(entries: &[Entry]) -> Vec<String> {
    let line = |event: &keytrail_rules::model::Event| {
        let run = event.run.as_deref().unwrap_or_default();
        format!("{} {} {} line {}", event.kind.as_str(), &run[run.len() - 8..], event.target.as_str(), event.raw.line)
    };
    events(entries).into_iter().map(line).collect()
}

#[test]
fn a_file_says_who_asked_for_what_and_how_it_ended() {
    let (entries, gaps) = read_all(&config(KIND.name, Path::new(FIXTURE), &["ledger.jsonl"]));
    let expected = [
        "requested 0f3a9c21 item:DB_PASSWORD line 1",
        "requested 0f3a9c21 item:DATABASE_URL line 1",
        "requested 0f3a9c21 item:DB_PASSWORD line 2",
        "requested 0f3a9c21 item:DATABASE_URL line 2",
        "finished 0f3a9c21 item:DB_PASSWORD line 2",
        "finished 0f3a9c21 item:DATABASE_URL line 2",
        "requested 1b2c3d4e item:API_KEY line 3",
        "requested 1b2c3d4e item:API_KEY line 4",
        "abandoned 1b2c3d4e item:API_KEY line 4",
    ];
    assert_eq!(said(&entries), expected);
    let first = time("2026-06-01T08:00:00Z");
    let now = time("2026-07-01T00:00:00Z");
    assert_eq!(covered(&entries), [Covered { from: first, to: now, proof: Proof::Sequence }]);
    assert_eq!((holes(&entries).len(), gaps.len()), (0, 0));
    let event = events(&entries)[4];
    assert_eq!((event.time, event.actor.as_deref()), (time("2026-06-01T08:05:00Z"), Some("ada")));
    let text = fs::read(format!("{FIXTURE}/ledger.jsonl")).unwrap();
    let (from, length) = (event.raw.offset as usize, event.raw.length as usize);
    assert_eq!(event.raw.sha256, <[u8; 32]>::from(Sha256::digest(&text[from..from + length])));
}

#[test]
fn a_row_that_was_changed_is_named() {
    let text = fs::read_to_string(format!("{FIXTURE}/ledger.jsonl")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (
            text.replacen("leaked", "bored!", 1),
            "row 2 of the ledger is not the one that the row after it follows",
            true,
            7,
        ),
        (
            text.lines().skip(1).collect::<Vec<_>>().join("\n"),
            "row 0 of the ledger is missing: row 1 stands in its place",
            false,
            0,
        ),
        (text[..text.len() - 9].to_owned(), "row 3 of the ledger cannot be read: it is no row of a ledger", false, 7),
    ];
    for (text, reason, tampered, left) in cases {
        fs::write(folder.path().join("ledger.jsonl"), text).unwrap();
        let (entries, _) = read_all(&config(KIND.name, folder.path(), &["ledger.jsonl"]));
        let found: Vec<_> = holes(&entries).iter().map(|hole| (&*hole.reason, hole.tampered)).collect();
        assert_eq!(found, [(reason, tampered)]);
        assert_eq!((covered(&entries).len(), events(&entries).len()), (0, left));
    }
    let (_, gaps) = read_all(&config(KIND.name, folder.path(), &["absent.jsonl"]));
    assert_eq!(gaps.len(), 1);
}

/// Carries out a run in the journal of a folder.
async fn rotate(root: &Path, run: &str) {
    let (config, seal) = (StateConfig::default(), SealKey::new(&[7; 32]).unwrap());
    let journal = State::journal(&config, root, seal, state::ledger_key(root).unwrap()).await.unwrap();
    let job = serde_json::json!({
        "run": run,
        "mode": "orderly",
        "members": [{ "item": "DB", "origin": { "origin": "derived", "from": [], "template": null } }],
        "writes": [],
        "consumers": [],
        "probes": [],
        "grace": 0,
        "request": { "at": "2026-06-01T08:00:00Z", "by": "ada", "approver": null, "reason": "due" },
    });
    let row = |status| LedgerRow {
        run: run.to_owned(),
        at: time("2026-06-01T08:00:00Z"),
        status,
        items: vec!["DB".into()],
        by: "ada".into(),
        approver: None,
        reason: "due".into(),
        details: BTreeMap::new(),
    };
    let lease = journal.take(&["DB".into()], "me", std::time::Duration::from_secs(60)).await.unwrap();
    journal.begin(&lease, &serde_json::from_value(job).unwrap(), &row(LedgerStatus::Requested)).await.unwrap();
    let (from, to) = (keytrail_rotation::state::State::Planned, keytrail_rotation::state::State::Confirmed);
    journal.finish(&lease, run, from, to, &row(LedgerStatus::Succeeded)).await.unwrap();
    journal.release(&lease).await.unwrap();
    journal.close().await.unwrap();
}

fn tamper(root: &Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", root.join(".keytrail/state.db").display());
        let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    });
}

#[test]
fn the_state_is_read_and_whoever_changed_it_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let trail = config(KIND.name, root, &[]);
    assert_eq!(read_all(&trail), (Vec::new(), Vec::new()), "there is none yet");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        rotate(root, "kt-00000001").await;
        rotate(root, "kt-00000002").await;
    });
    let (entries, gaps) = read_all(&trail);
    assert_eq!((events(&entries).len(), covered(&entries).len(), holes(&entries).len(), gaps.len()), (6, 1, 0, 0));

    let cases = [
        (
            "DROP TRIGGER keytrail_ledger_delete; DELETE FROM keytrail_ledger WHERE number = 3",
            "row 3 of the ledger is missing: it had 4 rows",
        ),
        ("DELETE FROM keytrail_ledger WHERE number = 1", "row 1 of the ledger is missing: row 2 stands in its place"),
        (
            "DROP TRIGGER keytrail_ledger_update; UPDATE keytrail_ledger SET entry = REPLACE(entry, 'ada', 'eve')",
            "row 0 of the ledger was changed: its hash is another one",
        ),
    ];
    for (sql, reason) in cases {
        tamper(root, sql);
        let (entries, _) = read_all(&trail);
        let found: Vec<_> = holes(&entries).iter().map(|hole| (&*hole.reason, hole.tampered)).collect();
        assert_eq!((found, covered(&entries).len()), (vec![(reason, true)], 0));
    }
}
