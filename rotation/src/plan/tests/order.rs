//! What is planned, in which groups and in which order.

use keytrail_rules::checks::Rule;
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{CopyKind, Finding};
use keytrail_rules::report::{ItemReport, ItemStatus, Report};
use keytrail_rules::value::Shape;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Build, fresh, ids, item, missing, overdue, report};
use crate::plan::{Action, Lack, Plan, Reason, Step};
use crate::state::State;

fn plan(items: Vec<ItemReport>) -> Plan {
    Plan::new(&report(items))
}

/// Whether each group's soak is to be cut short.
fn is_urgent(plan: &Plan) -> Vec<bool> {
    let urgent = |action: &Action| if let Action::Watch { is_urgent, .. } = action { Some(*is_urgent) } else { None };
    plan.groups.iter().flat_map(|group| &group.steps).filter_map(|step| urgent(&step.action)).collect()
}

fn stale(mut report: Report, item: &ItemReport) -> Report {
    let rule = Rule::find("stale-derived-secret").expect("a rule");
    report.findings.push(Finding::new(rule, item.id.as_str(), "It is stale.").item(item.id.clone()));
    report
}

#[test]
fn what_is_due_is_planned_and_nothing_else() {
    let all = || ItemStatus::ALL.map(|status| item(&format!("A_{}", status.as_str()), status)).to_vec();
    assert_eq!(ids(&plan(all())), [["A_COMPROMISED"], ["A_OVERDUE"], ["A_NEVER_ROTATED"], ["A_EVENT_DUE"]]);
    let soon = Plan::with_due_soon(&report(all()));
    assert_eq!(soon.groups.len(), 5);
    assert_eq!(ids(&soon)[4], ["A_DUE_SOON"]);
    assert_eq!(plan(Vec::new()).render(), "Rotation plan as of 2026-11-21: nothing is due.\n");
}

#[test]
fn groups_go_from_the_worst_and_least_risky_to_the_rest() {
    let compromised = |id: &str| item(id, ItemStatus::Compromised);
    let groups = plan(vec![
        overdue("B@production").set_by("2026-01-01"),
        overdue("A@production").set_by("2026-01-01"),
        overdue("OLD@production").set_by("2025-01-01"),
        overdue("UNKNOWN_AGE@production"),
        item("NEVER@staging", ItemStatus::NeverRotated).set_by("2020-01-01"),
        overdue("A@staging").set_by("2026-10-01"),
        overdue("NOWHERE"),
        compromised("LEAKED@production"),
        compromised("LEAKED@staging"),
    ]);
    assert_eq!(
        ids(&groups).concat(),
        [
            "LEAKED@staging",
            "LEAKED@production",
            "A@staging",
            "NEVER@staging",
            "NOWHERE",
            "UNKNOWN_AGE@production",
            "OLD@production",
            "A@production",
            "B@production",
        ]
    );
}

#[test]
fn what_is_made_from_a_due_secret_changes_with_it() {
    let plan = plan(vec![
        overdue("PASSWORD"),
        fresh("A_URL").made_from(&["PASSWORD"]),
        item("STATIC_POOL", ItemStatus::Static).made_from(&["A_URL"]),
        fresh("OTHER"),
        fresh("OTHER_URL").made_from(&["OTHER"]),
    ]);
    assert_eq!(ids(&plan), [["PASSWORD", "A_URL", "STATIC_POOL"]]);
    let group = &plan.groups[0];
    let reasons: Vec<&Reason> = group.items.iter().map(|item| &item.reason).collect();
    let [first, second] = [&group.items[0].id, &group.items[1].id];
    assert_eq!(reasons, [&Reason::Due, &Reason::MadeFrom(first.clone()), &Reason::MadeFrom(second.clone())]);
    assert!(group.steps.iter().any(|step| step.action == Action::Revoke(vec![first.clone()])), "one value is issued");
}

