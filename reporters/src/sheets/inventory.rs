//! One row for every secret and environment.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::correlate::Rotation;
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Class, Environment, Finding, Key, Role};
use keytrail_rules::report::{ExceptionReport, ExceptionState, ItemReport, Report};

use super::rotations::{references, trace};
use super::{Cell, Column, Sheet, columns};

const COLUMNS: &[Column] = columns![
    secret 36, key 28, aliases 18, environment 14, class 18, owner 16, cadence 18, status 14,
    last_rotation_not_before 20, last_rotation_not_after 20, first_value 11, due 20, proof 48, places 40, consumers 32,
    declared_at 24, findings 32, last_change 20, verdict 16, requested 14, requested_evidence 32, written 14,
    written_evidence 32, loaded 14, loaded_evidence 32, controls 24, exception 32, exception_expires 20,
];

/// The inventory of a report, with what is proven of each secret and what is wrong with it.
pub(crate) fn inventory(report: &Report) -> Sheet {
    let mut findings: BTreeMap<&ItemId, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        if let Some(item) = &finding.item {
            findings.entry(item).or_default().push(finding);
        }
    }
    let mut changes: BTreeMap<&ItemId, &Rotation> = BTreeMap::new();
    for rotation in &report.rotations {
        let last = changes.entry(&rotation.item).or_insert(rotation);
        if rotation.at >= last.at {
            *last = rotation;
        }
    }
    let found = |item: &ItemReport| findings.get(&item.id).map_or(&[][..], Vec::as_slice);
    let rows = report.items.iter().map(|item| row(report, item, found(item), changes.get(&item.id).copied()));
    Sheet { name: "Inventory", columns: COLUMNS, rows: rows.collect() }
}

fn row(report: &Report, item: &ItemReport, findings: &[&Finding], change: Option<&Rotation>) -> Vec<Cell> {
    let age = item.age.as_ref();
    let exceptions: Vec<&ExceptionReport> = findings.iter().filter_map(|one| exception_of(report, one)).collect();
    let controls: BTreeSet<&str> = findings.iter().flat_map(|one| &one.controls).map(String::as_str).collect();
    let mut row = vec![
        Cell::text(item.id.as_str()),
        Cell::text(item.key.as_str()),
        Cell::list(item.aliases.iter().map(Key::as_str)),
        item.environment.as_ref().map(Environment::as_str).into(),
        item.class.map(Class::as_str).into(),
        item.owner.as_ref().into(),
        item.cadence.as_ref().into(),
        Cell::text(item.status.as_str()),
        age.and_then(|age| age.not_before).into(),
        age.and_then(|age| age.not_after).into(),
        age.map_or(Cell::Empty, |age| Cell::word(age.first_value)),
        item.due_at.into(),
        age.map(|age| &age.proof).into(),
        Cell::list(item.copies.iter().map(|copy| copy.place.as_str())),
        Cell::list(&item.consumers),
        Cell::list(item.declared_at.iter().map(ToString::to_string)),
        Cell::list(findings.iter().map(|one| format!("{}{}", one.rule, suffix(one)))),
        change.map(|change| change.at).into(),
        change.map(|change| change.verdict.as_str()).into(),
    ];
    for role in [Role::Ledger, Role::Store, Role::Application] {
        row.push(change.map(|change| trace(change, role)).into());
        row.push(change.map_or(Cell::Empty, |change| references(change, role)));
    }
    row.extend([
        Cell::list(controls),
        Cell::list(findings.iter().filter_map(|one| one.exception.as_ref())),
        exceptions.iter().map(|one| one.expires).min().into(),
    ]);
    row
}

fn suffix(finding: &Finding) -> &'static str {
    match finding {
        one if one.exception.is_some() => " (excepted)",
        one if one.baselined => " (in the baseline)",
        _ => "",
    }
}

/// The exception that lets a finding pass: it has its rule and its reason, and its secret where it names one.
pub(super) fn exception_of<'a>(report: &'a Report, finding: &Finding) -> Option<&'a ExceptionReport> {
    let reason = finding.exception.as_ref()?;
    let secret = finding.item.as_ref().map_or("", |item| item.as_str());
    let key = secret.split('@').next().unwrap_or_default();
    let holds = |one: &&ExceptionReport| {
        one.state != ExceptionState::Expired && one.rule == finding.rule && one.reason == *reason
    };
    let mut all = report.exceptions.iter().filter(holds).peekable();
    let first = all.peek().copied();
    all.find(|one| one.secret.as_deref().is_some_and(|named| named == secret || named == key)).or(first)
}
