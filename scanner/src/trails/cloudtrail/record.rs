//! One record of CloudTrail.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, NaiveDate};
use keytrail_rules::model::{EventKind, Outcome, Place, Time};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::names;
use crate::trails::{Draft, Out};

mod services;

/// A text of a record; only one with escapes is copied.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What is read of a record. Of the rest nothing is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    event_time: Text<'a>,
    #[serde(borrow)]
    event_source: Text<'a>,
    #[serde(borrow)]
    event_name: Text<'a>,
    #[serde(borrow, rename = "eventID")]
    event_id: Option<Text<'a>>,
    #[serde(borrow, rename = "requestID")]
    request_id: Option<Text<'a>>,
    #[serde(borrow)]
    aws_region: Option<Text<'a>>,
    #[serde(borrow)]
    recipient_account_id: Option<Text<'a>>,
    #[serde(borrow, rename = "sourceIPAddress")]
    source_address: Option<Text<'a>>,
    #[serde(borrow)]
    user_agent: Option<Text<'a>>,
    #[serde(borrow)]
    error_code: Option<Text<'a>>,
    #[serde(borrow)]
    user_identity: Option<Identity<'a>>,
    #[serde(default)]
    request_parameters: Value,
    #[serde(default)]
    response_elements: Value,
    #[serde(default)]
    additional_event_data: Value,
    #[serde(default)]
    service_event_details: Value,
}

/// Who made a call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    arn: Option<Text<'a>>,
    #[serde(borrow)]
    invoked_by: Option<Text<'a>>,
    #[serde(borrow)]
    user_name: Option<Text<'a>>,
    #[serde(borrow)]
    principal_id: Option<Text<'a>>,
    #[serde(borrow)]
    account_id: Option<Text<'a>>,
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
    let (may_matter, source) = look(bytes);
    if may_matter {
        return read_whole(bytes, out, true);
    }
    out.time = time_before(bytes, source).or_else(|| time(bytes));
    Seen::default()
}

/// As [`read`], without looking whether the record may matter.
pub(super) fn read_whole(bytes: &[u8], out: &mut Out, may_hold_others: bool) -> Seen {
    let Ok(text) = std::str::from_utf8(bytes) else {
        out.broken("a record is not UTF-8");
        return Seen::default();
    };
    match serde_json::from_str::<Record<'_>>(text) {
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

/// Whether a record may be about a credential, by its bytes, and where the first `eventSource` is. Says yes wherever
/// they are spelled in an unusual way.
fn look(bytes: &[u8]) -> (bool, usize) {
    let mut first = None;
    for at in SOURCE.find_iter(bytes) {
        first = first.or(Some(at));
        match text_after(&bytes[at + "\"eventSource\"".len()..]) {
            Some(source) if !may_matter_of(source, bytes) => {}
            _ => return (true, at),
        }
    }
    (first.is_none(), first.unwrap_or(0))
}

/// The time of a record, where it is right before the `eventSource`, as CloudTrail writes it.
fn time_before(bytes: &[u8], source: usize) -> Option<Time> {
    let member = br#""eventTime":"2026-02-01T00:00:00Z","#.len();
    let before = bytes.get(source.checked_sub(member)?..source)?.strip_prefix(br#""eventTime":""#)?;
    parse_utc(before.strip_suffix(br#"","#)?)
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
    let text = text_after(&bytes[at + "\"eventTime\"".len()..])?;
    parse_utc(text).or_else(|| parse_time(std::str::from_utf8(text).ok()?))
}

fn parse_time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// A time as CloudTrail writes it, `2026-02-01T00:00:00Z`; most of what is read of most records.
fn parse_utc(text: &[u8]) -> Option<Time> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, b'Z'] = *text else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |number, digit| Some(number * 10 + char::from(*digit).to_digit(10)?))
    };
    let date =
        NaiveDate::from_ymd_opt(number(&[y0, y1, y2, y3])?.cast_signed(), number(&[m0, m1])?, number(&[d0, d1])?);
    Some(date?.and_hms_opt(number(&[h0, h1])?, number(&[n0, n1])?, number(&[s0, s1])?)?.and_utc())
}

/// What a record says.
fn tell(record: &Record<'_>, bytes: &[u8], out: &mut Out) -> Seen {
    let mut seen = Seen { account: shown(&record.recipient_account_id).map(str::to_owned), unattributable: 0 };
    let Some(time) = parse_time(&record.event_time.0) else {
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
    let id: Arc<str> = match shown(&record.event_id) {
        Some(id) => id.into(),
        None => digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    };
    for Told { kind, target, version, same, details } in told {
        let mut draft = Draft::new(kind, target, time, id.clone());
        draft.outcome = record.outcome();
        draft.version = version;
        draft.actor = record.actor();
        draft.run = shown(&record.user_agent).and_then(names::run).map(str::to_owned);
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

impl Record<'_> {
    fn outcome(&self) -> Outcome {
        match shown(&self.error_code) {
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
        let Identity { r#type, arn, invoked_by, user_name, principal_id, account_id } = self.user_identity.as_ref()?;
        let all = [arn, invoked_by, user_name, principal_id, account_id, r#type].into_iter().flatten();
        all.map(|Text(text)| text).find(|text| !text.is_empty()).map(|text| text.clone().into_owned())
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let on_behalf = self.user_identity.as_ref().filter(|identity| identity.arn.is_some());
        let via = on_behalf.and_then(|identity| shown(&identity.invoked_by));
        let all = [
            ("account", shown(&self.recipient_account_id)),
            ("region", shown(&self.aws_region)),
            ("address", shown(&self.source_address)),
            ("via", via),
            ("error", shown(&self.error_code)),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?.to_owned()))).collect()
    }
}

/// A text that may be there.
fn shown<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|Text(text)| &**text)
}

/// A text within objects, by the first of the keys that is there.
fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| value.get(key)?.as_str())
}
