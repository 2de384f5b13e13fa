//! Lines of files that findings point at, as far as a report may have them: a hash, and what can be shown of a line
//! without a value that may stand on it. No format reads a file; who made the report reads the lines.

mod hash;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::model::{Finding, Location};
use keytrail_rules::report::Report;

pub use hash::line_hashes;
pub use shown::{Kind, Shown, words};

/// Lines by file and number.
pub type Lines = BTreeMap<(String, u32), SourceLine>;

/// What a report may have of a line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceLine {
    /// GitHub's hash of it: only for a file that everybody has who has the repository, since a hash of a value that
    /// can be guessed gives it away.
    pub hash: Option<String>,
    /// What can be shown.
    pub shown: Option<Shown>,
}

/// The line that a finding points at first: its own, else that of its first evidence that has one.
pub fn line_of(finding: &Finding) -> Option<&Location> {
    finding.location.as_ref().or_else(|| finding.evidence.iter().find_map(|one| one.location.as_ref()))
}

/// The lines that the findings of a report point at, by file, with the findings of each.
pub fn lines_of(report: &Report) -> BTreeMap<&str, BTreeMap<u32, Vec<&Finding>>> {
    let mut files: BTreeMap<&str, BTreeMap<u32, Vec<&Finding>>> = BTreeMap::new();
    for finding in &report.findings {
        if let Some(at) = line_of(finding) {
            files.entry(&at.file).or_default().entry(at.line).or_default().push(finding);
        }
    }
    files
}

/// The files that declare secrets and hold none, by the report.
pub fn declaring(report: &Report) -> BTreeSet<&str> {
    let copies = report.items.iter().flat_map(|item| &item.copies);
    let holding: BTreeSet<&str> = copies.filter_map(|copy| copy.location.as_ref()).map(|at| at.file.as_str()).collect();
    let declared = report.items.iter().flat_map(|item| &item.declared_at);
    let trails = report.trails.iter().filter_map(|trail| trail.declared_at.as_ref());
    let exceptions = report.exceptions.iter().map(|exception| &exception.location);
    let files = declared.chain(trails).chain(exceptions).map(|at| at.file.as_str());
    files.filter(|file| !holding.contains(file)).collect()
}
