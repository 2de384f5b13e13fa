//! Rotation cadences: what people write in runbooks and schemas, what it means, and when a secret is due.
//!
//! Only a text that is understood whole counts. Anything else is `None`, which the rules report at its line.

use std::fmt;

use chrono::{Days, Months, TimeDelta};

use crate::model::{AutoRotation, Stated, Time};

/// How often, or on what, a value is to be changed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cadence {
    /// On a calendar: `90 days`, `quarterly`, `P3M`.
    Every(Period),
    /// When something happens: `on password change`, `on compromise/expiry`.
    On(Vec<Trigger>),
    /// Left to a provider that rotates by itself: `RDS: Yes`.
    Managed {
        /// The provider, where it is named.
        by: Option<String>,
    },
    /// Not rotated, with what to do instead: `No (use OIDC/WIF)`.
    Unrotated {
        /// `use OIDC/WIF`.
        advice: Option<String>,
    },
    /// Never, on purpose: `Never (static)`.
    Static,
}

/// What makes a secret due.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Trigger {
    /// The thing changed: `password`, `token`, `provider`.
    Change(String),
    /// The value leaked, or may have.
    Compromise,
    /// The value ran out.
    Expiry,
}

impl Trigger {
    /// Whether it is the change of another secret, rather than of a vendor or a person, of which no source can tell.
    pub fn is_of_a_secret(&self) -> bool {
        const OUTSIDE: &[&str] = &["provider", "vendor", "staff", "personnel", "owner", "team", "contract", "supplier"];
        matches!(self, Self::Change(what) if !what.split(' ').any(|word| OUTSIDE.contains(&word)))
    }
}

/// A span of calendar time. Months are calendar months: one month after 31 January is the last day of February.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Period {
    months: u32,
    days: u32,
    seconds: u32,
}

/// Longer periods than a thousand years are mistakes, and would overflow the calendar.
const MAX_DAYS: u64 = 365_250;

impl Period {
    /// A period of whole months and days; `None` for nothing at all or more than a thousand years.
    pub fn new(months: u32, days: u32, seconds: u32) -> Option<Self> {
        let period = Self { months, days, seconds };
        let length = u64::from(months) * 30 + u64::from(days) + u64::from(seconds) / 86_400;
        ((months, days, seconds) != (0, 0, 0) && length <= MAX_DAYS).then_some(period)
    }

    /// A period of days.
    pub fn days(days: u32) -> Option<Self> {
        Self::new(0, days, 0)
    }

    /// The instant one period after `start`: first the months, clamped to the end of the month, then the rest.
    /// `None` past the end of the calendar.
    pub fn after(&self, start: Time) -> Option<Time> {
        start
            .checked_add_months(Months::new(self.months))?
            .checked_add_days(Days::new(u64::from(self.days)))?
            .checked_add_signed(TimeDelta::seconds(i64::from(self.seconds)))
    }

    /// The instant one period before `end`.
    pub fn before(&self, end: Time) -> Option<Time> {
        end.checked_sub_months(Months::new(self.months))?
            .checked_sub_days(Days::new(u64::from(self.days)))?
            .checked_sub_signed(TimeDelta::seconds(i64::from(self.seconds)))
    }

    /// Average length in seconds, to tell which of two periods is the stricter.
    fn length(&self) -> u64 {
        // A mean Gregorian month is 30.436875 days.
        u64::from(self.months) * 2_629_746 + u64::from(self.days) * 86_400 + u64::from(self.seconds)
    }

    /// Reads `90 days`, `every 3 months`, `365d`, `quarterly`, `P90D`, …
    pub fn parse(text: &str) -> Option<Self> {
        let text = squeeze(text).to_lowercase();
        let text = text.strip_prefix("every ").or_else(|| text.strip_prefix("each ")).unwrap_or(&text);
        parse_named(text).or_else(|| parse_counted(text)).or_else(|| parse_iso(text))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (years, months) = (self.months / 12, self.months % 12);
        let (hours, rest) = (self.seconds / 3_600, self.seconds % 3_600);
        let parts = [
            (years, "year"),
            (months, "month"),
            (self.days, "day"),
            (hours, "hour"),
            (rest / 60, "minute"),
            (rest % 60, "second"),
        ];
        let mut first = true;
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
            let (gap, plural) = (if first { "" } else { " " }, if count == 1 { "" } else { "s" });
            write!(f, "{gap}{count} {unit}{plural}")?;
            first = false;
        }
        Ok(())
    }
}

