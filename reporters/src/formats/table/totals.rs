//! What was scanned, and the numbers.

use std::collections::BTreeMap;

use anstyle::Style;
use keytrail_rules::controls::ControlStatus;
use keytrail_rules::model::{Searched, Severity};

use super::layout::lines;
use super::{FINE, HEADING, Page, URGENT, cell, count};

/// Columns of the widest label, with a gap.
const LABEL: u16 = 10;

impl Page<'_> {
    /// One sentence for a report without findings, so that an empty screen is never mistaken for a clean scan.
    pub(super) fn verdict(&self) -> String {
        let summary = &self.report.summary;
        if self.report.counting().next().is_some() {
            return String::new();
        }
        let text = if !self.report.gaps.is_empty() {
            "No findings in what could be read."
        } else if self.report.scope.is_empty() {
            "Nothing was scanned: there is no file and no store that Keytrail reads."
        } else if summary.excepted + summary.baselined > 0 {
            "No findings that count."
        } else if summary.left_out > 0 {
            "No findings on these frameworks."
        } else {
            "No findings."
        };
        lines(self.wrap(0, text))
    }

    /// The totals, last, where the eye is when the output ends; without the findings where none were looked for.
    pub(super) fn totals(&self, with_findings: bool) -> String {
        let (summary, gaps) = (&self.report.summary, self.report.gaps.len() as u64);
        let statuses = summary.items.iter().map(|(status, number)| format!("{number} {}", status.as_str()));
        let (evidence, style) = if gaps == 0 && summary.complete {
            ("complete".to_owned(), FINE)
        } else {
            (format!("incomplete: {}", count(gaps, "gap")), URGENT)
        };
        let as_of = self.report.as_of.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let tool = &self.report.tool;
        // A search for leaks alone looks for no secrets that there should be.
        let searches = ["files", "git-history"];
        let is_leak_scan = self.report.searched.is_some()
            && self.report.items.is_empty()
            && self.report.scope.iter().all(|scope| searches.contains(&scope.kind.as_str()));
        let secrets = || number_of(self.report.items.len() as u64, statuses);
        let parts = [
            (!is_leak_scan).then(|| self.total("Secrets", &secrets(), HEADING)),
            with_findings.then(|| self.total("Findings", &self.numbers_of_findings(), HEADING)),
            self.changes().map(|text| self.total("Changes", &text, HEADING)),
            (!summary.frameworks.is_empty()).then(|| self.total("Controls", &self.numbers_of_controls(), HEADING)),
            (!self.report.trails.is_empty()).then(|| self.total("Rotations", &self.numbers_of_rotations(), HEADING)),
            Some(self.total("Scope", &format!("read {}", self.read()), HEADING)),
            self.report.searched.as_ref().map(|searched| self.total("Searched", &coverage(searched), HEADING)),
            Some(self.total("Evidence", &evidence, style)),
            Some(self.total("As of", &format!("{as_of}, {} {}", tool.name, tool.version), HEADING)),
        ];
        parts.into_iter().flatten().collect()
    }

    /// A label in a style, and a text beside it.
    fn total(&self, label: &str, text: &str, style: Style) -> String {
        let mut wrapped = self.wrap(LABEL, text);
        if let Some(first) = wrapped.first_mut() {
            let gap = " ".repeat(usize::from(LABEL) - label.len());
            *first = format!("{}{gap}{}", self.paint(style, label), first.trim_start());
        }
        lines(wrapped)
    }

    fn numbers_of_findings(&self) -> String {
        let summary = &self.report.summary;
        let severities = Severity::ALL.iter().rev().filter_map(|severity| {
            let number = summary.findings.get(severity)?;
            Some(format!("{number} {}", severity.as_str()))
        });
        let mut parts = vec![number_of(summary.findings.values().sum(), severities)];
        if summary.excepted > 0 {
            parts.push(format!("{} excepted", summary.excepted));
        }
        if summary.baselined > 0 {
            parts.push(format!("{} baselined", summary.baselined));
        }
        if summary.fixable > 0 {
            parts.push(format!("{} to rotate (--fix --dry-run plans it)", summary.fixable));
        }
        parts.join("; ")
    }

    /// `pci-dss-4.0.1: 3 with findings, 1 with evidence, 18 not assessed; 12 other findings left out`.
    fn numbers_of_controls(&self) -> String {
        let summary = &self.report.summary;
        let count_of = |wanted: ControlStatus| self.report.controls.iter().filter(|one| one.status == wanted).count();
        let mut text = format!(
            "{}: {} with findings, {} with evidence, {} not assessed",
            summary.frameworks.join(", "),
            count_of(ControlStatus::Findings),
            count_of(ControlStatus::Evidence),
            count_of(ControlStatus::NotAssessed)
        );
        if summary.left_out > 0 {
            text += &format!("; {} left out", count(summary.left_out, "other finding"));
        }
        cell(&text)
    }

    /// `15 sources (6 runbook, 4 kubernetes-manifest, 4 env-file, 1 vault)`.
    fn read(&self) -> String {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in &self.report.scope {
            *kinds.entry(&entry.kind).or_default() += 1;
        }
        let mut kinds: Vec<(&str, u64)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(kind, number)| (std::cmp::Reverse(*number), *kind));
        let kinds: Vec<String> = kinds.into_iter().map(|(kind, number)| format!("{number} {}", cell(kind))).collect();
        let sources = count(self.report.scope.len() as u64, "source");
        if kinds.is_empty() { sources } else { format!("{sources} ({})", kinds.join(", ")) }
    }
}

/// `12.5 MB in 40 files and 1,200 git objects, for 250 kinds of secrets and 12 known values`.
pub(in crate::formats) fn coverage(searched: &Searched) -> String {
    let mut sources = Vec::new();
    if searched.files > 0 || searched.objects == 0 {
        sources.push(count(searched.files, "file"));
    }
    if searched.objects > 0 {
        sources.push(count(searched.objects, "git object"));
    }
    let mut wanted = Vec::new();
    if searched.detectors > 0 {
        wanted.push(count(searched.detectors, "kind") + " of secrets");
    }
    if searched.values > 0 {
        wanted.push(count(searched.values, "known value"));
    }
    if searched.values_beside_names > 0 {
        wanted.push(format!("{} beside their names only", count(searched.values_beside_names, "short value")));
    }
    let mut text = format!("{} in {} for {}", bytes(searched.bytes), sources.join(" and "), wanted.join(", "));
    let missed: u64 = searched.not_searchable.values().sum();
    if missed > 0 {
        let reasons: Vec<String> =
            searched.not_searchable.iter().map(|(reason, number)| format!("{number} {}", cell(reason))).collect();
        text += &format!("; not searchable: {} ({})", count(missed, "value"), reasons.join(", "));
    }
    text
}

/// `512 B`, `1.5 MB`.
fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => {
            let tenths = u128::from(number) * 10 / u128::from(*size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{number} B"),
    }
}

/// `14: 2 critical, 12 low`, or `0`.
fn number_of(total: u64, parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { total.to_string() } else { format!("{total}: {}", parts.join(", ")) }
}
