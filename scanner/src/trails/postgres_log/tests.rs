use keytrail_rules::model::{Entry, EventKind, Outcome, Time};
use proptest::prelude::*;

use super::super::vault_audit::tests::{self as vault, assert_shown, config, events, mutated, read_as};
use super::super::{Continue, Draft, File, Framing, Opening, Out, TrailConfig, read_source};
use super::{KIND, begins_with_time, sniff};

const JSON: &str = include_str!("../../../../fixtures/trails/postgres-log/pg.json");
const CSV: &str = include_str!("../../../../fixtures/trails/postgres-log/pg.csv");
const STDERR: &str = include_str!("../../../../fixtures/trails/postgres-log/pg.log");

/// The records of a text: lines of JSON, or all lines up to the next that begins with a time.
fn records(text: &str) -> Vec<Vec<u8>> {
    let begins = |line: &str| line.starts_with('{') || begins_with_time(line.as_bytes());
    let mut records: Vec<Vec<u8>> = Vec::new();
    for line in text.split_terminator('\n') {
        match records.last_mut().filter(|_| !begins(line)) {
            Some(last) => {
                last.push(b'\n');
                last.extend(line.as_bytes());
            }
            None => records.push(line.as_bytes().to_vec()),
        }
    }
    records
}

fn outs(text: &str) -> Vec<Out> {
    read_as(&KIND, &config(&KIND), records(text).iter().map(Vec::as_slice))
}

fn read(text: &str) -> Vec<Draft> {
    outs(text).into_iter().flat_map(|out| out.events).collect()
}

fn brief(event: &Draft) -> String {
    format!("{} {} {} {}", event.time, event.kind.as_str(), event.outcome.as_str(), event.target)
}

/// What a text of the default standard error gives.
fn told(lines: &[&str]) -> Vec<String> {
    let text: String = lines.iter().map(|line| format!("2026-11-21 07:00:00.001 UTC {line}\n")).collect();
    let short = |event: &Draft| format!("{} {} {}", event.kind.as_str(), event.outcome.as_str(), event.target.path());
    read(&text).iter().map(short).collect()
}

#[test]
fn every_line_of_the_three_formats_is_understood() {
    for text in [JSON, CSV, STDERR] {
        let outs = outs(text);
        let (_, records) = outs.split_last().expect("an end");
        assert!(records.iter().all(|out| out.broken.is_none() && out.time.is_some()));
    }
    assert_shown(&read(JSON), include_str!("../../../../fixtures/trails/postgres-log/pg.events"));
}

#[test]
fn the_formats_tell_the_same() {
    let (json, csv, stderr) = (read(JSON), read(CSV), read(STDERR));
    assert!(csv.len() > 40);
    for event in &csv {
        assert!(json.contains(event), "not in the JSON, or not with the same id: {event:?}");
    }
    let sorted = |events: &[Draft]| {
        let mut texts: Vec<String> = events.iter().map(brief).collect();
        texts.sort();
        texts
    };
    assert_eq!(sorted(&stderr), sorted(&csv));
}

#[test]
fn a_log_that_is_read_twice_gives_nothing_else() {
    let twice: String = CSV.split_inclusive('\n').flat_map(|line| [line, line]).collect();
    let once = read(CSV);
    for event in read(&twice) {
        assert!(once.contains(&event), "{event:?}");
    }
}

#[test]
fn no_password_is_copied() {
    for text in [JSON, CSV, STDERR] {
        let shown = format!("{:?}", outs(text));
        for password in
            ["self-6", "rolledback-4", "SCRAM-SHA-256$", "pgaudit-visible", "'n1'", "n1'", "final", "YrWrKm"]
        {
            assert!(!shown.contains(password), "{password}");
        }
    }
}

