//! What scans found one after the other.

use keytrail::state::Past;
use keytrail_rules::checks::{Facet, Rule};
use keytrail_rules::history::ChangeCounts;
use keytrail_rules::model::{Finding, Gap, GapReason, Severity};
use keytrail_rules::report::{ItemStatus, Report};

use super::*;
use crate::sarif::samples;

/// A report with findings of rules about things, and items with statuses.
fn report(at: i64, findings: &[(&str, &str)], items: &[(&str, ItemStatus)]) -> Report {
    let finding = |(rule, subject): &(&str, &str)| {
        Finding::new(Rule::find(rule).expect("a rule"), subject, format!("{subject} as of {at}."))
    };
    let item = |(key, status): &(&str, ItemStatus)| {
        let mut item = samples::item(key, None);
        item.status = *status;
        item
    };
    let (findings, items) = (findings.iter().map(finding).collect(), items.iter().map(item).collect());
    Report { as_of: time(at), findings, items, ..samples::empty() }
}

fn messages(past: &Past) -> Vec<&str> {
    past.found.findings.values().map(|found| found.finding.message.as_str()).collect()
}

fn counts(new: u64, regressed: u64, fixed: u64, unseen: u64, unchanged: u64) -> ChangeCounts {
    ChangeCounts { new, regressed, fixed, unseen, unchanged, ..ChangeCounts::default() }
}

/// Every row of the history, as text.
async fn rows(fresh: &Fresh) -> Vec<String> {
    let url = fresh.config.url.clone();
    let url = url.unwrap_or_else(|| format!("sqlite://{}/.keytrail/state.db", fresh.root.path().display()));
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let mut rows = Vec::new();
    for select in [
        "SELECT estate, CAST(as_of AS TEXT) || facets || CAST(complete AS TEXT) || findings || measures || \
         COALESCE(changes, '-') FROM keytrail_scans ORDER BY 1, as_of",
        "SELECT estate, fingerprint || ' ' || CAST(began_at AS TEXT) || ' ' || COALESCE(CAST(last_seen AS TEXT), '-') || ' ' \
         || COALESCE(CAST(ended_at AS TEXT), '-') || ' ' || CAST(excepted AS TEXT) || message FROM keytrail_findings \
         ORDER BY 1, 2",
        "SELECT estate, item || ' ' || CAST(began_at AS TEXT) || ' ' || COALESCE(status, '-') || \
         COALESCE(CAST(due_at AS TEXT), '-') || COALESCE(CAST(set_at AS TEXT), '-') FROM keytrail_items ORDER BY 1, 2",
    ] {
        let found: Vec<(String, String)> = sqlx::query_as(select).fetch_all(&mut connection).await.unwrap();
        rows.extend(found.into_iter().map(|(estate, row)| format!("{estate}: {row}")));
    }
    connection.close().await.unwrap();
    rows
}

#[tokio::test]
async fn what_comes_goes_and_comes_back_is_known() {
    use ItemStatus::{Ok, Overdue};
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let both = [("no-owner", "A"), ("no-owner", "B")];
        let first = state.record_scan("shop", &report(10, &both, &[("A", Ok), ("B", Ok)])).await.unwrap();
        assert_eq!(first, Past::default(), "there was none before");
        state.record_scan("shop", &report(20, &both[..1], &[("A", Overdue)])).await.unwrap();
        state.record_scan("other", &report(25, &[], &[])).await.unwrap();
        let past = state.record_scan("shop", &report(30, &both, &[("A", Overdue), ("B", Ok)])).await.unwrap();
        assert_eq!(messages(&past), ["A as of 20."]);
        assert_eq!((past.gone.len(), past.found.as_of), (1, time(20)));
        let mut fourth = report(40, &both, &[("A", Ok), ("B", Ok)]);
        state.close().await.unwrap();

        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let state = fresh.open(mode).await.unwrap().expect("a state");
            let scans = state.scans("shop").await.unwrap();
            let changes: Vec<_> = scans.iter().map(|scan| scan.changes).collect();
            assert_eq!(changes, [None, Some(counts(0, 0, 1, 0, 1)), Some(counts(0, 1, 0, 0, 1))]);
            assert_eq!(scans[0].findings.get(&Severity::Medium).or(scans[0].findings.values().next()), Some(&2));
            // As of any time, only the scans before it are known.
            assert_eq!(state.past("shop", time(10)).await.unwrap(), Past::default());
            assert_eq!(messages(&state.past("shop", time(11)).await.unwrap()).len(), 2);
            assert_eq!(messages(&state.past("shop", time(30)).await.unwrap()).len(), 1);
            let statuses = state.past("shop", time(30)).await.unwrap().found.items;
            assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [("A".to_owned(), "overdue".to_owned())]);
            state.past("shop", time(40)).await.unwrap().tell(&mut fourth);
            let (changes, trends) = (fourth.changes.clone().expect("changes"), fourth.trends.clone().expect("trends"));
            assert_eq!((changes.since, changes.unchanged, changes.items.len()), (time(30), 2, 1));
            assert_eq!(trends.points.iter().map(|point| point.as_of).collect::<Vec<_>>(), [10, 20, 30, 40].map(time));
            state.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_does_not_change_adds_one_row() {
    let fresh = Fresh::sqlite();
    let state = fresh.writable().await;
    let keys: Vec<String> = (0..2_000).map(|at| format!("KEY_{at}")).collect();
    let findings: Vec<(&str, &str)> = keys.iter().map(|key| ("no-owner", key.as_str())).collect();
    let items: Vec<(&str, ItemStatus)> = keys.iter().map(|key| (key.as_str(), ItemStatus::Ok)).collect();
    state.record_scan("", &report(1, &findings, &items)).await.unwrap();
    let before = rows(&fresh).await.len();
    for night in 2..6 {
        state.record_scan("", &report(night, &findings, &items)).await.unwrap();
    }
    assert_eq!(before, 1 + 2 * 2_000);
    assert_eq!(rows(&fresh).await.len(), before + 4);
    assert_eq!(
        messages(&state.past("", time(9)).await.unwrap())[0].split(" as of ").nth(1),
        Some("5."),
        "the last words"
    );
}

