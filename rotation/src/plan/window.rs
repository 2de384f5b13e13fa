//! Maintenance windows: when rotations may begin.

use std::fmt;

use chrono::{Datelike, FixedOffset, NaiveTime, Weekday};
use keytrail_rules::model::Time;

/// `Sat 02:00-06:00`, `Mon-Fri 22:00-04:00 +02:00`, `daily 02:00-04:00`: days of the week, and from when until when, in
/// UTC unless an offset follows. One that ends before it begins ends on the next day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window {
    text: String,
    days: [bool; 7],
    from: NaiveTime,
    to: NaiveTime,
    offset: FixedOffset,
}

impl Window {
    /// Reads a window; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let days = days(words.next()?)?;
        let (from, to) = words.next()?.split_once('-')?;
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
        let offset = match words.next() {
            None | Some("UTC" | "Z") => "+00:00".parse().ok()?,
            Some(offset) => offset.parse::<FixedOffset>().ok()?,
        };
        let window = Self { text: text.trim().to_owned(), days, from: time(from)?, to: time(to)?, offset };
        (words.next().is_none() && window.from != window.to).then_some(window)
    }

    /// Whether an instant lies in it.
    pub fn contains(&self, time: Time) -> bool {
        let local = time.with_timezone(&self.offset);
        let (day, clock) = (local.weekday(), local.time());
        let is_day = |day: Weekday| self.days[day.num_days_from_monday() as usize];
        if self.from < self.to {
            return is_day(day) && self.from <= clock && clock < self.to;
        }
        (is_day(day) && self.from <= clock) || (is_day(day.pred()) && clock < self.to)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `daily`, `Sat`, `Sat,Sun`, `Mon-Fri`.
fn days(text: &str) -> Option<[bool; 7]> {
    if text.eq_ignore_ascii_case("daily") {
        return Some([true; 7]);
    }
    let number = |name: &str| name.parse::<Weekday>().ok().map(|day| day.num_days_from_monday() as usize);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        let count = (last + 7 - first) % 7;
        for day in first..=first + count {
            days[day % 7] = true;
        }
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use keytrail_rules::model::Time;

    use super::Window;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_holds_from_its_first_to_its_last_minute() {
        // 2026-11-21 is a Saturday.
        for (window, time, holds) in [
            ("Sat 02:00-06:00", "2026-11-21T02:00:00Z", true),
            ("Sat 02:00-06:00", "2026-11-21T05:59:59Z", true),
            ("Sat 02:00-06:00", "2026-11-21T06:00:00Z", false),
            ("Sat 02:00-06:00", "2026-11-22T03:00:00Z", false),
            ("Sat 02:00-06:00 +02:00", "2026-11-21T00:30:00Z", true),
            ("Sat 02:00-06:00 +02:00", "2026-11-21T05:00:00Z", false),
            ("Fri 22:00-04:00", "2026-11-21T03:59:00Z", true),
            ("Fri 22:00-04:00", "2026-11-21T22:30:00Z", false),
            ("Mon-Fri 22:00-04:00", "2026-11-21T22:30:00Z", false),
            ("Sat-Mon 10:00-11:00", "2026-11-22T10:30:00Z", true),
            ("Tue,Sat 10:00-11:00", "2026-11-21T10:30:00Z", true),
            ("daily 00:00-23:59", "2026-11-21T12:00:00Z", true),
        ] {
            assert_eq!(Window::parse(window).unwrap().contains(at(time)), holds, "{window} {time}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "Sat",
            "Sat 02:00",
            "Sat 02:00-25:00",
            "Caturday 02:00-03:00",
            "Sat 02:00-02:00",
            "Sat 02:00-03:00 Europe/Berlin",
        ] {
            assert_eq!(Window::parse(text), None, "{text}");
        }
    }
}
