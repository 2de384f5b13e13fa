use chrono::{DateTime, Datelike, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Cadence, Period, Trigger};
use crate::model::{AutoRotation, Time};

fn time(text: &str) -> Time {
    DateTime::parse_from_rfc3339(text).expect("a time").with_timezone(&Utc)
}

fn every(months: u32, days: u32, seconds: u32) -> Option<Cadence> {
    Period::new(months, days, seconds).map(Cadence::Every)
}

fn change(what: &str) -> Trigger {
    Trigger::Change(what.to_owned())
}

#[test]
fn what_people_write_is_understood() {
    let cases = [
        ("90 days", every(0, 90, 0)),
        ("90 Days.", every(0, 90, 0)),
        ("**90 days**", every(0, 90, 0)),
        ("90 days (PCI)", every(0, 90, 0)),
        ("every 90 days", every(0, 90, 0)),
        ("90d", every(0, 90, 0)),
        ("90-day", every(0, 90, 0)),
        ("365d", every(0, 365, 0)),
        ("3 months", every(3, 0, 0)),
        ("1 year 6 months", every(18, 0, 0)),
        ("1y6mo", every(18, 0, 0)),
        ("2 weeks", every(0, 14, 0)),
        ("24 hours", every(0, 0, 86_400)),
        ("90 seconds", every(0, 0, 90)),
        ("Quarterly", every(3, 0, 0)),
        ("annually", every(12, 0, 0)),
        ("Monthly", every(1, 0, 0)),
        ("P90D", every(0, 90, 0)),
        ("P3M", every(3, 0, 0)),
        ("P1Y6M", every(18, 0, 0)),
        ("P2W", every(0, 14, 0)),
        ("PT24H", every(0, 0, 86_400)),
        ("P1DT12H30M", every(0, 1, 45_000)),
        ("On provider change", Some(Cadence::On(vec![change("provider")]))),
        ("on password change", Some(Cadence::On(vec![change("password")]))),
        ("On token change", Some(Cadence::On(vec![change("token")]))),
        ("On compromise/expiry", Some(Cadence::On(vec![Trigger::Compromise, Trigger::Expiry]))),
        ("on expiry or leak", Some(Cadence::On(vec![Trigger::Compromise, Trigger::Expiry]))),
        ("Never (static)", Some(Cadence::Static)),
        ("never", Some(Cadence::Static)),
        ("RDS: Yes", Some(Cadence::Managed { by: Some("RDS".into()) })),
        ("ElastiCache: Yes", Some(Cadence::Managed { by: Some("ElastiCache".into()) })),
        ("No (use OIDC/WIF)", Some(Cadence::Unrotated { advice: Some("use OIDC/WIF".into()) })),
    ];
    for (text, meaning) in cases {
        assert!(meaning.is_some(), "{text}");
        assert_eq!(Cadence::parse(text), meaning, "{text}");
    }
}

#[test]
fn what_is_not_understood_whole_is_not_guessed() {
    for text in [
        "",
        "-",
        "n/a",
        "TBD",
        "90",
        "ninety days",
        "90 days or so",
        "about 90 days",
        "90 day s",
        "0 days",
        "-90 days",
        "days",
        "as needed",
        "when possible",
        "on",
        "on change",
        "P",
        "PT",
        "P90",
        "PD",
        "P1M1Y",
        "90 days 3 months",
        "99999999999 days",
        "4294967295 years",
        "no",
        "every",
        "on full moon",
        "RDS:",
        "RDS: maybe",
        "P1S",
        "1.5 years",
        "90 days90 days",
        "365 days (30 days in production)",
        "Automatic (every 30 days)",
        "On compromise (else yearly)",
        "on expiry (1 year)",
        "manual (90 days)",
        "Yes",
    ] {
        assert_eq!(Cadence::parse(text), None, "{text:?}");
    }
}

