//! The values of a path, out of the server's JSON and into wiped memory.

use std::collections::BTreeMap;

use keytrail_rules::model::Secret;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroize;

/// `data` of a secret, borrowed from an answer that is wiped on drop.
pub(super) type RawValues<'a> = BTreeMap<String, &'a RawValue>;

/// The values by key: a text as it is, anything else as its compact JSON, with the names inside it in order.
pub(super) fn values(raw: RawValues<'_>) -> BTreeMap<String, Secret> {
    raw.into_iter().map(|(key, value)| (key, value_of(value.get()))).collect()
}

fn value_of(json: &str) -> Secret {
    let canonical = match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(json).ok(),
        Some(b'{' | b'[') => serde_json::from_str::<Value>(json).ok().map(|mut value| {
            let text = value.to_string();
            wipe(&mut value);
            text
        }),
        // A number keeps all of its digits.
        _ => None,
    };
    // What cannot be canonical (an unpaired surrogate, a hundred levels) is compared as it came.
    Secret::new(canonical.unwrap_or_else(|| json.to_owned()))
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{RawValues, value_of, values};

    #[test]
    fn texts_are_themselves_and_the_rest_is_json() {
        for (json, text) in [
            (r#""hunter2""#, "hunter2"),
            (r#""a\u003cb\n\u00e9""#, "a<b\né"),
            (r#""""#, ""),
            ("12345678901234567890123", "12345678901234567890123"),
            ("true", "true"),
            ("null", "null"),
            (r#"{ "b": 1, "a": "\u003cx" }"#, r#"{"a":"<x","b":1}"#),
            ("[1, [2]]", "[1,[2]]"),
            (r#""\ud800""#, r#""\ud800""#),
        ] {
            assert_eq!(value_of(json).expose(), text, "{json}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(value_of(&deep).expose(), deep);
    }

    proptest! {
        #[test]
        fn a_text_comes_back_whatever_it_is(text in any::<String>(), key in any::<String>()) {
            let json = serde_json::json!({ &key: &text }).to_string();
            let raw: RawValues<'_> = serde_json::from_str(&json).expect("an object");
            let values = values(raw);
            prop_assert_eq!(values[&key].expose(), text);
        }

        #[test]
        fn no_json_breaks_it(json in "[\\[\\]{}\",:0-9a\\\\u]{0,40}") {
            if let Ok(raw) = serde_json::from_str::<&RawValue>(&json) {
                value_of(raw.get());
            }
        }
    }
}
