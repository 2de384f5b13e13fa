//! The times of PostgreSQL's and PgBouncer's logs.

use chrono::{FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use keytrail_rules::model::Time;

/// Names of zones that mean one offset from UTC, in hours. Those with several meanings (`CST`, `IST`, `BST`) are not
/// here.
const ZONES: &[(&str, i32)] = &[
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("WET", 0),
    ("WEST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("EET", 2),
    ("EEST", 3),
    ("MSK", 3),
    ("EST", -5),
    ("EDT", -4),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("JST", 9),
    ("KST", 9),
    ("AEST", 10),
    ("AEDT", 11),
    ("NZST", 12),
    ("NZDT", 13),
];

/// Reads the offset that a config states: `+02:00`.
pub(in super::super) fn offset(text: &str) -> Option<FixedOffset> {
    numeric(text).filter(|(_, rest)| rest.is_empty()).map(|(offset, _)| offset)
}

/// The instant that a text begins with (`2026-11-21 07:20:30.042 UTC`), and what comes after it. `zone` is that of the
/// server, for names that say nothing; `None` where the text begins with no time, or nobody knows its zone.
pub(in super::super) fn instant(text: &str, zone: Option<FixedOffset>) -> Option<(Time, &str)> {
    let (local, rest) = local(text)?;
    let named = rest.strip_prefix(' ').and_then(|rest| {
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, after) = rest.split_at(letters);
        let hours = || {
            ZONES.iter().find(|(known, _)| *known == name).and_then(|(_, hours)| FixedOffset::east_opt(hours * 3600))
        };
        match letters {
            0 => numeric(rest),
            _ => hours().or(zone).map(|offset| (offset, after)),
        }
    });
    let (offset, rest) = named.or_else(|| zone.map(|offset| (offset, rest)))?;
    let utc = local.checked_sub_signed(TimeDelta::seconds(i64::from(offset.local_minus_utc())))?;
    Some((utc.and_local_timezone(Utc).single()?, rest))
}

/// Whether a line begins with a date and a time of day.
pub(in super::super) fn begins_with_time(line: &[u8]) -> bool {
    let shape = b"0000-00-00 00:00:00";
    let fits = |(byte, like): (&u8, &u8)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like };
    line.len() >= shape.len() && line.iter().zip(shape).all(fits)
}

/// Whether a time that a statement states is over: `2020-01-01`, `2026-11-21 08:32:28+0000`, `-infinity`. Words that
/// the server understands otherwise count as not over.
pub(super) fn is_over(text: &str, now: Time) -> bool {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if ["-infinity", "epoch", "now", "yesterday", "today"].contains(&lower.as_str()) {
        return true;
    }
    let utc = FixedOffset::east_opt(0);
    let text = text.replacen('T', " ", 1);
    let text = match local(&text) {
        Some((_, rest)) if rest.starts_with(['+', '-']) => {
            format!("{} {rest}", &text[..text.len() - rest.len()])
        }
        None if text.len() == 10 => format!("{text} 00:00:00"),
        _ => text,
    };
    instant(&text, utc).is_some_and(|(until, _)| until <= now)
}

fn local(text: &str) -> Option<(NaiveDateTime, &str)> {
    if !begins_with_time(text.as_bytes()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(text[..4].parse().ok()?, number(5..7)?, number(8..10)?)?;
    let rest = &text[19..];
    let digits = rest.strip_prefix('.').map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let micros = match digits {
        0 => 0,
        _ => format!("{:0<6.6}", &rest[1..=digits]).parse().ok()?,
    };
    let local = date.and_hms_micro_opt(number(11..13)?, number(14..16)?, number(17..19)?, micros)?;
    Some((local, &rest[if digits == 0 { 0 } else { digits + 1 }..]))
}

/// `+02`, `+0200` or `+02:00`.
fn numeric(text: &str) -> Option<(FixedOffset, &str)> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |text: &str| {
        let digits = text.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<i32>().ok()
    };
    let hours = two(&text[1..])?;
    let rest = &text[3..];
    let minutes = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = match two(minutes) {
        Some(found) => (found, &minutes[2..]),
        None => (0, rest),
    };
    Some((FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))?, rest))
}
