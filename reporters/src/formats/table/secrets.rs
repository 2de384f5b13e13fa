//! The secrets to act on.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use keytrail_rules::checks::{Facet, Rule};
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Finding, Time};
use keytrail_rules::report::{AgeReport, ItemReport, ItemStatus, is_about_age};

use super::layout::{Row, lines};
use super::{FINE, HEADING, NOTICE, Page, URGENT, WARNING, cell};

const HEADER: [&str; 7] = ["STATUS", "SECRET", "AGE / CADENCE", "DUE", "OWNER", "PROOF", "NEXT"];

/// Enough of what a finding rests on to tell why; the JSON report has the rest.
const MAX_PROOFS: usize = 3;

impl<'a> Page<'a> {
    /// The secrets to act on, worst first.
    pub(super) fn secrets(&self) -> String {
        let shown = self.shown_secrets();
        if shown.is_empty() {
            return String::new();
        }
        let rows: Vec<Row> = shown.iter().map(|(item, finding)| self.secret(item, *finding)).collect();
        let heading = self.paint(HEADING, "Secrets that need attention, worst first");
        lines([heading]) + &self.rows(&HEADER, &rows)
    }

    /// Whether the section of the secrets says what a finding says.
    pub(super) fn is_shown_as_secret(&self, finding: &Finding, shown: &BTreeSet<&ItemId>) -> bool {
        finding.counts() && is_about_age(finding) && finding.item.as_ref().is_some_and(|id| shown.contains(id))
    }

    /// Ids of the secrets that have a row.
    pub(super) fn shown_ids(&self) -> BTreeSet<&'a ItemId> {
        self.shown_secrets().into_iter().map(|(item, _)| &item.id).collect()
    }

    /// Every secret that leaked or has a finding that counts about its age, and with `verbose` every one that is not
    /// ok, each with the finding that says most about it.
    pub(super) fn shown_secrets(&self) -> Vec<(&'a ItemReport, Option<&'a Finding>)> {
        let mut findings: BTreeMap<&ItemId, &Finding> = BTreeMap::new();
        for finding in self.report.counting() {
            let rule = Rule::find(finding.rule);
            if rule.is_some_and(|rule| rule.facet != Facet::Inventory)
                && let Some(id) = &finding.item
            {
                let known = findings.entry(id).or_insert(finding);
                if (is_about_age(finding), finding.severity) > (is_about_age(known), known.severity) {
                    *known = finding;
                }
            }
        }
        let mut shown: Vec<_> = self
            .report
            .items
            .iter()
            .map(|item| (item, findings.get(&item.id).copied()))
            .filter(|(item, finding)| match item.status {
                ItemStatus::Ok => false,
                ItemStatus::Compromised => true,
                ItemStatus::Static | ItemStatus::Exempt => self.options.verbose,
                _ => self.options.verbose || finding.is_some(),
            })
            .collect();
        // Of two overdue secrets the one that is overdue for longer is the worse.
        shown.sort_by_key(|(item, _)| (item.status, item.due_at.is_none(), item.due_at, &item.id));
        shown
    }

    pub(super) fn secret(&self, item: &ItemReport, finding: Option<&Finding>) -> Row {
        let as_of = self.report.as_of;
        let age = item.age.as_ref().map_or_else(|| "unknown".to_owned(), |age| age_in_words(age, as_of));
        let age = format!("{age} / {}", item.cadence.as_deref().map_or_else(|| "no cadence".to_owned(), cell));
        let due = item.due_at.map_or_else(|| "-".to_owned(), day);
        let owner = item.owner.as_deref().map_or_else(|| "-".to_owned(), cell);
        let proof = cell(&proof(item, finding));
        let next =
            finding.map(|finding| finding.next.as_str()).filter(|next| !next.is_empty()).map_or("-".into(), cell);
        let (status, id) = (item.status.as_str(), cell(item.id.as_str()));

        let due_in_words = item.due_at.map(|due| format!(", due {}", day(due))).unwrap_or_default();
        let owner_in_words = item.owner.as_ref().map_or_else(|| "no owner".to_owned(), |_| format!("owner {owner}"));
        Row {
            title: format!("{status}  {id}"),
            details: vec![
                format!("{age}{due_in_words}, {owner_in_words}"),
                format!("proof: {proof}"),
                format!("next: {next}"),
            ],
            cells: vec![status.to_owned(), id, age, due, owner, proof, next],
            word: Some((status, status_style(item.status))),
        }
    }
}

/// What the judgement rests on.
fn proof(item: &ItemReport, finding: Option<&Finding>) -> String {
    let mut notes: Vec<&str> = Vec::new();
    for evidence in finding.map(|finding| &finding.evidence).into_iter().flatten() {
        if !notes.contains(&evidence.note.as_str()) && notes.len() < MAX_PROOFS {
            notes.push(&evidence.note);
        }
    }
    match (&item.age, notes.is_empty()) {
        (_, false) => notes.join("; "),
        (Some(age), true) => age.proof.clone(),
        (None, true) => "no source that was read tells its age".to_owned(),
    }
}

pub(super) fn status_style(status: ItemStatus) -> Style {
    match status {
        ItemStatus::Compromised | ItemStatus::Overdue | ItemStatus::NeverRotated | ItemStatus::EventDue => URGENT,
        ItemStatus::UnknownAge | ItemStatus::DueSoon => WARNING,
        ItemStatus::Exempt | ItemStatus::Static => NOTICE,
        ItemStatus::Ok => FINE,
    }
}

/// `213 d`; `≥ 120 d` or `≤ 30 d` where only a bound is known, and `30 to 120 d` where both are.
pub(in crate::formats) fn age_in_words(age: &AgeReport, as_of: Time) -> String {
    let days = |time: Time| (as_of - time).num_days().max(0);
    match (age.not_before.map(days), age.not_after.map(days)) {
        (Some(most), Some(least)) if most == least => format!("{most} d"),
        (Some(most), Some(least)) => format!("{least} to {most} d"),
        (None, Some(least)) => format!("≥ {least} d"),
        (Some(most), None) => format!("≤ {most} d"),
        (None, None) => "unknown".to_owned(),
    }
}

/// `2026-03-01`.
pub(super) fn day(time: Time) -> String {
    time.format("%Y-%m-%d").to_string()
}