impl Cadence {
    /// Reads a frequency as people write it. `None` for anything that is not understood whole.
    ///
    /// ```
    /// use keytrail_rules::cadence::{Cadence, Period, Trigger};
    /// assert_eq!(Cadence::parse("Quarterly"), Period::new(3, 0, 0).map(Cadence::Every));
    /// assert_eq!(Cadence::parse("On password change"), Some(Cadence::On(vec![Trigger::Change("password".into())])));
    /// assert_eq!(Cadence::parse("whenever there is time"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let text = squeeze(text);
        let lower = text.to_lowercase();
        let (body, note) = split_note(&lower);
        if note.is_some_and(changes_the_meaning) {
            return None;
        }
        if let Some(period) = Period::parse(body) {
            return Some(Self::Every(period));
        }
        if let Some(triggers) = parse_triggers(body) {
            return Some(Self::On(triggers));
        }
        if matches!(body, "never" | "static" | "none - static" | "never static") {
            return Some(Self::Static);
        }
        match parse_auto(&text)? {
            // A bare "yes" in a column of frequencies is no frequency.
            AutoRotation::On { by } => (by.is_some() || body != "yes").then_some(Self::Managed { by }),
            // A bare "no" says nothing of what to do instead.
            AutoRotation::Off { advice } => note.map(|_| Self::Unrotated { advice }),
        }
    }

    /// Reads a frequency and keeps the text.
    pub fn state(text: &str) -> Stated<Self> {
        Stated { text: text.trim().to_owned(), meaning: Self::parse(text) }
    }

    /// Order of strictness: the smaller is the stricter, and stands where two sources disagree.
    pub fn strictness(&self) -> (u8, u64) {
        match self {
            Self::Every(period) => (0, period.length()),
            Self::On(_) => (1, 0),
            Self::Managed { .. } => (2, 0),
            Self::Unrotated { .. } => (3, 0),
            Self::Static => (4, 0),
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(period) => write!(f, "every {period}"),
            Self::On(triggers) => {
                f.write_str("on ")?;
                for (at, trigger) in triggers.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { " or " })?;
                    match trigger {
                        Trigger::Change(what) => write!(f, "{what} change")?,
                        Trigger::Compromise => f.write_str("compromise")?,
                        Trigger::Expiry => f.write_str("expiry")?,
                    }
                }
                Ok(())
            }
            Self::Managed { by: Some(by) } => write!(f, "managed by {by}"),
            Self::Managed { by: None } => f.write_str("managed by the provider"),
            Self::Unrotated { advice: Some(advice) } => write!(f, "not rotated ({advice})"),
            Self::Unrotated { advice: None } => f.write_str("not rotated"),
            Self::Static => f.write_str("never (static)"),
        }
    }
}

impl AutoRotation {
    /// Reads an auto-rotation column: `No`, `Yes`, `RDS: Yes`, `No (use OIDC/WIF)`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        parse_auto(&squeeze(text))
    }

    /// Reads an auto-rotation column and keeps the text.
    pub fn state(text: &str) -> Stated<Self> {
        Stated { text: text.trim().to_owned(), meaning: Self::parse(text) }
    }
}

/// The text without Markdown's marks, a full stop and superfluous white space.
fn squeeze(text: &str) -> String {
    let text = text.replace(['\u{a0}', '\t', '*', '`'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

/// `never (static)` is `never` with the note `static`.
fn split_note(text: &str) -> (&str, Option<&str>) {
    match text.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((body, note)) => (body.trim(), Some(note.trim())),
        None => (text, None),
    }
}

/// Whether a note in parentheses says more than a comment would: `365 days (30 days in production)`.
fn changes_the_meaning(note: &str) -> bool {
    const WORDS: &[&str] = &[
        "else",
        "otherwise",
        "every",
        "unless",
        "except",
        "but",
        "hourly",
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "yearly",
        "annually",
        "annual",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
        "hours",
        "days",
        "weeks",
        "months",
        "years",
    ];
    note.contains(|c: char| c.is_ascii_digit())
        || note.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word))
}

fn parse_named(text: &str) -> Option<Period> {
    let (months, days) = match text {
        "hourly" => return Period::new(0, 0, 3_600),
        "daily" | "day" => (0, 1),
        "weekly" | "week" => (0, 7),
        "fortnightly" | "fortnight" | "biweekly" | "bi-weekly" => (0, 14),
        "monthly" | "month" => (1, 0),
        "bimonthly" | "bi-monthly" => (2, 0),
        "quarterly" | "quarter" => (3, 0),
        "half-yearly" | "semi-annually" | "semiannually" | "semi-annual" | "twice a year" => (6, 0),
        "annually" | "annual" | "yearly" | "year" | "once a year" => (12, 0),
        "biennially" | "every other year" => (24, 0),
        _ => return None,
    };
    Period::new(months, days, 0)
}

