//! Fields of JSON records, as the logs of vendors have them.

use keytrail_rules::model::{Outcome, Time};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Opening, Out};

/// The object that a record is; says what is wrong with one that is none.
pub(super) fn parse(record: &[u8], out: &mut Out) -> Option<Value> {
    match serde_json::from_slice(record) {
        Ok(object @ Value::Object(_)) => Some(object),
        Ok(_) => {
            out.broken("it is JSON, but no object");
            None
        }
        Err(_) => {
            out.broken("it is no JSON");
            None
        }
    }
}

/// The source of the places that a trail speaks of.
pub(super) fn store<'a>(opening: &Opening<'a>, usual: &'a str) -> &'a str {
    opening.config.store.as_deref().unwrap_or(usual)
}

/// What lies at a path of keys; `None` for null.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key)).filter(|found| !found.is_null())
}

/// The text at a path of keys; `None` for an empty one.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

/// The first text that is there.
pub(super) fn first_text(value: &Value, paths: &[&[&str]]) -> Option<String> {
    paths.iter().find_map(|path| text(value, path)).map(str::to_owned)
}

/// The objects in an array at a path of keys.
pub(super) fn items<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}

/// The number at a path of keys, written as one or as text.
pub(super) fn number(value: &Value, path: &[&str]) -> Option<i64> {
    let found = at(value, path)?;
    found.as_i64().or_else(|| found.as_str()?.trim().parse().ok())
}

/// The instant at a path of keys: RFC 3339, or milliseconds since 1970.
pub(super) fn time(value: &Value, path: &[&str]) -> Option<Time> {
    match at(value, path)? {
        Value::String(text) => chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
        number => Time::from_timestamp_millis(number.as_i64()?),
    }
}

/// What an HTTP status says came of a request.
pub(super) fn http_outcome(status: i64) -> Outcome {
    match status {
        429 => Outcome::Throttled,
        400.. => Outcome::Failed,
        _ => Outcome::Done,
    }
}

/// An id for a record whose log gives it none: the same however its JSON is laid out.
pub(super) fn fingerprint(record: &Value) -> String {
    let digest = Sha256::digest(record.to_string());
    digest.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The run that a user agent names: `keytrail-run/ID` or `run/ID`, else a UUID in it, as `exec-env/tool_UUID`. A user agent
/// as a whole is that of many runs.
pub(super) fn run_of_agent(agent: &str) -> Option<String> {
    let products = || agent.split(|c: char| c.is_whitespace() || "();,".contains(c));
    let named = products().find_map(|product| {
        let (name, id) = product.rsplit_once('/')?;
        (matches!(name, "keytrail-run" | "run") && !id.is_empty()).then(|| id.to_owned())
    });
    named.or_else(|| products().flat_map(|product| product.split(['/', '_', '='])).find_map(uuid))
}

/// A UUID in its usual spelling, in lower case.
fn uuid(text: &str) -> Option<String> {
    let shape = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    (text.len() == 36 && text.bytes().enumerate().all(shape)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
pub(super) mod tests;
