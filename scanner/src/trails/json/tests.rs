//! What tests of parsers share: a fixture is read line by line, and what comes out is shown in one line each.

use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Location, Time};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Draft, Opening, Out, Reads, TrailConfig, TrailKind};
use super::*;

/// A trail of that kind with nothing else said about it.
pub(in super::super) fn config(kind: &TrailKind) -> TrailConfig {
    TrailConfig::new("test", kind.name, "/nowhere", Location::of_file("keytrail.toml"))
}

/// What each record gives, in one parser.
pub(in super::super) fn read<'a>(kind: &TrailKind, records: impl IntoIterator<Item = &'a [u8]>) -> Vec<Out> {
    let Reads::Records { parser, .. } = &kind.reads else { panic!("{} has no records", kind.name) };
    let (config, names) = (config(kind), Names::default());
    let opening =
        Opening { config: &config, trail: 0, names: &names, as_of: Time::default(), key: &crate::trails::testing::KEY };
    let mut parser = parser(&opening);
    let read = |record| {
        let mut out = Out::default();
        parser.record(record, &mut out);
        out
    };
    records.into_iter().map(read).collect()
}

/// What every line of a fixture says, one text each: events, names of one credential, or why it is broken. Checks what
/// holds for every parser.
pub(in super::super) fn shown(kind: &TrailKind, fixture: &str) -> Vec<String> {
    let outs = read(kind, fixture.lines().map(str::as_bytes));
    let mut ids: Vec<_> = outs.iter().flat_map(|out| &out.events).map(|draft| draft.id.clone()).collect();
    ids.sort();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "two records share an id");
    for out in &outs {
        assert!(out.broken.is_some() || out.time.is_some(), "a record that can be read has a time");
        assert!(out.events.iter().all(|draft| Some(draft.time) == out.time), "an event has another time");
        assert!(!format!("{out:?}").contains("planted"), "a value was copied");
    }
    let again = read(kind, fixture.lines().map(str::as_bytes));
    assert!(outs.iter().zip(&again).all(|(one, two)| one.events == two.events), "a copy of a record is another event");
    outs.iter().flat_map(show).collect()
}

fn show(out: &Out) -> Vec<String> {
    let mut lines: Vec<String> = out.events.iter().map(show_event).collect();
    lines.extend(out.same.iter().map(|(one, two)| format!("same {} {}", one.as_str(), two.as_str())));
    lines.extend(out.broken.map(|why| format!("broken: {why}")));
    if lines.is_empty() {
        lines.push("-".to_owned());
    }
    lines
}

fn show_event(draft: &Draft) -> String {
    let mut line = format!("{} {}", draft.kind.as_str(), draft.target.as_str());
    if draft.outcome != Outcome::Done {
        line += &format!(" {}", draft.outcome.as_str());
    }
    for (name, text) in [("v", &draft.version), ("by ", &draft.actor), ("run ", &draft.run)] {
        line += &text.as_ref().map(|text| format!(" {name}{text}")).unwrap_or_default();
    }
    line
}

/// Bytes of all sorts, and a fixture with bytes changed, never make a parser panic, and change no time into none silently.
pub(in super::super) fn survives(kind: &TrailKind, fixture: &'static str) {
    let lines: Vec<&[u8]> = fixture.lines().map(str::as_bytes).collect();
    let mutated =
        (0..lines.len(), vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), any::<prop::sample::Index>());
    let mutated = mutated.prop_map(move |(line, changes, end)| {
        let mut bytes = fixture.lines().nth(line).unwrap_or_default().as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Half of them are cut off.
        if end.index(2) == 0 {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    });
    let bytes = prop_oneof![1 => vec(any::<u8>(), 0..200), 3 => mutated];
    proptest!(ProptestConfig::with_cases(512), |(bytes in bytes)| {
        for out in read(kind, [bytes.as_slice()]) {
            prop_assert!(out.broken.is_some() || serde_json::from_slice::<Value>(&bytes).is_ok());
            prop_assert!(out.broken.is_none() || out.events.is_empty(), "a broken record is no event");
        }
    });
}

#[test]
fn a_run_is_a_named_one_or_a_uuid() {
    let run = |agent: &str| run_of_agent(agent);
    assert_eq!(run("keytrail-run/rot-7 gcloud/501.0.0").as_deref(), Some("rot-7"));
    assert_eq!(run("gcloud/501 (run/9; x86)").as_deref(), Some("9"));
    let uuid = "0A1B2C3D-0000-4000-8000-00000000ABCD";
    assert_eq!(
        run(&format!("aws-cli/2 exec-env/grimoire_{uuid} x")).as_deref(),
        Some("0a1b2c3d-0000-4000-8000-00000000abcd")
    );
    for agent in
        ["", "gcloud/501.0.0", "run/", "Mozilla/5.0 (X11; Linux x86_64)", "0a1b2c3d-0000-4000-8000-00000000abcg"]
    {
        assert_eq!(run(agent), None, "{agent}");
    }
}

#[test]
fn a_time_is_rfc_3339_or_milliseconds() {
    let value: Value = serde_json::from_str(
        r#"{"a":"2026-03-01T10:00:00.5+02:00","b":1772800000123,"c":"yesterday","d":9e99,"e":null}"#,
    )
    .expect("JSON");
    let shown = |key| time(&value, &[key]).map(|time| time.to_rfc3339());
    assert_eq!(shown("a").as_deref(), Some("2026-03-01T08:00:00.500+00:00"));
    assert_eq!(shown("b").as_deref(), Some("2026-03-06T12:26:40.123+00:00"));
    assert_eq!([shown("c"), shown("d"), shown("e"), shown("f")], [None, None, None, None]);
}

#[test]
fn the_layout_of_json_changes_no_fingerprint() {
    let one: Value = serde_json::from_str(r#"{"a":1,"b":[true,"x"]}"#).expect("JSON");
    let two: Value = serde_json::from_str("{ \"a\" : 1,\r\n \"b\" : [ true, \"x\" ] }").expect("JSON");
    let three: Value = serde_json::from_str(r#"{"a":2,"b":[true,"x"]}"#).expect("JSON");
    assert_eq!(fingerprint(&one), fingerprint(&two));
    assert_ne!(fingerprint(&one), fingerprint(&three));
    assert_eq!(fingerprint(&one).len(), 32);
}
