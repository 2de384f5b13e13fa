//! Exceptions, controls, changes and trends for tests.

use keytrail_rules::controls::{ControlReport, ControlStatus, Relation, RuleEvidence};
use keytrail_rules::history::{Changes, FindingChange, Measures, Point, StatusChange, Trends};
use keytrail_rules::model::{Location, Severity};
use keytrail_rules::report::{ExceptionReport, ExceptionState, Report};

use super::time;

/// Every state of an exception.
pub(crate) fn exception_states() -> [ExceptionState; 3] {
    every!(ExceptionState: Expired, Ending, Active)
}

/// Every status of a control.
pub(crate) fn control_statuses() -> [ControlStatus; 3] {
    every!(ControlStatus: Findings, Evidence, NotAssessed)
}

/// Every relation of a rule to a control.
pub(crate) fn relations() -> [Relation; 2] {
    every!(Relation: Direct, Supporting)
}

fn change(rule: &str, message: &str) -> FindingChange {
    FindingChange {
        rule: rule.to_owned(),
        severity: Severity::High,
        item: Some("DATABASE_PASSWORD@production".to_owned()),
        message: message.to_owned(),
        fingerprint: "ab".repeat(32),
    }
}

fn measures(secrets: u64) -> Measures {
    Measures {
        secrets,
        with_cadence: secrets,
        in_cadence: secrets / 2,
        oldest_seconds: Some(86_400 * 400),
        rotations: 9,
        judged: 7,
        silent: 1,
        leaks: 2,
    }
}

fn exception(state: ExceptionState, reason: &str, expires: &str) -> ExceptionReport {
    ExceptionReport {
        rule: "overdue-rotation".to_owned(),
        secret: Some("LEGACY_KEY".to_owned()),
        reason: reason.to_owned(),
        approved_by: Some("j.doe".to_owned()),
        expires: time(expires),
        state,
        covers: 1,
        location: Location { file: "keytrail.toml".to_owned(), line: 40, start_column: 1, end_column: 5 },
    }
}

/// Every field and every value of every enum.
pub(crate) fn add_everything(report: &mut Report) {
    let ends = ["2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-12-01T00:00:00Z"];
    let states = exception_states().into_iter().zip(ends);
    report.exceptions = states.map(|(state, end)| exception(state, "the vendor ends the service", end)).collect();
    let evidence = |relation| RuleEvidence {
        rule: "overdue-rotation".to_owned(),
        relation,
        rationale: "it finds what was not changed in time".to_owned(),
        findings: 2,
        ran: true,
    };
    report.controls = control_statuses()
        .into_iter()
        .enumerate()
        .map(|(at, status)| ControlReport {
            framework: "pci-dss-4.0.1".to_owned(),
            control: format!("8.6.{}", at + 1),
            title: "Passwords of applications are changed in time".to_owned(),
            status,
            findings: if status == ControlStatus::Findings { 4 } else { 0 },
            rules: relations().map(evidence).to_vec(),
        })
        .collect();
    report.changes = Some(Changes {
        since: time("2026-11-20T09:00:00Z"),
        new: vec![change("overdue-rotation", "It is new.")],
        regressed: vec![change("no-owner", "It is back.")],
        fixed: vec![change("shared-value", "It is fixed.")],
        unseen: vec![change("silent-rotation", "Nobody looked.")],
        covered: vec![change("no-cadence", "An exception covers it.")],
        uncovered: vec![change("undeclared-secret", "Its exception ran out.")],
        unchanged: 12,
        items: vec![
            StatusChange {
                item: "DATABASE_PASSWORD@production".to_owned(),
                before: Some("due-soon".to_owned()),
                after: Some("overdue".to_owned()),
            },
            StatusChange { item: "NEW_TOKEN".to_owned(), before: None, after: Some("ok".to_owned()) },
        ],
    });
    let days = ["2026-11-19T09:00:00Z", "2026-11-20T09:00:00Z", "2026-11-21T09:00:00Z"];
    let point = |(at, day): (usize, &str)| Point {
        as_of: time(day),
        complete: at > 0,
        findings: [(Severity::High, 5 - at as u64)].into(),
        measures: measures(10 + at as u64),
    };
    report.trends = Some(Trends {
        points: days.into_iter().enumerate().map(point).collect(),
        rotated: 3,
        mean_seconds_to_rotate: Some(86_400 * 4),
    });
    report.summary.measures = measures(12);
    report.disabled_rules = vec!["shared-value".to_owned()];
}

/// A text wherever one may be.
pub(crate) fn add_text(report: &mut Report, text: &str, other: &str) {
    let mut exception = exception(ExceptionState::Active, text, "2027-12-01T00:00:00Z");
    exception.rule = other.to_owned();
    exception.secret = Some(text.to_owned());
    exception.approved_by = Some(other.to_owned());
    exception.location.file = text.to_owned();
    report.exceptions.push(exception);
    let mut change = change(text, other);
    change.item = Some(text.to_owned());
    let changes = report.changes.get_or_insert_default();
    changes.new.push(change.clone());
    changes.fixed.push(change);
    changes.items.push(StatusChange { item: text.to_owned(), before: Some(other.to_owned()), after: None });
}
