//! Finding the records first gives what parsing each of them whole gives.

use proptest::prelude::*;

use super::*;
use crate::trails::Out;

/// The events of records, each parsed whole, and the names of an inventory that knows all of them.
fn expected(records: &[Value]) -> (Vec<String>, Names) {
    let (mut all, mut targets) = (Vec::new(), Vec::new());
    for record in records {
        let mut out = Out::default();
        record::read_whole(&serde_json::to_vec(record).unwrap(), &mut out, false);
        assert_eq!(out.broken, None);
        targets.extend(out.events.iter().map(|draft| draft.target.clone()));
        all.extend(out.events.into_iter().map(|draft| {
            let raw = keytrail_rules::model::Raw { source: "x".into(), offset: 0, length: 0, line: 0, sha256: [0; 32] };
            (draft.time, told(&event(draft, 3, raw)))
        }));
    }
    all.sort_by_key(|(time, _)| *time);
    (all.into_iter().map(|(_, told)| told).collect(), names(targets))
}

fn hostile_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("\""),
        Just("\\"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("},{\"eventVersion\":\"1\""),
        Just("/"),
        Just("\n"),
        Just("\u{0}"),
        Just("\u{e9}"),
        Just("\"eventSource\":\"secretsmanager.amazonaws.com\""),
        Just("x"),
        Just("{\"Records\":[{"),
        Just("SecretARN"),
        Just("        "),
    ];
    proptest::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

fn any_record() -> impl Strategy<Value = Value> {
    let service = prop_oneof![
        Just("secretsmanager"),
        Just("ssm"),
        Just("kms"),
        Just("iam"),
        Just("sts"),
        Just("s3"),
        Just("rds")
    ];
    let name = prop_oneof![
        Just("PutSecretValue"),
        Just("GetSecretValue"),
        Just("PutParameter"),
        Just("Decrypt"),
        Just("GenerateDataKey"),
        Just("CreateAccessKey"),
        Just("ListKeys"),
    ];
    (0..80_000_u32, service, name, hostile_text(), hostile_text(), any::<bool>()).prop_map(
        |(number, service, name, id, note, nested)| {
            let mut request = json!({
                "secretId": format!("s{id}"), "name": format!("n{id}"), "userName": "u", "accessKeyId": id.clone(),
                "encryptionContext": {"SecretARN": ARN, "note": note.clone()},
            });
            if nested {
                request["events"] = json!([put(1), put(2), {"eventVersion": note.clone()}]);
            }
            let mut record = record(number, service, name, request, json!({"x": note.clone()}));
            record["userAgent"] = note.into();
            record
        },
    )
}

/// The same JSON with other white space, other escapes, and keys in another order.
fn written(records: &[Value], style: u8) -> Vec<u8> {
    let value = json!({ "Records": records });
    let text = match style % 6 {
        0 => serde_json::to_string(&value).unwrap(),
        1 => serde_json::to_string_pretty(&value).unwrap(),
        2 => records.iter().map(|record| format!("{record}\r\n")).collect(),
        3 => serde_json::to_string_pretty(records).unwrap(),
        4 => serde_json::to_string(&value)
            .unwrap()
            .replace('/', "\\/")
            .replace("secretsmanager.", "\\u0073ecretsmanager."),
        _ => {
            let reversed = records.iter().map(|record| {
                let members: Vec<_> = record.as_object().unwrap().iter().collect();
                let members = members.iter().rev().map(|(key, value)| format!("{} : {value}", json!(key)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            });
            format!(
                "{{ \"Records\" : [{}], \"more\": [{{\"a\": \"]}}\"}}]}}",
                reversed.collect::<Vec<_>>().join(" ,\n")
            )
        }
    };
    text.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_same_events_however_it_is_written(
        records in proptest::collection::vec(any_record(), 0..12), style: u8, zipped: bool,
    ) {
        let bytes = written(&records, style);
        let (expected, names) = expected(&records);
        let given = read_bytes_known(&if zipped { gzip(&bytes) } else { bytes }, &names);
        prop_assert!(given.gaps.iter().all(|gap| !gap.message.contains("piece")), "{:?}", given.gaps);
        prop_assert_eq!(given.records, records.len() as u64);
        prop_assert_eq!(given.events.iter().map(told).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn brackets_are_matched_as_json_has_them(text in hostile_text(), before in 0..200_usize, after in hostile_text()) {
        let value = json!({"a": [text.clone(), {text.clone(): [1, [2, text]]}]}).to_string();
        let all = format!("{}{value}{after}", " ".repeat(before));
        let found = structure::Structure::new(all.as_bytes()).close(before, all.len());
        prop_assert_eq!(found, Ok(before + value.len()));
    }

    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>) {
        read_bytes(&bytes);
    }

    #[test]
    fn a_log_that_was_damaged_is_read_to_its_end(
        records in proptest::collection::vec(any_record(), 1..6), style: u8,
        at: proptest::sample::Index, byte: u8,
    ) {
        let mut bytes = written(&records, style);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let given = read_bytes(&bytes);
        prop_assert_eq!(given.holes.is_empty(), given.gaps.iter().all(|gap| !gap.message.contains("piece")));
    }
}
