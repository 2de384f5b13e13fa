use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Location, Time};
use proptest::prelude::*;

use super::super::{Draft, Opening, Out, Reads, TrailConfig, TrailKind};
use super::{EventKind, KIND, Outcome};

const FIRST: &str = include_str!("../../../../fixtures/trails/vault-audit/first.jsonl");
const SECOND: &str = include_str!("../../../../fixtures/trails/vault-audit/second.jsonl");

/// The config of a trail of that kind.
pub(in super::super) fn config(kind: &TrailKind) -> TrailConfig {
    TrailConfig::new("a trail", kind.name, "/nowhere", Location::of_file("keytrail.toml"))
}

/// What each record gives, and last what the end shows.
pub(in super::super) fn read_as<'r>(
    kind: &TrailKind,
    config: &TrailConfig,
    records: impl IntoIterator<Item = &'r [u8]>,
) -> Vec<Out> {
    let Reads::Records { parser, .. } = kind.reads else { panic!("{} reads no records", kind.name) };
    let names = Names::default();
    let opening =
        Opening { config, trail: 0, names: &names, as_of: Time::default(), key: &crate::trails::testing::KEY };
    let mut parser = parser(&opening);
    let mut outs = Vec::new();
    for record in records {
        let mut out = Out::default();
        parser.record(record, &mut out);
        outs.push(out);
    }
    let mut last = Out::default();
    parser.end(&mut last);
    outs.push(last);
    outs
}

/// All events of the records, with the default config.
pub(in super::super) fn events<'r>(kind: &TrailKind, records: impl IntoIterator<Item = &'r [u8]>) -> Vec<Draft> {
    read_as(kind, &config(kind), records).into_iter().flat_map(|out| out.events).collect()
}

