//! What was read, what could not be, and what that leaves unknown: information produced by the entity, as auditors call
//! it, is examined for completeness first.

use std::collections::BTreeMap;

use keytrail_rules::correlate::TrailReport;
use keytrail_rules::model::{Gap, Hole, Time};

use super::Page;
use super::write::{count, grouped, line, minute, section, table, text};
use crate::formats::table::search_in_words;
use crate::lanes::words;

/// More rows than this of one table nobody reads here.
const MAX: usize = 2_000;

impl Page<'_> {
    pub(super) fn scope(&self) -> String {
        let parts = [self.gaps(), self.sources(), self.trails(), self.searched()];
        let lead = "What this report rests on. What is not listed here was not looked at.";
        section("scope", "Scope and completeness", lead, &parts.concat())
    }

    fn gaps(&self) -> String {
        let gaps = &self.report.gaps;
        if gaps.is_empty() {
            return "<h3 id=gaps>Gaps</h3>\n<p class=none>Every source could be read.\n".to_owned();
        }
        let header = ["Reason", "Source", "What is missing", "What to do"];
        let rows = gaps.iter().take(self.most()).map(gap);
        format!(
            "<h3 id=gaps>{}</h3>\n{}{}",
            count(gaps.len(), "gap"),
            table("gaps", "What could not be read", &header, rows),
            self.rest(gaps.len(), "gap")
        )
    }

    fn sources(&self) -> String {
        let scope = &self.report.scope;
        let mut kinds: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for entry in scope {
            let (sources, held) = kinds.entry(&entry.kind).or_default();
            (*sources, *held) = (*sources + 1, held.saturating_add(entry.held));
        }
        let number = |held: u64| grouped(usize::try_from(held).unwrap_or(usize::MAX));
        let rows =
            kinds.iter().take(MAX).map(|(kind, (sources, held))| vec![text(kind), grouped(*sources), number(*held)]);
        let kinds = table("population", "Population by kind of source", &["Kind", "Sources", "Records"], rows);
        let rows = scope.iter().take(self.most()).map(|one| vec![text(&one.source), text(&one.kind), number(one.held)]);
        let each = table("population", "Every source with its population", &["Source", "Kind", "Records"], rows);
        if kinds.is_empty() {
            return "<h3>Sources</h3>\n<p class=none>No source was read.\n".to_owned();
        }
        format!(
            "<h3>{}</h3>\n<p class=note>Records are the declarations, copies and uses that came out of a source; {} and {} came of them \
             all.\n{kinds}<details><summary>Every source</summary>{each}{}</details>\n",
            count(scope.len(), "source"),
            count(self.report.items.len(), "secret"),
            count(usize::try_from(self.report.summary.variables).unwrap_or(usize::MAX), "plain variable"),
            self.rest(scope.len(), "source")
        )
    }

    fn trails(&self) -> String {
        let trails = &self.report.trails;
        if trails.is_empty() {
            return "<h3>Trails</h3>\n<p class=none>No trail was read, so that nothing is known of how values changed.\n".to_owned();
        }
        let header = ["Trail", "Role", "Records", "First and last", "Covered", "Holes", "Delay and skew"];
        let rows = trails.iter().take(self.most()).map(trail);
        format!(
            "<h3>{}</h3>\n{}{}",
            count(trails.len(), "trail"),
            table("trails", "Trails with what they cover, and what shows that", &header, rows),
            self.rest(trails.len(), "trail")
        )
    }

    fn searched(&self) -> String {
        let words = self.report.searched.as_ref().map_or_else(
            || "Nothing was searched for leaks.".to_owned(),
            |searched| format!("Searched {}.", text(search_in_words(searched))),
        );
        format!("<h3>Search for leaks</h3>\n<p>{words}\n")
    }

    fn most(&self) -> usize {
        if self.is_short { 500 } else { MAX }
    }

    fn rest(&self, all: usize, noun: &str) -> String {
        match all.saturating_sub(self.most()) {
            0 => String::new(),
            rest => format!("<p class=rest>and {}, which the JSON report has\n", count(rest, &format!("more {noun}"))),
        }
    }
}

fn gap(gap: &Gap) -> Vec<String> {
    let place = gap.location.as_ref().map(line);
    let place = place.or_else(|| gap.place.as_ref().map(|place| format!("<code>{}</code>", text(place.as_str()))));
    vec![
        format!("<b class=\"tag unknown\">{}</b>", gap.reason.as_str()),
        place.unwrap_or_else(|| format!("<code>{}</code>", text(&gap.source))),
        text(&gap.message),
        gap.hint.as_ref().map(text).unwrap_or_default(),
    ]
}

fn trail(trail: &TrailReport) -> Vec<String> {
    let name = format!("<b>{}</b> <small>{}</small>", text(&trail.name), trail.kind);
    let end = |time: Option<Time>| time.map_or_else(|| "none".to_owned(), minute);
    let skew = trail.skew_milliseconds.map_or_else(|| "unknown".to_owned(), |skew| format!("{skew} ms"));
    let holes: String = trail.holes.iter().take(20).map(hole).collect();
    let rest = if trail.holes.len() > 20 {
        format!("<p>and {}", count(trail.holes.len() - 20, "more hole"))
    } else {
        String::new()
    };
    let number = |number: u64| grouped(usize::try_from(number).unwrap_or(usize::MAX));
    vec![
        name,
        trail.role.as_str().to_owned(),
        format!("{} <small>{} events</small>", number(trail.records), number(trail.events)),
        format!("{} <br>{}", end(trail.first), end(trail.last)),
        text(words::coverage(trail)),
        if holes.is_empty() { "none".to_owned() } else { holes + &rest },
        format!("{} s <br>{skew}", trail.delay_seconds),
    ]
}

fn hole(hole: &Hole) -> String {
    let (class, word) = if hole.tampered { ("high", "tampered") } else { ("unknown", "hole") };
    let end = |time: Option<Time>| time.map_or_else(|| "an unknown time".to_owned(), minute);
    let at = hole.raw.as_ref().map(|raw| format!(" <small><code>{}</code></small>", text(words::place(raw))));
    format!(
        "<p><b class=\"tag {class}\">{word}</b> {} to {}: {}{}",
        end(hole.from),
        end(hole.to),
        text(&hole.reason),
        at.unwrap_or_default()
    )
}
