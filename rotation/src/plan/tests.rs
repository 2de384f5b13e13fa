use std::collections::BTreeMap;

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Environment, Key, Location, Place, Time};
use keytrail_rules::report::{AgeReport, CopyReport, ItemReport, ItemStatus, Report, SCHEMA, Summary, Tool};
use keytrail_rules::value::Shape;

use super::Plan;
use keytrail_rules::model::CopyKind;

mod believable;
mod order;
mod places;
mod size;

pub(super) fn time(day: &str) -> Time {
    format!("{day}T00:00:00Z").parse().expect("a day")
}

/// A report of some items, without findings.
pub(super) fn report(mut items: Vec<ItemReport>) -> Report {
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Report {
        schema: SCHEMA,
        as_of: time("2026-11-21"),
        tool: Tool { name: "keytrail", version: "0.0.0" },
        facets: Vec::new(),
        disabled_rules: Vec::new(),
        scope: Vec::new(),
        items,
        rotations: Vec::new(),
        readings: Vec::new(),
        trails: Vec::new(),
        leaks: Vec::new(),
        searched: None,
        gaps: Vec::new(),
        findings: Vec::new(),
        exceptions: Vec::new(),
        controls: Vec::new(),
        changes: None,
        trends: None,
        summary: Summary::default(),
    }
}

/// An item with an owner and a consumer. Of `NAME@environment`, the environment is set too.
fn item(id: &str, status: ItemStatus) -> ItemReport {
    let (name, environment) = id.split_once('@').map_or((id, None), |(name, rest)| (name, Some(rest)));
    let (key, environment) = (Key::new(name), environment.map(Environment::new));
    ItemReport {
        id: ItemId::of_key(&key, environment.as_ref()),
        key,
        aliases: Vec::new(),
        class: None,
        owner: Some("shop".to_owned()),
        environment,
        cadence: None,
        copies: Vec::new(),
        consumers: vec!["systemd:shop.service".to_owned()],
        derived_from: Vec::new(),
        declared_at: Vec::new(),
        last_rotated_at: None,
        age: None,
        due_at: None,
        status,
    }
}

pub(super) fn overdue(id: &str) -> ItemReport {
    item(id, ItemStatus::Overdue)
}

pub(super) fn fresh(id: &str) -> ItemReport {
    item(id, ItemStatus::Ok)
}

pub(super) trait Build {
    fn made_from(self, sources: &[&str]) -> Self;
    fn set_by(self, day: &str) -> Self;
    fn copy(self, place: &str, kind: CopyKind, value: Shape) -> Self;
    fn consumers(self, consumers: &[&str]) -> Self;
}

impl Build for ItemReport {
    fn made_from(mut self, sources: &[&str]) -> Self {
        self.derived_from = sources.iter().map(|id| item(id, ItemStatus::Ok).id).collect();
        self
    }

    fn set_by(mut self, day: &str) -> Self {
        let not_after = Some(time(day));
        self.age = Some(AgeReport { not_before: None, not_after, first_value: false, proof: String::new() });
        self
    }

    fn copy(mut self, place: &str, kind: CopyKind, value: Shape) -> Self {
        let place = Place::parse(place).expect("a place");
        let version = (kind == CopyKind::VaultKv2).then_some(3);
        let is_file = !matches!(kind, CopyKind::VaultKv1 | CopyKind::VaultKv2);
        let location = is_file.then(|| Location::of_line("shop.yaml", 7, "x"));
        self.copies.push(CopyReport { place, kind, value, version, location });
        self
    }

    fn consumers(mut self, consumers: &[&str]) -> Self {
        self.consumers = consumers.iter().map(|consumer| (*consumer).to_owned()).collect();
        self
    }
}

/// The ids of a plan, group by group.
fn ids(plan: &Plan) -> Vec<Vec<&str>> {
    plan.groups.iter().map(|group| group.items.iter().map(|item| item.id.as_str()).collect()).collect()
}

/// The commands of a plan that has one group, in order.
fn commands(plan: &Plan) -> Vec<String> {
    let steps = plan.groups.iter().flat_map(|group| &group.steps);
    steps.flat_map(|step| &step.commands).map(ToString::to_string).filter(|line| line != "keytrail scan").collect()
}

/// What is missing in a plan: the items of each lack, by its name.
fn missing(plan: &Plan) -> BTreeMap<String, Vec<&str>> {
    let all = plan.groups.iter().flat_map(|group| &group.missing);
    all.map(|missing| (missing.lack.to_string(), missing.items.iter().map(ItemId::as_str).collect())).collect()
}