#[test]
fn a_due_derivative_takes_its_sources_along() {
    let items = |source: ItemStatus| {
        vec![
            item("PASSWORD", source),
            overdue("A_URL").made_from(&["PASSWORD", "HOST"]),
            fresh("B_URL").made_from(&["PASSWORD"]),
        ]
    };
    let with_ok = plan(items(ItemStatus::Ok));
    assert_eq!(ids(&with_ok), [["PASSWORD", "A_URL", "B_URL"]]);
    assert_eq!(with_ok.groups[0].items[0].reason, Reason::SourceOf(with_ok.groups[0].items[1].id.clone()));

    // A source that is to stay as it is does; so the derivative cannot change.
    let with_exempt = plan(items(ItemStatus::Exempt));
    assert_eq!(ids(&with_exempt), [["A_URL"]]);
    assert_eq!(missing(&with_exempt)["made from nothing that changes"], ["A_URL"]);

    // What leaked inside of another secret has leaked, exempt or not.
    let mut leaked = items(ItemStatus::Exempt);
    leaked[1].status = ItemStatus::Compromised;
    let leaked = plan(leaked);
    assert_eq!(ids(&leaked), [["PASSWORD", "A_URL", "B_URL"]]);
    assert_eq!((is_urgent(&with_ok), is_urgent(&leaked)), (vec![false], vec![true]));
}

#[test]
fn a_stale_derivative_is_rebuilt_from_a_source_that_stays() {
    let url = fresh("A_URL").made_from(&["PASSWORD"]);
    let items = |url: &ItemReport| report(vec![fresh("PASSWORD"), url.clone()]);
    let found = stale(items(&url), &url);
    let event_due = ItemReport { status: ItemStatus::EventDue, ..url.clone() };
    let late = ItemReport { status: ItemStatus::Overdue, ..url.clone() };
    for (report, reason) in
        [(found.clone(), Reason::Stale), (items(&event_due), Reason::Due), (stale(items(&late), &late), Reason::Due)]
    {
        let plan = Plan::new(&report);
        assert_eq!(ids(&plan), [["A_URL"]]);
        assert_eq!(plan.groups[0].items[0].reason, reason);
        assert_eq!(missing(&plan).into_keys().collect::<Vec<_>>(), ["no known place that keeps the value"]);
        let revokes = plan.groups[0].steps.iter().any(|step| step.reaches() == State::Revoked);
        assert!(!revokes, "the current value of the source stays alive");
    }
    let mut excepted = found;
    excepted.findings[0].exception = Some("until the move".to_owned());
    assert!(Plan::new(&excepted).groups.is_empty());
}

