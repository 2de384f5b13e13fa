//! SARIF 2.1.0 (OASIS), for GitHub code scanning, for that of Azure DevOps, or in full ([`SarifProfile`]).
//!
//! # Guarantees
//! * Every result has a physical location: GitHub refuses a whole file for one that has none. See [`locations`] for
//!   what is not said in a file.
//! * For code scanning, what an exception or the baseline covers is left out: it shows suppressed results as open
//!   alerts. In full, it is there with its justification, or as unchanged.
//! * For code scanning, what is beyond its limits is left out by us, the least severe first, and a notification says
//!   so: what the service would keep is not the worst. In full, nothing is left out.
//! * A scan with gaps never looks complete: `executionSuccessful` is false, with a notification of level `error` for
//!   each gap, which SARIF 2.1.0 §3.58.6 defines as results that are "incorrect or incomplete". GitHub's service was made
//!   to refuse such a file, so that no alert closes (<https://github.com/github/codeql-action/pull/1393>), but it does
//!   not for every tool: such a file must not be uploaded at all. It is written nevertheless: other readers want what was
//!   found, and without it the file of an earlier scan would be uploaded in its place.
//! * No line of a file is quoted, since it may hold a value: snippets are the run's redaction token (§3.14.28).
//!
//! GitHub has one severity for a rule. A finding that is not as severe as its rule is a result of a rule of its own,
//! `KTL2004` for what is of low severity; see [`descriptors`].
//!
//! The limits are those of GitHub: <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>.

mod descriptors;
mod locations;
mod results;
mod run;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use keytrail_rules::model::Finding;
use keytrail_rules::report::Report;
use serde_json::json;
use serde_sarif::sarif::Sarif;

use self::descriptors::Descriptors;
use self::locations::Files;
use super::Format;
use crate::{Error, Options, SarifProfile, escape};

/// For code scanning services.
pub(super) static FORMAT: Format = Format {
    name: "sarif",
    summary: "SARIF 2.1.0, for GitHub code scanning",
    extension: "sarif",
    is_text: true,
    render,
};

/// GitHub shows so many results of a run, and does not say which.
const MAX_RESULTS: usize = 5_000;

/// GitHub takes a file of so many bytes, compressed.
const MAX_COMPRESSED: u64 = 10_000_000;

/// GitHub's limit for descriptions, in characters.
const MAX_TEXT: usize = 1_024;

/// Where the rules are described.
const HOME: &str = "https://keytrail.dev";

/// A report on its way to SARIF.
struct Log<'a> {
    report: &'a Report,
    options: &'a Options,
    files: Files<'a>,
}

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    Log { report, options, files: Files::new(report, options) }.fitting(MAX_COMPRESSED)
}

/// So many bytes GitHub's upload action makes of a document. One that is within the limit to begin with is not looked at.
fn compressed(document: &[u8], limit: u64) -> u64 {
    let length = document.len() as u64;
    if length <= limit {
        return length;
    }
    let mut encoder = GzEncoder::new(Counter(0), Compression::fast());
    match encoder.write_all(document).and_then(|()| encoder.finish()) {
        Ok(Counter(bytes)) => bytes,
        Err(_) => length,
    }
}

/// Counts what is written.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> Log<'a> {
    fn is_full(&self) -> bool {
        self.options.sarif_profile == SarifProfile::Full
    }

    /// The findings to write, worst first; those that have one fingerprint together, since they are one alert.
    fn groups(&self) -> Vec<Vec<&'a Finding>> {
        let all = self.report.findings.iter();
        let mut findings: Vec<&Finding> = all.filter(|finding| self.is_full() || finding.counts()).collect();
        findings.sort_by_key(|finding| Reverse(finding.severity));
        let mut at: BTreeMap<&str, usize> = BTreeMap::new();
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        for finding in findings {
            match at.get(finding.fingerprint.as_str()) {
                Some(at) => groups[*at].push(finding),
                None => {
                    at.insert(&finding.fingerprint, groups.len());
                    groups.push(vec![finding]);
                }
            }
        }
        groups
    }

    /// The document, with as many results as the service takes.
    fn fitting(&self, limit: u64) -> Result<Vec<u8>, Error> {
        let groups = self.groups();
        if self.is_full() {
            return self.document(&groups, 0);
        }
        let mut kept = groups.len().min(MAX_RESULTS);
        loop {
            let document = self.document(&groups[..kept], groups.len() - kept)?;
            if kept == 0 || compressed(&document, limit) <= limit {
                return Ok(document);
            }
            kept /= 2;
        }
    }

    fn document(&self, groups: &[Vec<&Finding>], left_out: usize) -> Result<Vec<u8>, Error> {
        let descriptors = Descriptors::new(groups.iter().map(|group| group[0]));
        let (results, unrelated) = self.results(groups, &descriptors)?;
        let run = self.run(results, &descriptors, left_out, unrelated);
        let log = Sarif::builder()
            .schema("https://json.schemastore.org/sarif-2.1.0.json".to_owned())
            .version(json!("2.1.0"))
            .runs(vec![run])
            .build();
        super::json::document(&log)
    }
}

/// Text that is safe to show and not too long. `](` would begin a link in a SARIF message (§3.11.6).
fn text(text: &str) -> String {
    let text = escape::terminal(text).replace("](", "] (");
    escape::clip(&text, MAX_TEXT).into_owned()
}

/// [`text`] with a full stop.
fn sentence(message: &str) -> String {
    let message = text(message);
    match message.strip_suffix('.') {
        Some(_) => message,
        None => format!("{}.", escape::clip(&message, MAX_TEXT - 1)),
    }
}

#[cfg(test)]
mod tests;