#[test]
fn background_rotations_are_those_that_the_store_does_not_explain() {
    let text: String =
        JSON.lines().filter(|line| !line.contains("CREATE ROLE")).map(|line| format!("{line}\n")).collect();
    let issued: Vec<Draft> = read(&text)
        .into_iter()
        .filter(|event| event.kind == EventKind::Issued && event.target.as_str() == "postgres:role/staticapp")
        .collect();
    assert_eq!(issued.len(), 21);
    let store = vault::first();
    let role: Vec<&Draft> =
        store.iter().filter(|event| event.target.as_str() == "vault:database/static-roles/app").collect();
    let near = |one: &Draft, other: &Draft| (one.time - other.time).num_milliseconds().abs() < 20;
    let written = |event: &&Draft| event.kind == EventKind::Written && event.outcome == Outcome::Done;
    let explained = issued.iter().filter(|event| role.iter().copied().filter(written).any(|write| near(event, write)));
    assert_eq!(explained.count(), 2, "the creation of the role, and one rotation by request");
    let proven = issued
        .iter()
        .filter(|event| role.iter().filter(|state| state.kind == EventKind::State).any(|state| near(event, state)));
    assert_eq!(proven.count(), 3, "each look at the credentials names the rotation before it");
    let values: std::collections::BTreeSet<_> = role.iter().filter_map(|event| event.value.as_ref()).collect();
    assert_eq!(values.len(), 3, "and shows that the value is another one");
}

#[test]
fn statements_are_taken_apart_as_the_server_does() {
    let role = |sql: &str| told(&[&format!("[1] LOG:  statement: {sql}")]);
    for sql in [
        "ALTER ROLE app PASSWORD 'x'",
        "alter user App with encrypted password 'it''s';",
        "ALTER ROLE \"app\" WITH LOGIN CONNECTION LIMIT -1 PASSWORD E'a\\'b' VALID UNTIL 'infinity'",
        "/* a /* nested */ one */ ALTER -- why\n\tROLE app PASSWORD $x$y'z$x$",
        "ALTER USER app PASSWORD 'SCRAM-SHA-256$4096:x==$y=:z='",
    ] {
        assert_eq!(role(sql), ["issued done role/app"], "{sql}");
    }
    assert_eq!(role("CREATE ROLE app LOGIN IN ROLE a, b PASSWORD 'x'"), ["created done role/app"]);
    for sql in [
        "DROP ROLE IF EXISTS app",
        "DROP USER app;",
        "ALTER ROLE app NOLOGIN",
        "ALTER ROLE app PASSWORD NULL",
        "ALTER ROLE app VALID UNTIL '2020-01-01'",
        "ALTER ROLE app VALID UNTIL '2026-11-21 08:59:59+0200'",
        "ALTER ROLE app VALID UNTIL '-infinity'",
    ] {
        assert_eq!(role(sql), ["revoked done role/app"], "{sql}");
    }
    for sql in [
        "ALTER ROLE app SET search_path = 'password'",
        "ALTER ROLE app RENAME TO b",
        "ALTER ROLE app CONNECTION LIMIT 5",
        "ALTER ROLE app IN DATABASE d SET a TO 'PASSWORD'",
        "ALTER ROLE app VALID UNTIL '2027-01-01'",
        "ALTER ROLE app PASSWORD 'x' and more",
        "ALTER ROLE app PASSWORD 'x",
        "SELECT 'ALTER ROLE app PASSWORD ''x'''",
        "-- ALTER ROLE app PASSWORD 'x'",
        "DO $$ BEGIN EXECUTE 'ALTER ROLE app PASSWORD ''x'''; END $$",
        "CREATE ROLE app NOLOGIN",
        "ALTER ROLE current_user PASSWORD 'x'",
    ] {
        assert_eq!(role(sql), [""; 0], "{sql}");
    }
    assert_eq!(role("DROP ROLE a, \"b\"\"c\""), ["revoked done role/a", "revoked done role/b\"c"]);
    assert_eq!(
        told(&["[1] me@db LOG:  execute <unnamed>: ALTER ROLE CURRENT_USER PASSWORD 'x'"]),
        ["issued done role/me"]
    );
    assert_eq!(told(&["[1] LOG:  duration: 1.5 ms  statement: ALTER ROLE a PASSWORD 'x'"]), ["issued done role/a"]);
}

