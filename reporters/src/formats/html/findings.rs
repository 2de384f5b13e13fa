//! What is wrong, by rule, with the evidence and the next step; and what leaked.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keytrail_rules::checks::{RULES, Rule};
use keytrail_rules::leaks::{LeakReport, Lifecycle};
use keytrail_rules::model::{Evidence, Finding, Occurrence, Severity};

use super::Page;
use super::secrets::CHUNK;
use super::write::{count, day, line, section, severity, text};
use crate::formats::table::shared_next;

/// In a short page, so many findings of one rule are shown.
const MAX_SHORT: usize = 2_000;
/// Places of one leak, and pieces of evidence of one finding, that are shown.
const MAX_PLACES: usize = 12;

/// A rule with its findings, the worst first.
struct Group<'a> {
    id: &'a str,
    rule: Option<&'static Rule>,
    findings: Vec<&'a Finding>,
}

impl Group<'_> {
    fn counting(&self) -> usize {
        self.findings.iter().filter(|finding| finding.counts()).count()
    }

    /// The severity of its worst finding that counts, or of its worst one.
    fn severity(&self) -> Severity {
        self.findings.first().map_or(Severity::Info, |finding| finding.severity)
    }
}

impl Page<'_> {
    pub(super) fn findings(&self) -> String {
        if self.report.findings.is_empty() {
            let words = if self.report.gaps.is_empty() {
                "No rule found anything."
            } else {
                "No rule found anything in what could be read."
            };
            return Self::nothing("findings", "Findings", words);
        }
        let groups: String = self.groups().iter().map(|group| self.group(group)).collect();
        let lead = format!(
            "{} of {} that count, by rule, the worst first. An exception or the baseline keeps the others from counting.",
            super::write::grouped(self.report.counting().count()),
            count(self.report.findings.len(), "finding")
        );
        section("findings", "Findings", &lead, &groups)
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in &self.report.findings {
            groups.entry(finding.rule).or_default().push(finding);
        }
        let order = |id: &str| RULES.iter().position(|rule| rule.id == id).unwrap_or(RULES.len());
        let mut groups: Vec<Group<'_>> = groups
            .into_iter()
            .map(|(id, mut findings)| {
                findings.sort_by_key(|finding| (!finding.counts(), Reverse(finding.severity)));
                Group { id, rule: Rule::find(id), findings }
            })
            .collect();
        groups.sort_by_key(|group| (group.counting() == 0, Reverse(group.severity()), order(group.id)));
        groups
    }

    fn group(&self, group: &Group<'_>) -> String {
        let (id, counting) = (text(group.id), group.counting());
        let code = group.rule.map(|rule| format!(" <small>{}</small>", rule.code)).unwrap_or_default();
        let others = match group.findings.len() - counting {
            0 => String::new(),
            others => format!(", {} not counted", super::write::grouped(others)),
        };
        let summary = group.rule.map(|rule| text(rule.summary())).unwrap_or_default();
        let controls =
            group.findings.first().map(|finding| super::write::list(&finding.controls)).filter(|all| !all.is_empty());
        let controls = controls.map(|all| format!("<p class=note>Bears on {all}")).unwrap_or_default();
        let next = shared_next(&group.findings);
        let said = next.as_ref().map(|next| format!("<p class=next><b>Next</b> {}", text(next))).unwrap_or_default();
        let most = if self.is_short { MAX_SHORT } else { usize::MAX };
        let mut rows = String::with_capacity(group.findings.len() * 300);
        for chunk in group.findings[..group.findings.len().min(most)].chunks(CHUNK) {
            rows += "<ul class=rows>\n";
            chunk.iter().for_each(|one| self.finding(one, group.severity(), next.is_some(), &mut rows));
            rows += "</ul>\n";
        }
        if let rest @ 1.. = group.findings.len().saturating_sub(most) {
            rows += &format!("<p class=rest>and {} more, which the JSON report has\n", super::write::grouped(rest));
        }
        format!(
            "<details class=rule id=\"rule-{id}\" data-rule=\"{id}\" open><summary>{}<h3>{id}{code}</h3> <span \
             class=number>{}{others}</span></summary>\n<p class=what>{summary}{controls}{said}\n{rows}</details>\n",
            severity(group.severity()),
            count(counting, "finding")
        )
    }

    fn finding(&self, finding: &Finding, of_group: Severity, next_is_said: bool, rows: &mut String) {
        let at = finding.location.as_ref().map(line).unwrap_or_default();
        let item = finding.item.as_ref().and_then(|id| self.items.get(id.as_str()));
        let known = item.and_then(|(_, item)| item.age.as_ref());
        let secret = item.map(|(number, _)| format!(" <a href=#s{number}>secret</a>")).unwrap_or_default();
        *rows += &format!("<li class={}>", finding.severity.as_str());
        if finding.severity != of_group {
            *rows += &severity(finding.severity);
            rows.push(' ');
        }
        *rows += &format!("{} <small>{at}{secret}</small>", text(&finding.message));
        if let Some(reason) = &finding.exception {
            *rows += &format!("<p><b>Excepted</b> {}", text(reason));
        }
        if finding.baselined {
            *rows += "<p><b>In the baseline</b> it was known before";
        }
        if finding.fixable && !self.is_short {
            *rows += "<p><b>Can be rotated</b> by <code>keytrail scan --fix</code>";
        }
        let mut seen: Vec<&Evidence> = Vec::new();
        for evidence in &finding.evidence {
            let is_said = self.is_short && known.is_some_and(|age| age.proof == evidence.note);
            if !is_said && !seen.contains(&evidence) {
                seen.push(evidence);
            }
        }
        let most = if self.is_short { 2 } else { MAX_PLACES };
        for evidence in seen.iter().take(most) {
            *rows += &format!("<p><b>Evidence</b> {}", proof(evidence));
        }
        if seen.len() > most {
            *rows += &format!("<p>and {} more", count(seen.len() - most, "piece"));
        }
        if !next_is_said && !finding.next.is_empty() {
            *rows += &format!("<p><b>Next</b> {}", text(&finding.next));
        }
        rows.push('\n');
    }

    /// What lies open, by whose value it is.
    pub(super) fn leaks(&self) -> String {
        let leaks = &self.report.leaks;
        if leaks.is_empty() {
            let words = match &self.report.searched {
                Some(_) => "No secret was found where it should not lie, in what was searched.",
                None => "Nothing was searched for leaks, so that nothing is known of them.",
            };
            return Self::nothing("leaks", "Leaks", words);
        }
        let rows = self.capped(leaks, 2_000, "leaks", |leak| self.leak(leak));
        let lead = "Values are shown by a fingerprint under a key: it tells equal values, and gives none away.";
        section("leaks", "Leaks", lead, &format!("<ul class=\"rows leaks\">\n{rows}</ul>\n"))
    }

    fn leak(&self, leak: &LeakReport) -> String {
        let (class, word, meaning) = match leak.lifecycle {
            _ if leak.accepted.is_some() => ("info", "accepted", "it is let pass"),
            Lifecycle::Current => ("critical", "current", "it is the value in use"),
            Lifecycle::Previous => ("medium", "previous", "it was replaced, and the store still holds it"),
            Lifecycle::Retired => ("low", "retired", "it was replaced"),
            Lifecycle::Unmanaged => ("high", "unmanaged", "it is no value of the inventory"),
        };
        let item =
            leak.item.as_ref().map_or_else(|| "a value of no secret here".to_owned(), |id| self.item_link(id.as_str()));
        let version = leak.version.map(|version| format!(", version {version}")).unwrap_or_default();
        let since = leak.exposed_since.map_or_else(|| "an unknown day".to_owned(), day);
        let is_open = leak.lifecycle == Lifecycle::Current || leak.occurrences.iter().any(|one| one.present);
        let until = match leak.exposed_until {
            Some(time) => format!("{}, when it was replaced", day(time)),
            None if is_open && leak.lifecycle != Lifecycle::Retired => "now".to_owned(),
            None => "an unknown day".to_owned(),
        };
        let accepted =
            leak.accepted.as_ref().map(|why| format!("<p><b>Accepted</b> {}", text(why))).unwrap_or_default();
        let places: String =
            leak.occurrences.iter().take(MAX_PLACES).map(|one| format!("<li>{}", occurrence(one))).collect();
        let rest = leak.occurrences.len().saturating_sub(MAX_PLACES);
        let rest = if rest > 0 { format!("<li>and {}", count(rest, "more place")) } else { String::new() };
        format!(
            "<li><b class=\"tag {class}\">{word}</b> {item}{version} <small>{meaning}; found by {}</small>\
             <p><b>Fingerprint</b> <code>{}</code><p><b>Open</b> from {since} to {until}{accepted}<ul class=places>{places}{rest}</ul>\n",
            text(&leak.detector),
            text(leak.fingerprint.as_str())
        )
    }
}

fn proof(evidence: &Evidence) -> String {
    let at = evidence.location.as_ref().map(|at| format!(" <small>{}</small>", line(at)));
    let place = evidence.place.as_ref().map(|place| format!(" <small><code>{}</code></small>", text(place.as_str())));
    format!("{}{}", text(&evidence.note), at.or(place).unwrap_or_default())
}

fn occurrence(one: &Occurrence) -> String {
    let state = if one.present { "still there" } else { "no longer there" };
    let commit = one.commit.as_ref().map(|commit| {
        format!(
            ", commit <code>{}</code> of {} by {}",
            text(commit.id.get(..12).unwrap_or(&commit.id)),
            day(commit.time),
            text(&commit.author)
        )
    });
    let allowed = one.allowed.as_ref().map(|why| format!(", allowed: {}", text(why)));
    format!(
        "{} in {} ({state}{}{})",
        line(&one.location),
        one.medium.describe(),
        commit.unwrap_or_default(),
        allowed.unwrap_or_default()
    )
}
