//! What holds of every journal.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use keytrail_rules::model::{Secret, Time};

use super::{Journal, Lease, Note, Which};
use crate::credential::Credential;
use crate::failure::Outcome;
use crate::job::{Job, Member, Mode, Origin, Request};
use crate::ledger::{Row, Status};
use crate::state::State;

const HOUR: Duration = Duration::from_secs(3600);

/// Checks a journal that holds nothing yet.
pub(crate) async fn check(journal: &dyn Journal) {
    leases_exclude_each_other(journal).await;
    a_lease_that_ran_out_is_taken_over(journal).await;
    a_run_goes_its_way(journal).await;
    what_was_overtaken_is_refused(journal).await;
    a_group_is_begun_whole_or_not_at_all(journal).await;
    values_are_kept_until_the_end(journal).await;
    hostile_names_come_back_as_they_are(journal).await;
}

pub(crate) fn time() -> Time {
    DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap()
}

pub(crate) fn job(run: &str, items: &[&str]) -> Job {
    let member = |item: &&str| Member {
        item: (*item).to_owned(),
        origin: Origin::Issued { kind: "generate".into(), settings: Default::default() },
    };
    Job {
        run: run.to_owned(),
        mode: Mode::Orderly,
        members: items.iter().map(member).collect(),
        writes: Vec::new(),
        consumers: Vec::new(),
        probes: Vec::new(),
        grace: 0,
        request: Request { at: time(), by: "ada".into(), approver: None, reason: "overdue".into() },
    }
}

pub(crate) fn row(run: &str, status: Status) -> Row {
    Row {
        run: run.to_owned(),
        at: time(),
        status,
        items: vec!["DB".into()],
        by: "ada".into(),
        approver: None,
        reason: "overdue".into(),
        details: BTreeMap::new(),
    }
}

pub(crate) async fn take(journal: &dyn Journal, items: &[&str]) -> Lease {
    let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
    journal.take(&items, "me", HOUR).await.unwrap()
}

pub(crate) async fn begin(journal: &dyn Journal, run: &str, items: &[&str]) -> Lease {
    let lease = take(journal, items).await;
    journal.begin(&lease, &job(run, items), &row(run, Status::Requested)).await.unwrap();
    lease
}

fn note(act: &str, done: bool, fact: Option<&str>) -> Note {
    Note { state: State::Planned, act: act.to_owned(), done, fact: fact.map(str::to_owned) }
}

fn value(text: &str) -> Credential {
    Credential::of_value(Secret::from(text))
}

async fn conflict<T: std::fmt::Debug>(act: crate::context::Act<'_, T>) -> String {
    let failure = act.await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Conflict, "{failure}");
    failure.what
}

async fn leases_exclude_each_other(journal: &dyn Journal) {
    let lease = take(journal, &["L1", "L2"]).await;
    assert_eq!((lease.items.len(), &*lease.holder), (2, "me"));
    let wanted = ["L0".to_owned(), "L2".to_owned()];
    let refused = conflict(journal.take(&wanted, "other", HOUR)).await;
    assert!(refused.contains("L2") && refused.contains("me"), "{refused}");
    let free = take(journal, &["L0"]).await;
    assert!(free.token > lease.token, "who was refused took nothing");
    journal.renew(&lease, HOUR).await.unwrap();
    journal.release(&lease).await.unwrap();
    journal.release(&free).await.unwrap();
    let next = journal.take(&wanted, "other", HOUR).await.unwrap();
    assert!(next.token > free.token);
    conflict(journal.renew(&lease, HOUR)).await;
    journal.release(&lease).await.unwrap();
    conflict(journal.take(&wanted, "third", HOUR)).await;
    journal.release(&next).await.unwrap();
}