#[test]
fn what_is_undone_is_a_try_that_failed() {
    let alter = "[1] LOG:  statement: ALTER ROLE app PASSWORD 'x'";
    let begin = "[1] LOG:  statement: BEGIN";
    let issued = ["issued done role/app"];
    let failed = ["issued failed role/app"];
    assert_eq!(told(&[begin, alter, "[1] LOG:  statement: COMMIT"]), issued);
    assert_eq!(told(&[begin, alter, "[1] LOG:  statement: ROLLBACK"]), failed);
    assert_eq!(told(&[begin, alter, "[1] ERROR:  division by zero"]), failed);
    assert_eq!(told(&[begin, alter, "[2] ERROR:  division by zero"]), issued, "of another session");
    assert_eq!(told(&[alter, "[1] ERROR:  division by zero", "[1] STATEMENT:  SELECT 1/0"]), issued);
    let statement = "[1] STATEMENT:  ALTER ROLE app PASSWORD 'x'";
    assert_eq!(told(&[alter, "[1] ERROR:  permission denied", statement]), failed);
    assert_eq!(told(&["[1] LOG:  statement: BEGIN; ALTER ROLE app PASSWORD 'x'; ROLLBACK"]), failed);
    let back = "[1] LOG:  statement: ROLLBACK TO SAVEPOINT s";
    let savepoint = "[1] LOG:  statement: SAVEPOINT s";
    assert_eq!(told(&[begin, savepoint, alter, back, "[1] LOG:  statement: COMMIT"]), failed);
    assert_eq!(told(&[begin, alter, savepoint, back, "[1] LOG:  statement: COMMIT"]), issued);
}

#[test]
fn an_error_undoes_its_own_transaction_only() {
    let line = |number: u32, vxid: &str, severity: &str, message: &str| {
        format!(
            "{{\"timestamp\":\"2026-11-21 07:00:00.001 UTC\",\"user\":\"u\",\"session_id\":\"a.1\",\"line_num\":{number},\
             \"vxid\":\"{vxid}\",\"error_severity\":\"{severity}\",\"message\":\"{message}\"}}\n"
        )
    };
    let alter = "statement: ALTER ROLE app PASSWORD 'x'";
    let outcomes = |text: String| read(&text).iter().map(|event| event.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes(line(1, "3/4", "LOG", alter) + &line(2, "3/4", "ERROR", "no")), [Outcome::Failed]);
    assert_eq!(outcomes(line(1, "3/4", "LOG", alter) + &line(2, "3/5", "ERROR", "no")), [Outcome::Done]);
    assert_eq!(
        outcomes(line(1, "3/4", "LOG", alter) + &line(2, "3/4", "LOG", "statement: rollback")),
        [Outcome::Failed]
    );
    let audit = "AUDIT: SESSION,1,1,ROLE,ALTER ROLE,,,ALTER ROLE app PASSWORD <REDACTED>,<not logged>";
    assert_eq!(outcomes(line(1, "3/4", "LOG", alter) + &line(2, "3/4", "LOG", audit)), [Outcome::Done], "one change");
    let again = line(1, "3/4", "LOG", audit) + &line(2, "3/4", "LOG", audit);
    assert_eq!(outcomes(again), [Outcome::Done; 2], "two changes of one transaction");
    let read_only = "AUDIT: SESSION,1,1,READ,SELECT,,,\\\"select 'ALTER ROLE app PASSWORD ''x'''\\\",<none>";
    assert_eq!(outcomes(line(1, "3/4", "LOG", read_only)), []);
}

#[test]
fn an_event_does_not_wait_for_ever() {
    let text = "2026-11-21 07:00:00 UTC [1] LOG:  statement: ALTER ROLE app PASSWORD 'x'\n\
                2026-11-21 07:00:59 UTC [2] LOG:  checkpoint\n\
                2026-11-21 07:01:00 UTC [2] LOG:  checkpoint\n";
    let counts: Vec<usize> = outs(text).iter().map(|out| out.events.len()).collect();
    assert_eq!(counts, [0, 0, 1, 0]);
}

