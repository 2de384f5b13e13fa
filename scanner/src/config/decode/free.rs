//! Tables whose keys the decoder does not know: a kind of issuer, workload, probe or receiver reads them for itself.

use std::ops::Range;

use keytrail_rotation::failure::Failure;
use keytrail_rotation::settings::Settings;
use keytrail_rules::model::{FingerprintKey, Secret};
use keytrail_rules::value::{Value, url_password};
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Log, Table, Text, nearest, type_name};

/// Keys that take a credential, in whatever table.
const CREDENTIALS: &[&str] = &[
    "password",
    "passwd",
    "token",
    "secret",
    "api_key",
    "access_key",
    "secret_key",
    "secret_access_key",
    "private_key",
    "routing_key",
    "signing_key",
    "client_secret",
    "secret_id",
];

/// A table of free keys.
pub(in crate::config) struct Free<'d> {
    log: &'d Log,
    span: Range<usize>,
    entries: &'d DeTable<'d>,
}

impl<'d> Table<'d> {
    /// A table of free keys.
    pub(in crate::config) fn free_table(&mut self, key: &'static str, example: &str) -> Option<Free<'d>> {
        let entries = self.free(key, example)?;
        Some(Free { log: self.log, span: self.key_span(key), entries })
    }

    /// A list of tables of free keys; empty where the key is missing.
    pub(in crate::config) fn free_tables(&mut self, key: &'static str, example: &str) -> Vec<Free<'d>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let free = |value: &'d Spanned<DeValue<'d>>| match value.get_ref() {
            DeValue::Table(entries) => Some(Free { log: self.log, span: value.span(), entries }),
            _ => None,
        };
        let tables = match value.get_ref() {
            DeValue::Array(values) => values.iter().map(free).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        tables.unwrap_or_else(|| {
            self.wrong_type(key, value, "a list of tables", example);
            Vec::new()
        })
    }

    /// The table as one of free keys, with those that were asked for.
    pub(in crate::config) fn into_free(self) -> Free<'d> {
        Free { log: self.log, span: self.span, entries: self.entries }
    }
}

impl<'d> Free<'d> {
    /// The names of its keys.
    pub(in crate::config) fn keys(&self) -> impl Iterator<Item = &'d str> {
        self.entries.iter().map(|(key, _)| &**key.get_ref())
    }

    /// A string that is not empty and has to be there.
    pub(in crate::config) fn required_text(&self, key: &str, example: &str) -> Option<Text<'d>> {
        let Some(value) = self.entries.get(key) else {
            self.miss(format!("this table has no `{key}`"), format!("add {key} = {example}"));
            return None;
        };
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => {
                Some(Text { log: self.log, value: text, source: value })
            }
            other => {
                let reason = format!("`{key}` must be a string that is not empty, and this is {}", type_name(other));
                self.log.refuse(value.span(), reason, format!("write {key} = {example}"));
                None
            }
        }
    }

    /// Adds a mistake about something that is not there.
    pub(in crate::config) fn miss(&self, reason: impl Into<String>, next: impl Into<String>) {
        self.log.miss(self.span.clone(), reason.into(), next.into());
    }

    /// Adds a mistake about the table as a whole.
    pub(in crate::config) fn refuse(&self, reason: impl Into<String>, next: impl Into<String>) {
        self.log.refuse(self.span.clone(), reason, next);
    }

    /// The table without some keys. A credential in it is a mistake.
    pub(in crate::config) fn settings(&self, without: &[&str]) -> Settings {
        let entries = self.entries.iter().filter(|(key, _)| !without.contains(&&**key.get_ref()));
        let json = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.to_string(), self.json(key, value))
        };
        Settings(entries.map(json).collect())
    }

    /// What a kind says against the table, at the key that it names.
    pub(in crate::config) fn judge<T>(&self, opened: Result<T, Failure>) {
        let Err(failure) = opened else { return };
        let mut names = failure.what.split('`').skip(1).step_by(2);
        let first = names.next();
        let key = first.and_then(|name| self.entries.get_key_value(name));
        let near = first.filter(|_| failure.what.starts_with("unknown")).and_then(|name| nearest(name, names));
        let next = match (near, failure.hint) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(hint)) => hint,
            (None, None) => "correct the table".to_owned(),
        };
        self.log.refuse(key.map_or(self.span.clone(), |(key, _)| key.span()), failure.what, next);
    }

    fn json(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Json {
        match value.get_ref() {
            DeValue::String(text) => {
                self.refuse_credential(key, text, value.span());
                Json::from(&**text)
            }
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                number.map_or_else(
                    |_| {
                        self.log.refuse(value.span(), "this number is too large", "write a smaller one");
                        Json::Null
                    },
                    Json::from,
                )
            }
            DeValue::Float(float) => float.as_str().parse::<f64>().map_or(Json::Null, Json::from),
            DeValue::Boolean(flag) => Json::from(*flag),
            DeValue::Datetime(date) => Json::from(date.to_string()),
            DeValue::Array(values) => values.iter().map(|value| self.json(key, value)).collect(),
            DeValue::Table(table) => {
                let entries =
                    table.iter().map(|(key, value)| (key.get_ref().to_string(), self.json(key.get_ref(), value)));
                Json::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn refuse_credential(&self, key: &str, text: &str, span: Range<usize>) {
        let gives_itself_away = || Value::observe(&Secret::from(text), &FingerprintKey::new([0; 32])).reveals.is_some();
        if CREDENTIALS.contains(&key) || url_password(text).is_some() || gives_itself_away() {
            self.log.refuse(
                span,
                "a credential in the config is a leak: the file is committed, copied and shown",
                format!("write {key} = {{ env = \"NAME\" }} or {key} = {{ file = \"PATH\" }}, and rotate the credential if this file was ever shared"),
            );
        }
    }
}
