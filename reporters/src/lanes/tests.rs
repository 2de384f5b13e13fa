use keytrail_rules::correlate::{EventReport, Rotation, Verdict};
use keytrail_rules::model::{EventKind, Proof, Role};
use keytrail_rules::report::Report;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::ItemTrace;
use crate::escape::{is_deceptive, tests::text};
use crate::samples::trails::{event, inconclusive, raw, reading, rotation, silent, traced, trail, trails};
use crate::{Options, samples};

fn report(rotations: Vec<Rotation>) -> Report {
    let mut report = samples::company();
    report.as_of = samples::time("2026-03-04T00:00:00Z");
    (report.rotations, report.trails) = (rotations, trails());
    report
}

fn show_with(report: &Report, notices: &[EventReport], options: &Options) -> String {
    let trace = ItemTrace::new(report, notices, &report.items[0], None);
    String::from_utf8(trace.lanes(options)).expect("UTF-8")
}

fn show(report: &Report, width: Option<u16>) -> String {
    let shown = show_with(report, &[], &Options { width, ..Options::default() });
    let widest = usize::from(width.unwrap_or(100).max(60));
    assert!(shown.lines().all(|line| line.width() <= widest), "{shown}");
    shown
}

#[test]
fn a_change_that_left_its_three_traces() {
    insta::assert_snapshot!(show(&report(vec![traced()]), None));
}

#[test]
fn three_changes_at_60_columns() {
    let shown = show(&report(vec![inconclusive(), silent(), traced()]), Some(60));
    assert_eq!(shown, show(&report(vec![traced(), inconclusive(), silent()]), Some(0)), "by time, never narrower");
    insta::assert_snapshot!(shown);
}

#[test]
fn a_silent_change_at_140_columns_with_readers() {
    let mut report = report(vec![silent()]);
    report.readings = vec![reading("api"), reading("mallory")];
    insta::assert_snapshot!(show(&report, Some(140)));
}

