use keytrail_rules::history::Scan;
use keytrail_rules::report::Report;
use serde::Serialize;

use super::Format;
use crate::diff::Diff;
use crate::{Error, Options, escape};

/// `keytrail/report/v1`: the whole report. `reporters/schemas/report-v1.schema.json` describes every field.
pub(super) static FORMAT: Format =
    Format { name: "json", summary: "the whole report, for programs", extension: "json", is_text: true, render };

fn render(report: &Report, _: &Options) -> Result<Vec<u8>, Error> {
    document(report)
}

/// The `items` of a report alone.
pub fn inventory(report: &Report) -> Result<Vec<u8>, Error> {
    document(&report.items)
}

/// The `trails` of a report alone.
pub fn trails(report: &Report) -> Result<Vec<u8>, Error> {
    document(&report.trails)
}

/// What is different between two reports.
pub fn diff(diff: &Diff) -> Result<Vec<u8>, Error> {
    document(diff)
}

/// Scans, one after the other.
pub fn history(scans: &[Scan]) -> Result<Vec<u8>, Error> {
    document(&scans)
}

/// A JSON document for people and programs: indented, safe to show, with a line feed at its end.
pub(crate) fn document(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut document = escape::json(&serde_json::to_string_pretty(value)?);
    document.push('\n');
    Ok(document.into_bytes())
}

#[cfg(test)]
mod tests;
