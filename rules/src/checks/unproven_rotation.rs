use std::collections::{BTreeMap, BTreeSet};

use super::changes::{about_change, by, changes, evidence, instant, missing, stretch, the_change};
use super::{Context, about, count};
use crate::correlate::{Missing, Rotation, Verdict};
use crate::inventory::{Item, ItemId};
use crate::model::{Finding, Role, Severity};

rule! {
    /// A change cannot be proven: the trail that would show one of its traces has a hole there, or nothing covers the time.
    ///
    /// A log that does not hold a record proves nothing unless the log is known to be complete. Keytrail says which trail
    /// and which interval are missing, and does not guess. Where no trail watches the secret for one of the three traces,
    /// it is said once for the secret, not for every change.
    ///
    /// # How to fix
    /// Read in what is missing: the rotated file, the other audit device, the next day's delivery. Where the trail is
    /// complete and cannot prove it, say so: `covers = [2026-01-01, 2026-06-01]` in its `[[trail]]`. Where no trail
    /// watches the secret, add one.
    "unproven-rotation", "KT4004", Trails, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut unwatched: BTreeMap<&ItemId, (&Item, Vec<&Rotation>)> = BTreeMap::new();
    let mut findings = Vec::new();
    for (item, rotation) in changes(cx, |rotation| rotation.verdict == Verdict::Inconclusive) {
        if rotation.missing.iter().any(|one| one.trail.is_none()) {
            unwatched.entry(&item.id).or_insert((item, Vec::new())).1.push(rotation);
        } else {
            findings.push(with_a_hole(item, rotation));
        }
    }
    findings.extend(unwatched.into_values().map(|(item, rotations)| without_a_trail(cx, item, &rotations)));
    findings
}

fn with_a_hole(item: &Item, rotation: &Rotation) -> Finding {
    let lacks: Vec<String> = rotation.missing.iter().map(|one| format!("{} ({})", stretch(one), one.reason)).collect();
    let lacks = if lacks.is_empty() { "a trail does not cover it".to_owned() } else { lacks.join(", and ") };
    let message = format!(
        "The change of secret '{}' at {}{} cannot be proven: what is missing is the {lacks}.",
        item.id,
        instant(rotation.at),
        by(the_change(rotation))
    );
    about_change(&RULE, item, rotation, message).evidence(rotation.missing.iter().map(missing))
}

/// One finding for an item whose traces of a role nothing watches, whatever the number of its changes.
fn without_a_trail(cx: &Context<'_>, item: &Item, rotations: &[&Rotation]) -> Finding {
    let lacking = |one: &&Missing| one.trail.is_none();
    let roles: BTreeSet<Role> =
        rotations.iter().flat_map(|rotation| rotation.missing.iter().filter(lacking)).map(|one| one.role).collect();
    let configured = |role: &Role| cx.correlation.trails.iter().any(|trail| trail.role == *role);
    let why: Vec<String> = roles
        .iter()
        .map(|role| match configured(role) {
            true => format!("no {} trail watches it", role.as_str()),
            false => format!("the config has no {} trail", role.as_str()),
        })
        .collect();
    let number = i64::try_from(rotations.len()).unwrap_or(i64::MAX);
    let message =
        format!("{} of secret '{}' cannot be proven: {}.", count(number, "change"), item.id, why.join(", and "));
    let first = rotations.iter().filter_map(|rotation| the_change(rotation)).next();
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    about(&RULE, item, message).severity(Severity::Low).evidence(first.map(evidence)).next(format!(
        "add a [[trail]] of the role {} that watches {}",
        names.join(" and of the role "),
        item.id
    ))
}
