use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use keytrail_rules::checks::Facet;
use keytrail_rules::correlate::Verdict;
use keytrail_rules::model::{EventKind, Role};
use keytrail_rules::report::Report;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::escape::tests::text;
use crate::formats::tests::render;
use crate::{Options, samples};

const SCHEMA: &str = include_str!("../../../schemas/report-v1.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("JSON")
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).expect("a JSON Schema")
}

fn document(report: &Report) -> Value {
    serde_json::from_str(&render("json", report, &Options::default())).expect("JSON")
}

/// What is wrong with a report by the schema.
fn mistakes(validator: &Validator, report: &Value) -> Vec<String> {
    validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn a_believable_report() {
    insta::assert_snapshot!(render("json", &samples::company(), &Options::default()));
}

#[test]
fn reports_keep_to_the_schema() {
    let validator = validator();
    let hostile = samples::full_of(&samples::hostile_strings());
    for report in [samples::empty(), samples::company(), samples::everything(), samples::gaps_only(), hostile] {
        assert_eq!(mistakes(&validator, &document(&report)), Vec::<String>::new());
    }
}

#[test]
fn the_schema_refuses_what_no_report_says() {
    let validator = validator();
    let good = document(&samples::everything());
    for (pointer, bad) in [
        ("/schema", "keytrail/report/v2".into()),
        ("/as_of", "2026-11-21T09:00:00+01:00".into()),
        ("/items/0/status", "fine".into()),
        ("/items/0/copies/0/value", "hunter2".into()),
        ("/findings/0/fingerprint", "abc".into()),
        ("/gaps/0/reason", Value::Null),
        ("/summary/findings", serde_json::json!({"severe": 1})),
        ("/summary/fixable", (-1).into()),
        ("/rotations/0/verdict", "fine".into()),
        ("/rotations/0/events/0/raw/sha256", "abc".into()),
        ("/trails/0/covered/0/proof", Value::Null),
    ] {
        let mut report = good.clone();
        *report.pointer_mut(pointer).expect("a field") = bad;
        assert!(!validator.is_valid(&report), "{pointer}");
    }
    for pointer in [
        "",
        "/tool",
        "/scope/0",
        "/items/0",
        "/items/0/age",
        "/items/0/copies/0",
        "/rotations/0",
        "/rotations/0/events/0",
        "/trails/0",
        "/readings/0",
        "/gaps/0",
        "/findings/0",
        "/summary",
    ] {
        let mut report = good.clone();
        let object = report.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
        object.insert("extra".to_owned(), Value::Null);
        assert!(!validator.is_valid(&report), "an unknown field in {pointer:?}");
    }
}

fn names<T: Serialize>(values: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    values
        .into_iter()
        .map(|value| serde_json::to_value(value).expect("JSON").as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn the_schema_has_the_values_of_every_enum() {
    let schema = schema();
    for (name, values) in [
        ("severity", names(samples::severities())),
        ("status", names(samples::statuses())),
        ("class", names(samples::classes())),
        ("copyKind", names(samples::copy_kinds())),
        ("shape", names(samples::shapes())),
        ("gapReason", names(samples::gap_reasons())),
        ("role", names(Role::ALL)),
        ("verdict", names(Verdict::ALL)),
        ("silence", names(samples::trails::silences())),
        ("trace", names(samples::trails::traces())),
        ("flag", names(samples::trails::flags())),
        ("facet", names(Facet::ALL)),
        ("exceptionState", names(samples::history::exception_states())),
        ("controlStatus", names(samples::history::control_statuses())),
        ("relation", names(samples::history::relations())),
        ("eventKind", names(EventKind::ALL)),
        ("outcome", names(samples::trails::outcomes())),
        ("proof", names(samples::trails::proofs())),
    ] {
        let listed = schema["$defs"][name]["enum"].as_array().expect("an enum");
        assert_eq!(names(listed), values, "{name}");
    }
}

#[test]
fn spellings_agree_with_the_serialised_ones() {
    let as_str = samples::gap_reasons().map(|reason| reason.as_str().to_owned());
    assert_eq!(names(samples::gap_reasons()), BTreeSet::from(as_str));
    assert_eq!(names(Verdict::ALL), BTreeSet::from(Verdict::ALL.map(|one| one.as_str().to_owned())));
    let flags = samples::trails::flags();
    assert_eq!(names(flags), BTreeSet::from(flags.map(|one| one.as_str().to_owned())));
    assert_eq!(names(EventKind::ALL), BTreeSet::from(EventKind::ALL.map(|one| one.as_str().to_owned())));
}

#[test]
fn every_object_of_the_schema_is_closed_and_every_field_described() {
    fn walk(node: &Value, objects: &mut usize) {
        if let Some(properties) = node.get("properties").and_then(Value::as_object) {
            *objects += 1;
            assert_eq!(node["additionalProperties"], false, "{properties:?}");
            for (name, property) in properties {
                let description = property["description"].as_str().unwrap_or_default();
                assert!(description.ends_with('.'), "{name} is not described: {property}");
            }
        }
        let children: Vec<&Value> = match node {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(values) => values.iter().collect(),
            _ => Vec::new(),
        };
        for child in children {
            walk(child, objects);
        }
    }
    let mut objects = 0;
    walk(&schema(), &mut objects);
    assert_eq!(objects, 33);
}

#[test]
fn every_field_of_the_schema_is_in_some_report() {
    fn fields(node: &Value, found: &mut BTreeSet<String>) {
        match node {
            Value::Object(object) => {
                for (name, value) in object {
                    found.insert(name.clone());
                    fields(value, found);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    fields(&document(&samples::everything()), &mut found);
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions").values();
    for properties in definitions.chain([&schema]).filter_map(|node| node.get("properties")?.as_object()) {
        for name in properties.keys() {
            assert!(found.contains(name), "no report has {name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reports_of_any_text_keep_to_the_schema(texts in proptest::collection::vec(text(), 1..30)) {
        static VALIDATOR: LazyLock<Validator> = LazyLock::new(validator);
        prop_assert_eq!(mistakes(&VALIDATOR, &document(&samples::full_of(&texts))), Vec::<String>::new());
    }
}
