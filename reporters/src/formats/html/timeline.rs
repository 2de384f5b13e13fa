//! When each secret was set, and when it is due, as bars over one scale.

use chrono::{Datelike, NaiveDate, TimeDelta};
use keytrail_rules::model::Time;
use keytrail_rules::report::{ItemReport, ItemStatus, Report};

/// Days that the scale shows at least and at most before the instant of the report, and after it.
const PAST: (i64, i64) = (90, 720);
const FUTURE: (i64, i64) = (30, 365);

/// The scale of all bars: from an instant to another one.
pub(super) struct Timeline {
    from: Time,
    to: Time,
    as_of: Time,
}

impl Timeline {
    /// A scale on which as much as possible of a report has room.
    pub(super) fn new(report: &Report) -> Self {
        let as_of = report.as_of;
        let days = |time: Time| (as_of - time).num_days();
        let ages = report.items.iter().filter_map(|item| item.age.as_ref());
        let first = ages.filter_map(|age| age.not_before.or(age.not_after)).map(days).max().unwrap_or_default();
        let last = report.items.iter().filter_map(|item| item.due_at).map(|due| -days(due)).max().unwrap_or_default();
        let days = |days: i64, (least, most): (i64, i64)| TimeDelta::days((days + days / 20 + 3).clamp(least, most));
        Self { from: as_of - days(first, PAST), to: as_of + days(last, FUTURE), as_of }
    }

    /// Where an instant lies, in tenths of a percent.
    fn at(&self, time: Time) -> i64 {
        let (all, part) = ((self.to - self.from).num_seconds().max(1), (time - self.from).num_seconds());
        (i128::from(part) * 1_000 / i128::from(all)).clamp(0, 1_000) as i64
    }

    /// The rules that draw the instant of the report and the first days of months behind every bar.
    pub(super) fn style(&self) -> String {
        let layers = self.months().into_iter().map(|(time, _)| {
            let at = percent(self.at(time));
            format!("linear-gradient(90deg,#0000 {at},var(--rule) {at} calc({at} + 1px),#0000 calc({at} + 1px))")
        });
        let layers: Vec<String> = layers.collect();
        let layers = if layers.is_empty() { "none".to_owned() } else { layers.join(",") };
        format!(":root{{--now:{};--months:{layers}}}", percent(self.at(self.as_of)))
    }

    /// The first days of some months, with their names.
    fn months(&self) -> Vec<(Time, String)> {
        let months = (self.to - self.from).num_days() / 30;
        let step = [1, 2, 3, 6].into_iter().find(|step| months / step <= 5).unwrap_or(12);
        let first = self.from.year() * 12 + self.from.month0().cast_signed();
        let month =
            |number: i32| NaiveDate::from_ymd_opt(number.div_euclid(12), number.rem_euclid(12).unsigned_abs() + 1, 1);
        (first + 1..)
            .filter(|number| i64::from(*number) % step == 0)
            .map_while(month)
            .filter_map(|date| Some(date.and_hms_opt(0, 0, 0)?.and_utc()))
            .take_while(|time| *time < self.to)
            .take(8)
            .map(|time| (time, time.format("%b %y").to_string()))
            .collect()
    }

    /// The scale in the head of the table.
    pub(super) fn axis(&self) -> String {
        let now = self.at(self.as_of);
        let mut axis = String::new();
        for (time, name) in self.months() {
            let at = self.at(time);
            // Two names in one place can be read by nobody.
            if !(now - 200..now + 70).contains(&at) && at < 930 {
                axis += &format!("<text x={} y=11>{name}</text>", percent(at));
            }
        }
        format!("<svg class=axis aria-hidden=true>{axis}<text class=now x={} y=11>as of</text></svg>", percent(now))
    }

    /// The bar of one secret: since when its value may be set, since when it is proven to be, and until when that is in
    /// order.
    pub(super) fn bar(&self, item: &ItemReport) -> String {
        let mut bar = Bar { timeline: self, parts: String::new() };
        let as_of = self.as_of;
        let age = item.age.as_ref();
        let (not_before, not_after) = (age.and_then(|age| age.not_before), age.and_then(|age| age.not_after));
        let Some(known) = not_after.or(not_before).map(|time| time.min(as_of)) else {
            bar.part('u', self.from, as_of);
            return bar.end(None);
        };
        match (not_before, not_after) {
            (None, Some(_)) => bar.part('b', self.from, known),
            (Some(from), Some(_)) => bar.part('b', from, known),
            // It was set at some time since then.
            (Some(from), None) => {
                bar.part('b', from, as_of);
                return bar.end(item.due_at);
            }
            (None, None) => {}
        }
        let is_late = item.status == ItemStatus::Compromised;
        match item.due_at {
            Some(due) if due < as_of => {
                bar.part('k', known, due.max(known));
                bar.part('o', due.max(known), as_of);
            }
            Some(due) if !is_late => {
                bar.part('k', known, as_of);
                bar.part(if item.status == ItemStatus::DueSoon { 's' } else { 'r' }, as_of, due);
            }
            _ => bar.part('k', known, as_of),
        }
        bar.end(item.due_at)
    }
}

/// A bar that is being drawn.
struct Bar<'a> {
    timeline: &'a Timeline,
    parts: String,
}

impl Bar<'_> {
    fn part(&mut self, class: char, from: Time, to: Time) {
        let (from, to) = (self.timeline.at(from), self.timeline.at(to));
        if from < to {
            self.parts += &format!("<rect class={class} x={} width={} />", percent(from), percent(to - from));
        }
    }

    /// The whole, with a mark at the instant at which it is due.
    fn end(mut self, due: Option<Time>) -> String {
        if let Some(due) = due.filter(|due| (self.timeline.from..self.timeline.to).contains(due)) {
            self.parts += &format!("<rect class=d x={} />", percent(self.timeline.at(due)));
        }
        format!("<svg>{}</svg>", self.parts)
    }
}

/// `12.5%`.
fn percent(tenths: i64) -> String {
    if tenths % 10 == 0 { format!("{}%", tenths / 10) } else { format!("{}.{}%", tenths / 10, tenths % 10) }
}
