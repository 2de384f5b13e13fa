//! What a person does for a group, step by step, and what Keytrail lacks to do it by itself.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{CopyKind, Place};
use keytrail_rules::report::{ItemReport, ItemStatus};
use keytrail_rules::value::Shape;

use super::command::{Builder, Command};
use super::select::{Component, Member, set_by};
use super::write::{Writes, commands, follow_commands};
use super::{Action, Group, Lack, Missing, PlannedCopy, PlannedItem, Step, workload};

/// The group of a component.
pub(super) fn group(component: Component<'_>, writes: &mut Writes) -> Group {
    let steps = steps(&component.members, writes);
    let missing = missing(&component);
    Group { items: component.members.into_iter().map(planned).collect(), steps, missing }
}

fn planned(member: Member<'_>) -> PlannedItem {
    let Member { item, reason, .. } = member;
    PlannedItem {
        id: item.id.clone(),
        key: item.key.clone(),
        aliases: item.aliases.clone(),
        environment: item.environment.clone(),
        status: item.status,
        reason,
        derived_from: item.derived_from.clone(),
        owner: item.owner.clone(),
        due_at: item.due_at,
        set_by: set_by(item),
    }
}

fn steps(members: &[Member<'_>], writes: &mut Writes) -> Vec<Step> {
    let by_hand = |action| Step { action, commands: Vec::new() };
    let mut steps: Vec<Step> = members.iter().map(|member| by_hand(make(member.item))).collect();
    steps.push(by_hand(Action::TryOut(ids(members, |_| true))));
    steps.extend(promote(members, writes));

    let consumers: BTreeSet<&String> = members.iter().flat_map(|member| &member.item.consumers).collect();
    for consumer in &consumers {
        let (how, commands) = workload::load(consumer);
        steps.push(Step { action: Action::Load { consumer: (*consumer).clone(), how }, commands });
    }
    let is_urgent = members.iter().any(|member| member.item.status == ItemStatus::Compromised);
    steps.push(by_hand(Action::Watch { consumers: consumers.into_iter().cloned().collect(), is_urgent }));

    let revoked = ids(members, is_minted);
    if !revoked.is_empty() {
        steps.push(by_hand(Action::Revoke(revoked.clone())));
    }
    let scan: Vec<Command> = Builder::new(&["keytrail", "scan"]).build(None).into_iter().collect();
    steps.push(Step { action: Action::Confirm { revoked }, commands: scan });
    steps
}

fn is_minted(item: &ItemReport) -> bool {
    item.derived_from.is_empty()
}

fn ids(members: &[Member<'_>], which: impl Fn(&ItemReport) -> bool) -> Vec<ItemId> {
    members.iter().filter(|member| which(member.item)).map(|member| member.item.id.clone()).collect()
}

/// How a new value comes to be.
fn make(item: &ItemReport) -> Action {
    if is_minted(item) {
        Action::Mint(item.id.clone())
    } else {
        Action::Rebuild { item: item.id.clone(), from: item.derived_from.clone() }
    }
}

/// What is to happen to the copies: the places that keep values are written to first, stores before files.
fn promote(members: &[Member<'_>], writes: &mut Writes) -> Vec<Step> {
    let mut written: BTreeMap<(CopyKind, Place), Vec<PlannedCopy>> = BTreeMap::new();
    let (mut moved, mut followed) = (Vec::new(), Vec::new());
    for copy in members.iter().flat_map(|member| copies(member.item)) {
        match fate(copy.kind, copy.value) {
            Fate::Written => written.entry((copy.kind, copy.place.whole_path())).or_default().push(copy),
            Fate::Moved => moved.push(Step { action: Action::Move(copy), commands: Vec::new() }),
            Fate::Follows => {
                let commands = follow_commands(&copy);
                followed.push(Step { action: Action::Follow(copy), commands });
            }
        }
    }
    let written = written.into_values().map(|copies| {
        let commands = commands(&copies, writes);
        Step { action: Action::Write(copies), commands }
    });
    written.chain(moved).chain(followed).collect()
}

/// What becomes of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The new value is written to it.
    Written,
    /// The value is taken out of it.
    Moved,
    /// It points to another place, or is an encrypted form of the value.
    Follows,
}

fn fate(kind: CopyKind, value: Shape) -> Fate {
    match value {
        Shape::Reference | Shape::Encrypted => Fate::Follows,
        _ if kind == CopyKind::ExternalSecret => Fate::Follows,
        _ if kind.is_plain_config() => Fate::Moved,
        _ => Fate::Written,
    }
}

/// The copies of a secret, each place once, with all its lines.
fn copies(item: &ItemReport) -> Vec<PlannedCopy> {
    let mut places: BTreeMap<(CopyKind, &Place, Shape), PlannedCopy> = BTreeMap::new();
    for copy in &item.copies {
        let planned = places.entry((copy.kind, &copy.place, copy.value)).or_insert_with(|| PlannedCopy {
            item: item.id.clone(),
            place: copy.place.clone(),
            kind: copy.kind,
            value: copy.value,
            version: copy.version,
            locations: Vec::new(),
        });
        planned.locations.extend(copy.location.clone());
    }
    places.into_values().collect()
}

fn missing(component: &Component<'_>) -> Vec<Missing> {
    let members = &component.members;
    let is_source: BTreeSet<&ItemId> = members.iter().flat_map(|member| &member.item.derived_from).collect();
    let keeps = |item: &ItemReport, which: &dyn Fn(&Place) -> bool| {
        // A sealed value is kept, though it is not in clear.
        let is_kept = |kind, value| fate(kind, value) == Fate::Written || value == Shape::Encrypted;
        item.copies.iter().any(|copy| is_kept(copy.kind, copy.value) && which(&copy.place))
    };
    let lacks = [
        (Lack::Source, component.stuck.clone()),
        (Lack::Issuer, ids(members, is_minted)),
        (Lack::Copy, ids(members, |item| !keeps(item, &|_| true))),
        (Lack::Key, ids(members, |item| keeps(item, &|place| place.key().is_none()))),
        // A source may be loaded by way of what is made from it.
        (Lack::Consumer, ids(members, |item| item.consumers.is_empty() && !is_source.contains(&item.id))),
        (Lack::Owner, ids(members, |item| item.owner.is_none())),
    ];
    let cycles = component.cycles.iter().map(|cycle| (Lack::Order, cycle.clone()));
    let all = cycles.chain(lacks).filter(|(_, items)| !items.is_empty());
    all.map(|(lack, items)| Missing { lack, items, what: Vec::new() }).collect()
}
