//! What a record of the audit log holds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use keytrail_rules::model::{Outcome, Time};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

/// One record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(borrow, default, rename = "auditID")]
    pub(super) audit_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) stage: Cow<'a, str>,
    #[serde(borrow, default, rename = "requestURI")]
    request_uri: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) verb: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) user: User<'a>,
    #[serde(borrow)]
    pub(super) impersonated_user: Option<User<'a>>,
    #[serde(borrow, default, rename = "sourceIPs")]
    pub(super) source_ips: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) object_ref: Option<Reference<'a>>,
    response_status: Option<Status>,
    #[serde(borrow)]
    pub(super) request_object: Option<&'a RawValue>,
    #[serde(borrow)]
    request_received_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stage_timestamp: Option<Cow<'a, str>>,
}

/// Who asked.
#[derive(Deserialize, Default)]
pub(super) struct User<'a> {
    #[serde(borrow, default)]
    pub(super) username: Cow<'a, str>,
}

/// What was asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reference<'a> {
    #[serde(borrow, default)]
    pub(super) resource: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) api_group: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) subresource: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: i64,
}

impl Record<'_> {
    /// When the stage was reached: the log is in that order.
    pub(super) fn time(&self) -> Option<&str> {
        self.stage_timestamp.as_deref().or(self.request_received_timestamp.as_deref())
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.response_status.as_ref().map(|status| status.code) {
            Some(429) => Outcome::Throttled,
            Some(code) if code >= 400 => Outcome::Failed,
            _ => Outcome::Done,
        }
    }

    /// A parameter of the request.
    pub(super) fn query(&self, key: &str) -> Option<String> {
        let (_, query) = self.request_uri.split_once('?')?;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned()).filter(|value| !value.is_empty())
    }
}

/// What was sent: an object, a part of one, or a list of changes to it.
pub(super) enum Object<'a> {
    Whole(Box<Content<'a>>),
    Changes(Vec<Change<'a>>),
    Unknown,
}

/// An object or a part of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    data: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow)]
    string_data: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow)]
    spec: Option<Spec<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    template: Option<&'a RawValue>,
}

/// One change of a JSON patch (RFC 6902).
#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// What of a secret is meant.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    Whole,
    One(String),
}

/// What was done to it.
#[derive(Clone, Copy)]
pub(super) enum Written<'a> {
    /// The value, as JSON.
    Value(&'a str),
    Removed,
    Unknown,
}

impl<'a> Object<'a> {
    pub(super) fn read(sent: &'a RawValue) -> Self {
        let changes = || serde_json::from_str(sent.get()).map(Self::Changes);
        serde_json::from_str(sent.get()).map(Self::Whole).or_else(|_| changes()).unwrap_or(Self::Unknown)
    }

    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Whole(content) => content.metadata.as_ref()?.name.as_deref().map(str::to_owned),
            _ => None,
        }
    }

    /// The keys that are written. What cannot be understood may write them all.
    pub(super) fn keys(&self) -> BTreeMap<Key, Written<'a>> {
        match self {
            Self::Whole(content) => {
                let both = [&content.data, &content.string_data];
                let fields = both.into_iter().flatten().flatten();
                let written = |value: &'a RawValue| match value.get() {
                    "null" => Written::Removed,
                    value => Written::Value(value),
                };
                fields.map(|(key, value)| (Key::One(key.to_string()), written(value))).collect()
            }
            Self::Changes(changes) => changes.iter().filter_map(Change::key).collect(),
            Self::Unknown => BTreeMap::from([(Key::Whole, Written::Unknown)]),
        }
    }

    /// Whether it changes the template of the pods.
    pub(super) fn patches_template(&self) -> bool {
        match self {
            Self::Whole(content) => content.spec.as_ref().is_some_and(|spec| spec.template.is_some()),
            Self::Changes(changes) => {
                changes.iter().any(|one| one.op != "test" && one.path.starts_with("/spec/template"))
            }
            Self::Unknown => false,
        }
    }
}

impl<'a> Change<'a> {
    fn key(&self) -> Option<(Key, Written<'a>)> {
        let path = self.path.strip_prefix("/data").or_else(|| self.path.strip_prefix("/stringData"))?;
        let key = match path.strip_prefix('/') {
            Some(key) => Key::One(key.replace("~1", "/").replace("~0", "~")),
            None if path.is_empty() => Key::Whole,
            None => return None,
        };
        let written = match &*self.op {
            "add" | "replace" => self.value.map_or(Written::Unknown, |value| Written::Value(value.get())),
            "remove" => Written::Removed,
            "copy" | "move" => Written::Unknown,
            _ => return None,
        };
        Some((key, written))
    }
}

/// An instant in the form of RFC 3339.
pub(super) fn rfc3339(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}
