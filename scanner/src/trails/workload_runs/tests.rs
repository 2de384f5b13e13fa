use keytrail_rules::correlate::Names;
use proptest::prelude::*;

use super::super::testing::{config, time};
use super::*;

/// What became of each row.
fn read(rows: &[String]) -> Vec<Out> {
    read_as(|_| (), rows)
}

fn read_as(change: impl FnOnce(&mut TrailConfig), rows: &[String]) -> Vec<Out> {
    let mut config = config("workload-runs", "/".as_ref(), &["-"]);
    change(&mut config);
    let names = Names::default();
    let opening = super::super::testing::opening(&config, &names);
    let mut parser = parser(&opening);
    let read = rows.iter().map(|row| {
        let mut out = Out::default();
        parser.record(row.as_bytes(), &mut out);
        out
    });
    read.collect()
}

fn row(seq: u32, rest: &str) -> String {
    format!(r#"{{"id":"run-{seq}","seq":{seq},"requested_at":"2026-03-01T10:{seq:02}:00Z"{rest}}}"#)
}

fn minute(minute: u32) -> Time {
    time(&format!("2026-03-01T10:{minute:02}:00Z"))
}

#[test]
fn a_row_is_a_request_and_what_became_of_it() {
    let rest = r#","finished_at":"2026-03-01T10:30:00Z","status":"SUCCEEDED","requester":"ana","approver":"ben","reason":"quarterly","targets":["vault:secret/app#password","DB_PASSWORD"]"#;
    let out = read(&[row(1, rest)]).remove(0);
    let seen: Vec<_> =
        out.events.iter().map(|draft| (draft.kind, draft.target.as_str(), draft.time, draft.id.as_ref())).collect();
    use EventKind::{Finished, Requested};
    let expected = [
        (Requested, "vault:secret/app#password", minute(1), "run-1/requested"),
        (Requested, "env:DB_PASSWORD", minute(1), "run-1/requested"),
        (Finished, "vault:secret/app#password", minute(30), "run-1/finished"),
        (Finished, "env:DB_PASSWORD", minute(30), "run-1/finished"),
    ];
    assert_eq!(seen, expected);
    let draft = &out.events[0];
    assert_eq!((draft.run.as_deref(), draft.actor.as_deref()), (Some("run-1"), Some("ana")));
    let details = [("requester", "ana"), ("approver", "ben"), ("reason", "quarterly")];
    assert_eq!(draft.details, details.map(|(name, text)| (name, text.to_owned())));
    assert_eq!(out.time, Some(minute(30)));
}

#[test]
fn statuses_are_understood_or_said_not_to_be() {
    for (status, kinds) in [
        (r#","status":"requested""#, vec![EventKind::Requested]),
        ("", vec![EventKind::Requested]),
        (r#","status":{"phase":"Failed"}"#, vec![EventKind::Requested, EventKind::Abandoned]),
        (r#","state":"timed out""#, vec![EventKind::Requested, EventKind::Abandoned]),
        (r#","status":"closed""#, vec![EventKind::Requested, EventKind::Finished]),
    ] {
        let rows = [row(1, &format!(r#"{status},"target":"K""#))];
        let out = read_as(|config| config.events = [("finished".into(), vec!["closed".into()])].into(), &rows);
        assert_eq!(out[0].events.iter().map(|draft| draft.kind).collect::<Vec<_>>(), kinds, "{status}");
    }
    let rows = [row(1, r#","status":"odd""#), r#"{"id":"x"}"#.into(), r#"{"requested_at":1}"#.into(), "[]".into()];
    let whys: Vec<_> = read(&rows).iter().map(|out| out.broken).collect();
    let expected = [
        "its status is not understood",
        "the run has no time of its request",
        "the run has no id",
        "not a JSON object",
    ];
    assert_eq!(whys, expected.map(Some));
}

fn covered(outs: &[Out]) -> Vec<(Time, Time)> {
    outs.iter().flat_map(|out| &out.covered).map(|covered| (covered.from, covered.to)).collect()
}

fn missing(outs: &[Out]) -> Vec<(usize, String, bool)> {
    let of = |(at, out): (usize, &Out)| {
        out.missing_before.as_ref().map(|missing| (at, missing.reason.clone(), missing.tampered))
    };
    outs.iter().enumerate().filter_map(of).collect()
}

#[test]
fn consecutive_numbers_prove_that_nothing_is_missing() {
    let outs = read(&[row(1, ""), row(2, ""), row(3, "")]);
    assert_eq!(covered(&outs), [(minute(1), minute(2)), (minute(2), minute(3))]);
    assert_eq!(missing(&outs), []);
    // What is after the last row nobody knows, and neither what is around a row that is missing.
    let outs = read(&[row(1, ""), row(2, ""), row(4, ""), row(7, ""), row(8, "")]);
    assert_eq!(covered(&outs), [(minute(1), minute(2)), (minute(7), minute(8))]);
    let expected = [(2, "row 3 of the ledger is missing"), (3, "rows 5 to 6 of the ledger are missing")];
    assert_eq!(missing(&outs), expected.map(|(at, reason)| (at, reason.to_owned(), false)));
    // A copy of the file proves no more and misses nothing.
    let outs = read(&[row(1, ""), row(2, ""), row(1, ""), row(2, ""), row(3, "")]);
    assert_eq!(covered(&outs), [(minute(1), minute(2)), (minute(1), minute(2)), (minute(2), minute(3))]);
    assert_eq!(missing(&outs), []);
}

#[test]
fn a_row_that_ended_late_covers_only_up_to_its_request() {
    let late = row(2, r#","finished_at":"2026-03-01T10:50:00Z","status":"done""#);
    let outs = read(&[row(1, ""), late, row(3, "")]);
    assert_eq!(covered(&outs), [(minute(1), minute(2)), (minute(2), minute(3))]);
}

#[test]
fn hashes_that_do_not_match_show_that_somebody_changed_the_ledger() {
    let chained = |seq: u32, prev: &str, hash: &str| {
        format!(r#"{{"id":"r{seq}","requested_at":"2026-03-01T10:{seq:02}:00Z","prev_hash":"{prev}","hash":"{hash}"}}"#)
    };
    let outs = read(&[chained(1, "0", "a"), chained(2, "a", "b"), chained(4, "c", "d"), chained(5, "d", "e")]);
    assert_eq!(covered(&outs), [(minute(1), minute(2)), (minute(4), minute(5))]);
    let reason = "the row does not follow the one before: their hashes do not match";
    assert_eq!(missing(&outs), [(2, reason.to_owned(), true)]);
}

#[test]
fn rows_without_numbers_prove_nothing() {
    let plain = |minute: u32| format!(r#"{{"id":"r{minute}","requested_at":"2026-03-01T10:{minute:02}:00Z"}}"#);
    let outs = read(&[plain(1), plain(2)]);
    assert_eq!((covered(&outs), missing(&outs)), (Vec::new(), Vec::new()));
}

#[test]
fn a_kubernetes_object_is_a_row() {
    let object = r#"{"metadata":{"name":"rotate-db","creationTimestamp":"2026-03-01T10:01:00Z"},
        "spec":{"requester":"ana","reason":"leak","targets":["env:DB_PASSWORD"]},
        "status":{"phase":"Succeeded","completionTime":"2026-03-01T10:02:00Z"}}"#;
    let out = read(&[object.to_owned()]).remove(0);
    let kinds: Vec<_> = out.events.iter().map(|draft| (draft.kind, draft.time)).collect();
    assert_eq!(kinds, [(EventKind::Requested, minute(1)), (EventKind::Finished, minute(2))]);
    assert_eq!(out.events[0].run.as_deref(), Some("rotate-db"));
}

proptest! {
    /// Without any row but the first and the last, either more is missing or less is covered.
    #[test]
    fn a_row_that_was_taken_out_is_missed(count in 3..20_u32, out in 1..18_u32) {
        prop_assume!(out < count - 1);
        let rows: Vec<String> = (0..count).map(|seq| row(seq, "")).collect();
        let mut cut = rows.clone();
        cut.remove(out as usize);
        let outs = read(&cut);
        prop_assert_eq!(missing(&outs).len(), 1);
        let at = minute(out);
        prop_assert!(covered(&outs).iter().all(|(from, to)| at < *from || *to <= at));
        prop_assert!(missing(&read(&rows)).is_empty());
    }

    #[test]
    fn no_row_makes_it_panic(text in any::<String>(), seqs in prop::collection::vec(any::<u64>(), 0..6)) {
        read(std::slice::from_ref(&text));
        let rows: Vec<String> = seqs
            .iter()
            .map(|seq| serde_json::json!({ "id": text, "seq": seq, "requested_at": seq, "status": text }).to_string())
            .collect();
        read(&rows);
    }
}
