//! The standard error of the server. Its form is set by `log_line_prefix`, which may hold names that anybody who can
//! connect chooses, as they are: a name can hold a line end and a forged line after it, before any password is asked
//! for. So a line that a name may have a hand in is doubtful, and gives no event. The other formats quote their fields.

use std::borrow::Cow;

use chrono::FixedOffset;

use super::clock;
use super::line::{Line, NO_TIME, Severity};

const TAGS: [&str; 18] = [
    "DEBUG",
    "DEBUG1",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "DEBUG5",
    "LOG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "FATAL",
    "PANIC",
    "DETAIL",
    "HINT",
    "STATEMENT",
    "CONTEXT",
    "QUERY",
];

/// A record that a name has broken in two.
pub(super) const NO_TAG: &str = "it has no severity";

/// Whether a line begins a record: those that belong to the one before begin with a tab.
pub(super) fn starts(line: &[u8]) -> bool {
    clock::begins_with_time(line)
}

/// Reads a record.
pub(super) fn parse(record: &[u8], zone: Option<FixedOffset>) -> Result<Line<'_>, &'static str> {
    let text = String::from_utf8_lossy(record);
    let (first, more) = text.split_once('\n').unwrap_or((&text, ""));
    let (time, rest) = clock::instant(first, zone).ok_or(NO_TIME)?;
    let mut tags = tags(rest);
    let (start, tag) = tags.next().ok_or(NO_TAG)?;
    let prefix = Prefix::of(&rest[..start]);
    let mut message = rest[start + tag.len() + 3..].trim_end_matches('\r').to_owned();
    let mut doubtful = tags.next().is_some() || prefix.pid.is_none();
    for line in more.split_terminator('\n') {
        doubtful |= !line.starts_with('\t');
        message.push('\n');
        message.push_str(line.strip_prefix('\t').unwrap_or(line));
    }
    Ok(Line {
        time,
        session: Cow::Owned(prefix.pid.unwrap_or_default().to_owned()),
        number: None,
        severity: Severity::of(tag),
        state: Cow::Borrowed(""),
        message: Cow::Owned(message),
        detail: Cow::Borrowed(""),
        user: Cow::Owned(prefix.user.to_owned()),
        application: Cow::Owned(prefix.application.to_owned()),
        address: Cow::Borrowed(""),
        transaction: None,
        in_block: false,
        doubtful,
        evidence: None,
    })
}

/// The places of severities in a line.
fn tags(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.match_indices(":  ").filter_map(|(end, _)| {
        let start = line[..end].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
        let tag = line.get(start..end)?;
        TAGS.contains(&tag).then_some((start, tag))
    })
}

/// What stands before the severity: by default `%m [%p] `; `user@database` and `user=…` are understood beside.
#[derive(Default)]
struct Prefix<'a> {
    pid: Option<&'a str>,
    user: &'a str,
    application: &'a str,
}

impl<'a> Prefix<'a> {
    fn of(text: &'a str) -> Self {
        let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let pid = text.split('[').skip(1).filter_map(|part| part.split_once(']').map(|(inner, _)| inner)).find(digits);
        let field = |key: &str| {
            let found = text.split_once(key).map(|(_, rest)| rest);
            found.map_or("", |rest| rest.split([',', ' ']).next().unwrap_or_default())
        };
        let at = text.split_whitespace().find_map(|word| word.trim_end_matches(':').rsplit_once('@'));
        match at {
            Some((user, rest)) => Self {
                pid,
                user: user.rsplit(':').next().unwrap_or_default(),
                application: rest.split_once('/').map_or("", |(_, application)| application),
            },
            None => Self { pid, user: field("user="), application: field("app=") },
        }
    }
}
