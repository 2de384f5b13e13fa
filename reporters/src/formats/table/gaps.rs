//! What could not be read.

use std::collections::BTreeMap;

use keytrail_rules::model::{Gap, GapReason};

use super::findings::MAX_REPEATS;
use super::layout::{Row, lines};
use super::{HEADING, Page, WARNING, cell};

impl Page<'_> {
    /// The gaps, by reason; repeats are folded.
    pub(super) fn gaps(&self) -> String {
        if self.report.gaps.is_empty() {
            return String::new();
        }
        let mut groups: BTreeMap<GapReason, Vec<Row>> = BTreeMap::new();
        for gap in &self.report.gaps {
            groups.entry(gap.reason).or_default().push(row(gap));
        }
        let mut text = lines([self.paint(HEADING, "Could not be read, so that this report is incomplete")]);
        for (reason, rows) in groups {
            let fold = if self.options.verbose { rows.len() } else { MAX_REPEATS.min(rows.len()) };
            text += &self.rows(&[], &rows[..fold]);
            if rows.len() > fold {
                text +=
                    &format!("  and {} more that are {} (all with --verbose)\n", rows.len() - fold, reason.as_str());
            }
        }
        text
    }
}

fn row(gap: &Gap) -> Row {
    let line = gap.location.as_ref().map(ToString::to_string);
    let place = gap.place.as_ref().map(ToString::to_string);
    let source = cell(&line.or(place).unwrap_or_else(|| gap.source.clone()));
    let reason = gap.reason.as_str();
    let message = cell(&gap.message);
    let hint = gap.hint.as_ref().map(|hint| format!("hint: {}", cell(hint)));
    Row {
        title: format!("{reason}  {source}"),
        details: std::iter::once(message.clone()).chain(hint.clone()).collect(),
        cells: vec![reason.to_owned(), source, message, hint.unwrap_or_default()],
        word: Some((reason, WARNING)),
    }
}
