//! What is different between two reports.

use keytrail_rules::history::{FindingChange, StatusChange};

use super::layout::{Layout, Row, lines};
use super::secrets::day;
use super::{HEADING, URGENT, cell, severity_style};
use crate::Options;
use crate::diff::{Diff, ExceptionChange};

/// What is different between two reports, for a person at a terminal: what is worse first, the totals last.
pub fn diff(diff: &Diff, options: &Options) -> Vec<u8> {
    let layout = Layout(options);
    let section = |heading: &str, header: &[&str], rows: &[Row]| {
        if rows.is_empty() {
            return String::new();
        }
        lines([layout.paint(HEADING, heading)]) + &layout.rows(header, rows)
    };
    let mut sections: Vec<String> = Vec::new();
    for (heading, findings) in diff.sections() {
        let rows: Vec<Row> = findings.iter().map(finding).collect();
        sections.push(section(heading, &["SEVERITY", "RULE", "SECRET", "FINDING"], &rows));
    }
    let statuses: Vec<Row> = diff.changes.items.iter().map(status).collect();
    sections.push(section("Secrets whose status is another one", &["SECRET", "BEFORE", "NOW"], &statuses));
    for (heading, exceptions) in
        [("New exceptions", &diff.exceptions.new), ("Exceptions that ended", &diff.exceptions.ended)]
    {
        let rows: Vec<Row> = exceptions.iter().map(exception).collect();
        sections.push(section(heading, &["RULE", "SECRET", "UNTIL", "REASON"], &rows));
    }
    sections.push(totals(diff, layout));
    sections.retain(|section| !section.is_empty());
    sections.join("\n").into_bytes()
}

fn finding(change: &FindingChange) -> Row {
    let severity = change.severity.as_str();
    let item = change.item.as_deref().map_or_else(|| "-".to_owned(), cell);
    let (rule, message) = (cell(&change.rule), cell(&change.message));
    Row {
        title: format!("{severity}  {rule}  {item}"),
        details: vec![message.clone()],
        cells: vec![severity.to_owned(), rule, item, message],
        word: Some((severity, severity_style(change.severity))),
    }
}

fn status(change: &StatusChange) -> Row {
    let word = |status: &Option<String>| status.as_deref().map_or_else(|| "-".to_owned(), cell);
    let (item, before, after) = (cell(&change.item), word(&change.before), word(&change.after));
    Row {
        title: item.clone(),
        details: vec![format!("{before}, now {after}")],
        cells: vec![item, before, after],
        word: None,
    }
}

fn exception(change: &ExceptionChange) -> Row {
    let secret = change.secret.as_deref().map_or_else(|| "every secret".to_owned(), cell);
    let (rule, expires, reason) = (cell(&change.rule), day(change.expires), cell(&change.reason));
    Row {
        title: format!("{rule}  {secret}"),
        details: vec![format!("until {expires}: {reason}")],
        cells: vec![rule, secret, expires, reason],
        word: None,
    }
}

fn totals(diff: &Diff, layout: Layout<'_>) -> String {
    let instant = |time: keytrail_rules::model::Time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut text = layout.wrap(0, &format!("{}.", diff.totals()));
    text.extend(layout.wrap(0, &format!("From {} to {}.", instant(diff.before.as_of), instant(diff.after.as_of))));
    let gaps = [
        (
            diff.after.complete,
            "The later scan has gaps: what it could not read is not fixed, and may hide what is new.",
        ),
        (diff.before.complete, "The earlier scan has gaps: what it could not read is new here."),
    ];
    for (_, sentence) in gaps.iter().filter(|(complete, _)| !complete) {
        text.extend(layout.wrap(0, sentence).into_iter().map(|line| layout.paint(URGENT, &line)));
    }
    lines(text)
}
