//! Bodies with values, in memory that is wiped.

use std::collections::BTreeMap;

use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use crate::stores::vault::values::RawValues;

/// No character of a text is longer in JSON: `\u0000`.
const LONGEST: usize = 6;

/// The values of a secret as one JSON object: `siblings` as the server wrote them, but for those of which there is a new
/// value.
pub(super) fn object(siblings: &RawValues<'_>, values: &BTreeMap<String, &Secret>) -> Zeroizing<Vec<u8>> {
    let kept = || siblings.iter().filter(|(key, _)| !values.contains_key(*key));
    let new = values.iter().map(|(key, value)| (key.len() + value.expose().len()) * LONGEST + 8);
    let old = kept().map(|(key, value)| key.len() * LONGEST + value.get().len() + 8);
    let mut object = Zeroizing::new(Vec::with_capacity(new.chain(old).sum::<usize>() + 2));
    object.push(b'{');
    for (key, value) in kept() {
        member(&mut object, key);
        object.extend_from_slice(value.get().as_bytes());
    }
    for (key, value) in values {
        member(&mut object, key);
        text(&mut object, value.expose());
    }
    object.push(b'}');
    object
}

/// The body of a write to KV version 2.
pub(super) fn versioned(data: &[u8], expected: u64) -> Zeroizing<Vec<u8>> {
    let head = format!(r#"{{"options":{{"cas":{expected}}},"data":"#);
    let mut body = Zeroizing::new(Vec::with_capacity(head.len() + data.len() + 1));
    for part in [head.as_bytes(), data, b"}"] {
        body.extend_from_slice(part);
    }
    body
}

fn member(object: &mut Vec<u8>, key: &str) {
    if object.len() > 1 {
        object.push(b',');
    }
    text(object, key);
    object.push(b':');
}

fn text(object: &mut Vec<u8>, text: &str) {
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(object, text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    proptest! {
        #[test]
        fn siblings_stay_and_values_are_written(
            siblings in prop::collection::btree_map(any::<String>(), any::<String>(), 0..5),
            values in prop::collection::btree_map(any::<String>(), any::<String>(), 0..5),
        ) {
            let json = serde_json::to_string(&siblings).expect("JSON");
            let raw: RawValues<'_> = serde_json::from_str(&json).expect("an object");
            let secrets: BTreeMap<String, Secret> =
                values.iter().map(|(key, value)| (key.clone(), Secret::from(value.as_str()))).collect();
            let given = secrets.iter().map(|(key, value)| (key.clone(), value)).collect();
            let object = object(&raw, &given);
            prop_assert!(object.len() <= object.capacity());
            let mut expected = siblings.clone();
            expected.extend(values);
            let body: Value = serde_json::from_slice(&versioned(&object, 7)).expect("JSON");
            prop_assert_eq!(body, serde_json::json!({ "options": { "cas": 7 }, "data": expected }));
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_objects_their_shape() {
        let json = r#"{"a":12345678901234567890123,"b":{ "x" : [1.0] },"c":"old"}"#;
        let raw: RawValues<'_> = serde_json::from_str(json).expect("an object");
        let new = Secret::from("new\u{0}");
        let object = object(&raw, &BTreeMap::from([("c".to_owned(), &new)]));
        let expected = r#"{"a":12345678901234567890123,"b":{ "x" : [1.0] },"c":"new\u0000"}"#;
        assert_eq!(std::str::from_utf8(&object), Ok(expected));
    }
}