async fn a_lease_that_ran_out_is_taken_over(journal: &dyn Journal) {
    let items = ["E1".to_owned()];
    let dead = journal.take(&items, "dead", Duration::ZERO).await.unwrap();
    journal.begin(&dead, &job("kt-e", &["E1"]), &row("kt-e", Status::Requested)).await.unwrap();
    let heir = journal.take(&items, "heir", HOUR).await.unwrap();
    assert!(heir.token > dead.token);
    let note = note("write", false, None);
    for refused in [
        conflict(journal.note(&dead, "kt-e", &note)).await,
        conflict(journal.advance(&dead, "kt-e", State::Planned, State::Sealed)).await,
        conflict(journal.keep(&dead, "kt-e", "E1", Which::New, &value("v"))).await,
        conflict(journal.renew(&dead, HOUR)).await,
        conflict(journal.finish(&dead, "kt-e", State::Planned, State::Aborted, &row("kt-e", Status::RolledBack))).await,
    ] {
        assert!(refused.contains("heir"), "{refused}");
    }
    let saved = journal.load("kt-e").await.unwrap().unwrap();
    assert_eq!((saved.state, saved.open.len()), (State::Planned, 0), "who lost the lease wrote nothing");
    assert!(journal.kept("kt-e", "E1", Which::New).await.unwrap().is_none());
    journal.note(&heir, "kt-e", &note).await.unwrap();
    let end = row("kt-e", Status::RolledBack);
    journal.finish(&heir, "kt-e", State::Planned, State::Aborted, &end).await.unwrap();
    journal.release(&heir).await.unwrap();
}

async fn a_run_goes_its_way(journal: &dyn Journal) {
    assert!(journal.load("kt-w").await.unwrap().is_none());
    let lease = begin(journal, "kt-w", &["W1", "W2"]).await;
    let saved = journal.load("kt-w").await.unwrap().unwrap();
    assert_eq!((saved.job, saved.state), (job("kt-w", &["W1", "W2"]), State::Planned));
    let acts = [
        note("read a", false, None),
        note("read a", true, Some("7")),
        note("read a", false, None),
        note("read a", true, Some("8")),
        note("read b", true, None),
        note("write a", false, Some("from 8")),
        note("read c", false, None),
    ];
    for act in &acts {
        journal.note(&lease, "kt-w", act).await.unwrap();
    }
    let saved = journal.load("kt-w").await.unwrap().unwrap();
    assert_eq!(saved.facts, BTreeMap::from([("read a".to_owned(), "8".to_owned())]));
    assert_eq!(saved.open, ["write a", "read c"]);
    journal.advance(&lease, "kt-w", State::Planned, State::Sealed).await.unwrap();
    let saved = journal.load("kt-w").await.unwrap().unwrap();
    assert_eq!((saved.state, saved.facts.len(), saved.open.len()), (State::Sealed, 1, 0), "open is of this state");
    assert_eq!(journal.unfinished().await.unwrap(), [saved]);
    journal.finish(&lease, "kt-w", State::Sealed, State::Confirmed, &row("kt-w", Status::Succeeded)).await.unwrap();
    assert_eq!(journal.unfinished().await.unwrap(), []);
    assert_eq!(journal.load("kt-w").await.unwrap().unwrap().state, State::Confirmed);
    let again = row("kt-w", Status::Succeeded);
    conflict(journal.finish(&lease, "kt-w", State::Sealed, State::Confirmed, &again)).await;
    conflict(journal.finish(&lease, "kt-w", State::Confirmed, State::Confirmed, &again)).await;
    conflict(journal.note(&lease, "kt-w", &acts[0])).await;
    conflict(journal.keep(&lease, "kt-w", "W1", Which::New, &value("late"))).await;
    journal.release(&lease).await.unwrap();
}

async fn what_was_overtaken_is_refused(journal: &dyn Journal) {
    let lease = begin(journal, "kt-o", &["O1"]).await;
    let refused = conflict(journal.advance(&lease, "kt-o", State::Sealed, State::Staged)).await;
    assert!(refused.contains("planned") && refused.contains("sealed"), "{refused}");
    conflict(journal.begin(&lease, &job("kt-o", &["O1"]), &row("kt-o", Status::Requested))).await;
    let refused = conflict(journal.begin(&lease, &job("kt-o2", &["O1"]), &row("kt-o2", Status::Requested))).await;
    assert!(refused.contains("kt-o"), "{refused}");
    let other = take(journal, &["O2"]).await;
    conflict(journal.begin(&other, &job("kt-o3", &["O1"]), &row("kt-o3", Status::Requested))).await;
    conflict(journal.begin(&other, &job("kt-o", &["O2"]), &row("kt-o", Status::Requested))).await;
    conflict(journal.note(&other, "kt-o", &note("x", false, None))).await;
    journal.begin(&other, &job("kt-o4", &["O2"]), &row("kt-o4", Status::Requested)).await.unwrap();
    for (lease, run) in [(&lease, "kt-o"), (&other, "kt-o4")] {
        journal.finish(lease, run, State::Planned, State::Aborted, &row(run, Status::RolledBack)).await.unwrap();
        journal.release(lease).await.unwrap();
    }
    assert!(journal.load("kt-o2").await.unwrap().is_none());
}

