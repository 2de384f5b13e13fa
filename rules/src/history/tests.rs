use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::checks::Facet;
use crate::inventory::ItemId;
use crate::model::{Facts, Key, Snapshot};
use crate::policy::Policy;
use crate::report::{AgeReport, ItemReport, ItemStatus, Report};

fn day(day: i64) -> Time {
    DateTime::UNIX_EPOCH + TimeDelta::days(day)
}

fn report(as_of: i64) -> Report {
    let snapshot = Snapshot { as_of: day(as_of), facts: Facts::default(), sightings: BTreeMap::new() };
    crate::evaluate(&snapshot, &Policy::default(), &Facet::ALL.into())
}

fn item(key: &str, cadence: Option<&str>, status: ItemStatus, due: Option<i64>, set: Option<i64>) -> ItemReport {
    let set_at = set.map(day);
    let age =
        |not_after| AgeReport { not_before: None, not_after: Some(not_after), first_value: false, proof: "x".into() };
    ItemReport {
        id: ItemId::of_key(&Key::new(key), None),
        key: Key::new(key),
        aliases: Vec::new(),
        class: None,
        owner: None,
        environment: None,
        cadence: cadence.map(str::to_owned),
        copies: Vec::new(),
        consumers: Vec::new(),
        derived_from: Vec::new(),
        declared_at: Vec::new(),
        last_rotated_at: None,
        age: set_at.map(age),
        due_at: due.map(day),
        status,
    }
}

fn all() -> Looked {
    Looked { complete: true, facets: Facet::ALL.into(), disabled_rules: BTreeSet::new() }
}

#[test]
fn within_its_cadence_is_what_is_proven_to_be() {
    use ItemStatus::{Compromised, DueSoon, EventDue, Exempt, NeverRotated, Ok, Overdue, Static, UnknownAge};
    let every = Some("every 90 days");
    let mut report = report(1_000);
    report.items = vec![
        item("FINE", every, Ok, Some(1_050), Some(960)),
        item("SOON", every, DueSoon, Some(1_001), Some(911)),
        item("LATE", every, Overdue, Some(990), Some(900)),
        item("FIRST", every, NeverRotated, Some(990), Some(880)),
        item("UNKNOWN", every, UnknownAge, None, Some(999)),
        item("LEAKED", every, Compromised, Some(1_000), Some(990)),
        item("LET_PASS", every, Exempt, Some(800), Some(700)),
        item("LET_PASS_EARLY", every, Exempt, Some(1_002), Some(950)),
        item("STAND_IN", every, Ok, None, None),
        item("ON_EVENT", Some("on password change"), EventDue, None, Some(1)),
        item("MANAGED", Some("managed by the provider"), Ok, None, Some(1)),
        item("NEVER", Some("never (static)"), Static, None, Some(1)),
        item("UNSAID", None, Ok, None, Some(1)),
    ];
    report.summarise();
    let Measures { secrets, with_cadence, in_cadence, oldest_seconds, .. } = report.summary.measures;
    assert_eq!((secrets, with_cadence, in_cadence), (13, 8, 3));
    assert_eq!(oldest_seconds, Some(300 * 86_400), "that of the oldest with a cadence");
    report.apply_baseline(&BTreeSet::new());
    assert_eq!(report.summary.measures.with_cadence, 8, "a baseline changes no measure");
}

fn finding(rule: &str, fingerprint: &str, excepted: bool) -> (String, FoundFinding) {
    let finding = FindingChange {
        rule: rule.to_owned(),
        severity: Severity::High,
        item: None,
        message: format!("It is {fingerprint}."),
        fingerprint: fingerprint.to_owned(),
    };
    (fingerprint.to_owned(), FoundFinding { finding, excepted })
}

fn found(findings: &[(&str, &str, bool)], items: &[(&str, &str)]) -> Found {
    Found {
        as_of: day(1),
        findings: findings.iter().map(|(rule, id, excepted)| finding(rule, id, *excepted)).collect(),
        items: items.iter().map(|(id, status)| ((*id).to_owned(), (*status).to_owned())).collect(),
    }
}

fn ids(list: &[FindingChange]) -> Vec<&str> {
    list.iter().map(|change| change.fingerprint.as_str()).collect()
}

