//! One record of CloudTrail.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::DateTime;
use keytrail_rules::model::{EventKind, Outcome, Place, Time};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::names;
use crate::trails::{Draft, Out};

mod services;

/// What is read of a record. Of the rest nothing is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: String,
    event_source: String,
    event_name: String,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
    #[serde(rename = "requestID")]
    request_id: Option<String>,
    aws_region: Option<String>,
    recipient_account_id: Option<String>,
    #[serde(rename = "sourceIPAddress")]
    source_address: Option<String>,
    user_agent: Option<String>,
    error_code: Option<String>,
    #[serde(default)]
    user_identity: Value,
    #[serde(default)]
    request_parameters: Value,
    #[serde(default)]
    response_elements: Value,
    #[serde(default)]
    additional_event_data: Value,
    #[serde(default)]
    service_event_details: Value,
}

/// What a record may also be: an object of records, or an element of an answer of `LookupEvents`, as `aws cloudtrail
/// lookup-events` prints it.
#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow, rename = "Records")]
    records: Option<Vec<&'a RawValue>>,
    #[serde(rename = "CloudTrailEvent")]
    event: Option<String>,
}

/// What else was seen of records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::trails) struct Seen {
    /// The account that the record was delivered to.
    pub(in crate::trails) account: Option<String>,
    /// Calls that were turned away before they were read: which credential they were about is not known.
    pub(in crate::trails) unattributable: u64,
}

/// Reads one record, as JSON. Gives nothing but the time for what is about no credential.
pub(in crate::trails) fn read(bytes: &[u8], out: &mut Out) -> Seen {
    if !may_matter(bytes) {
        out.time = time(bytes);
        return Seen::default();
    }
    read_whole(bytes, out, true)
}

/// As [`read`], without looking whether the record may matter.
pub(super) fn read_whole(bytes: &[u8], out: &mut Out, may_hold_others: bool) -> Seen {
    match serde_json::from_slice::<Record>(bytes) {
        Ok(record) => tell(&record, bytes, out),
        Err(_) if may_hold_others => read_wrapped(bytes, out),
        Err(_) => {
            out.broken("a record is not what CloudTrail writes");
            Seen::default()
        }
    }
}

fn read_wrapped(bytes: &[u8], out: &mut Out) -> Seen {
    let mut seen = Seen::default();
    match serde_json::from_slice(bytes) {
        Ok(Wrapped { records: None, event: Some(event) }) => return read_whole(event.as_bytes(), out, false),
        Ok(Wrapped { records: Some(records), .. }) => {
            for record in records {
                let one = read_whole(record.get().as_bytes(), out, false);
                seen.account = seen.account.or(one.account);
                seen.unattributable += one.unattributable;
            }
        }
        Ok(Wrapped { .. }) => out.broken("a record is not what CloudTrail writes"),
        Err(_) => out.broken("a record is not valid JSON"),
    }
    seen
}

static SOURCE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"eventSource\""));
static TIME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"eventTime\""));
static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"eventName\""));
static PARAMETER_CONTEXT: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("PARAMETER_ARN"));
static SECRET_CONTEXT: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("SecretARN"));

/// Whether a record may be about a credential, by its bytes. Says yes wherever they are spelled in an unusual way.
fn may_matter(bytes: &[u8]) -> bool {
    let mut plain = false;
    for at in SOURCE.find_iter(bytes) {
        match text_after(&bytes[at + "\"eventSource\"".len()..]) {
            Some(source) if !may_matter_of(source, bytes) => plain = true,
            _ => return true,
        }
    }
    !plain
}

