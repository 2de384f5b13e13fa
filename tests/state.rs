//! The state database, on SQLite and on PostgreSQL.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use keytrail::config::StateConfig;
use keytrail::state::{IncidentRow, IncidentStatus, Ledger, Mode, Seen, State, StateError};
use keytrail_rules::model::{Fingerprint, Place, Sighting, Time};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;

use crate::support::postgres::{PASSWORD, Postgres};

mod history;
mod verdicts;

/// A state that nobody has used yet.
struct Fresh {
    root: TempDir,
    config: StateConfig,
    _server: Option<Arc<Postgres>>,
}

impl Fresh {
    fn sqlite() -> Self {
        Self { root: tempfile::tempdir().unwrap(), config: StateConfig::default(), _server: None }
    }

    async fn postgres() -> Self {
        let server = Postgres::shared();
        let config = StateConfig { url: Some(server.new_database().await), ..StateConfig::default() };
        Self { config, _server: Some(server), ..Self::sqlite() }
    }

    async fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres().await]
    }

    async fn open(&self, mode: Mode) -> Result<Option<State>, StateError> {
        State::open(&self.config, self.root.path(), mode).await
    }

    async fn writable(&self) -> State {
        self.open(Mode::ReadWrite).await.unwrap().expect("a state")
    }

    /// Runs a statement behind Keytrail's back.
    async fn tamper(&self, sql: &str) {
        let url = self.config.url.clone();
        let url = url.unwrap_or_else(|| format!("sqlite://{}/.keytrail/state.db?mode=rwc", self.root.path().display()));
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn time(seconds: i64) -> Time {
    DateTime::from_timestamp(1_750_000_000 + seconds, 123_456_000).unwrap()
}

fn seen(place: &str, value: &str, version: Option<u64>) -> Seen {
    Seen {
        place: Place::new("vault", place, "password"),
        fingerprint: Fingerprint::from_stored(value.to_owned()),
        version,
    }
}

fn many(places: usize, value: &str) -> Vec<Seen> {
    (0..places).map(|at| seen(&format!("secret/app-{at}"), value, Some(1))).collect()
}

#[tokio::test]
async fn what_was_seen_is_remembered() {
    for fresh in Fresh::both().await {
        assert!(fresh.open(Mode::ReadOnly).await.unwrap().is_none(), "there is nothing to read yet");
        let state = fresh.writable().await;
        assert_eq!(state.sightings("key").await.unwrap(), BTreeMap::new());
        state.record("key", time(20), &[seen("a", "new", Some(2)), seen("b", "same", None)]).await.unwrap();
        state.record("key", time(10), &[seen("a", "old", Some(1)), seen("b", "same", None)]).await.unwrap();
        state.record("other", time(5), &[seen("a", "old", None)]).await.unwrap();
        state.close().await.unwrap();

        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let state = fresh.open(mode).await.unwrap().expect("a state");
            let sightings = state.sightings("key").await.unwrap();
            let sighting = |first, last, value: &str, version| Sighting {
                first_seen: time(first),
                last_seen: time(last),
                fingerprint: Fingerprint::from_stored(value.to_owned()),
                version,
            };
            let a = vec![sighting(10, 10, "old", Some(1)), sighting(20, 20, "new", Some(2))];
            let b = vec![sighting(10, 20, "same", None)];
            assert_eq!(sightings.values().cloned().collect::<Vec<_>>(), [a, b]);
            assert_eq!(state.sightings("other").await.unwrap().len(), 1);
            state.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_reader_may_not_record() {
    for fresh in Fresh::both().await {
        fresh.writable().await.close().await.unwrap();
        let state = fresh.open(Mode::ReadOnly).await.unwrap().expect("a state");
        let refused = state.record("key", time(0), &many(1, "v")).await.unwrap_err();
        assert!(matches!(refused, StateError::ReadOnly(_)), "{refused}");
    }
}

#[tokio::test]
async fn hostile_places_come_back_as_they_are() {
    let places = ["", "\0", "a\0b%00c", "%", "#%23", " a ", "é\u{202e}😀", &"x".repeat(10_000), &"\n'\"$1".repeat(700)];
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let rows: Vec<Seen> = places.iter().map(|path| seen(path, "v", Some(u64::MAX))).collect();
        state.record("key", time(0), &rows).await.unwrap();
        let sightings = state.sightings("key").await.unwrap();
        assert_eq!(sightings.len(), places.len());
        for row in rows {
            assert_eq!(sightings[&row.place][0].version, None, "no database counts that far");
        }
    }
}

/// What the rows have to be: each place and value with the first and the last time, and the version of the last.
fn expected(scans: &[(i64, Vec<Seen>)]) -> BTreeMap<Place, Vec<Sighting>> {
    let mut sightings: BTreeMap<Place, Vec<Sighting>> = BTreeMap::new();
    for (at, scan) in scans {
        for Seen { place, fingerprint, version } in scan {
            let rows = sightings.entry(place.clone()).or_default();
            if let Some(row) = rows.iter_mut().find(|row| row.fingerprint == *fingerprint) {
                (row.last_seen, row.version) = (row.last_seen, row.version).max((time(*at), *version));
                row.first_seen = row.first_seen.min(time(*at));
            } else {
                let (at, fingerprint) = (time(*at), fingerprint.clone());
                rows.push(Sighting { first_seen: at, last_seen: at, fingerprint, version: *version });
            }
        }
    }
    sightings.values_mut().for_each(|seen| seen.sort());
    sightings
}

#[test]
fn any_order_of_any_scans_gives_the_same_rows() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let both = runtime.block_on(async {
        let [sqlite, postgres] = Fresh::both().await;
        [(sqlite.writable().await, sqlite), (postgres.writable().await, postgres)]
    });
    let one =
        ("[a-c]", "[v-x]", prop::option::of(0..4u64)).prop_map(|(place, value, version)| seen(&place, &value, version));
    let scan = (0..6i64, prop::collection::vec(one, 0..5));
    let scans = prop::collection::vec(scan, 0..6).prop_flat_map(|scans| {
        // In two orders, the second with some of them twice.
        let again = prop::sample::subsequence(scans.clone(), 0..=scans.len());
        let second = again.prop_map({
            let scans = scans.clone();
            move |again| [scans.clone(), again].concat()
        });
        (Just(scans), second.prop_shuffle())
    });
    let mut case = 0;
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() });
    let case = std::cell::RefCell::new(&mut case);
    runner
        .run(&scans, |(first, second)| {
            for order in [&first, &second] {
                **case.borrow_mut() += 1;
                let key = format!("case-{}", case.borrow());
                for (state, _) in &both {
                    let sightings = runtime.block_on(async {
                        for (at, scan) in order {
                            state.record(&key, time(*at), scan).await.unwrap();
                        }
                        state.sightings(&key).await.unwrap()
                    });
                    prop_assert_eq!(sightings, expected(&first));
                }
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn ten_thousand_places_are_recorded_at_once() {
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        let rows = many(10_000, "v");
        for round in 0..2 {
            let start = Instant::now();
            state.record("key", time(round), &rows).await.unwrap();
            let elapsed = start.elapsed();
            // It takes a small part of this; one statement or one commit for each row would take more.
            assert!(elapsed < Duration::from_secs(5), "{state:?}: {elapsed:?}");
        }
        assert_eq!(state.sightings("key").await.unwrap().len(), 10_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scans_at_once_all_succeed() {
    const SCANS: i64 = 6;
    for fresh in Fresh::both().await {
        let fresh = Arc::new(fresh);
        let scans: Vec<_> = (0..SCANS)
            .map(|scan| {
                let fresh = Arc::clone(&fresh);
                tokio::spawn(async move {
                    // The first of them makes the schema.
                    let state = fresh.writable().await;
                    let mut rows = many(700, "same");
                    if scan % 2 == 0 {
                        rows.reverse();
                    }
                    rows.extend(many(5, &format!("value-{scan}")));
                    state.record("key", time(scan), &rows).await.unwrap();
                    state.close().await.unwrap();
                })
            })
            .collect();
        for scan in scans {
            scan.await.unwrap();
        }
        let scans: Vec<_> =
            (0..SCANS).map(|scan| (scan, [many(700, "same"), many(5, &format!("value-{scan}"))].concat())).collect();
        assert_eq!(fresh.writable().await.sightings("key").await.unwrap(), expected(&scans));
    }
}

/// Places of a record that takes several statements.
const PLACES: usize = 3_000;

/// Not a test: what the tests below run in a process of its own. It records the same places as of ever later times, and
/// prints each time when it is recorded, until it is killed or has done as many as it was told.
#[tokio::test]
#[ignore = "a helper that other tests start"]
async fn helper_records() {
    let Some(root) = env::var_os("KEYTRAIL_TEST_ROOT") else { return };
    let config = StateConfig { url: env::var("KEYTRAIL_TEST_URL").ok(), ..StateConfig::default() };
    let rounds: i64 = env::var("KEYTRAIL_TEST_ROUNDS").unwrap().parse().unwrap();
    let state = State::open(&config, Path::new(&root), Mode::ReadWrite).await.unwrap().expect("a state");
    say("open");
    for round in 1..=rounds {
        state.record("key", time(round), &many(PLACES, "v")).await.unwrap();
        say(&format!("recorded {round}"));
    }
    state.close().await.unwrap();
}

/// On a line of its own: the test harness has begun one already.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    write!(output, "\n{text}\n").and_then(|()| output.flush()).unwrap();
}

fn start_helper(fresh: &Fresh, rounds: i64) -> Child {
    let mut helper = Command::new(env::current_exe().unwrap());
    helper.args(["--exact", "state::helper_records", "--ignored", "--nocapture"]);
    helper.env("KEYTRAIL_TEST_ROOT", fresh.root.path()).env("KEYTRAIL_TEST_ROUNDS", rounds.to_string());
    if let Some(url) = &fresh.config.url {
        helper.env("KEYTRAIL_TEST_URL", url);
    }
    helper.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_at_once_all_succeed() {
    for fresh in Fresh::both().await {
        let helpers: Vec<Child> = (0..3).map(|_| start_helper(&fresh, 4)).collect();
        for mut helper in helpers {
            let output: Vec<String> =
                BufReader::new(helper.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
            assert!(helper.wait().unwrap().success(), "{output:?}");
        }
        let scans: Vec<_> = (1..=4).map(|round| (round, many(PLACES, "v"))).collect();
        assert_eq!(fresh.writable().await.sightings("key").await.unwrap(), expected(&scans));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_scan_leaves_whole_records_only() {
    for fresh in Fresh::both().await {
        let mut recorded_before = 0;
        for (kill_after, delay) in
            [("open", 0), ("recorded 1", 10), ("recorded 1", 25), ("recorded 2", 40), ("recorded 5", 5)]
        {
            let mut helper = start_helper(&fresh, i64::MAX);
            let mut lines = BufReader::new(helper.stdout.take().unwrap()).lines().map_while(Result::ok);
            assert!(lines.any(|line| line == kill_after));
            // This waits for nothing: it hits the next record at different points.
            std::thread::sleep(Duration::from_millis(delay));
            helper.kill().unwrap();
            helper.wait().unwrap();
            let recorded = |line: &str| line.strip_prefix("recorded ").and_then(|round| round.parse::<i64>().ok());
            let told = lines.filter_map(|line| recorded(&line)).last().or(recorded(kill_after)).unwrap_or(0);

            let state = fresh.writable().await;
            let sightings = state.sightings("key").await.unwrap();
            let rounds: Vec<Time> = sightings.values().flatten().map(|sighting| sighting.last_seen).collect();
            recorded_before = recorded_before.max(told);
            if recorded_before > 0 {
                assert_eq!(sightings.len(), PLACES);
                assert!(rounds[0] >= time(recorded_before), "what was said to be recorded is there");
            }
            assert!(rounds.iter().all(|round| *round == rounds[0]), "after {kill_after}: half a record");
            assert!(sightings.is_empty() || sightings.len() == PLACES);
            state.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn of_two_scans_one_changes_an_incident() {
    let intent = IncidentRow {
        estate: "shop".into(),
        sink: "issues".into(),
        fingerprint: "f".repeat(64),
        rule: "no-owner".into(),
        summary: "Nobody owns 'DB_PASSWORD' — 漢字.".into(),
        status: IncidentStatus::Intent,
        reference: None,
        occurrence: 1,
        intent_at: time(1),
        filed_at: None,
        resolved_at: None,
        leased_until: time(60),
        revision: 0,
    };
    for fresh in Fresh::both().await {
        let (one, other) = (fresh.writable().await, fresh.writable().await);
        assert!(one.add(&intent).await.unwrap() && !other.add(&intent).await.unwrap());
        let (status, reference) = (IncidentStatus::Filed, Some("o/r#1".to_owned()));
        let filed = IncidentRow { status, reference, filed_at: Some(time(2)), ..intent.clone() };
        assert!(other.replace(&filed).await.unwrap() && !one.replace(&intent).await.unwrap());
        let kept = IncidentRow { revision: 1, ..filed };
        assert_eq!(one.incidents("shop", "issues").await.unwrap(), std::slice::from_ref(&kept));
        assert!(!one.remove(&intent).await.unwrap() && one.remove(&kept).await.unwrap());
        assert_eq!(other.incidents("shop", "issues").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    for fresh in Fresh::both().await {
        let state = fresh.writable().await;
        state.record("key", time(1), &many(3, "v")).await.unwrap();
        state.close().await.unwrap();
        fresh
            .tamper(
                "INSERT INTO keytrail_migrations (version, description, success, checksum, execution_time) \
                 SELECT 99, 'future', success, checksum, 0 FROM keytrail_migrations WHERE version = 1",
            )
            .await;
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let refused = fresh.open(mode).await.unwrap_err();
            assert!(matches!(refused, StateError::Newer { found: 99, known: 6, .. }), "{refused}");
            assert!(refused.to_string().ends_with("has schema 99; this Keytrail knows schemas up to 6"), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_schema_that_was_changed_by_hand_is_refused() {
    for fresh in Fresh::both().await {
        fresh.writable().await.close().await.unwrap();
        fresh.tamper("UPDATE keytrail_migrations SET checksum = 'x'").await;
        let refused = fresh.open(Mode::ReadWrite).await.unwrap_err();
        assert!(matches!(refused, StateError::Foreign(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_shared_postgres_is_welcome() {
    let fresh = Fresh::postgres().await;
    fresh.tamper("CREATE TABLE _sqlx_migrations (version BIGINT); CREATE TABLE orders (id BIGINT)").await;
    let state = fresh.writable().await;
    state.record("key", time(1), &many(3, "v")).await.unwrap();
    assert_eq!(state.sightings("key").await.unwrap().len(), 3);
}

#[tokio::test]
async fn no_error_of_postgres_shows_the_password() {
    let server = Postgres::shared();
    let right = server.url("postgres");
    let wrong = right.replace(PASSWORD, "planted-wrong-password");
    let closed = "postgres://keytrail:planted-password@127.0.0.1:1/x".to_owned();
    let urls = [
        wrong,
        server.url("no_such_database"),
        closed,
        format!("{right}?sslmode=planted-mode"),
        "postgres://keytrail:planted-password@127.0.0.1:99999/x".to_owned(),
        "mysql://keytrail:planted-password@127.0.0.1/x".to_owned(),
        "planted-password".to_owned(),
    ];
    let mut messages = String::new();
    for url in urls {
        let config = StateConfig { url: Some(url), ..StateConfig::default() };
        for mode in [Mode::ReadWrite, Mode::ReadOnly] {
            let error = State::open(&config, Path::new("/"), mode).await.unwrap_err();
            assert!(!format!("{error} {error:?} {}", error.hint()).contains("planted"), "{error:?}");
            if mode == Mode::ReadOnly {
                messages.push_str(&format!("{error}\n  {}\n", error.hint()));
            }
        }
    }
    insta::with_settings!({filters => vec![(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT")]}, {
        insta::assert_snapshot!(messages, @r#"
        postgres://127.0.0.1:PORT/postgres refused: password authentication failed for user "keytrail"
          check the user of [state] url, its password (PGPASSWORD) and its rights
        postgres://127.0.0.1:PORT/no_such_database refused: database "no_such_database" does not exist
          check the user of [state] url, its password (PGPASSWORD) and its rights
        postgres://127.0.0.1:1/x cannot be reached: error communicating with database: Connection refused (os error 111)
          check [state] url, and that the server runs
        the URL of the state is not understood: one of its parts is wrong
          write postgres://user@host/database or sqlite:PATH
        the URL of the state is not understood: it is not a URL
          write postgres://user@host/database or sqlite:PATH
        the URL of the state is not understood: it is neither postgres: nor sqlite:
          write postgres://user@host/database or sqlite:PATH
        the URL of the state is not understood: it is not a URL
          write postgres://user@host/database or sqlite:PATH
        "#);
    });
}

#[tokio::test]
async fn a_sqlite_file_elsewhere_is_used() {
    let fresh = Fresh::sqlite();
    let folder = fresh.root.path().join("a folder with %41 and ?");
    fs::create_dir(&folder).unwrap();
    for url in ["sqlite:a folder with %41 and ?/one.db".to_owned(), format!("sqlite://{}/two.db", folder.display())] {
        let config = StateConfig { url: Some(url.clone()), ..StateConfig::default() };
        let opened = State::open(&config, fresh.root.path(), Mode::ReadWrite).await;
        if url.contains('?') {
            let refused = opened.unwrap_err();
            assert!(matches!(refused, StateError::Url(_)), "{refused}");
        }
    }
    let config = StateConfig { url: Some("sqlite:new/own.db".into()), ..StateConfig::default() };
    let state = State::open(&config, &folder, Mode::ReadWrite).await.unwrap().expect("a state");
    state.close().await.unwrap();
    assert!(folder.join("new/own.db").exists());
    assert!(!folder.join(".keytrail").exists());
}
