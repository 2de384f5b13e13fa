//! The changes that the trails show, the worst verdict first: each with its lanes and its evidence.

use std::collections::BTreeMap;

use keytrail_rules::correlate::{EventReport, Flag, Rotation, Verdict};
use keytrail_rules::model::{Outcome, Time};

use super::write::{count, grouped, id, minute, section, text, time};
use super::{Page, rotation};
use crate::formats::table::rank_of_verdict;
use crate::lanes::words;

/// So many changes are drawn; the others are listed.
const MAX_DRAWN: usize = 100;
/// So many are listed; the JSON report has all.
const MAX_LISTED: usize = 2_000;
/// So many that are not in order are open from the start.
const MAX_OPEN: usize = 2;

impl Page<'_> {
    pub(super) fn rotations(&self) -> String {
        let report = self.report;
        if report.rotations.is_empty() && report.trails.is_empty() {
            return Self::nothing(
                "rotations",
                "Rotations",
                "No trail was read, so that nothing is known of how values changed.",
            );
        }
        let mut all: Vec<&Rotation> = report.rotations.iter().collect();
        all.sort_by_key(|one| rank_of_verdict(one.verdict));
        let drawn = if self.is_short { MAX_DRAWN / 4 } else { MAX_DRAWN };
        let rows: Vec<(usize, &Rotation)> = all.iter().copied().enumerate().collect();
        let rows =
            self.capped(&rows, MAX_LISTED, "changes", |(number, one)| self.change_row(one, *number, *number < drawn));
        let numbers: Vec<String> = self
            .verdicts()
            .iter()
            .map(|(verdict, number)| format!("{} {}", grouped(*number), verdict.as_str()))
            .collect();
        let lead = if all.is_empty() {
            "The trails show no change. Where they have no data, there may have been one.".to_owned()
        } else {
            format!(
                "{} by the trails: {}. Each should leave three traces: a request in the ledger, a write in the store, a load in the \
                 application.",
                count(all.len(), "change"),
                numbers.join(", ")
            )
        };
        let list = if rows.is_empty() { String::new() } else { format!("<ul class=\"rows changes\">\n{rows}</ul>\n") };
        section("rotations", "Rotations", &lead, &format!("{}{list}{}", self.swimlanes(&all), self.readers()))
    }

    fn verdicts(&self) -> Vec<(Verdict, usize)> {
        let mut numbers: BTreeMap<usize, (Verdict, usize)> = BTreeMap::new();
        for one in &self.report.rotations {
            numbers.entry(rank_of_verdict(one.verdict)).or_insert((one.verdict, 0)).1 += 1;
        }
        numbers.into_values().collect()
    }

    fn change_row(&self, one: &Rotation, number: usize, is_drawn: bool) -> String {
        let head = format!("{} <b>{}</b> <small>{}</small>", verdict(one.verdict), id(one.item.as_str()), time(one.at));
        let why = text(words::why(one));
        if !is_drawn {
            return format!("<li>{head} <span class=why>{why}</span>\n");
        }
        let open = if number < MAX_OPEN && one.verdict != Verdict::Traced { " open" } else { "" };
        let trace = self.trace(one);
        let flags: String = one.flags.iter().map(|flag| flag_line(*flag)).collect();
        let missing: String = one
            .missing
            .iter()
            .map(|missing| {
                let trail = missing.trail.as_ref().map(|trail| format!(" ({})", text(trail))).unwrap_or_default();
                format!(
                    "<p><b>No data</b> in the {} from {} to {}: {}{trail}",
                    missing.role.as_str(),
                    minute(missing.from),
                    minute(missing.to),
                    text(&missing.reason)
                )
            })
            .collect();
        let next = words::next(one).map(|next| format!("<p><b>Next</b> {}", text(next))).unwrap_or_default();
        format!(
            "<li><details{open}><summary>{head} <span class=why>{why}</span></summary>\n{}{flags}{missing}{next}\n{}</details>\n",
            rotation::lanes(one, &trace, number),
            evidence(one)
        )
    }

    /// The stretches of each lane without data around a change.
    fn trace(&self, one: &Rotation) -> [Vec<(Time, Time)>; 3] {
        let (from, to) = rotation::window(one);
        match self.items.get(one.item.as_str()) {
            Some((_, item)) => {
                let trace = crate::lanes::ItemTrace::new(self.report, &[], item, None);
                crate::lanes::coverage::uncovered(&trace, from, to)
            }
            None => rotation::LANES.map(|role| {
                let missing = one.missing.iter().filter(|missing| missing.role == role);
                missing
                    .map(|missing| (missing.from.max(from), missing.to.min(to)))
                    .filter(|(from, to)| from < to)
                    .collect()
            }),
        }
    }

    fn readers(&self) -> String {
        if self.report.readings.is_empty() {
            return String::new();
        }
        let rows = self.capped(&self.report.readings, 500, "readers", |reading| {
            format!(
                "<li>{} by {} <small>{} between {} and {} ({})</small>\n",
                self.item_link(reading.item.as_str()),
                text(&reading.actor),
                count(usize::try_from(reading.count).unwrap_or(usize::MAX), "time"),
                minute(reading.first),
                minute(reading.last),
                text(&reading.trail)
            )
        });
        format!("<details><summary><h3>Who read what</h3></summary><ul class=rows>{rows}</ul></details>\n")
    }
}

/// A verdict as a word with a shape.
pub(super) fn verdict(verdict: Verdict) -> String {
    let class = class(verdict);
    format!("<b class=\"tag {class}\">{}</b>", verdict.as_str())
}

/// How bad a verdict is, in the classes of severities.
pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Silent => "critical",
        Verdict::RequestedNeverApplied | Verdict::AppliedNeverLoaded => "high",
        Verdict::Inconclusive => "unknown",
        Verdict::Pending => "low",
        Verdict::Traced => "fine",
    }
}

fn flag_line(flag: Flag) -> String {
    format!("<p><b>{}</b> {}", flag.as_str(), words::meaning(flag))
}

/// The events of a change, with the bytes that say so.
fn evidence(one: &Rotation) -> String {
    const MAX: usize = 40;
    let header = ["When", "Record", "What", "Who", "Written in"];
    let rows = one.events.iter().take(MAX).map(|event| {
        vec![
            format!(
                "<time datetime={}>{}</time>",
                super::write::instant(event.time),
                event.time.format("%Y-%m-%d %H:%M:%S%.f")
            ),
            format!("{} <small>{}</small>", event.role.as_str(), text(&event.trail)),
            what(event),
            super::write::or(event.actor.as_ref(), "–"),
            format!("<code>{}</code>", text(words::place(&event.raw))),
        ]
    });
    let mut shown = super::write::table("evidence", "Evidence, the oldest first", &header, rows);
    if one.events.len() > MAX {
        shown += &format!("<p class=rest>and {}", count(one.events.len() - MAX, "more event"));
    }
    shown
}

fn what(event: &EventReport) -> String {
    let version = event.version.as_ref().map(|version| format!(" v{}", text(version))).unwrap_or_default();
    let outcome = if event.outcome == Outcome::Done { String::new() } else { format!(", {}", event.outcome.as_str()) };
    let consumer = event.consumer.as_ref().map(|one| format!(" in {}", text(one))).unwrap_or_default();
    let run = event.run.as_ref().map(|run| format!(", run {}", text(run))).unwrap_or_default();
    let details: String = event.details.iter().map(|(name, value)| format!(", {name}: {}", text(value))).collect();
    format!("{}{version}{outcome} <small>{}{consumer}{run}{details}</small>", event.kind.as_str(), text(&event.target))
}
