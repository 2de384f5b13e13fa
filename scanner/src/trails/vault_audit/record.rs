//! What a record of an audit device holds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use keytrail_rules::model::Time;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields of an object, unread: values may be among them.
pub(super) type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// One line.
#[derive(Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) auth: Option<Auth<'a>>,
    #[serde(borrow)]
    pub(super) request: Option<Request<'a>>,
    #[serde(borrow)]
    pub(super) response: Option<Response<'a>>,
}

/// Who called, or who was logged in.
#[derive(Deserialize)]
pub(super) struct Auth<'a> {
    #[serde(borrow)]
    display_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    entity_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    metadata: Option<Fields<'a>>,
}

/// What was asked.
#[derive(Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow, default)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) operation: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) path: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) mount_point: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) mount_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) client_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) namespace: Option<Namespace<'a>>,
    #[serde(borrow, default, deserialize_with = "fields")]
    pub(super) data: Fields<'a>,
    #[serde(borrow)]
    pub(super) remote_address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    headers: Option<Fields<'a>>,
}

/// Where the mount lies.
#[derive(Deserialize)]
pub(super) struct Namespace<'a> {
    #[serde(borrow)]
    pub(super) path: Option<Cow<'a, str>>,
}

/// What was answered.
#[derive(Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) data: Option<Fields<'a>>,
    #[serde(borrow)]
    pub(super) auth: Option<Auth<'a>>,
    #[serde(borrow)]
    pub(super) wrap_info: Option<&'a RawValue>,
}

impl Record<'_> {
    /// Whether it is of a call to the API, and not of KMIP.
    pub(super) fn is_call(&self) -> bool {
        matches!(&*self.kind, "request" | "response")
    }

    /// Why the call failed.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref().filter(|error| !error.is_empty())
    }
}

impl Auth<'_> {
    /// What reports call the caller.
    pub(super) fn name(&self) -> Option<String> {
        let names = [&self.display_name, &self.entity_id];
        names.into_iter().filter_map(|name| name.as_deref()).find(|name| !name.is_empty()).map(str::to_owned)
    }

    /// The run that the token was made for.
    pub(super) fn run(&self) -> Option<String> {
        self.metadata("run_id")
    }

    pub(super) fn metadata(&self, key: &str) -> Option<String> {
        clear(self.metadata.as_ref()?.get(key).copied().and_then(text)?)
    }
}

impl Request<'_> {
    /// The run that the header `X-Keytrail-Run` names, where the server was told to log it in clear.
    pub(super) fn run(&self) -> Option<String> {
        let headers = self.headers.as_ref()?;
        let (_, values) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-keytrail-run"))?;
        let values: Vec<String> = serde_json::from_str(values.get()).ok()?;
        clear(values.into_iter().next()?)
    }
}

/// A text that is neither empty nor a hash of one.
fn clear(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty() && !is_mark(text))
}

/// An object, or nothing for `null`.
fn fields<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Fields<'de>, D::Error> {
    Ok(Option::<Fields<'de>>::deserialize(deserializer)?.unwrap_or_default())
}

/// The string that a JSON value is.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// The mark that a JSON value is; `None` for what stands in clear.
pub(super) fn mark(raw: &RawValue) -> Option<&str> {
    let mark = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    is_mark(mark).then_some(mark)
}

/// Whether a text has the form of the hash that devices write in place of a text.
pub(super) fn is_mark(text: &str) -> bool {
    let digits = text.strip_prefix("hmac-sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A number or a mark, as text: versions are numbers, or strings that the command line made of them, which are hashed.
pub(super) fn number(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Some(text.to_owned()) } else { mark(raw).map(str::to_owned) }
}

/// An instant in the form of RFC 3339.
pub(super) fn rfc3339(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}