#[test]
fn each_finding_has_its_class() {
    let before = found(
        &[
            ("no-owner", "same", false),
            ("no-owner", "gone", false),
            ("no-owner", "let-pass-now", false),
            ("no-owner", "ran-out", true),
            ("no-owner", "let-pass", true),
            ("silent-rotation", "not-looked-for", false),
            ("no-such-rule", "of-another-version", false),
            ("shared-value", "switched-off", false),
        ],
        &[("A", "overdue"), ("B", "ok"), ("C", "compromised"), ("D", "exempt")],
    );
    let now = found(
        &[
            ("no-owner", "same", false),
            ("no-owner", "new", false),
            ("no-owner", "back", false),
            ("no-owner", "let-pass-now", true),
            ("no-owner", "ran-out", false),
            ("no-owner", "new-let-pass", true),
        ],
        &[("A", "ok"), ("C", "overdue"), ("D", "overdue"), ("E", "ok")],
    );
    let facets = BTreeSet::from([Facet::Inventory]);
    let looked = Looked { facets, disabled_rules: BTreeSet::from(["shared-value".to_owned()]), ..all() };
    let changes = compare(&before, &now, &looked, &|id| id == "back");
    assert_eq!(ids(&changes.new), ["new"]);
    assert_eq!(ids(&changes.regressed), ["back"]);
    assert_eq!(ids(&changes.fixed), ["gone"]);
    assert_eq!(ids(&changes.unseen), ["of-another-version", "switched-off", "not-looked-for"]);
    assert_eq!((ids(&changes.covered), ids(&changes.uncovered)), (vec!["let-pass-now"], vec!["ran-out"]));
    assert_eq!(changes.unchanged, 1);
    let items = |changes: &Changes| -> Vec<String> {
        let word = |status: &Option<String>| status.clone().unwrap_or_else(|| "-".to_owned());
        changes.items.iter().map(|one| format!("{} {} {}", one.item, word(&one.before), word(&one.after))).collect()
    };
    assert_eq!(items(&changes), ["A overdue ok", "B ok -", "E - ok"], "nobody looked for leaks and cadences");

    let gaps = compare(&before, &now, &Looked { complete: false, ..all() }, &|_| false);
    assert_eq!((ids(&gaps.fixed), gaps.unseen.len()), (vec![], 4));
    assert_eq!(items(&gaps), ["A overdue ok", "C compromised overdue", "D exempt overdue", "E - ok"], "B is not gone");
}

fn any_found() -> impl Strategy<Value = Found> {
    let status = prop::sample::select(vec!["ok", "overdue", "compromised", "exempt"]);
    let items = prop::collection::btree_map("[A-D]", status.prop_map(str::to_owned), 0..4);
    (prop::collection::vec(("[a-h]", any::<bool>()), 0..8), items).prop_map(|(all, items)| {
        let rule = |id: &str| if id < "d" { "no-owner" } else { "silent-rotation" };
        let findings = all.iter().map(|(id, excepted)| finding(rule(id), id, *excepted)).collect();
        Found { as_of: day(1), findings, items }
    })
}

proptest! {
    #[test]
    fn every_finding_is_in_one_class(before in any_found(), now in any_found(), complete: bool, back in "[a-h]") {
        let changes = compare(&before, &now, &Looked { complete, ..all() }, &|id| id == back);
        let Changes { new, regressed, fixed, unseen, covered, uncovered, unchanged, .. } = changes;
        let listed: Vec<String> = [new, regressed, fixed, unseen, covered, uncovered]
            .into_iter()
            .flatten()
            .map(|change| change.fingerprint)
            .collect();
        prop_assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len());
        let open = |found: &Found, id: &String| found.findings.get(id).is_some_and(|found| !found.excepted);
        let known: BTreeSet<&String> = before.findings.keys().chain(now.findings.keys()).collect();
        let count = known.into_iter().filter(|id| open(&before, id) || open(&now, id)).count();
        prop_assert_eq!(listed.len() + unchanged as usize, count);
    }

    #[test]
    fn a_scan_is_as_itself(found in any_found(), complete: bool) {
        let changes = compare(&found, &found, &Looked { complete, ..all() }, &|_| true);
        let unchanged = found.findings.values().filter(|found| !found.excepted).count() as u64;
        prop_assert_eq!(changes, Changes { since: day(1), unchanged, ..Changes::default() });
    }

    #[test]
    fn what_is_new_one_way_is_fixed_the_other(a in any_found(), b in any_found()) {
        let (there, back) = (compare(&a, &b, &all(), &|_| false), compare(&b, &a, &all(), &|_| false));
        prop_assert_eq!(there.unchanged, back.unchanged);
        for (one, other) in [(&there.new, &back.fixed), (&there.fixed, &back.new), (&there.covered, &back.uncovered)] {
            prop_assert_eq!(ids(one), ids(other));
        }
        prop_assert_eq!(there.items.len(), back.items.len());
    }
}

fn span(since: i64, status: ItemStatus, due: Option<i64>, set: Option<i64>) -> Span {
    Span { since: day(since), status: Some(status), due_at: due.map(day), set_at: set.map(day) }
}