#[tokio::test]
async fn what_was_not_looked_at_is_not_gone() {
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let all = [("no-owner", "A"), ("overdue-rotation", "B"), ("shared-value", "C")];
        state.record_scan("", &report(10, &all, &[("A", ItemStatus::Overdue)])).await.unwrap();
        let mut gaps = report(20, &[], &[]);
        gaps.gaps = vec![Gap::new("vault", GapReason::Sealed, "the vault is sealed")];
        gaps.summary.complete = false;
        state.record_scan("", &gaps).await.unwrap();
        let mut part = report(30, &[], &[("A", ItemStatus::Overdue)]);
        (part.facets, part.disabled_rules) = (vec![Facet::Inventory], vec!["shared-value".to_owned()]);
        state.record_scan("", &part).await.unwrap();
        state.record_scan("", &report(40, &all[1..2], &[("A", ItemStatus::Overdue)])).await.unwrap();
        let changes: Vec<_> = state.scans("").await.unwrap().iter().filter_map(|scan| scan.changes).collect();
        assert_eq!(changes, [counts(0, 0, 0, 3, 0), counts(0, 0, 1, 2, 0), counts(0, 0, 1, 0, 1)]);
        let past = state.past("", time(50)).await.unwrap();
        assert_eq!(past.secrets["A"].len(), 1, "it was never gone");
        assert_eq!(past.found.findings.len(), 1);
        // The one that only a whole scan looked for was last seen by the first.
        let last_seen = |row: &String| row.split(' ').nth(3).map(str::to_owned);
        let all = rows(&fresh).await;
        let findings = all.iter().filter(|row| row.contains(" as of ")).collect::<Vec<_>>();
        let first = time(10).timestamp_micros().to_string();
        assert_eq!(findings.iter().filter(|row| last_seen(row) == Some(first.clone())).count(), 2, "{findings:?}");
    }
}

#[tokio::test]
async fn an_exception_ends_one_stretch_and_begins_another() {
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let scan = |at, excepted: bool| {
            let mut report = report(at, &[("no-owner", "A")], &[]);
            report.findings[0].exception = excepted.then(|| "the vendor ends the service".to_owned());
            report
        };
        for (at, excepted) in [(10, false), (20, true), (30, true), (40, false)] {
            state.record_scan("", &scan(at, excepted)).await.unwrap();
        }
        let changes: Vec<_> = state.scans("").await.unwrap().iter().filter_map(|scan| scan.changes).collect();
        let covered = ChangeCounts { covered: 1, ..ChangeCounts::default() };
        let uncovered = ChangeCounts { uncovered: 1, ..ChangeCounts::default() };
        assert_eq!(changes, [covered, ChangeCounts::default(), uncovered]);
        assert!(!state.past("", time(30)).await.unwrap().found.findings.is_empty(), "it was there all the time");
    }
}