/// Whether a record of a service may matter.
fn may_matter_of(source: &[u8], bytes: &[u8]) -> bool {
    let named = |names: &[&[u8]]| {
        let mut any = false;
        let no = NAME.find_iter(bytes).all(|at| {
            any = true;
            text_after(&bytes[at + "\"eventName\"".len()..]).is_some_and(|name| !names.contains(&name))
        });
        !(any && no)
    };
    match source.strip_suffix(b".amazonaws.com") {
        Some(b"secretsmanager") => true,
        Some(b"ssm") => named(services::SSM),
        Some(b"kms") => {
            named(services::KMS)
                && (SECRET_CONTEXT.find(bytes).is_some()
                    || PARAMETER_CONTEXT.find(bytes).is_some()
                    || bytes.contains(&b'\\'))
        }
        Some(b"iam") => named(services::IAM),
        Some(b"rds") => named(services::RDS),
        Some(b"elasticache") => named(services::ELASTICACHE),
        _ => false,
    }
}

/// The text that follows a key, between its quotes; `None` where something else does.
fn text_after(bytes: &[u8]) -> Option<&[u8]> {
    let skip = |bytes: &[u8]| bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
    let rest = bytes[skip(bytes)..].strip_prefix(b":")?;
    let text = rest[skip(rest)..].strip_prefix(b"\"")?;
    Some(&text[..memchr::memchr2(b'"', b'\\', text).filter(|at| text[*at] == b'"')?])
}

/// The time of a record, by its bytes.
pub(super) fn time(bytes: &[u8]) -> Option<Time> {
    let at = TIME.find(bytes)?;
    parse_time(std::str::from_utf8(text_after(&bytes[at + "\"eventTime\"".len()..])?).ok()?)
}

fn parse_time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// What a record says.
fn tell(record: &Record, bytes: &[u8], out: &mut Out) -> Seen {
    let mut seen = Seen { account: record.recipient_account_id.clone(), unattributable: 0 };
    let Some(time) = parse_time(&record.event_time) else {
        out.broken("the time of a record is not a time");
        return seen;
    };
    out.time = out.time.max(Some(time));
    let told = services::tell(record);
    if told.is_empty() {
        let outcome = record.outcome();
        seen.unattributable = u64::from(outcome == Outcome::Throttled && record.request_parameters.is_null());
        return seen;
    }
    let id: Arc<str> = match &record.event_id {
        Some(id) => id.as_str().into(),
        None => digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    };
    for Told { kind, target, version, same, details } in told {
        let mut draft = Draft::new(kind, target, time, id.clone());
        draft.outcome = record.outcome();
        draft.version = version;
        draft.actor = record.actor();
        draft.run = record.user_agent.as_deref().and_then(names::run).map(str::to_owned);
        draft.details = record.details();
        draft.details.extend(details);
        out.same.extend(same.map(|other| (other, draft.target.clone())));
        out.event(draft);
    }
    seen
}

/// What a record says of one credential.
struct Told {
    kind: EventKind,
    target: Place,
    version: Option<String>,
    /// Another name of the target, which the record shows.
    same: Option<Place>,
    details: Vec<(&'static str, String)>,
}

impl Record {
    fn outcome(&self) -> Outcome {
        match self.error_code.as_deref() {
            None | Some("") => Outcome::Done,
            // Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html> and those of
            // the other services.
            Some(
                "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestLimitExceeded"
                | "TooManyRequestsException"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "TooManyUpdates",
            ) => Outcome::Throttled,
            Some(_) => Outcome::Failed,
        }
    }

    /// The ARN, with the session of a role; a service's name; else what there is.
    fn actor(&self) -> Option<String> {
        let of = |key: &str| text(&self.user_identity, &[key]).filter(|text| !text.is_empty());
        let first = ["arn", "invokedBy", "userName", "principalId", "accountId", "type"];
        first.into_iter().find_map(of).map(str::to_owned)
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let via = text(&self.user_identity, &["invokedBy"]).filter(|_| self.user_identity.get("arn").is_some());
        let all = [
            ("account", self.recipient_account_id.as_deref()),
            ("region", self.aws_region.as_deref()),
            ("address", self.source_address.as_deref()),
            ("via", via),
            ("error", self.error_code.as_deref()),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?.to_owned()))).collect()
    }
}

/// A text within objects, by the first of the keys that is there.
fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| value.get(key)?.as_str())
}
