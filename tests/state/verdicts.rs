//! How earlier scans judged rotations.

use keytrail_rules::correlate::{Rotation, Trace, Traces, Verdict};
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::Key;

use super::*;

fn rotation(id: &str, verdict: Verdict) -> Rotation {
    let traces = Traces { ledger: Trace::Present, store: Trace::Present, application: Trace::Unknown };
    Rotation {
        id: id.to_owned(),
        item: ItemId::of_key(&Key::new("API_KEY"), None),
        at: time(0),
        verdict,
        silent: None,
        traces,
        flags: Default::default(),
        missing: Vec::new(),
        deadline: time(60),
        version: None,
        events: Vec::new(),
    }
}

/// Every row, oldest first: rotation, number, item, verdict, seconds.
async fn rows(fresh: &Fresh) -> Vec<(String, i64, String, String, i64)> {
    const SELECT: &str = "SELECT rotation_id, number, item, verdict, judged_at FROM keytrail_verdicts ORDER BY 1, 2";
    let url = fresh.config.url.clone();
    let url = url.unwrap_or_else(|| format!("sqlite://{}/.keytrail/state.db", fresh.root.path().display()));
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let mut rows: Vec<(String, i64, String, String, i64)> =
        sqlx::query_as(SELECT).fetch_all(&mut connection).await.unwrap();
    rows.iter_mut().for_each(|row| row.4 = row.4 / 1_000_000 - 1_750_000_000);
    rows
}

fn row(id: &str, number: i64, verdict: &str, at: i64) -> (String, i64, String, String, i64) {
    (id.to_owned(), number, "API_KEY".to_owned(), verdict.to_owned(), at)
}

#[tokio::test]
async fn a_verdict_that_changes_is_added_and_the_old_one_stays() {
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        assert_eq!(state.verdicts(time(100)).await.unwrap(), BTreeMap::new());
        let (pending, traced) = (rotation("a", Verdict::Pending), rotation("a", Verdict::Traced));
        let silent = rotation("b", Verdict::Silent);
        state.record_verdicts(&[pending.clone(), silent.clone()], time(10)).await.unwrap();
        state.record_verdicts(&[pending, silent.clone()], time(20)).await.unwrap();
        state.record_verdicts(&[traced, silent], time(30)).await.unwrap();
        // What a trail no longer shows was judged all the same.
        state.record_verdicts(&[], time(40)).await.unwrap();
        state.close().await.unwrap();

        let history = [row("a", 1, "pending", 10), row("a", 2, "traced", 30), row("b", 1, "silent", 10)];
        assert_eq!(rows(&fresh).await, history);
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let state = fresh.open(mode).await.unwrap().expect("a state");
            let by = async |at| state.verdicts(time(at)).await.unwrap().into_iter().collect::<Vec<_>>();
            assert_eq!(by(9).await, []);
            let before = [("a".to_owned(), Verdict::Pending), ("b".to_owned(), Verdict::Silent)];
            assert_eq!(by(29).await, before);
            let after = [("a".to_owned(), Verdict::Traced), ("b".to_owned(), Verdict::Silent)];
            assert_eq!(by(30).await, after);
            state.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn verdicts_of_the_past_and_of_one_instant_keep_their_order() {
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let record = async |verdict, at| state.record_verdicts(&[rotation("a", verdict)], time(at)).await.unwrap();
        record(Verdict::Silent, 50).await;
        // A scan as of an earlier time, and two scans within one instant.
        record(Verdict::Pending, 10).await;
        record(Verdict::Traced, 50).await;
        let verdict = async |at| state.verdicts(time(at)).await.unwrap().get("a").copied();
        assert_eq!(verdict(10).await, Some(Verdict::Pending));
        assert_eq!(verdict(49).await, Some(Verdict::Pending));
        assert_eq!(verdict(50).await, Some(Verdict::Traced));
        assert_eq!(
            rows(&fresh).await,
            [row("a", 1, "silent", 50), row("a", 2, "pending", 10), row("a", 3, "traced", 50)]
        );
    }
}

#[tokio::test]
async fn every_verdict_comes_back_and_an_unknown_one_is_damage() {
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let rotations: Vec<Rotation> =
            (0..1_200).map(|at| rotation(&format!("{at:032x}"), Verdict::ALL[at % Verdict::ALL.len()])).collect();
        state.record_verdicts(&rotations, time(0)).await.unwrap();
        let expected: BTreeMap<String, Verdict> = rotations.into_iter().map(|one| (one.id, one.verdict)).collect();
        assert_eq!(state.verdicts(time(0)).await.unwrap(), expected);
        fresh.tamper("UPDATE keytrail_verdicts SET verdict = 'fine' WHERE verdict = 'silent'").await;
        let refused = state.verdicts(time(0)).await.unwrap_err();
        assert!(matches!(refused, StateError::Damaged(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_reader_may_not_record_verdicts() {
    for fresh in Fresh::both().await {
        fresh.writable().await.close().await.unwrap();
        let state = fresh.open(Mode::ReadOnly).await.unwrap().expect("a state");
        let refused = state.record_verdicts(&[rotation("a", Verdict::Traced)], time(0)).await.unwrap_err();
        assert!(matches!(refused, StateError::ReadOnly(_)), "{refused}");
    }
}
