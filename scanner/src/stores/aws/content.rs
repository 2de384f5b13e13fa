//! The text of a secret or parameter: one value as a whole, or a JSON object of which each member is one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use keytrail_rules::model::Secret;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The key of a text that is one value as a whole.
pub(in crate::stores) const WHOLE: &str = "";

/// Why a text does not hold a key, in words that follow its name.
pub(in crate::stores) type Why = String;

/// The value of a key.
pub(in crate::stores) fn get(text: &str, key: &str) -> Result<Secret, Why> {
    if key == WHOLE {
        return Ok(Secret::from(text));
    }
    member(&Members::of(text)?, key)?.value(text, key)
}

/// The text with the values of some keys in place of theirs. Every other byte stays as it is.
pub(in crate::stores) fn replace(text: &str, values: &BTreeMap<String, &Secret>) -> Result<Zeroizing<String>, Why> {
    if let Some(value) = values.get(WHOLE) {
        if values.len() > 1 {
            return Err("cannot be one value as a whole and an object of others".into());
        }
        return Ok(Zeroizing::new(value.expose().to_owned()));
    }
    let members = Members::of(text)?;
    let mut edits = Vec::new();
    for (key, value) in values {
        let member = member(&members, key)?;
        // A value that is no text has no place for one.
        drop(member.value(text, key)?);
        edits.push((member.span.clone(), *value));
    }
    edits.sort_by_key(|(span, _)| span.start);
    // Made large enough at once: a buffer that moves leaves its bytes behind. A byte takes six in JSON at most.
    let room: usize = edits.iter().map(|(_, value)| value.expose().len() * 6 + 2).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + room));
    let mut done = 0;
    for (span, value) in edits {
        out.extend_from_slice(&text.as_bytes()[done..span.start]);
        serde_json::to_writer(&mut *out, value.expose()).map_err(|_| "cannot be written as JSON")?;
        done = span.end;
    }
    out.extend_from_slice(&text.as_bytes()[done..]);
    let text = str::from_utf8(&out).map_err(|_| "cannot be written as UTF-8")?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn member<'m>(members: &'m Members<'_>, key: &str) -> Result<&'m Member, Why> {
    let mut found = members.0.iter().filter(|(name, _)| name == key);
    match (found.next(), found.next()) {
        (Some((_, member)), None) => Ok(member),
        (None, _) => Err(format!("has no key {key}")),
        (Some(_), Some(_)) => Err(format!("has the key {key} twice")),
    }
}

/// Where the value of a member is in the text.
struct Member {
    span: Range<usize>,
}

impl Member {
    fn value(&self, text: &str, key: &str) -> Result<Secret, Why> {
        let raw = text.get(self.span.clone()).unwrap_or_default();
        serde_json::from_str(raw).map(Secret::new).map_err(|_| format!("has something other than a text as {key}"))
    }
}

/// The members of an object, in their order.
struct Members<'t>(Vec<(Cow<'t, str>, Member)>);

impl<'t> Members<'t> {
    fn of(text: &'t str) -> Result<Self, Why> {
        let raw: RawMembers<'t> = serde_json::from_str(text).map_err(|_| "is no JSON object")?;
        let start = text.as_ptr().addr();
        let place = |raw: &RawValue| {
            let from = raw.get().as_ptr().addr() - start;
            Member { span: from..from + raw.get().len() }
        };
        Ok(Self(raw.0.into_iter().map(|(name, raw)| (name, place(raw))).collect()))
    }
}

struct RawMembers<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = RawMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, raw)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name.0, raw));
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[derive(PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replaced(text: &str, values: &[(&str, &str)]) -> Result<String, Why> {
        let values: Vec<(String, Secret)> =
            values.iter().map(|(key, value)| ((*key).to_owned(), Secret::from(*value))).collect();
        let values = values.iter().map(|(key, value)| (key.clone(), value)).collect();
        replace(text, &values).map(|text| text.to_string())
    }

    #[test]
    fn every_other_byte_stays_as_it_is() {
        let text =
            " {\"port\":5432.0, \"a\\u0062\" : \"old\",\n\t\"big\": 12345678901234567890123, \"o\":{\"ab\":\"x\"} } ";
        let new = replaced(text, &[("ab", "n\"e\\w\n\u{e9}")]).unwrap();
        assert_eq!(new, text.replace("\"old\"", "\"n\\\"e\\\\w\\n\u{e9}\""));
        assert_eq!(get(&new, "ab").unwrap().expose(), "n\"e\\w\n\u{e9}");
        assert_eq!(replaced(&new, &[("ab", "old")]).unwrap(), text);
        assert_eq!(
            replaced("{\"b\":\"1\",\"a\":\"2\"}", &[("a", "x"), ("b", "yy")]).unwrap(),
            "{\"b\":\"yy\",\"a\":\"x\"}"
        );
        assert_eq!(replaced("anything", &[(WHOLE, "new")]).unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_kept_apart_is_refused() {
        for (text, values, why) in [
            ("plain", &[("a", "x")][..], "is no JSON object"),
            ("[\"a\"]", &[("a", "x")], "is no JSON object"),
            ("{\"a\":1}", &[("a", "x")], "has something other than a text as a"),
            ("{\"b\":\"1\"}", &[("a", "x")], "has no key a"),
            ("{\"a\":\"1\",\"a\":\"2\"}", &[("a", "x")], "has the key a twice"),
            ("{\"a\":\"1\"}", &[("a", "x"), (WHOLE, "y")], "cannot be one value as a whole and an object of others"),
        ] {
            assert_eq!(replaced(text, values), Err(why.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}", key in ".{0,3}", value in ".{0,20}") {
            let _ = replaced(&text, &[(&key, &value)]);
        }

        #[test]
        fn any_value_goes_in_and_comes_out(key in ".{1,8}", old in ".{0,20}", value in ".{0,20}") {
            let text = serde_json::json!({ "before": [1, {"x": null}], key.clone(): old, "~after": "z" }).to_string();
            prop_assume!(key != "before" && key != "~after");
            let new = replaced(&text, &[(&key, &value)]).unwrap();
            prop_assert_eq!(get(&new, &key).unwrap().expose().to_owned(), value);
            prop_assert_eq!(replaced(&new, &[(&key, &old)]).unwrap(), text);
        }
    }
}
