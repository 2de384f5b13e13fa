use keytrail_rules::correlate::Names;
use proptest::prelude::*;

use super::super::testing::{config, time};
use super::*;

fn read(change: impl FnOnce(&mut TrailConfig), record: &str) -> Out {
    let mut config = config("json-log", "/".as_ref(), &["-"]);
    change(&mut config);
    let names = Names::default();
    let opening = super::super::testing::opening(&config, &names);
    let mut out = Out::default();
    parser(&opening).record(record.as_bytes(), &mut out);
    out
}

#[test]
fn usual_fields_need_no_config() {
    let out = read(
        |_| (),
        r#"{"timestamp":"2026-03-01T10:00:00+01:00","action":"loaded","secret":"DB_PASSWORD","user":"svc","run_id":"r1",
            "service":"kubernetes:shop/deployment/api","version":3,"result":"denied"}"#,
    );
    assert_eq!((out.time, out.broken), (Some(time("2026-03-01T09:00:00Z")), None));
    let [draft] = out.events.as_slice() else { panic!("{:?}", out.events) };
    assert_eq!(
        (draft.kind, draft.outcome, draft.target.as_str()),
        (EventKind::Loaded, Outcome::Failed, "env:DB_PASSWORD")
    );
    assert_eq!(
        (draft.actor.as_deref(), draft.run.as_deref(), draft.version.as_deref()),
        (Some("svc"), Some("r1"), Some("3"))
    );
    assert_eq!(draft.consumer.as_deref(), Some("kubernetes:shop/deployment/api"));
}

#[test]
fn the_config_names_fields_and_events() {
    let change = |config: &mut TrailConfig| {
        let fields = [("time", "meta.at"), ("kind", "event.name"), ("target", "objects"), ("id", "meta.id")];
        config.fields = fields.map(|(name, path)| (name.to_owned(), path.to_owned())).into();
        config.events = [("written".to_owned(), vec!["secret.updated".to_owned(), "secret.created".to_owned()])].into();
        config.zone = Some("+02:00".into());
    };
    let record = |kind: &str| {
        format!(
            r#"{{"meta":{{"at":"2026-03-01 10:00:00.5","id":"e1"}},"event.name":"{kind}","objects":["postgres:role/app","K"]}}"#
        )
    };
    let out = read(change, &record("secret.created"));
    let targets: Vec<_> =
        out.events.iter().map(|draft| (draft.kind, draft.target.as_str(), draft.id.as_ref())).collect();
    assert_eq!(targets, [(EventKind::Written, "postgres:role/app", "e1"), (EventKind::Written, "env:K", "e1")]);
    assert_eq!(out.time, Some(time("2026-03-01T08:00:00.5Z")));
    let out = read(change, &record("written"));
    assert_eq!((out.events.len(), out.time.is_some(), out.broken), (0, true, None), "another text is about nothing");
}

#[test]
fn what_cannot_be_read_is_said_and_shows_nothing() {
    for (record, why) in [
        ("{\"a\":", "not JSON"),
        ("[1]", "not a JSON object"),
        (r#"{"event":"loaded","key":"K"}"#, "it has no time"),
        (r#"{"event":"loaded","key":"K","ts":"yesterday"}"#, "its time is not understood"),
        (
            r#"{"event":"loaded","key":"K","ts":"2026-03-01 10:00:00"}"#,
            "its time states no zone, and the trail has no `zone`",
        ),
        (r#"{"event":"loaded","ts":1772359200}"#, "it names no credential"),
        (r#"{"event":"loaded","key":"K","ts":1772359200,"outcome":"perhaps"}"#, "its outcome is not understood"),
    ] {
        let out = read(|_| (), record);
        assert_eq!((out.broken, out.events.len()), (Some(why), 0), "{record}");
    }
}

#[test]
fn times_are_read_in_every_usual_unit() {
    for (text, expected) in [
        ("1772359200", "2026-03-01T10:00:00Z"),
        ("1772359200.25", "2026-03-01T10:00:00.25Z"),
        ("1772359200250", "2026-03-01T10:00:00.25Z"),
        ("1772359200250000", "2026-03-01T10:00:00.25Z"),
        ("1772359200250000000", "2026-03-01T10:00:00.25Z"),
        ("\"2026-03-01T10:00:00.250Z\"", "2026-03-01T10:00:00.25Z"),
        ("\"2026-03-01 12:00:00+0200\"", "2026-03-01T10:00:00Z"),
        ("\"2026-03-01 10:00:00.25 UTC\"", "2026-03-01T10:00:00.25Z"),
    ] {
        let out = read(|_| (), &format!(r#"{{"ts":{text}}}"#));
        assert_eq!((out.time, out.broken), (Some(time(expected)), None), "{text}");
    }
}

#[test]
fn copies_of_a_record_have_one_id_and_others_another() {
    let id = |record| read(|_| (), record).events[0].id.clone();
    let one = r#"{"event":"loaded","key":"K","ts":1772359200}"#;
    assert_eq!(id(one), id(one));
    assert_ne!(id(one), id(r#"{"event":"loaded","key":"K","ts":1772359201}"#));
}

proptest! {
    #[test]
    fn no_record_makes_it_panic(record in any::<String>(), number in any::<String>(), at in any::<f64>()) {
        read(|_| (), &record);
        for value in [serde_json::json!(number), serde_json::json!(at)] {
            let record = serde_json::json!({ "ts": value, "event": "loaded", "key": number, "version": value });
            read(|config| config.zone = Some("+14:00".into()), &record.to_string());
        }
    }
}