/// Events as text, one a line.
pub(in super::super) fn shown(events: &[Draft]) -> String {
    let tail = |text: &str| text[text.len().saturating_sub(6)..].to_owned();
    let line = |draft: &Draft| {
        let parts = [
            Some(format!("{} {}", draft.time.format("%H:%M:%S%.3f"), draft.kind.as_str())),
            Some(draft.outcome.as_str().to_owned()).filter(|outcome| outcome != "done"),
            Some(draft.target.to_string()),
            draft.version.as_ref().map(|version| format!("v{}", tail(version))),
            draft.actor.as_ref().map(|actor| format!("by {actor}")),
            draft.run.as_ref().map(|run| format!("run {run}")),
            draft.consumer.as_ref().map(|consumer| format!("consumer {consumer}")),
            draft.value.as_ref().map(|value| format!("mark {}/{}", tail(&value.scope), tail(&value.mark))),
            Some(draft.details.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")),
        ];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The events of the first device, for what is joined with them.
pub(in super::super) fn first() -> Vec<Draft> {
    read(FIRST)
}

fn lines(text: &str) -> impl Iterator<Item = &[u8]> {
    text.lines().map(str::as_bytes)
}

fn read(text: &str) -> Vec<Draft> {
    events(&KIND, lines(text))
}

/// The events are those of the file beside the fixture.
#[track_caller]
pub(in super::super) fn assert_shown(events: &[Draft], expected: &str) {
    let shown = shown(events);
    assert!(shown.trim_end() == expected.trim_end(), "the events are\n{shown}\n");
}

#[test]
fn every_line_of_a_device_is_understood() {
    let outs = read_as(&KIND, &config(&KIND), lines(FIRST));
    let (_, records) = outs.split_last().expect("an end");
    assert!(records.iter().all(|out| out.broken.is_none() && out.time.is_some() && out.missing_before.is_none()));
    assert_shown(&read(FIRST), include_str!("../../../../fixtures/trails/vault-audit/first.events"));
}

#[test]
fn two_devices_give_the_same_events_and_marks_that_do_not_compare() {
    let second = read(SECOND);
    let first: Vec<Draft> = read(FIRST).into_iter().filter(|one| second.iter().any(|two| two.id == one.id)).collect();
    assert_eq!(first.len(), second.len());
    for (one, two) in first.iter().zip(&second) {
        assert_eq!((one.kind, &one.target, &one.version, &one.id), (two.kind, &two.target, &two.version, &two.id));
        if let (Some(one), Some(two)) = (&one.value, &two.value) {
            assert_ne!(one.scope, two.scope);
        }
    }
    let marks = second.iter().filter_map(|draft| draft.value.as_ref()).count();
    assert!(marks >= 4, "{marks}");
}

#[test]
fn a_mark_shows_a_value_that_was_written_again() {
    let written = read(FIRST);
    let mark = |version: &str, key: &str| {
        let of = |one: &&Draft| one.version.as_deref() == Some(version) && one.target.key().as_deref() == Some(key);
        written
            .iter()
            .filter(|one| one.target.path() == "secret/alphaswarm/auth0")
            .find(of)
            .and_then(|one| one.value.clone())
    };
    assert!(mark("3", "m2m_client_secret").is_some());
    assert_eq!(mark("3", "m2m_client_secret"), mark("4", "m2m_client_secret"), "a no-op");
    assert_eq!(mark("2", "m2m_client_secret"), mark("6", "m2m_client_secret"), "a rollback");
    assert_ne!(mark("2", "m2m_client_secret"), mark("3", "m2m_client_secret"));
    assert_eq!(mark("7", "pin"), None, "what stands in clear has no mark");
}

#[test]
fn ids_tell_events_of_one_credential_apart() {
    let mut seen = std::collections::BTreeSet::new();
    for draft in read(FIRST) {
        assert!(seen.insert((draft.id.clone(), draft.target.clone())), "{draft:?}");
    }
}

/// An answer of a KV mount, with some of its parts replaced.
fn answer(replace: &[(&str, &str)]) -> String {
    let line = SECOND.lines().next().expect("a line").to_owned();
    replace.iter().fold(line, |line, (from, to)| {
        assert!(line.contains(from), "{from}");
        line.replace(from, to)
    })
}

#[test]
fn a_value_in_clear_is_never_copied() {
    let raw = answer(&[
        ("hmac-sha256:a380181fa3b63a8b187de44514d2778de4456112ecfe4c0e59ef7701f5f2ef97", "planted-in-clear"),
        ("hmac-sha256:7554873641257e569f4bb4341c7f77d8089eba519c8252a4e924a680b9a3f183", "planted-token"),
        ("hmac-sha256:8da24bf28739f5f62c1e519ed64b540d85100fe2a6ba42d04c42799e86a6e36e", ""),
    ]);
    let events = read(&raw);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.value.is_none()));
    assert!(!format!("{events:?}").contains("planted"));
}

#[test]
fn a_version_that_expires_is_marked_by_its_token() {
    let dated = answer(&[(
        "\"hmac-sha256:8da24bf28739f5f62c1e519ed64b540d85100fe2a6ba42d04c42799e86a6e36e\"",
        "\"2027-01-01T00:00:00Z\"",
    )]);
    let marks: Vec<_> = read(&dated).into_iter().filter_map(|event| event.value).collect();
    assert_eq!(marks.len(), 2);
    assert!(marks.iter().all(|mark| mark.scope.ends_with("80b9a3f183")), "{marks:?}");
}

#[test]
fn a_time_that_is_hashed_gives_way_to_that_of_the_record() {
    let hashed = answer(&[(
        "\"created_time\":\"2026-11-21T07:32:20.423151013Z\"",
        "\"created_time\":\"hmac-sha256:8da24bf28739f5f62c1e519ed64b540d85100fe2a6ba42d04c42799e86a6e36e\"",
    )]);
    assert_eq!(read(&hashed)[0].time.to_rfc3339(), "2026-11-21T07:32:20.423507844+00:00");
    assert_eq!(read(&answer(&[]))[0].time.to_rfc3339(), "2026-11-21T07:32:20.423151013+00:00");
}

#[test]
fn a_path_is_spelled_as_the_store_spells_it() {
    let of = |namespace: Option<&str>, replace: &[(&str, &str)]| {
        let config =
            TrailConfig { namespace: namespace.map(str::to_owned), store: Some("prod".to_owned()), ..config(&KIND) };
        let line = answer(replace);
        let outs = read_as(&KIND, &config, [line.as_bytes()]);
        outs[0].events.first().map(|event| event.target.whole_path().to_string()).unwrap_or_default()
    };
    assert_eq!(of(None, &[]), "prod:secret/alphaswarm/auth0");
    let inner = [("\"id\":\"root\"}", "\"id\":\"x1\",\"path\":\"team/a/\"}")];
    assert_eq!(of(None, &inner), "prod:team/a/secret/alphaswarm/auth0");
    assert_eq!(of(Some("team/a"), &inner), "prod:secret/alphaswarm/auth0", "the namespace of the store itself");
    assert_eq!(of(Some("team"), &inner), "prod:team/a/secret/alphaswarm/auth0");
    let deep = [("\"mount_point\":\"secret/\"", "\"mount_point\":\"kv/data/\""), ("secret/data/", "kv/data/data/")];
    assert_eq!(of(None, &deep), "prod:kv/data/alphaswarm/auth0", "the server says where the mount ends");
    let old = [("\"mount_point\":\"secret/\",", ""), ("\"mount_type\":\"kv\",", "")];
    assert_eq!(of(None, &old), "prod:secret/alphaswarm/auth0", "an old server says nothing of mounts");
}

#[test]
fn a_patch_may_take_a_key_away() {
    let kinds = |operation: &str| {
        let line = answer(&[
            ("\"operation\":\"create\"", &format!("\"operation\":\"{operation}\"")),
            ("\"hmac-sha256:a380181fa3b63a8b187de44514d2778de4456112ecfe4c0e59ef7701f5f2ef97\"", "null"),
        ]);
        read(&line).iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds("patch"), [EventKind::Created, EventKind::Deleted]);
    assert_eq!(kinds("update"), [EventKind::Created; 2]);
}

#[test]
fn kv_version_1_is_read_too() {
    let old = answer(&[
        ("\"path\":\"secret/data/alphaswarm/auth0\"", "\"path\":\"secret/data/alphaswarm\""),
        ("\"data\":{\"data\":{", "\"data\":{"),
        ("},\"options\":{}}", "}"),
    ]);
    let answered = old.split(",\"data\":{\"created_time\"").next().expect("a start").to_owned() + "}}";
    let events = read(&answered);
    let targets: Vec<String> = events.iter().map(|event| event.target.to_string()).collect();
    assert_eq!(
        targets,
        ["vault:secret/data/alphaswarm#m2m_client_id", "vault:secret/data/alphaswarm#m2m_client_secret"]
    );
    assert!(events.iter().all(|event| event.version.is_none() && event.value.is_some()));
}

#[test]
fn a_call_that_failed_changes_nothing() {
    let outcomes = |line: &str| read(line).iter().map(|event| event.outcome).collect::<Vec<_>>();
    let limited = answer(&[("}}}", "}},\"error\":\"request path \\\"x\\\": rate limit quota exceeded\"}")]);
    assert_eq!(outcomes(&limited), [Outcome::Throttled; 2]);
    let logical = answer(&[]).split("\"created_time\"").next().expect("a start").to_owned() + "\"error\":\"x\"}}}";
    assert_eq!(outcomes(&logical), [Outcome::Failed; 2]);
    assert_eq!(outcomes(&answer(&[("\"type\":\"response\"", "\"type\":\"request\"")])), [], "a request alone");
}

#[test]
fn a_device_that_was_off_in_between_is_said_to_have_been() {
    let call = |operation: &str, kind: &str| {
        answer(&[
            ("\"operation\":\"create\"", &format!("\"operation\":\"{operation}\"")),
            ("\"type\":\"response\"", &format!("\"type\":\"{kind}\"")),
            ("\"path\":\"secret/data/alphaswarm/auth0\"", "\"path\":\"sys/audit/file\""),
        ])
    };
    let missing = |lines: &[String]| {
        let outs = read_as(&KIND, &config(&KIND), lines.iter().map(String::as_bytes));
        outs.iter().map(|out| out.missing_before.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(missing(&[call("delete", "request"), call("update", "request")]), [false, true, false]);
    assert_eq!(missing(&[call("delete", "request"), answer(&[]), call("update", "request")]), [false; 4]);
    assert_eq!(missing(&[call("update", "request"), call("update", "response")]), [false; 3]);
}

#[test]
fn what_is_no_record_is_said() {
    let out = |bytes: &[u8]| read_as(&KIND, &config(&KIND), [bytes]).swap_remove(0);
    let line = answer(&[]);
    for bad in ["x", "{}", "[]", "{\"time\":\"t\",\"type\":\"response\"}", &line[..line.len() - 9], &line[200..]] {
        let out = out(bad.as_bytes());
        assert!(out.broken.is_some() && out.events.is_empty(), "{bad}");
    }
    let twice = line.replace("\"type\":", "\"type\":\"request\",\"type\":");
    assert!(out(twice.as_bytes()).broken.is_some(), "a key that is there twice");
    assert!(out(b"").broken.is_none());
    for fine in [format!("{line}\r"), format!("\u{feff}{line}"), format!("@cee: {line}")] {
        let out = out(fine.as_bytes());
        assert!(out.broken.is_none() && out.events.len() == 2, "{fine}");
    }
    let truncated = out(format!("\0\0\0{line}").as_bytes());
    assert!(truncated.missing_before.is_some() && truncated.events.len() == 2);
}

#[test]
fn a_name_that_holds_a_record_is_a_name() {
    let fake = "x\\\"}}\\n{\\\"time\\\":\\\"2026-01-01T00:00:00Z\\\",\\\"type\\\":\\\"response\\\"";
    let events = read(&answer(&[("token-keytrail-rotator", fake)]));
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.actor.as_ref().is_some_and(|actor| actor.contains("2026-01-01"))));
}

/// Real records with some bytes replaced.
pub(in super::super) fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&'static str> = text.lines().collect();
    let bytes = prop_oneof![any::<u8>(), prop::sample::select(b"\"\\{}[],:\n\0 -0'$()".to_vec())];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), bytes), 0..6);
    (prop::sample::select(lines), changes).prop_map(|(line, changes)| {
        let mut line = line.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        line
    })
}

proptest! {
    #[test]
    fn anything_is_read(records in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        events(&KIND, records.iter().map(Vec::as_slice));
    }

    #[test]
    fn a_damaged_record_is_read_or_said_to_be_broken(records in prop::collection::vec(mutated(FIRST), 1..4)) {
        for out in read_as(&KIND, &config(&KIND), records.iter().map(Vec::as_slice)) {
            prop_assert!(out.broken.is_none() || out.events.is_empty());
        }
    }
}
