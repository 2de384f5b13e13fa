//! Fields of JSON records, by names that the config gives or that are usual.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use keytrail_rules::model::{Place, Time};
use serde_json::Value;

use super::TrailConfig;

/// The ways to one field, the first of which that leads to something counts.
#[derive(Clone, Debug)]
pub struct Field(Vec<String>);

impl Field {
    /// The field that `[[trail]] fields` calls `name`: by default the usual ones.
    pub fn of(config: &TrailConfig, name: &str, usual: &[&str]) -> Self {
        match config.fields.get(name) {
            Some(path) => Self(vec![path.clone()]),
            None => Self(usual.iter().map(|path| (*path).to_owned()).collect()),
        }
    }

    /// What it holds; `None` for what is not there, and for `null`.
    pub fn value<'v>(&self, record: &'v Value) -> Option<&'v Value> {
        self.0.iter().find_map(|path| at(record, path)).filter(|value| !value.is_null())
    }

    /// A text, or a number or truth value as a text; not an empty one.
    pub fn text(&self, record: &Value) -> Option<String> {
        self.0.iter().filter_map(|path| at(record, path)).find_map(text)
    }

    /// The texts of a list, or a text alone.
    pub fn texts(&self, record: &Value) -> Vec<String> {
        match self.value(record) {
            Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A time; `None` where there is none.
    ///
    /// # Errors
    /// What is there is no time, or is one without a zone while no zone is known.
    pub fn time(&self, record: &Value, zone: Option<FixedOffset>) -> Result<Option<Time>, &'static str> {
        self.text(record).map(|text| time(&text, zone)).transpose()
    }
}

/// The value at a path of keys with dots; a key may hold dots itself.
fn at<'v>(record: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(value) = record.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| at(record.get(&path[..dot])?, &path[dot + 1..]))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The zone of times that state none, as the config has it.
pub fn zone(config: &TrailConfig) -> Option<FixedOffset> {
    config.zone.as_deref().and_then(offset)
}

/// `Z`, `+02:00`.
pub fn offset(text: &str) -> Option<FixedOffset> {
    let text = if text.eq_ignore_ascii_case("Z") || text.eq_ignore_ascii_case("UTC") { "+00:00" } else { text };
    text.parse().ok()
}

/// RFC 3339, with a space for the `T` too, and without a zone where one is known; or seconds, milliseconds, microseconds or
/// nanoseconds since 1970, which are told apart by their size.
///
/// # Errors
/// Why it is none.
pub fn time(text: &str, zone: Option<FixedOffset>) -> Result<Time, &'static str> {
    const NO_TIME: &str = "its time is not understood";
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return epoch(text).ok_or(NO_TIME);
    }
    let offset_forms = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
    if let Some(time) = offset_forms.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        return Ok(time.with_timezone(&Utc));
    }
    let utc = text.strip_suffix(" UTC").or_else(|| text.strip_suffix(" GMT"));
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(utc.unwrap_or(text), form).ok());
    let local = local.ok_or(NO_TIME)?;
    if utc.is_some() {
        return Ok(local.and_utc());
    }
    let zone = zone.ok_or("its time states no zone, and the trail has no `zone`")?;
    local.and_local_timezone(zone).single().map(|time| time.with_timezone(&Utc)).ok_or(NO_TIME)
}

fn epoch(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        ..=11 => {
            let nanoseconds: u32 = format!("{fraction:0<9.9}").parse().ok()?;
            DateTime::from_timestamp(number, nanoseconds)
        }
        12..=14 => DateTime::from_timestamp_millis(number),
        15..=17 => DateTime::from_timestamp_micros(number),
        _ => Some(DateTime::from_timestamp_nanos(number)),
    }
}

/// The credential that a text names: a place, or else the key of an environment variable.
pub fn target(text: &str) -> Place {
    Place::parse(text).unwrap_or_else(|| Place::of_path("env", text.trim()))
}
