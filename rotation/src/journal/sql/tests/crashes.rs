//! Processes that are killed, and processes that race.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::*;

/// What a child is to do: `rotate` or `race`, and the URL of the database.
const VARIABLE: &str = "KEYTRAIL_TEST_JOURNAL_CHILD";

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Runs the test `child` alone in another process.
fn start(act: &str, fresh: &Fresh) -> Process {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "journal::sql::tests::crashes::child", "--nocapture"])
        .env(VARIABLE, format!("{act} {} {}", fresh.folder.path().display(), fresh.url))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Process { child, lines }
}

impl Process {
    /// The next thing that the child says it has done.
    fn next(&mut self) -> Option<String> {
        self.lines.by_ref().map(Result::unwrap).find_map(|line| line.split_once("did ").map(|(_, did)| did.to_owned()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn did(what: &str) {
    println!("did {what}");
}

#[tokio::test]
async fn child() {
    let Ok(task) = env::var(VARIABLE) else {
        return; // This is the parent, which runs all tests.
    };
    let [act, folder, url] = task.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let pem = std::fs::read_to_string(Path::new(folder).join("ledger.key")).unwrap();
    let journal = open(url, 1).await.signed_by(Signer::from_pem(&pem).unwrap());
    match act {
        "rotate" => rotate_on(&journal).await,
        _ => race(&journal).await,
    }
}

/// Ends what is left over, then carries out one run after another.
async fn rotate_on(journal: &SqlJournal) {
    let items = ["A".to_owned(), "B".to_owned()];
    let lease = journal.take(&items, "child", Duration::ZERO).await.unwrap();
    for saved in journal.unfinished().await.unwrap() {
        let run = saved.job.run;
        journal.finish(&lease, &run, saved.state, State::Aborted, &row(&run, Status::RolledBack)).await.unwrap();
        did(&format!("{run} end"));
    }
    let first = journal.entries(0, u64::MAX).await.unwrap().len();
    for number in first.. {
        let run = format!("kt-{number}");
        let job = conformance::job(&run, &["A", "B"]);
        journal.begin(&lease, &job, &row(&run, Status::Requested)).await.unwrap();
        did(&format!("{run} begin"));
        for item in &items {
            journal.keep(&lease, &run, item, Which::New, &planted(&run)).await.unwrap();
            did(&format!("{run} keep {item}"));
        }
        let states = [State::Planned, State::Sealed, State::Staged, State::Set];
        for pair in states.windows(2) {
            journal.advance(&lease, &run, pair[0], pair[1]).await.unwrap();
            did(&format!("{run} advance {}", pair[1].as_str()));
        }
        journal.finish(&lease, &run, State::Set, State::Confirmed, &row(&run, Status::Succeeded)).await.unwrap();
        did(&format!("{run} end"));
    }
}

/// Tries to have each of many items.
async fn race(journal: &SqlJournal) {
    did("start");
    for number in 0..100 {
        let item = [format!("{number}")];
        if journal.take(&item, "child", Duration::from_secs(3600)).await.is_ok() {
            did(&item[0]);
        }
    }
    did("end");
}

/// What the tables say of a run: its state, whether it ended, its last transition, and how many rows others have.
type Whole = (String, String, i64, Option<String>, i64, i64, i64, i64);

/// Whether every transaction is there as a whole.
async fn check_whole(fresh: &Fresh, journal: &SqlJournal) -> BTreeMap<String, (String, bool)> {
    const SELECT: &str = "SELECT run, state, ended, \
         (SELECT note FROM keytrail_rotation_notes n WHERE n.run = r.run ORDER BY number DESC LIMIT 1), \
         (SELECT COUNT(*) FROM keytrail_rotation_open o WHERE o.run = r.run), \
         (SELECT COUNT(*) FROM keytrail_rotation_sealed s WHERE s.run = r.run), \
         (SELECT COUNT(*) FROM keytrail_ledger l WHERE l.run = r.run AND part = 'first'), \
         (SELECT COUNT(*) FROM keytrail_ledger l WHERE l.run = r.run AND part = 'last') \
         FROM keytrail_rotation_runs r";
    let ledger = journal.ledger().await.unwrap();
    verify(&ledger, &[fresh.signer().verifier()]).unwrap();
    assert_eq!(ledger.counted, ledger.rows.len() as u64);
    let rows: Vec<Whole> = sqlx::query_as(SELECT).fetch_all(&mut *journal.connection.lock().await).await.unwrap();
    let mut runs = BTreeMap::new();
    for (run, state, ended, note, open, sealed, first, last) in rows {
        let has_ended = ended == 1;
        let reached = note.map_or("planned".to_owned(), |note| {
            let note: serde_json::Value = serde_json::from_str(&note).unwrap();
            note["to"].as_str().unwrap().to_owned()
        });
        assert_eq!((first, reached), (1, state.clone()), "{run}");
        assert_eq!((last, open), if has_ended { (1, 0) } else { (0, 2) }, "{run}");
        assert!(!has_ended || sealed == 0, "{run}");
        assert!(has_ended || sealed == 2 || state == "planned", "{run}");
        runs.insert(run, (state, has_ended));
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_anywhere_leaves_all_or_nothing() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        for round in 0_u64..27 {
            let mut process = start("rotate", &fresh);
            let mut last = None;
            // At every step of a run, and at another instant within the step that follows.
            for _ in 0..=round % 9 {
                last = process.next();
            }
            let end = std::time::Instant::now() + Duration::from_micros(round * 137 % 3_000);
            while std::time::Instant::now() < end {
                std::hint::spin_loop();
            }
            process.child.kill().unwrap();
            while let Some(did) = process.next() {
                last = Some(did);
            }
            drop(process);
            let runs = check_whole(&fresh, &journal).await;
            let last = last.expect("the child came so far");
            let (run, did) = last.split_once(' ').unwrap();
            let (state, has_ended) = &runs[run];
            let order = ["planned", "sealed", "staged", "set", "confirmed"];
            let place = |state: &str| order.iter().position(|known| *known == state);
            // The step after it may be there too.
            match did.split_once(' ') {
                Some(("advance", to)) => assert!(place(state) >= place(to), "{last}: {state}"),
                _ => assert!(did != "end" || *has_ended, "{last}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_processes_that_race_one_has_the_lease() {
    for fresh in Fresh::both().await {
        drop(fresh.journal().await);
        let mut racers: Vec<Process> = (0..3).map(|_| start("race", &fresh)).collect();
        let mut won = Vec::new();
        for racer in &mut racers {
            assert_eq!(racer.next().as_deref(), Some("start"));
            while let Some(item) = racer.next().filter(|item| item != "end") {
                won.push(item.parse::<u32>().unwrap());
            }
        }
        won.sort_unstable();
        assert_eq!(won, (0..100).collect::<Vec<_>>(), "each once");
    }
}
