//! One record of a log, in either of the three formats.

use std::borrow::Cow;

use chrono::FixedOffset;
use csv_core::{ReadRecordResult, Reader};
use keytrail_rules::model::Time;
use serde::Deserialize;

use super::super::RecordPlace;
use super::{clock, stderr};

/// What a record is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Severity {
    Log,
    Error,
    /// The session ended with it.
    Fatal,
    /// A line of the standard error that belongs to the one before.
    Detail,
    /// The statement that failed in the line before.
    Statement,
    Other,
}

impl Severity {
    pub(super) fn of(text: &str) -> Self {
        match text {
            "LOG" => Self::Log,
            "ERROR" => Self::Error,
            "FATAL" | "PANIC" => Self::Fatal,
            "DETAIL" => Self::Detail,
            "STATEMENT" => Self::Statement,
            _ => Self::Other,
        }
    }
}

/// One record.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) time: Time,
    /// The id of the session, or that of its process.
    pub(super) session: Cow<'a, str>,
    /// The same for every copy of the record, and of no other of the session; not in the standard error.
    pub(super) number: Option<u64>,
    pub(super) severity: Severity,
    pub(super) state: Cow<'a, str>,
    pub(super) message: Cow<'a, str>,
    pub(super) detail: Cow<'a, str>,
    pub(super) user: Cow<'a, str>,
    pub(super) application: Cow<'a, str>,
    pub(super) address: Cow<'a, str>,
    /// The virtual transaction; `None` in the standard error, empty outside of one.
    pub(super) transaction: Option<Cow<'a, str>>,
    /// The statement came within a transaction that was begun before.
    pub(super) in_block: bool,
    /// Something in it may be of another hand.
    pub(super) doubtful: bool,
    /// The record, and where it lies.
    pub(super) evidence: Option<(RecordPlace, &'a [u8])>,
}

/// Why a record cannot be read.
pub(super) const NO_TIME: &str = "it has no time, or one of a zone that is not known";

/// Reads a record.
pub(super) fn parse(record: &[u8], zone: Option<FixedOffset>) -> Result<Line<'_>, &'static str> {
    match record.first() {
        Some(b'{') => json(record, zone),
        _ if is_csv(record) => csv(record, zone),
        _ => stderr::parse(record, zone),
    }
}

/// Whether a line begins as those of a `csvlog` do: a time, a comma.
pub(super) fn is_csv(record: &[u8]) -> bool {
    let end = record.iter().take(48).position(|byte| *byte == b',');
    let column = |end: usize| record[..end].iter().all(|byte| byte.is_ascii_alphanumeric() || b" :.+-".contains(byte));
    clock::begins_with_time(record) && end.is_some_and(column)
}

/// `jsonlog`: <https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-JSONLOG>
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow, default)]
    user: Cow<'a, str>,
    #[serde(borrow, default)]
    remote_host: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    line_num: u64,
    #[serde(borrow, default)]
    ps: Cow<'a, str>,
    #[serde(borrow, default)]
    vxid: Cow<'a, str>,
    #[serde(borrow)]
    error_severity: Cow<'a, str>,
    #[serde(borrow, default)]
    state_code: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    detail: Cow<'a, str>,
    #[serde(borrow, default)]
    application_name: Cow<'a, str>,
}

fn json(record: &[u8], zone: Option<FixedOffset>) -> Result<Line<'_>, &'static str> {
    let read: Json<'_> = serde_json::from_slice(record).map_err(|_| "it is no JSON record of a PostgreSQL log")?;
    let (time, _) = clock::instant(&read.timestamp, zone).ok_or(NO_TIME)?;
    Ok(Line {
        time,
        session: read.session_id,
        number: Some(read.line_num),
        severity: Severity::of(&read.error_severity),
        state: read.state_code,
        message: read.message,
        detail: read.detail,
        user: read.user,
        application: read.application_name,
        address: read.remote_host,
        in_block: read.ps.starts_with("idle in transaction"),
        transaction: Some(read.vxid),
        doubtful: false,
        evidence: None,
    })
}

/// `csvlog`: <https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG>
fn csv(record: &[u8], zone: Option<FixedOffset>) -> Result<Line<'_>, &'static str> {
    const BROKEN: &str = "it is no CSV record of a PostgreSQL log";
    let fields = fields(record).ok_or(BROKEN)?;
    let field = |at: usize| fields.get(at).map_or("", String::as_str);
    if fields.len() < 23 || field(5).is_empty() {
        return Err(BROKEN);
    }
    let (time, _) = clock::instant(field(0), zone).ok_or(NO_TIME)?;
    let owned = |at: usize| Cow::Owned(field(at).to_owned());
    let address = field(4).rsplit_once(':').map_or(field(4), |(host, _)| host).to_owned();
    Ok(Line {
        time,
        session: owned(5),
        number: Some(field(6).parse().map_err(|_| BROKEN)?),
        severity: Severity::of(field(11)),
        state: owned(12),
        message: owned(13),
        detail: owned(14),
        user: owned(1),
        application: owned(22),
        address: Cow::Owned(address),
        in_block: field(7).starts_with("idle in transaction"),
        transaction: Some(owned(9)),
        doubtful: false,
        evidence: None,
    })
}

/// The fields of one CSV record; `None` for more or less than one, or what is no UTF-8.
pub(super) fn fields(record: &[u8]) -> Option<Vec<String>> {
    let mut text = vec![0; record.len() + 2];
    let mut ends = vec![0; memchr::memchr_iter(b',', record).count() + 2];
    let mut reader = Reader::new();
    let (result, read, written, mut count) = reader.read_record(record, &mut text, &mut ends);
    if result == ReadRecordResult::InputEmpty {
        let (last, _, more, found) = reader.read_record(&[], &mut text[written..], &mut ends[count..]);
        if last != ReadRecordResult::Record || more > 0 {
            return None;
        }
        count += found;
    } else if result != ReadRecordResult::Record || !record[read..].trim_ascii().is_empty() {
        return None;
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let cuts = starts.zip(&ends).take(count);
    cuts.map(|(start, end)| String::from_utf8(text.get(start..*end)?.to_vec()).ok()).collect()
}
