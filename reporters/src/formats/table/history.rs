//! The scans that were recorded.

use keytrail_rules::history::{ChangeCounts, Scan};
use keytrail_rules::model::Severity;

use super::layout::{Layout, Row, lines};
use super::{FINE, HEADING, URGENT, cell, count};
use crate::Options;

const HEADER: [&str; 8] =
    ["EVIDENCE", "AS OF", "FINDINGS", "CHANGES", "SECRETS", "IN CADENCE", "OLDEST", "SILENT / LEAKS"];

/// The parts of a whole scan.
const PARTS: usize = 4;

/// Scans, the oldest first, for a person at a terminal.
pub fn history(scans: &[Scan], options: &Options) -> Vec<u8> {
    let layout = Layout(options);
    let rows: Vec<Row> = scans.iter().map(row).collect();
    let heading = lines([layout.paint(HEADING, &format!("{}, the oldest first", count(scans.len() as u64, "scan")))]);
    (heading + &layout.rows(&HEADER, &rows)).into_bytes()
}

fn row(scan: &Scan) -> Row {
    let measures = &scan.measures;
    let (word, style) = if scan.complete { ("complete", FINE) } else { ("gaps", URGENT) };
    let mut as_of = scan.as_of.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    if scan.facets.len() < PARTS {
        as_of += &format!(" ({})", cell(&scan.facets.join(", ")));
    }
    let severity = |severity: &Severity| Some(format!("{} {}", scan.findings.get(severity)?, severity.as_str()));
    let findings: Vec<String> = Severity::ALL.iter().rev().filter_map(severity).collect();
    let findings = if findings.is_empty() { "none".to_owned() } else { findings.join(", ") };
    let changes = scan.changes.map_or_else(|| "the first".to_owned(), changes);
    let in_cadence = measures
        .percent_in_cadence()
        .map_or_else(|| "-".to_owned(), |percent| format!("{percent} % of {}", measures.with_cadence));
    let oldest = measures.oldest_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{} d", seconds / 86_400));
    let alarms = format!("{} / {}", measures.silent, measures.leaks);
    Row {
        title: format!("{word}  {as_of}"),
        details: vec![
            format!("findings: {findings}"),
            format!("changes: {changes}"),
            format!("in cadence {in_cadence}, oldest {oldest}, {} silent, {} leaked", measures.silent, measures.leaks),
        ],
        cells: vec![
            word.to_owned(),
            as_of,
            findings,
            changes,
            measures.secrets.to_string(),
            in_cadence,
            oldest,
            alarms,
        ],
        word: Some((word, style)),
    }
}

/// `2 new, 1 fixed`.
fn changes(counts: ChangeCounts) -> String {
    let parts = [(counts.new, "new"), (counts.regressed, "back"), (counts.fixed, "fixed"), (counts.unseen, "unseen")];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