#[test]
fn a_rotation_takes_from_when_it_was_due_to_the_new_value() {
    use ItemStatus::{Compromised, Exempt, NeverRotated, Ok, Overdue, UnknownAge};
    let gone = Span { since: day(12), status: None, due_at: None, set_at: None };
    for (spans, expected) in [
        // Due on day 5, seen on day 7, new on day 9, seen on day 10.
        (vec![span(7, Overdue, Some(5), Some(1)), span(10, Ok, Some(99), Some(9))], vec![4]),
        (vec![span(7, Compromised, None, Some(1)), span(10, Ok, Some(99), Some(9))], vec![2]),
        (vec![span(7, NeverRotated, Some(5), Some(1)), span(10, Ok, Some(99), Some(9))], vec![2]),
        // Through what is not known and what an exception covers.
        (
            vec![
                span(7, Overdue, Some(5), Some(1)),
                span(8, UnknownAge, None, Some(1)),
                span(9, Exempt, Some(5), Some(1)),
                span(10, Ok, Some(99), Some(9)),
            ],
            vec![4],
        ),
        // Another cadence is no new value, and what comes later is another story.
        (
            vec![span(7, Overdue, Some(5), Some(1)), span(8, Ok, Some(99), Some(1)), span(20, Ok, Some(99), Some(19))],
            vec![],
        ),
        // A value that was set before it was due: the evidence came late.
        (vec![span(7, Overdue, Some(5), Some(1)), span(10, Ok, Some(99), Some(4))], vec![]),
        // No value was known before.
        (vec![span(7, Compromised, None, None), span(10, Ok, Some(99), Some(9))], vec![]),
        (vec![span(7, Overdue, Some(5), Some(1)), gone.clone(), span(20, Ok, Some(99), Some(19))], vec![]),
        // Rotated, and leaked again.
        (
            vec![
                span(7, Compromised, None, Some(1)),
                span(10, Compromised, None, Some(9)),
                span(15, Ok, Some(99), Some(13)),
            ],
            vec![2, 3],
        ),
    ] {
        let trends = trends(Vec::new(), [spans.as_slice()]);
        let mean = expected.iter().sum::<i64>().checked_div(expected.len() as i64);
        let whole = expected.len() as u64;
        let seconds = trends.mean_seconds_to_rotate;
        assert_eq!(trends.rotated, whole, "{spans:?}");
        assert_eq!(seconds.map(|seconds| seconds / 86_400), mean, "{spans:?}");
    }
}

#[test]
fn a_span_begins_where_something_else_is_known() {
    use ItemStatus::{Compromised, Ok, Overdue};
    let every = Some("every 90 days");
    let late = item("A", every, Overdue, Some(5), Some(1));
    let next =
        |before: Option<&Span>, item: &ItemReport, looked: &Looked| next_span(before, Some(item), looked, day(9));
    let first = next(None, &late, &all()).expect("a span");
    assert_eq!(first, span(9, Overdue, Some(5), Some(1)));
    assert_eq!(next(Some(&first), &late, &all()), None, "nothing else is known");

    let leaked = next(Some(&first), &item("A", every, Compromised, Some(9), Some(1)), &all()).expect("a span");
    assert_eq!(leaked.due_at, None, "it is due at once, on whatever day");
    let blind = Looked { facets: BTreeSet::from([Facet::Cadence]), ..all() };
    assert_eq!(next(Some(&leaked), &late, &blind), None, "nobody looked for leaks");

    let with_gaps = Looked { complete: false, ..all() };
    let fine = item("A", every, Ok, Some(99), Some(9));
    let guessed = next(Some(&first), &fine, &with_gaps).expect("a span");
    assert_eq!(
        (guessed.status, guessed.set_at),
        (Some(Ok), Some(day(1))),
        "a bound of a scan with gaps proves no value"
    );
    let exact = ItemReport { last_rotated_at: Some(day(9)), ..fine };
    assert_eq!(next(Some(&first), &exact, &with_gaps).and_then(|span| span.set_at), Some(day(9)));

    assert_eq!(next_span(Some(&first), None, &with_gaps, day(9)), None, "what was not looked at is not gone");
    let gone = next_span(Some(&first), None, &all(), day(9)).expect("a span");
    assert_eq!(gone.status, None);
    assert_eq!(next_span(Some(&gone), None, &all(), day(10)), None);
}

#[test]
fn of_many_points_some_stay() {
    let point = |hours: i64| Point {
        as_of: DateTime::UNIX_EPOCH + TimeDelta::hours(hours),
        complete: true,
        findings: BTreeMap::new(),
        measures: Measures::default(),
    };
    let hours = |points: &[Point]| -> Vec<i64> { points.iter().map(|one| one.as_of.timestamp() / 3_600).collect() };
    let kept = |count: i64, every: i64| hours(&thin((0..count).map(|at| point(at * every)).collect()));
    assert_eq!(kept(400, 1).len(), 400);
    let days = kept(401, 12);
    assert_eq!((days.len(), days.first(), days.last()), (201, Some(&12), Some(&(400 * 12))), "the last of each day");
    let weeks = kept(401, 24);
    // 1 January 1970 was a Thursday: Sunday the 4th is the last day of the first week.
    assert_eq!((weeks.len(), weeks.first(), weeks.last()), (58, Some(&(3 * 24)), Some(&(400 * 24))), "of each week");
    let long = kept(500, 24 * 7);
    assert_eq!((long.len(), long.last()), (MAX_POINTS, Some(&(499 * 24 * 7))), "the newest");
}