async fn a_group_is_begun_whole_or_not_at_all(journal: &dyn Journal) {
    let one = begin(journal, "kt-g1", &["G2"]).await;
    journal.release(&one).await.unwrap();
    let lease = take(journal, &["G1", "G2", "G3"]).await;
    conflict(journal.begin(&lease, &job("kt-g2", &["G1", "G2", "G3"]), &row("kt-g2", Status::Requested))).await;
    assert!(journal.load("kt-g2").await.unwrap().is_none());
    journal.begin(&lease, &job("kt-g3", &["G1", "G3"]), &row("kt-g3", Status::Requested)).await.unwrap();
    journal.finish(&lease, "kt-g1", State::Planned, State::Aborted, &row("kt-g1", Status::RolledBack)).await.unwrap();
    journal.finish(&lease, "kt-g3", State::Planned, State::Aborted, &row("kt-g3", Status::RolledBack)).await.unwrap();
    journal.release(&lease).await.unwrap();
}

async fn values_are_kept_until_the_end(journal: &dyn Journal) {
    let lease = begin(journal, "kt-v", &["V1"]).await;
    let kept = async |which| journal.kept("kt-v", "V1", which).await.unwrap();
    assert!(kept(Which::Old).await.is_none());
    journal.keep(&lease, "kt-v", "V1", Which::Old, &value("old")).await.unwrap();
    journal.keep(&lease, "kt-v", "V1", Which::New, &value("first")).await.unwrap();
    let new = value("second").with("user", Secret::from("app_b"));
    journal.keep(&lease, "kt-v", "V1", Which::New, &new).await.unwrap();
    assert!(kept(Which::Old).await.unwrap().agrees_with(&value("old")));
    let found = kept(Which::New).await.unwrap();
    assert_eq!(found.parts().count(), 2);
    assert!(found.agrees_with(&new));
    assert!(!journal.is_earlier("V1", &value("second")).await.unwrap());
    journal.keep(&lease, "kt-v", "V2", Which::New, &new).await.unwrap_err();
    journal.finish(&lease, "kt-v", State::Planned, State::Aborted, &row("kt-v", Status::RolledBack)).await.unwrap();
    assert!(kept(Which::Old).await.is_none() && kept(Which::New).await.is_none(), "wiped");
    for (item, text, expected) in
        [("V1", "old", true), ("V1", "second", true), ("V1", "third", false), ("V2", "old", false)]
    {
        assert_eq!(journal.is_earlier(item, &value(text)).await.unwrap(), expected, "{item} {text}");
    }
    assert!(!journal.is_earlier("V1", &Credential::default()).await.unwrap());
    journal.release(&lease).await.unwrap();
}

async fn hostile_names_come_back_as_they_are(journal: &dyn Journal) {
    let long = "x".repeat(10_000);
    let items = ["", "a\0b%00c", "'; DROP TABLE x; --$1\n", "é\u{202e}😀", &long];
    let lease = begin(journal, "kt-h", &items).await;
    for item in items {
        journal.note(&lease, "kt-h", &note(item, true, Some(item))).await.unwrap();
        journal.keep(&lease, "kt-h", item, Which::New, &value(item)).await.unwrap();
    }
    let saved = journal.load("kt-h").await.unwrap().unwrap();
    assert_eq!(saved.job, job("kt-h", &items));
    for item in items {
        assert_eq!(saved.facts[item], item);
        assert!(journal.kept("kt-h", item, Which::New).await.unwrap().unwrap().agrees_with(&value(item)));
    }
    journal.finish(&lease, "kt-h", State::Planned, State::Aborted, &row("kt-h", Status::RolledBack)).await.unwrap();
    journal.release(&lease).await.unwrap();
}
