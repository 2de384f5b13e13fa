//! Trails that are asked for over the network, against a real PostgreSQL server.

use std::collections::BTreeMap;

use keytrail::trails::{Opening, Reads, TrailConfig, TrailKind, postgres_state, workload_runs_sql};
use keytrail_rules::correlate::Names;
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{
    CopyKind, Entry, Event, EventKind, Facts, Gap, GapReason, Location, Place, SecretCopy, Snapshot, Time, ValueMark,
};
use keytrail_rules::policy::Policy;
use keytrail_rules::value::{Shape, Value};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::support::postgres::{PASSWORD, Postgres};

fn config(kind: &TrailKind, url: String) -> TrailConfig {
    TrailConfig {
        url: Some(url),
        ..TrailConfig::new("live", kind.name, "/nowhere", Location::of_file("keytrail.toml"))
    }
}

async fn read_with(kind: &TrailKind, config: &TrailConfig, names: &Names) -> (Vec<Entry>, Vec<Gap>) {
    let Reads::Server(read) = &kind.reads else { panic!("{} asks no server", kind.name) };
    let key = keytrail_rules::model::FingerprintKey::new([7; 32]);
    let opening = Opening { config, trail: 0, names, as_of: chrono::Utc::now(), key: &key };
    let (entries, gaps) = read(&opening).await;
    assert!(gaps.iter().all(|gap| gap.source == "live" && gap.hint.is_some()), "{gaps:?}");
    for planted in [PASSWORD, "planted", "SCRAM"] {
        assert!(!format!("{entries:?}{gaps:?}").contains(planted), "{planted} was told");
    }
    (entries, gaps)
}

async fn run(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a login");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("SQL");
    connection.close().await.expect("an end");
}

/// Names of an inventory that knows that role.
fn names(role: &str) -> Names {
    let place = Place::of_path("postgres", &format!("role/{role}"));
    let copy = SecretCopy::new(place, CopyKind::VaultKv2, None, Value::of_shape(Shape::Unread));
    let facts = Facts { copies: vec![copy], ..Facts::default() };
    let snapshot = Snapshot { as_of: Time::default(), facts, sightings: BTreeMap::new() };
    Names::new(&Inventory::new(&snapshot, &Policy::default()))
}

/// The state of the role `app`.
async fn state_of_app(url: &str) -> (Time, ValueMark) {
    let config = config(&postgres_state::KIND, url.to_owned());
    let (entries, gaps) = read_with(&postgres_state::KIND, &config, &names("app")).await;
    let is_app = |entry: &Entry| match entry {
        Entry::Event(event) if event.target.as_str() == "postgres:role/app" => Some((**event).clone()),
        _ => None,
    };
    let found: Vec<Event> = entries.iter().filter_map(is_app).collect();
    let [event] = found.as_slice() else { panic!("{entries:?} {gaps:?}") };
    assert_eq!(event.kind, EventKind::State);
    assert!(event.details.contains(&("valid-until", "2031-01-01T00:00:00+00:00".to_owned())), "{event:?}");
    (event.time, event.value.clone().expect("a mark"))
}

#[tokio::test]
async fn the_state_of_a_role_shows_each_change_and_whether_the_password_is_another() {
    let server = Postgres::start_with("track_commit_timestamp = on\n");
    let url = server.new_database().await;
    let before = chrono::Utc::now();
    run(&url, "CREATE ROLE app LOGIN PASSWORD 'planted-1' VALID UNTIL '2031-01-01 00:00+00'").await;
    let (created, first) = state_of_app(&url).await;
    assert!(before <= created && created <= chrono::Utc::now(), "{created}");
    assert_eq!(state_of_app(&url).await, (created, first.clone()));

    run(&url, "ALTER ROLE app CONNECTION LIMIT 5").await;
    let (limited, same) = state_of_app(&url).await;
    assert!(limited > created);
    assert_eq!(same, first);

    run(&url, "DO $$ BEGIN EXECUTE 'ALTER ROLE app PASSWORD ''planted-2'''; END $$").await;
    let (changed, second) = state_of_app(&url).await;
    assert!(changed > limited);
    assert_eq!(second.scope, first.scope);
    assert_ne!(second.mark, first.mark);
}