#[test]
fn wide_characters_keep_the_lanes_straight() {
    let mut written =
        event(EventKind::Written, "09:00:00", "漢字の管理者が漢字の管理者です", raw("監査/ログ😀.jsonl", 3));
    written.version = Some("e\u{301}\u{301}七".to_owned());
    let restarted = event(EventKind::Restarted, "09:01:00", "a\u{1b}[2J\u{202e}b", raw("k8s.log", 0));
    let mut change = rotation("09:00:00", Verdict::RequestedNeverApplied, vec![written, restarted]);
    change.version = None;
    let shown = show(&report(vec![change]), Some(72));
    let lines = shown.lines().filter(|line| line.matches('│').count() == 3);
    for line in lines {
        let columns: Vec<usize> = line.match_indices('│').map(|(at, _)| line[..at].width()).collect();
        assert_eq!(columns, [9, 30, 51], "{line}");
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_belongs_to_no_change_stands_among_them() {
    let mut deleted = event(EventKind::Deleted, "15:00:00", "jo", raw("audit/vault.log", 1_250));
    deleted.version = Some("7".to_owned());
    let report = report(vec![traced(), silent()]);
    let shown = show_with(&report, &[deleted.clone()], &Options::default());
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("no {text} in {shown}"));
    assert!(at("─ traced:") < at("deleted v7") && at("deleted v7") < at("─ silent:"));
    let elsewhere = EventReport { item: report.items[1].id.clone(), ..deleted };
    assert!(!show_with(&report, &[elsewhere], &Options::default()).contains("deleted"));
}

#[test]
fn a_lane_without_a_trail_is_shaded_from_end_to_end() {
    let mut report = report(vec![silent()]);
    report.trails.retain(|trail| trail.role != Role::Ledger);
    let shown = show(&report, None);
    let rows = shown.lines().filter(|line| line.starts_with("18:"));
    assert!(rows.clone().count() > 0 && rows.clone().all(|row| row.contains("│░ no data ░")), "{shown}");
    assert!(shown.contains("│ no trail"), "{shown}");
}

#[test]
fn a_stretch_is_data_where_any_trail_of_the_lane_has_it() {
    let mut report = report(vec![silent()]);
    let mut second = trail("vault-audit", "vault-audit", Role::Store, Proof::Declared);
    second.covered[0].from = samples::time("2026-03-02T00:00:00Z");
    second.covered[0].to = samples::time("2027-01-01T00:00:00Z");
    let until = |report: &Report| {
        let trace = ItemTrace::new(report, &[], &report.items[0], None);
        super::coverage::uncovered(&trace, samples::time("2026-03-01T00:00:00Z"), report.as_of)[0].clone()
    };
    let end = samples::time("2026-03-03T00:00:00Z");
    assert_eq!(until(&report), [(end, report.as_of)]);
    report.trails.push(second.clone());
    assert_eq!(until(&report), []);
    // Another trail of the role says nothing of this secret, since it never held anything of it.
    report.trails.pop();
    second.name = "aws".to_owned();
    report.trails.push(second);
    assert_eq!(until(&report), [(end, report.as_of)]);
}

#[test]
fn nothing_happened() {
    insta::assert_snapshot!(show(&report(Vec::new()), Some(80)));
    let mut without = report(Vec::new());
    without.trails.clear();
    insta::assert_snapshot!(show(&without, Some(80)));
}

#[test]
fn many_stretches_without_data_are_drawn_as_one() {
    let mut report = report(vec![silent()]);
    let whole = report.trails[1].covered[0];
    report.trails[1].covered = (0..500)
        .map(|minute| {
            let from = samples::time("2026-03-02T00:00:00Z") + chrono::TimeDelta::minutes(2 * minute);
            keytrail_rules::model::Covered { from, to: from + chrono::TimeDelta::minutes(1), ..whole }
        })
        .collect();
    let shown = show(&report, None);
    assert!(shown.contains("│░ in 501 stretches ░"), "{shown}");
    assert!(shown.lines().count() < 40, "{shown}");
}

#[test]
fn what_is_followed_comes_as_lines() {
    let event = keytrail_rules::model::Event {
        trail: 0,
        kind: EventKind::Written,
        outcome: keytrail_rules::model::Outcome::Throttled,
        target: keytrail_rules::model::Place::new("vault", "secret/a\nb", "k"),
        version: Some("3".to_owned()),
        actor: Some("jo\u{1b}[2J".to_owned()),
        run: None,
        time: samples::time("2026-03-01T12:00:00Z"),
        id: "1".into(),
        consumer: None,
        value: None,
        details: Vec::new(),
        raw: raw("audit.log", 7),
    };
    assert_eq!(
        super::event_line(&event, "store"),
        r"2026-03-01T12:00:00Z store written throttled v3 vault:secret/a\nb#k by jo\u{1b}[2J (audit.log:7)"
    );
    let hole = &trails()[1].holes[0];
    let line = super::hole_line(hole, "postgres");
    assert_eq!(line, "postgres hole: the log was truncated while it was read (log/postgresql.json:93)");
    assert_eq!(
        super::verdict_line(&silent(), Some(Verdict::Pending)),
        "2026-03-01T18:30:00Z DATABASE_PASSWORD@production is silent, was pending: a value changed, and nobody asked \
         for it [old-not-revoked, throttled]"
    );
}

#[test]
fn only_what_is_since_is_shown() {
    let report = report(vec![traced(), inconclusive()]);
    let since = samples::time("2026-03-01T20:00:00Z");
    let trace = ItemTrace::new(&report, &[], &report.items[0], Some(since));
    assert_eq!(trace.rotations, [&inconclusive()]);
    let none = ItemTrace::new(&report, &[], &report.items[0], Some(report.as_of));
    let shown = String::from_utf8(none.lanes(&Options::default())).expect("UTF-8");
    assert!(shown.contains("no change of it since 2026-03-04T00:00:00Z"), "{shown}");
}

#[test]
fn every_verdict_says_why_and_colour_adds_nothing_but_colour() {
    let mut report = samples::everything();
    report.as_of = samples::time("2026-03-04T00:00:00Z");
    let plain = show_with(&report, &[], &Options::default());
    for verdict in Verdict::ALL {
        assert!(plain.contains(&format!("└─ {}: ", verdict.as_str())), "{}", verdict.as_str());
    }
    let coloured = show_with(&report, &[], &Options { color: true, ..Options::default() });
    assert_ne!(coloured, plain);
    let mut uncoloured = coloured;
    for code in ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"] {
        uncoloured = uncoloured.replace(code, "");
    }
    assert_eq!(uncoloured, plain);
}

#[test]
fn the_json_has_the_evidence() {
    let report = report(vec![silent()]);
    let json = ItemTrace::new(&report, &[], &report.items[0], None).json().expect("JSON");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["schema"], "keytrail/trace/v1");
    assert_eq!(json["item"]["id"], "DATABASE_PASSWORD@production");
    assert_eq!(json["rotations"][0]["events"][1]["raw"]["sha256"], "ab".repeat(32));
    assert_eq!(json["trails"].as_array().map(Vec::len), Some(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_keeps_its_lane(
        texts in proptest::collection::vec(text(), 1..6),
        width in proptest::option::of(0..300_u16),
        color: bool,
    ) {
        let mut report = samples::full_of(&texts);
        report.as_of = samples::time("2026-12-01T00:00:00Z");
        for item in &mut report.items {
            item.id = report.rotations[0].item.clone();
        }
        let notices: Vec<EventReport> = report.rotations.iter().flat_map(|one| one.events.clone()).collect();
        let trace = ItemTrace::new(&report, &notices, &report.items[0], None);
        let shown = String::from_utf8(trace.lanes(&Options { width, color, ..Options::default() })).expect("UTF-8");
        let widest = usize::from(width.unwrap_or(100).max(60));
        for line in shown.lines() {
            prop_assert!(color || line.width() <= widest, "{} columns: {line}", line.width());
            prop_assert!(color || !line.contains(is_deceptive), "{line:?}");
        }
    }
}
