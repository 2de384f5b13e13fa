//! A diff for a comment or an issue: GitHub Flavored Markdown.
//!
//! # Guarantees
//! Foreign text stands in code spans, in which nothing is a link, a mention or markup. No list is longer than
//! [`MAX_ROWS`], and no text longer than [`MAX_TEXT`], so that a comment is not refused for its length.

use chrono::SecondsFormat;
use keytrail_rules::history::StatusChange;
use keytrail_rules::model::Time;

use super::{Diff, ExceptionChange};
use crate::escape;

/// Rows of one list.
const MAX_ROWS: usize = 15;

/// Characters of one text.
const MAX_TEXT: usize = 120;

/// What is different, as Markdown.
pub fn markdown(diff: &Diff) -> Vec<u8> {
    let mut page = format!("## Keytrail: {}\n\n", diff.totals());
    page += &format!("From {} to {}.\n", instant(diff.before.as_of), instant(diff.after.as_of));
    if !diff.after.complete {
        page += "\n**The later scan has gaps: what it could not read is not fixed, and may hide what is new.**\n";
    }
    if !diff.before.complete {
        page += "\nThe earlier scan has gaps: what it could not read is new here.\n";
    }
    for (heading, findings) in diff.sections() {
        let row = |finding: &keytrail_rules::history::FindingChange| {
            let item = finding.item.as_deref().map_or_else(String::new, code);
            let (severity, rule) = (finding.severity.as_str(), code(&finding.rule));
            format!("| {severity} | {rule} | {item} | {} |\n", code(&finding.message))
        };
        page += &list(heading, "| Severity | Rule | Secret | Finding |\n|---|---|---|---|\n", findings, row);
    }
    page += &list("Secrets", "| Secret | Before | Now |\n|---|---|---|\n", &diff.changes.items, status);
    let header = "| Rule | Secret | Until | Reason |\n|---|---|---|---|\n";
    page += &list("New exceptions", header, &diff.exceptions.new, exception);
    page += &list("Exceptions that ended", header, &diff.exceptions.ended, exception);
    page.into_bytes()
}

fn list<T>(heading: &str, header: &str, rows: &[T], row: impl Fn(&T) -> String) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n### {heading} ({})\n\n{header}", rows.len());
    text.extend(rows.iter().take(MAX_ROWS).map(row));
    if rows.len() > MAX_ROWS {
        text += &format!("\nand {} more.\n", rows.len() - MAX_ROWS);
    }
    text
}

fn status(change: &StatusChange) -> String {
    let word = |status: &Option<String>| status.as_deref().map_or_else(|| "–".to_owned(), code);
    format!("| {} | {} | {} |\n", code(&change.item), word(&change.before), word(&change.after))
}

fn exception(exception: &ExceptionChange) -> String {
    let secret = exception.secret.as_deref().map_or_else(|| "every secret".to_owned(), code);
    let (rule, expires) = (code(&exception.rule), exception.expires.format("%Y-%m-%d"));
    format!("| {rule} | {secret} | {expires} | {} |\n", code(&exception.reason))
}

fn instant(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A code span in a cell of a table: no backtick ends it, and no bar ends the cell.
fn code(text: &str) -> String {
    let text = escape::terminal(text).replace('`', "'");
    let text = escape::clip(text.trim(), MAX_TEXT).replace('|', "\\|");
    // A span of nothing is no span.
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}
