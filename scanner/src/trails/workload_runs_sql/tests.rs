use keytrail_rules::correlate::Names;
use keytrail_rules::model::{EventKind, Time};
use serde_json::json;

use super::super::json::tests::config;
use super::*;

/// What rows say: kind, run, target and line of each event, then what is covered and what is missing.
fn said(rows: Vec<Value>) -> (Vec<String>, usize, usize, Vec<Gap>) {
    let (config, names) = (config(&KIND), Names::default());
    let opening =
        Opening { config: &config, trail: 3, names: &names, as_of: Time::default(), key: &crate::trails::testing::KEY };
    let (entries, gaps) = entries(&opening, "postgres://db.example:5432/ledger", rows);
    let (mut events, mut covered, mut holes) = (Vec::new(), 0, 0);
    for entry in entries {
        match entry {
            Entry::Event(event) => {
                assert_eq!((event.trail, &*event.raw.source), (3, "postgres://db.example:5432/ledger"));
                assert!(event.raw.length > 0 && event.raw.line > 0);
                let run = event.run.unwrap_or_default();
                events.push(format!("{} {run} {} line {}", event.kind.as_str(), event.target.as_str(), event.raw.line));
            }
            Entry::Covered(_) => covered += 1,
            Entry::Hole(_) => holes += 1,
            _ => {}
        }
    }
    (events, covered, holes, gaps)
}

fn row(seq: u32, status: &str) -> Value {
    let at = format!("2026-03-01T08:{seq:02}:00+00:00");
    json!({"id": format!("r{seq}"), "seq": seq, "requested_at": at, "status": status, "targets": ["env:KEY"]})
}

#[test]
fn rows_are_put_in_order_and_prove_that_none_is_missing() {
    let (events, covered, holes, gaps) = said(vec![row(3, "done"), row(1, "open"), row(2, "failed")]);
    let requested = EventKind::Requested.as_str();
    let expected = [
        format!("{requested} r1 env:KEY line 1"),
        format!("{requested} r2 env:KEY line 2"),
        "abandoned r2 env:KEY line 2".to_owned(),
        format!("{requested} r3 env:KEY line 3"),
        "finished r3 env:KEY line 3".to_owned(),
    ];
    assert_eq!(events, expected);
    assert_eq!((covered, holes, gaps.len()), (2, 0, 0));
}

#[test]
fn a_number_that_is_missing_is_a_hole() {
    let (events, covered, holes, _) = said(vec![row(1, "open"), row(2, "open"), row(4, "open")]);
    assert_eq!((events.len(), covered, holes), (3, 1, 1));
}

#[test]
fn a_row_that_is_none_is_a_gap() {
    let (events, _, _, gaps) = said(vec![row(1, "open"), json!({"id": "planted"}), json!(null)]);
    assert_eq!(events.len(), 1);
    assert!(!gaps.is_empty() && !format!("{gaps:?}").contains("planted"), "{gaps:?}");
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_a_gap() {
    let url = Some("sqlite:absent.db".to_owned());
    let (config, names) = (super::super::TrailConfig { url, ..config(&KIND) }, Names::default());
    let opening =
        Opening { config: &config, trail: 0, names: &names, as_of: Time::default(), key: &crate::trails::testing::KEY };
    let Reads::Server(read) = &KIND.reads else { panic!("a server") };
    let (entries, gaps) = read(&opening).await;
    assert_eq!((entries.len(), gaps.len()), (0, 1));
}
