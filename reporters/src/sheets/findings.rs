//! One row for every finding, and one for every difference from the scan before.

use std::collections::BTreeSet;

use keytrail_rules::checks::Rule;
use keytrail_rules::history::{Changes, FindingChange};
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Evidence, Finding};
use keytrail_rules::report::Report;

use super::inventory::exception_of;
use super::{Cell, Column, Sheet, columns, line};

const COLUMNS: &[Column] = columns![
    rule 24, code 9, part 11, severity 10, state 14, secret 36, message 64, location 28, evidence 48, next 40,
    controls 24, exception 32, approved_by 16, exception_expires 20, fixable 9, change 12, fingerprint 20,
];

/// The findings of a report, worst first, those that do not count among them.
pub(crate) fn findings(report: &Report) -> Sheet {
    let (new, regressed) = (prints(report, |one| &one.new), prints(report, |one| &one.regressed));
    let change = |finding: &Finding| match &report.changes {
        None => "",
        Some(_) if new.contains(finding.fingerprint.as_str()) => "new",
        Some(_) if regressed.contains(finding.fingerprint.as_str()) => "regressed",
        Some(_) => "unchanged",
    };
    let rows = report.findings.iter().map(|finding| row(report, finding, change(finding)));
    Sheet { name: "Findings", columns: COLUMNS, rows: rows.collect() }
}

fn prints(report: &Report, list: fn(&Changes) -> &Vec<FindingChange>) -> BTreeSet<&str> {
    report.changes.iter().flat_map(list).map(|change| change.fingerprint.as_str()).collect()
}

fn row(report: &Report, finding: &Finding, change: &str) -> Vec<Cell> {
    let (rule, exception) = (Rule::find(finding.rule), exception_of(report, finding));
    vec![
        Cell::text(finding.rule),
        rule.map(|rule| rule.code).into(),
        rule.map(|rule| rule.facet.as_str()).into(),
        Cell::text(finding.severity.as_str()),
        Cell::text(state(finding)),
        finding.item.as_ref().map(ItemId::as_str).into(),
        Cell::text(&finding.message),
        line(finding.location.as_ref()),
        Cell::list(finding.evidence.iter().map(evidence)),
        Cell::text(&finding.next),
        Cell::list(&finding.controls),
        finding.exception.as_ref().into(),
        exception.and_then(|one| one.approved_by.as_ref()).into(),
        exception.map(|one| one.expires).into(),
        Cell::word(finding.fixable),
        Cell::text(change),
        Cell::text(&finding.fingerprint),
    ]
}

fn state(finding: &Finding) -> &'static str {
    match finding {
        one if one.exception.is_some() => "excepted",
        one if one.baselined => "in the baseline",
        _ => "counts",
    }
}

fn evidence(one: &Evidence) -> String {
    let line = one.location.as_ref().map(ToString::to_string);
    let places: Vec<String> = line.into_iter().chain(one.place.as_ref().map(ToString::to_string)).collect();
    if places.is_empty() { one.note.clone() } else { format!("{} ({})", one.note, places.join(", ")) }
}

const CHANGE_COLUMNS: &[Column] =
    columns![change 12, severity 10, rule 24, secret 36, message 64, before 16, after 16, fingerprint 20];

/// What is different from the scan before.
pub(super) fn changes(changes: &Changes) -> Sheet {
    let kinds = [
        ("new", &changes.new),
        ("regressed", &changes.regressed),
        ("fixed", &changes.fixed),
        ("not looked at", &changes.unseen),
    ];
    let mut rows: Vec<Vec<Cell>> =
        kinds.into_iter().flat_map(|(kind, list)| list.iter().map(|one| change(kind, one))).collect();
    rows.extend(changes.items.iter().map(|one| {
        let none = || Cell::Empty;
        vec![
            Cell::text("status"),
            none(),
            none(),
            Cell::text(&one.item),
            none(),
            one.before.as_deref().unwrap_or("not there").into(),
            one.after.as_deref().unwrap_or("gone").into(),
            none(),
        ]
    }));
    Sheet { name: "Changes", columns: CHANGE_COLUMNS, rows }
}

fn change(kind: &str, one: &FindingChange) -> Vec<Cell> {
    vec![
        Cell::text(kind),
        Cell::text(one.severity.as_str()),
        Cell::text(&one.rule),
        one.item.as_ref().into(),
        Cell::text(&one.message),
        Cell::Empty,
        Cell::Empty,
        Cell::text(&one.fingerprint),
    ]
}