/// `90 days`, `90d`, `90-day`, `1 year 6 months`, `1y6m`: counts and units alternate, from the largest unit down.
fn parse_counted(text: &str) -> Option<Period> {
    let (mut months, mut days, mut seconds) = (0u32, 0u32, 0u32);
    let mut rest = text;
    let mut last_rank = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u32 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start_matches([' ', '-']);
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (rank, unit, factor) = match &rest[..letters] {
            "y" | "yr" | "yrs" | "year" | "years" => (1, &mut months, 12),
            "mo" | "mon" | "month" | "months" | "mth" | "mths" => (2, &mut months, 1),
            "w" | "wk" | "wks" | "week" | "weeks" => (3, &mut days, 7),
            "d" | "day" | "days" => (4, &mut days, 1),
            "h" | "hr" | "hrs" | "hour" | "hours" => (5, &mut seconds, 3_600),
            "min" | "mins" | "minute" | "minutes" => (6, &mut seconds, 60),
            "s" | "sec" | "secs" | "second" | "seconds" => (7, &mut seconds, 1),
            _ => return None,
        };
        if rank <= last_rank {
            return None;
        }
        last_rank = rank;
        *unit = unit.checked_add(count.checked_mul(factor)?)?;
        rest = rest[letters..].trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    Period::new(months, days, seconds)
}

/// ISO 8601 durations (ISO 8601-1:2019, 5.5.2): `P90D`, `P3M`, `P1Y6M`, `P2W`, `PT24H`. The text is in lower case.
fn parse_iso(text: &str) -> Option<Period> {
    let (mut months, mut days, mut seconds) = (0u32, 0u32, 0u32);
    let rest = text.strip_prefix('p')?;
    let (date, time) = match rest.split_once('t') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    for (part, units, in_time) in [(date, "ymwd", false), (time, "hms", true)] {
        let (mut part, mut units) = (part, units);
        while !part.is_empty() {
            let digits = part.find(|c: char| !c.is_ascii_digit())?;
            let count: u32 = part[..digits].parse().ok()?;
            let unit = part[digits..].chars().next()?;
            // Each unit at most once, and in order.
            units = &units[units.find(unit)? + 1..];
            let (total, factor) = match (unit, in_time) {
                ('y', _) => (&mut months, 12),
                ('m', false) => (&mut months, 1),
                ('w', _) => (&mut days, 7),
                ('d', _) => (&mut days, 1),
                ('h', _) => (&mut seconds, 3_600),
                ('m', true) => (&mut seconds, 60),
                _ => (&mut seconds, 1),
            };
            *total = total.checked_add(count.checked_mul(factor)?)?;
            part = &part[digits + unit.len_utf8()..];
        }
    }
    Period::new(months, days, seconds)
}

/// `on password change`, `on compromise/expiry`, `on leak or expiry`.
fn parse_triggers(text: &str) -> Option<Vec<Trigger>> {
    let rest = text
        .strip_prefix("on ")
        .or_else(|| text.strip_prefix("upon "))
        .or_else(|| text.strip_prefix("when "))
        .or_else(|| text.strip_prefix("after "))?;
    let mut triggers = Vec::new();
    for part in rest.replace(" or ", "/").replace(',', "/").split('/') {
        let part = part.trim();
        let part = part.strip_prefix("on ").or_else(|| part.strip_prefix("a ")).unwrap_or(part);
        triggers.push(match part {
            "compromise" | "leak" | "breach" | "incident" | "exposure" | "suspected compromise" => Trigger::Compromise,
            "expiry" | "expiration" | "expire" => Trigger::Expiry,
            _ => {
                let what =
                    ["change", "changes", "rotation", "reset"].iter().find_map(|verb| part.strip_suffix(verb))?.trim();
                if what.is_empty() || !what.chars().all(|c| c.is_alphanumeric() || " _-".contains(c)) {
                    return None;
                }
                Trigger::Change(what.to_owned())
            }
        });
    }
    triggers.sort();
    triggers.dedup();
    Some(triggers)
}

/// `yes`, `RDS: yes`, `No (use OIDC/WIF)`; the text is squeezed.
fn parse_auto(text: &str) -> Option<AutoRotation> {
    let (by, answer) = match text.split_once(':') {
        Some((by, answer)) => (Some(by.trim()), answer.trim()),
        None => (None, text),
    };
    let (answer, note) = split_note(answer);
    match answer.to_lowercase().as_str() {
        "yes" | "enabled" | "automatic" | "auto" | "managed" => {
            Some(AutoRotation::On { by: by.or(note).filter(|by| !by.is_empty()).map(str::to_owned) })
        }
        "no" | "disabled" | "manual" if by.is_none() => Some(AutoRotation::Off { advice: note.map(str::to_owned) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