#[test]
fn auto_rotation_columns_are_understood() {
    let on = |by: Option<&str>| Some(AutoRotation::On { by: by.map(str::to_owned) });
    let off = |advice: Option<&str>| Some(AutoRotation::Off { advice: advice.map(str::to_owned) });
    for (text, meaning) in [
        ("No", off(None)),
        ("yes", on(None)),
        ("RDS: Yes", on(Some("RDS"))),
        ("Yes (RDS)", on(Some("RDS"))),
        ("No (use OIDC/WIF)", off(Some("use OIDC/WIF"))),
        ("sometimes", None),
        ("", None),
    ] {
        assert_eq!(AutoRotation::parse(text), meaning, "{text:?}");
    }
}

#[test]
fn months_are_calendar_months_in_utc() {
    let after = |period: &str, start: &str| Period::parse(period).and_then(|period| period.after(time(start)));
    for (period, start, end) in [
        ("1 month", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
        ("1 month", "2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("quarterly", "2025-11-30T00:00:00Z", "2026-02-28T00:00:00Z"),
        ("annually", "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"),
        ("90 days", "2026-03-01T23:59:59Z", "2026-05-30T23:59:59Z"),
        ("90 days", "2026-03-01T00:30:00+02:00", "2026-05-29T22:30:00Z"),
        ("24 hours", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
    ] {
        assert_eq!(after(period, start), Some(time(end)), "{period} after {start}");
    }
    assert_eq!(Period::parse("1000 years").and_then(|period| period.after(Time::MAX_UTC)), None);
}

#[test]
fn the_stricter_cadence_is_the_shorter_then_the_event() {
    let mut texts = [
        "never (static)",
        "No (use OIDC)",
        "RDS: Yes",
        "on token change",
        "annually",
        "quarterly",
        "90 days",
        "2 weeks",
    ];
    texts.reverse();
    let strictness: Vec<_> =
        texts.iter().map(|text| Cadence::parse(text).map(|cadence| cadence.strictness())).collect();
    assert!(strictness.is_sorted(), "{strictness:?}");
    assert!(strictness.iter().all(Option::is_some));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,40}") {
        let _ = (Cadence::parse(&text), AutoRotation::parse(&text), Period::parse(&text));
    }

    #[test]
    fn near_misses_are_read_without_panic(text in "(on |every |p|pt|never|no)?[0-9]{0,12}[ -]?(d|days|m|y|mo|s|h|w|t)?[0-9(/:). ]{0,6}") {
        let _ = (Cadence::parse(&text), AutoRotation::parse(&text));
    }

    #[test]
    fn a_period_is_read_back_as_it_is_shown(months in 0u32..2_000, days in 0u32..5_000, seconds in 0u32..4_000_000) {
        if let Some(period) = Period::new(months, days, seconds) {
            prop_assert_eq!(Period::parse(&period.to_string()), Some(period));
        }
    }

    #[test]
    fn a_longer_period_ends_later(start in 0i64..4_000_000_000, days in 1u32..10_000, more in 1u32..10_000) {
        let start = DateTime::from_timestamp(start, 0).expect("a time");
        let end = |days| Period::days(days).and_then(|period| period.after(start)).expect("in the calendar");
        prop_assert!(end(days) < end(days + more));
        prop_assert_eq!(end(days) - start, TimeDelta::days(i64::from(days)));
    }

    #[test]
    fn months_keep_the_day_or_clamp_it(start in 0i64..4_000_000_000, months in 1u32..600) {
        let start = DateTime::from_timestamp(start, 0).expect("a time");
        let end = Period::new(months, 0, 0).and_then(|period| period.after(start)).expect("in the calendar");
        prop_assert_eq!(end.time(), start.time());
        let month = (start.year() * 12 + start.month0() as i32) + months as i32;
        prop_assert_eq!(end.year() * 12 + end.month0() as i32, month);
        prop_assert!(end.day() == start.day() || (end.day() < start.day() && (end + TimeDelta::days(1)).day() == 1));
    }
}