#[tokio::test]
async fn scans_twice_late_and_at_once_give_the_rows_of_scans_in_order() {
    let scan = |at: i64| {
        let names = ["A", "B", "C", "D"];
        let there: Vec<(&str, &str)> = names
            .iter()
            .enumerate()
            .filter(|(bit, _)| at >> bit & 1 == 1)
            .map(|(_, name)| ("no-owner", *name))
            .collect();
        report(at, &there, &[("A", if at % 2 == 0 { ItemStatus::Ok } else { ItemStatus::Overdue })])
    };
    let mut expected = Vec::new();
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        for at in [1, 2, 5, 5, 3, 1, 9, 4] {
            state.record_scan("", &scan(at)).await.unwrap();
        }
        let found = rows(&fresh).await;
        let times: Vec<Time> = state.scans("").await.unwrap().iter().map(|scan| scan.as_of).collect();
        assert_eq!(times, [1, 2, 5, 9].map(time), "what comes late adds nothing");
        if expected.is_empty() {
            expected = found;
        } else {
            assert_eq!(found, expected, "both databases keep the same");
        }
    }
    for fresh in Fresh::both().await {
        let fresh = Arc::new(fresh);
        let scans: Vec<_> = (0..6)
            .map(|at| {
                let (fresh, report) = (Arc::clone(&fresh), scan(at));
                tokio::spawn(async move {
                    let state = fresh.writable().await;
                    state.record_scan("", &report).await.unwrap();
                    state.close().await.unwrap();
                })
            })
            .collect();
        for scan in scans {
            scan.await.unwrap();
        }
        let again = Fresh::sqlite();
        let (state, ordered) = (fresh.writable().await, again.writable().await);
        for row in state.scans("").await.unwrap() {
            let at = row.as_of - time(0);
            ordered.record_scan("", &scan(at.num_seconds())).await.unwrap();
        }
        assert_eq!(rows(&fresh).await, rows(&again).await, "as if the recorded ones had come one by one");
    }
}

#[tokio::test]
async fn hostile_text_is_kept_as_text() {
    let strings = samples::hostile_strings();
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let mut hostile = samples::full_of(&strings);
        hostile.as_of = time(1);
        state.record_scan(&"x".repeat(200), &hostile).await.unwrap();
        let mut next = hostile.clone();
        next.as_of = time(2);
        state.record_scan(&"x".repeat(200), &next).await.unwrap().tell(&mut next);
        let changes = next.changes.expect("changes");
        assert!(changes.new.is_empty() && changes.items.is_empty() && changes.unchanged > 0, "{changes:?}");
    }
}

/// Not a test: what the test below runs in a process of its own.
#[tokio::test]
#[ignore = "a helper that other tests start"]
async fn helper_records_scans() {
    let Some(root) = env::var_os("KEYTRAIL_TEST_ROOT") else { return };
    let config = StateConfig { url: env::var("KEYTRAIL_TEST_URL").ok(), ..StateConfig::default() };
    let state = State::open(&config, Path::new(&root), Mode::ReadWrite).await.unwrap().expect("a state");
    let keys: Vec<String> = (0..PLACES).map(|at| format!("KEY_{at}")).collect();
    let before = i64::try_from(state.scans("").await.unwrap().len()).unwrap();
    for round in before + 1.. {
        // Every other scan finds all of it, and the others nothing.
        let findings: Vec<(&str, &str)> =
            keys.iter().filter(|_| round % 2 == 1).map(|key| ("no-owner", key.as_str())).collect();
        let items: Vec<(&str, ItemStatus)> = findings.iter().map(|(_, key)| (*key, ItemStatus::Overdue)).collect();
        state.record_scan("", &report(round, &findings, &items)).await.unwrap();
        say("recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_scan_leaves_whole_scans_only() {
    for fresh in Fresh::both().await {
        for (rounds, delay) in [(1, 0), (1, 15), (2, 40)] {
            let mut helper = Command::new(env::current_exe().unwrap());
            helper.args(["--exact", "state::history::helper_records_scans", "--ignored", "--nocapture"]);
            helper.env("KEYTRAIL_TEST_ROOT", fresh.root.path());
            if let Some(url) = &fresh.config.url {
                helper.env("KEYTRAIL_TEST_URL", url);
            }
            let mut helper = helper.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut lines = BufReader::new(helper.stdout.take().unwrap()).lines().map_while(Result::ok);
            assert_eq!(lines.by_ref().filter(|line| line == "recorded").take(rounds).count(), rounds);
            // This waits for nothing: it hits the next scan at different points.
            std::thread::sleep(Duration::from_millis(delay));
            helper.kill().unwrap();
            helper.wait().unwrap();

            let state = fresh.writable().await;
            let past = state.past("", time(1_000_000)).await.unwrap();
            let last = past.scans.last().expect("a scan");
            let there = (last.as_of - time(0)).num_seconds() % 2 == 1;
            let count = if there { PLACES } else { 0 };
            assert_eq!((past.found.findings.len(), past.found.items.len()), (count, count));
            assert_eq!(last.findings.values().sum::<u64>(), count as u64);
            assert_eq!(past.secrets.values().map(Vec::len).max(), Some(past.scans.len()));
            state.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_reader_may_not_record_a_scan() {
    for fresh in Fresh::both().await {
        fresh.writable().await.close().await.unwrap();
        let state = fresh.open(Mode::ReadOnly).await.unwrap().expect("a state");
        let refused = state.record_scan("", &report(1, &[], &[])).await.unwrap_err();
        assert!(matches!(refused, StateError::ReadOnly(_)), "{refused}");
        assert_eq!(state.past("", time(5)).await.unwrap(), Past::default());
    }
}
