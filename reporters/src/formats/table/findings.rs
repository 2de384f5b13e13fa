//! What is wrong beside the ages, by rule.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keytrail_rules::checks::{RULES, Rule};
use keytrail_rules::model::{Finding, Severity};

use super::layout::{Row, lines};
use super::{HEADING, Page, cell, severity_style};
use crate::source::line_of;

/// So many repeats of one thing are shown, unless `verbose`.
pub(super) const MAX_REPEATS: usize = 10;

impl Page<'_> {
    /// The findings that no row of the secrets says already, by rule, the rule with the worst finding first.
    pub(super) fn findings(&self) -> String {
        let shown = self.shown_ids();
        let order = |id: &str| RULES.iter().position(|rule| rule.id == id).unwrap_or(RULES.len());
        let mut groups: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in &self.report.findings {
            if (finding.counts() || self.options.verbose) && !self.is_shown_as_secret(finding, &shown) {
                groups.entry(finding.rule).or_default().push(finding);
            }
        }
        let mut groups: Vec<(Severity, &str, Vec<&Finding>)> = groups
            .into_iter()
            .filter_map(|(rule, mut findings)| {
                findings.sort_by_key(|finding| (!finding.counts(), Reverse(finding.severity)));
                Some((findings.first()?.severity, rule, findings))
            })
            .collect();
        let counts = |findings: &[&Finding]| findings.first().is_some_and(|finding| finding.counts());
        groups.sort_by_key(|(severity, rule, findings)| (!counts(findings), Reverse(*severity), order(rule)));
        let groups: Vec<String> =
            groups.iter().map(|(severity, rule, findings)| self.group(*severity, rule, findings)).collect();
        groups.join("\n")
    }

    fn group(&self, severity: Severity, id: &str, findings: &[&Finding]) -> String {
        let counting = findings.iter().filter(|finding| finding.counts()).count();
        let number = match (counting, findings.len() - counting) {
            (counting, 0) => super::count(counting as u64, "finding"),
            (counting, others) => format!("{}, {others} not counted", super::count(counting as u64, "finding")),
        };
        let (severity_name, rule) = (severity.as_str(), Rule::find(id));
        let code = rule.map(|rule| format!(" ({})", self.link_to_rule(rule.code))).unwrap_or_default();
        let name = format!("{} {}", self.paint(severity_style(severity), severity_name), self.paint(HEADING, id));
        let mut text = lines([format!("{name}{code}: {number}")]);
        text += &lines(rule.into_iter().flat_map(|rule| self.wrap(2, rule.summary())));

        let next = shared_next(findings);
        let mut rows: Vec<Row> = Vec::new();
        let mut annotated: Vec<String> = Vec::new();
        for finding in findings {
            let (message, own) = self.said(finding, severity, next.is_some());
            match self.annotated(finding, &message, own.as_deref()).filter(|_| self.options.verbose) {
                Some(block) => annotated.push(block),
                None => rows.extend(self.finding(finding, message, own)),
            }
        }
        text += &annotated.join("\n");
        let fold = if self.options.verbose { rows.len() } else { MAX_REPEATS };
        let urls = findings.iter().filter_map(|finding| {
            let at = line_of(finding)?;
            Some((cell(&at.to_string()), self.url(at)?))
        });
        text += &self.linked(self.rows(&[], &rows[..rows.len().min(fold)]), &urls.collect());
        if rows.len() > fold {
            text += &format!("  and {} more (all with --verbose)\n", rows.len() - fold);
        }
        text += &lines(next.into_iter().flat_map(|next| self.wrap(2, &format!("next: {next}"))));
        text
    }

    /// What is said of a finding, and its next step unless that is shared.
    fn said(&self, finding: &Finding, group: Severity, next_is_shared: bool) -> (String, Option<String>) {
        let mut message = cell(&finding.message);
        if finding.severity != group {
            message = format!("{}: {message}", finding.severity.as_str());
        }
        if finding.fixable {
            message += " [fixable]";
        }
        if let Some(reason) = &finding.exception {
            message += &format!(" [excepted: {}]", cell(reason));
        }
        if finding.baselined {
            message += " [in the baseline]";
        }
        let next = (!next_is_shared && !finding.next.is_empty()).then(|| format!("next: {}", cell(&finding.next)));
        (message, next)
    }

    /// The row of a finding; with `verbose` also those of its evidence.
    fn finding(&self, finding: &Finding, message: String, next: Option<String>) -> Vec<Row> {
        let mut rows = vec![row(&place_of(finding), message, next)];
        if self.options.verbose {
            rows.extend(finding.evidence.iter().map(|evidence| {
                let place = evidence.place.as_ref().map(ToString::to_string);
                let line = evidence.location.as_ref().map(ToString::to_string);
                row(&line.or(place).unwrap_or_default(), format!("evidence: {}", cell(&evidence.note)), None)
            }));
        }
        rows
    }
}

fn row(place: &str, message: String, next: Option<String>) -> Row {
    let place = if place.is_empty() { "-".to_owned() } else { cell(place) };
    let details = std::iter::once(message.clone()).chain(next.clone()).collect();
    Row { cells: vec![place.clone(), message, next.unwrap_or_default()], title: place, details, word: None }
}

/// `file:line`; where there is none, the place in a store or the secret.
pub(super) fn place_of(finding: &Finding) -> String {
    let lines = finding.location.iter().chain(finding.evidence.iter().filter_map(|one| one.location.as_ref()));
    let mut places = finding.evidence.iter().filter_map(|one| one.place.as_ref());
    lines
        .map(ToString::to_string)
        .next()
        .or_else(|| places.next().map(ToString::to_string))
        .or_else(|| finding.item.as_ref().map(ToString::to_string))
        .unwrap_or_default()
}

/// The next step of several findings that differs by the name of the secret at most.
pub(in crate::formats) fn shared_next(findings: &[&Finding]) -> Option<String> {
    let without_name = |finding: &Finding| {
        let id = finding.item.as_ref().map_or("", |id| id.as_str());
        let key = id.split_once('@').map_or(id, |(key, _)| key);
        if key.is_empty() { finding.next.clone() } else { finding.next.replace(id, "\0").replace(key, "\0") }
    };
    let (first, others) = findings.split_first()?;
    let next = without_name(first);
    if next.is_empty() || others.is_empty() || others.iter().any(|other| without_name(other) != next) {
        return None;
    }
    let same = others.iter().all(|other| other.next == first.next);
    Some(if same { cell(&first.next) } else { format!("{}; likewise for the others", cell(&first.next)) })
}