#[tokio::test]
async fn a_server_that_keeps_no_times_or_denies_them_is_a_gap() {
    let server = Postgres::shared();
    let url = server.new_database().await;
    let kind = &postgres_state::KIND;
    let gap_of = async |url: String| {
        let (entries, mut gaps) = read_with(kind, &config(kind, url), &names("keytrail")).await;
        assert!(entries.is_empty(), "{entries:?}");
        gaps.pop().expect("a gap")
    };
    let untracked = gap_of(url.clone()).await;
    assert_eq!(untracked.reason, GapReason::Unsupported);
    assert!(untracked.hint.is_some_and(|hint| hint.contains("track_commit_timestamp = on")));

    run(&url, "CREATE ROLE no_rights LOGIN PASSWORD 'planted-3'").await;
    let denied = gap_of(url.replace(&format!("keytrail:{PASSWORD}"), "no_rights:planted-3")).await;
    assert_eq!(denied.reason, GapReason::PermissionDenied);

    let refused = gap_of(url.replace(PASSWORD, "planted-wrong")).await;
    assert_eq!(refused.reason, GapReason::Unauthenticated);
    let absent = gap_of("postgres://keytrail@127.0.0.1:1/planted".to_owned().replace("/planted", "/none")).await;
    assert_eq!(absent.reason, GapReason::Unreachable);
}

#[tokio::test]
async fn a_ledger_in_postgres_is_read_whatever_the_types_of_its_columns() {
    let server = Postgres::shared();
    let url = server.new_database().await;
    run(
        &url,
        "CREATE TABLE runs (id uuid, seq bigint, requested_at timestamptz, finished_at timestamptz, status varchar(20),
                            requester text, approver text, reason text, targets text[]);
         INSERT INTO runs SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, n,
             timestamptz '2026-03-01 08:00:00.25+00' + n * interval '1 hour', NULL, 'approved', 'ana', 'bob', 'due',
             ARRAY['vault:secret/app#password', 'env:KEY'] FROM generate_series(1, 3) n;
         UPDATE runs SET status = 'succeeded', finished_at = requested_at + interval '1 minute' WHERE seq = 2",
    )
    .await;
    let kind = &workload_runs_sql::KIND;
    let ask = async |query: &str| {
        let config = TrailConfig { query: Some(query.to_owned()), ..config(kind, url.clone()) };
        read_with(kind, &config, &Names::default()).await
    };
    let (entries, gaps) = ask("SELECT * FROM runs ORDER BY seq DESC -- the newest first").await;
    assert_eq!(gaps, []);
    let events: Vec<&Event> = entries
        .iter()
        .filter_map(|entry| if let Entry::Event(event) = entry { Some(&**event) } else { None })
        .collect();
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count(EventKind::Requested), count(EventKind::Finished), events.len()), (6, 2, 8));
    let first = events.first().expect("an event");
    assert_eq!(first.target.as_str(), "vault:secret/app#password");
    assert_eq!(first.time.to_rfc3339(), "2026-03-01T09:00:00.250+00:00");
    assert_eq!(first.run.as_deref(), Some("00000000-0000-4000-8000-000000000001"));
    assert_eq!(first.actor.as_deref(), Some("ana"));
    assert_eq!(entries.iter().filter(|entry| matches!(entry, Entry::Covered(_))).count(), 2);

    run(&url, "DELETE FROM runs WHERE seq = 2").await;
    let (entries, _) = ask("SELECT * FROM runs").await;
    assert!(entries.iter().any(|entry| matches!(entry, Entry::Hole(_))));

    run(&url, "CREATE SEQUENCE numbers; CREATE ROLE other LOGIN PASSWORD 'planted-4'").await;
    for (query, reason, message) in [
        ("SELECT nextval('numbers')", GapReason::Malformed, "the query would write"),
        ("SELECT nothing FROM runs", GapReason::Malformed, "column \"nothing\" does not exist"),
        ("DELETE FROM runs RETURNING id", GapReason::Malformed, "syntax error"),
        ("SELECT 'planted'::integer", GapReason::Malformed, "reports error 22P02"),
        ("SELECT 1) AS x; DELETE FROM runs; SELECT (1", GapReason::Malformed, "does not take the query"),
    ] {
        let (entries, gaps) = ask(query).await;
        assert!(entries.is_empty(), "{query}");
        assert!(gaps[0].reason == reason && gaps[0].message.contains(message), "{query}: {gaps:?}");
    }
    let denied = TrailConfig {
        query: Some("SELECT * FROM runs".to_owned()),
        ..config(kind, url.replace(&format!("keytrail:{PASSWORD}"), "other:planted-4"))
    };
    let (_, gaps) = read_with(kind, &denied, &Names::default()).await;
    assert_eq!(gaps[0].reason, GapReason::PermissionDenied);
}