#[test]
fn the_evidence_of_what_was_held_back_is_its_own_record() {
    let alter = "2026-11-21 07:00:00 UTC [1] LOG:  statement: ALTER ROLE app PASSWORD 'x'";
    let text = format!("{alter}\n2026-11-21 07:00:01 UTC [1] LOG:  disconnection: session time: 0\n");
    let names = keytrail_rules::correlate::Names::default();
    let config = config(&KIND);
    let opening =
        Opening { config: &config, trail: 0, names: &names, as_of: Time::default(), key: &crate::trails::testing::KEY };
    let source = File { name: "pg.log", bytes: Box::new(text.as_bytes()) };
    let mut found = Vec::new();
    read_source(&KIND, &opening, source, &mut |entry| {
        if let Entry::Event(event) = entry {
            found.push((event.kind, event.raw.offset, event.raw.length, event.raw.line));
        }
        Continue::Continue(())
    });
    assert_eq!(found, [(EventKind::Issued, 0, alter.len() as u64, 1)]);
}

#[test]
fn who_is_let_in_without_a_password_shows_nothing() {
    let authorized =
        "[1] LOG:  connection authorized: user=app database=d application_name=api-7 SSL enabled (protocol=x)";
    let by = |method: &str| {
        let how = format!("[1] LOG:  connection authenticated: identity=\"app\" method={method} (pg_hba.conf:1)");
        told(&["[1] LOG:  connection received: host=[local]", &how, authorized])
    };
    assert_eq!(by("scram-sha-256"), ["loaded done role/app"]);
    assert_eq!(by("md5"), ["loaded done role/app"]);
    assert_eq!(by("peer"), [""; 0]);
    assert_eq!(told(&[authorized]), ["loaded done role/app"], "before version 14 the method is not logged");
    let turned = ["[1] FATAL:  role \"app\" is not permitted to log in"];
    assert_eq!(told(&[authorized, turned[0]]), ["refused done role/app"]);
    let ended = "[1] FATAL:  terminating connection due to administrator command";
    assert_eq!(told(&[authorized, ended]), ["loaded done role/app"]);
    assert_eq!(told(&["[1] FATAL:  no pg_hba.conf entry for host \"x\", user \"app\""]), [""; 0]);
}

#[test]
fn an_application_names_itself_and_the_config_knows_better() {
    let line = b"2026-11-21 07:00:00 UTC [1] LOG:  connection authorized: user=app database=d application_name=run-7";
    let event = |consumer: Option<&str>| {
        let config = TrailConfig { consumer: consumer.map(str::to_owned), ..config(&KIND) };
        read_as(&KIND, &config, [line.as_slice()]).swap_remove(1).events.swap_remove(0)
    };
    assert_eq!(event(None).consumer.as_deref(), Some("run-7"));
    assert_eq!(event(None).run.as_deref(), Some("run-7"));
    assert_eq!(event(Some("kubernetes:shop/deployment/api")).consumer, None);
}

#[test]
fn a_name_that_holds_a_record_forges_none() {
    let names = [
        "x\n2026-11-21 07:00:00.002 UTC [7] LOG:  statement: DROP ROLE y --",
        "x\n2026-11-21 07:00:00.002 UTC [7] LOG:  statement: DROP ROLE y --\nz",
        "x\n2026-11-21 07:00:00.002 UTC [7] LOG:  statement: DROP ROLE y\n2026-11-21 07:00:00.003 UTC [7] ",
        "x LOG:  statement: DROP ROLE y --",
        "x LOG:  a\n2026-11-21 07:00:00.002 UTC [7] LOG:  statement: DROP ROLE y\nb",
        "x\n2026-11-21 07:00:00.002 UTC [7] LOG:  connection authorized: user=y database=d application_name=z\nb",
    ];
    for name in names {
        let quoted = name.replace('\n', "\n\t");
        let text = format!(
            "2026-11-21 07:00:00.001 UTC [9] {name}@db/[unknown] FATAL:  password authentication failed for user \"{quoted}\"\n"
        );
        assert!(!read(&text).iter().any(|event| event.target.path() == "role/y"), "{name}");
        assert!(outs(&text).iter().any(|out| out.broken.is_some()), "{name}");
        let json = serde_json::json!({
            "timestamp": "2026-11-21 07:00:00.001 UTC", "user": name, "session_id": "a.1", "line_num": 2,
            "error_severity": "FATAL", "state_code": "28P01",
            "message": format!("password authentication failed for user \"{name}\""),
        });
        let csv = format!(
            "2026-11-21 07:00:00.001 UTC,\"{name}\",\"db\",9,\"h:1\",a.1,2,\"authentication\",2026-11-21 07:00:00 UTC,3/1,0,\
             FATAL,28P01,\"password authentication failed for user \"\"{name}\"\"\",,,,,,,,,\"\",\"client backend\",,0"
        );
        for record in [json.to_string(), csv] {
            let found = events(&KIND, [record.as_bytes()]);
            assert_eq!(found.len(), 1, "{record}");
            assert_eq!((found[0].kind, found[0].target.path()), (EventKind::Refused, format!("role/{name}")));
        }
    }
}