#[test]
fn secrets_that_are_made_from_one_another_are_reported() {
    let plan = plan(vec![
        overdue("A").made_from(&["C"]),
        fresh("B").made_from(&["A"]),
        fresh("C").made_from(&["B"]),
        fresh("D").made_from(&["C"]),
        overdue("SELF").made_from(&["SELF"]),
    ]);
    assert_eq!(ids(&plan), [vec!["A", "B", "C", "D"], vec!["SELF"]]);
    let order: Vec<String> = plan.groups.iter().map(|group| format!("{:?}", group.missing[0])).collect();
    insta::assert_snapshot!(order.join("\n"), @r#"
    Missing { lack: Order, items: [ItemId("A"), ItemId("B"), ItemId("C")], what: [] }
    Missing { lack: Order, items: [ItemId("SELF")], what: [] }
    "#);
}

#[test]
fn what_is_missing_is_said() {
    let plan = plan(vec![
        ItemReport { owner: None, ..overdue("PASSWORD").consumers(&[]) },
        fresh("A_URL").made_from(&["PASSWORD"]).consumers(&[]),
    ]);
    insta::assert_debug_snapshot!(missing(&plan), @r#"
    {
        "no issuer": [
            "PASSWORD",
        ],
        "no known consumer": [
            "A_URL",
        ],
        "no known place that keeps the value": [
            "PASSWORD",
            "A_URL",
        ],
        "no owner": [
            "PASSWORD",
        ],
    }
    "#);
}

/// Some items that are made from one another in any way.
fn items() -> impl Strategy<Value = Vec<ItemReport>> {
    let environment = select(&["", "@staging", "@production"][..]);
    let one = (select(&ItemStatus::ALL[..]), environment, vec(0..12usize, 0..3), any::<bool>());
    vec(one, 0..12).prop_map(|rows| {
        let names: Vec<String> = rows.iter().enumerate().map(|(at, row)| format!("S{at}{}", row.1)).collect();
        let rows = rows.into_iter().zip(&names);
        rows.map(|((status, _, sources, keeps), name)| {
            let sources: Vec<&str> =
                sources.into_iter().map(|at| names.get(at).map_or("HOST", String::as_str)).collect();
            let item = item(name, status).made_from(&sources);
            if keeps { item.copy("vault:secret/shop#key", CopyKind::VaultKv2, Shape::Unread) } else { item }
        })
        .collect()
    })
}

proptest! {
    #[test]
    fn a_plan_keeps_its_guarantees(items in items()) {
        let report = report(items);
        let plan = Plan::new(&report);

        let planned: Vec<_> = plan.groups.iter().flat_map(|group| &group.items).collect();
        let mut seen: Vec<_> = planned.iter().map(|item| &item.id).collect();
        seen.sort();
        let all = seen.len();
        seen.dedup();
        prop_assert_eq!(seen.len(), all, "each once");
        for item in &report.items {
            let is_due = matches!(item.status, ItemStatus::Compromised | ItemStatus::Overdue
                | ItemStatus::NeverRotated | ItemStatus::EventDue);
            prop_assert!(!is_due || seen.contains(&&item.id), "{} is due", item.id);
        }

        for group in &plan.groups {
            let cyclic: Vec<_> = group.missing.iter().filter(|one| one.lack == Lack::Order).collect();
            let position = |id: &ItemId| group.items.iter().position(|item| item.id == *id);
            for (at, item) in group.items.iter().enumerate() {
                for source in &item.derived_from {
                    let together = |id: &ItemId| cyclic.iter().find(|cycle| cycle.items.contains(id));
                    let is_cycle = together(&item.id).is_some() && together(&item.id) == together(source);
                    match position(source) {
                        Some(earlier) => prop_assert!(earlier < at || is_cycle, "{source} after {}", item.id),
                        None => prop_assert!(!seen.contains(&source), "{source} in another group"),
                    }
                }
            }
            // Whatever is made from a planned secret is planned in its group.
            for other in report.items.iter().filter(|other| other.derived_from.iter().any(|id| position(id).is_some())) {
                prop_assert!(position(&other.id).is_some(), "{} would be stale", other.id);
            }

            let states: Vec<State> = group.steps.iter().map(Step::reaches).collect();
            prop_assert!(states.is_sorted(), "{states:?}");
            if let Some(revoked) = states.iter().position(|state| *state == State::Revoked) {
                prop_assert!(states[..revoked].contains(&State::Verified));
                prop_assert!(states[..revoked].contains(&State::Loaded));
                let mints = group.steps.iter().any(|step| matches!(step.action, Action::Mint(_)));
                prop_assert!(mints, "nothing is revoked that was not made anew");
            }
        }
    }

    #[test]
    fn a_plan_does_not_hang_on_the_order_of_the_report(items in items(), seed in any::<prop::sample::Index>()) {
        let sorted = Plan::new(&report(items.clone()));
        let mut turned = report(items);
        if !turned.items.is_empty() {
            let by = seed.index(turned.items.len());
            turned.items.rotate_left(by);
        }
        let turned = Plan::new(&turned);
        prop_assert_eq!(ids(&sorted), ids(&turned));
    }
}
