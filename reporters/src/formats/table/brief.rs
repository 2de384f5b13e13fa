//! A report that would fill many screens, on one: the worst secrets, each rule once, and the totals.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keytrail_rules::checks::{RULES, Rule};
use keytrail_rules::model::{Finding, Severity};
use keytrail_rules::report::{ItemReport, ItemStatus};

use super::findings::{MAX_REPEATS, place_of};
use super::layout::{Row, lines};
use super::{HEADING, Page, WARNING, cell, severity_style};

/// A report of more lines is made brief, unless `verbose`.
const MANY: usize = 300;

/// Lines of a screen.
const SCREEN: usize = 50;

/// How many of a kind are shown, the most that fit a screen.
const LIMITS: [usize; 8] = [12, 10, 8, 6, 4, 3, 2, 1];

impl Page<'_> {
    /// Whether the report in its usual form would be many screens long.
    pub(super) fn is_long(&self) -> bool {
        let groups = self.by_rule();
        let findings: usize = groups.iter().map(|(_, _, findings)| findings.len().min(MAX_REPEATS) + 4).sum();
        !self.options.verbose && self.shown_ids().len() + findings > MANY
    }

    /// The report on one screen.
    pub(super) fn brief(&self) -> String {
        let height = |page: &String| page.lines().count();
        let mut pages = LIMITS.iter().map(|limit| self.brief_of(*limit));
        let mut shortest = pages.next().unwrap_or_default();
        while height(&shortest) > SCREEN {
            match pages.next() {
                Some(page) => shortest = page,
                None => break,
            }
        }
        shortest
    }

    fn brief_of(&self, limit: usize) -> String {
        let sections = [self.worst_secrets(limit), self.rules(limit), self.first_gaps(limit), self.totals(true)];
        let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
        sections.join("\n")
    }

    fn worst_secrets(&self, limit: usize) -> String {
        let shown = self.shown_secrets();
        let (first, rest) = shown.split_at(shown.len().min(limit));
        let mut numbers: BTreeMap<ItemStatus, usize> = BTreeMap::new();
        for (item, _) in rest {
            *numbers.entry(item.status).or_default() += 1;
        }
        let numbers: Vec<String> =
            numbers.iter().map(|(status, number)| format!("{} {}", grouped(*number), status.as_str())).collect();
        if first.is_empty() {
            return String::new();
        }
        let row = |(item, finding): &(&ItemReport, Option<&Finding>)| {
            let mut row = self.secret(item, *finding);
            // The proof is the widest, and the owner is with the details.
            row.cells.drain(4..6);
            row.details.truncate(1);
            row
        };
        let rows: Vec<Row> = first.iter().map(row).collect();
        lines([self.paint(HEADING, "Secrets that need attention, worst first")])
            + &self.rows(&["STATUS", "SECRET", "AGE / CADENCE", "DUE", "NEXT"], &rows)
            + &self.more(rest.len(), &format!(" ({})", numbers.join(", ")))
    }

    fn rules(&self, limit: usize) -> String {
        let groups = self.by_rule();
        let (first, rest) = groups.split_at(groups.len().min(limit));
        if first.is_empty() {
            return String::new();
        }
        let row = |(severity, id, findings): &(Severity, &str, Vec<&Finding>)| {
            let code = Rule::find(id).map(|rule| format!(" ({})", rule.code)).unwrap_or_default();
            let number = grouped(findings.len());
            let place = findings.first().map(|finding| cell(&place_of(finding))).unwrap_or_default();
            Row {
                title: format!("{}  {id}{code}: {number}", severity.as_str()),
                details: vec![format!("first at {place}")],
                cells: vec![severity.as_str().to_owned(), format!("{id}{code}"), number, place],
                word: Some((severity.as_str(), severity_style(*severity))),
            }
        };
        let rows: Vec<Row> = first.iter().map(row).collect();
        let others: usize = rest.iter().map(|(_, _, findings)| findings.len()).sum();
        lines([self.paint(HEADING, "Findings by rule, worst first")])
            + &self.rows(&["SEVERITY", "RULE", "FINDINGS", "FIRST"], &rows)
            + &self.more(rest.len(), &format!(" rules with {} findings", grouped(others)))
    }

    fn first_gaps(&self, limit: usize) -> String {
        let gaps = &self.report.gaps;
        if gaps.is_empty() {
            return String::new();
        }
        let (first, rest) = gaps.split_at(gaps.len().min(limit.div_ceil(2)));
        let row = |gap: &keytrail_rules::model::Gap| {
            let (reason, source, message) = (gap.reason.as_str(), cell(&gap.source), cell(&gap.message));
            Row {
                title: format!("{reason}  {source}"),
                details: vec![message.clone()],
                cells: vec![reason.to_owned(), source, message],
                word: Some((reason, WARNING)),
            }
        };
        let rows: Vec<Row> = first.iter().map(row).collect();
        lines([self.paint(HEADING, "Could not be read, so that this report is incomplete")])
            + &self.rows(&[], &rows)
            + &self.more(rest.len(), "")
    }

    fn more(&self, number: usize, what: &str) -> String {
        if number == 0 {
            return String::new();
        }
        lines(self.wrap(2, &format!("… and {} more{what}: --verbose shows all", grouped(number))))
    }

    /// The findings that count and that no row of the secrets says already, by rule, the worst first.
    fn by_rule(&self) -> Vec<(Severity, &str, Vec<&Finding>)> {
        let shown = self.shown_ids();
        let mut groups: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in self.report.counting().filter(|finding| !self.is_shown_as_secret(finding, &shown)) {
            groups.entry(finding.rule).or_default().push(finding);
        }
        let worst = |findings: &[&Finding]| findings.iter().map(|finding| finding.severity).max();
        let mut groups: Vec<(Severity, &str, Vec<&Finding>)> =
            groups.into_iter().filter_map(|(rule, findings)| Some((worst(&findings)?, rule, findings))).collect();
        let order = |id: &str| RULES.iter().position(|rule| rule.id == id);
        groups.sort_by_key(|(severity, rule, findings)| (Reverse(*severity), Reverse(findings.len()), order(rule)));
        groups
    }
}

/// `3,912`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
