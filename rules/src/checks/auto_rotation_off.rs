use std::collections::BTreeMap;

use super::changes::{by, evidence, instant, location, notices, says, trace};
use super::{Context, about};
use crate::correlate::EventReport;
use crate::inventory::{Item, ItemId};
use crate::model::{AutoRotation, Declaration, EventKind, Evidence, Finding, Outcome, Severity};

rule! {
    /// The store's own rotation of a secret is switched off.
    ///
    /// A trail shows that it was switched off, or found off, and not that it was switched on again. It is worse where a
    /// runbook says that the provider rotates the secret: then everybody believes that somebody else does.
    ///
    /// # How to fix
    /// Switch it on again, or take it out of the runbook and give the secret a cadence.
    "auto-rotation-off", "KT4012", Trails, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut newest: BTreeMap<&ItemId, (&Item, &EventReport)> = BTreeMap::new();
    let switches = notices(cx).filter(|(_, event)| {
        event.outcome == Outcome::Done && matches!(event.kind, EventKind::AutoRotationOn | EventKind::AutoRotationOff)
    });
    for (item, event) in switches {
        let known = newest.entry(&item.id).or_insert((item, event));
        if known.1.time <= event.time {
            known.1 = event;
        }
    }
    let off = newest.into_values().filter(|(_, event)| event.kind == EventKind::AutoRotationOff);
    off.map(|(item, event)| finding(item, event)).collect()
}

fn finding(item: &Item, event: &EventReport) -> Finding {
    let promise = item.declarations.iter().find_map(promise);
    let (claim, severity) = match &promise {
        Some((says, _)) => (format!("; {says}"), Severity::High),
        None => (String::new(), RULE.severity),
    };
    let (at, by) = (instant(event.time), by(Some(event)));
    let message =
        format!("The automatic rotation of secret '{}' was switched off at {at}{by}, {}{claim}.", item.id, says(event));
    let line = location(&event.raw).or_else(|| item.location());
    about(&RULE, item, message)
        .severity(severity)
        .at(line)
        .evidence([evidence(event)])
        .evidence(promise.map(|(says, declaration)| Evidence::new(says, declaration.location.clone(), None)))
        .next(trace(&item.id))
}

/// What a declaration says of a provider that rotates by itself.
fn promise(declaration: &Declaration) -> Option<(String, &Declaration)> {
    let stated = declaration.auto_rotation.as_ref()?;
    let AutoRotation::On { by } = stated.meaning.as_ref()? else {
        return None;
    };
    let by = by.as_deref().unwrap_or("its provider");
    let line = declaration.location.as_ref().map_or_else(String::new, |line| format!(" ({line})"));
    Some((format!("it is declared that {by} rotates it{line}"), declaration))
}