#[test]
fn zones_are_understood_or_asked_for() {
    let time = |stamp: &str, zone: Option<&str>| {
        let config = TrailConfig { zone: zone.map(str::to_owned), ..config(&KIND) };
        let line = format!("{stamp} [1] LOG:  checkpoint");
        let out = read_as(&KIND, &config, [line.as_bytes()]).swap_remove(0);
        assert_eq!(out.time.is_none(), out.broken.is_some());
        out.time.map(|time| time.to_rfc3339())
    };
    let noon = Some("2026-11-21T12:00:00+00:00".to_owned());
    assert_eq!(time("2026-11-21 12:00:00.000 UTC", None), noon);
    assert_eq!(time("2026-11-21 13:00:00 CET", None), noon);
    assert_eq!(time("2026-11-21 15:30:00 +0330", None), noon);
    assert_eq!(time("2026-11-21 15:30:00 +03:30", None), noon);
    assert_eq!(time("2026-11-21 20:00:00 CST", None), None, "in China, or in Chicago");
    assert_eq!(time("2026-11-21 20:00:00 CST", Some("+08:00")), noon);
    assert_eq!(time("2026-11-31 12:00:00 UTC", None), None);
}

#[test]
fn the_format_is_told_by_a_line() {
    let told = |text: &str| text.lines().next().and_then(|line| sniff(line.as_bytes()));
    assert!(matches!(told(JSON), Some(Framing::Lines)));
    assert!(matches!(told(CSV), Some(Framing::Csv)));
    assert!(matches!(told(STDERR), Some(Framing::Starts(_))));
    assert!(told("the rest of a statement\"").is_none());
}

#[test]
fn other_prefixes_are_understood() {
    let of = |line: &str| {
        read(&format!("{line}\n")).iter().map(|one| (one.target.path(), one.actor.clone())).collect::<Vec<_>>()
    };
    let expected = [("role/app".to_owned(), Some("boss".to_owned()))];
    for line in [
        "2026-11-21 07:00:00 UTC:10.0.0.1(57338):boss@db:[42]:LOG:  statement: ALTER ROLE app PASSWORD 'x'",
        "2026-11-21 07:00:00 UTC [42]: [3-1] user=boss,db=d,app=psql,client=h LOG:  statement: ALTER ROLE app PASSWORD 'x'",
        "2026-11-21 07:00:00.123 UTC [42] boss@db LOG:  statement: ALTER ROLE app PASSWORD 'x'",
    ] {
        assert_eq!(of(line), expected, "{line}");
    }
}

proptest! {
    #[test]
    fn anything_is_read(records in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        events(&KIND, records.iter().map(Vec::as_slice));
    }

    #[test]
    fn any_statement_is_read(sql in "(ALTER|DROP|ROLE|USER|x|PASSWORD|VALID|UNTIL|'|\"|\\$|\\$a\\$|/\\*|\\*/|--|;|,| |\n|é|<|E'|\\\\|ROLLBACK|TO|IN|LIMIT|CONNECTION|SYSID){0,24}") {
        super::sql::steps(&sql);
    }

    #[test]
    fn a_damaged_record_is_read_or_said_to_be_broken(
        records in prop::collection::vec(prop_oneof![mutated(JSON), mutated(CSV), mutated(STDERR)], 1..6),
    ) {
        events(&KIND, records.iter().map(Vec::as_slice));
    }
}
