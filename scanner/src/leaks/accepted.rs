//! Findings of another scanner that were let pass: `.gitleaksignore`, and reports of gitleaks.
//!
//! A report holds the value, so it lets that value pass wherever it is. An ignore file, and a report whose values were
//! redacted, only hold positions: they let pass what lies in that line of that commit, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use keytrail_rules::model::{Fingerprint, FingerprintKey, Gap, GapReason, Location, Occurrence, Secret};
use serde::Deserialize;

/// What files of accepted findings let pass.
#[derive(Debug, Default)]
pub struct AcceptedElsewhere {
    values: BTreeMap<Fingerprint, String>,
    positions: BTreeSet<(Option<String>, String, u32)>,
}

/// A finding in a JSON report of gitleaks (<https://github.com/gitleaks/gitleaks#reporting>).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GitleaksFinding {
    #[serde(default)]
    secret: String,
    #[serde(default)]
    commit: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    start_line: u32,
}

impl AcceptedElsewhere {
    /// Reads a file, `name` in messages: a JSON list is a report, anything else an ignore file.
    ///
    /// # Errors
    /// A gap for a file that cannot be read, or is neither.
    pub fn read(&mut self, path: &Path, name: &str, key: &FingerprintKey) -> Result<(), Gap> {
        /// Reports of large histories have some tens of megabytes.
        const LIMIT: u64 = 256 << 20;
        let gap = |reason, message: String| Gap::at(Location::of_file(name), reason, message);
        let unreadable = |error: std::io::Error| gap(GapReason::Unreachable, format!("it cannot be read: {error}"));
        let size = path.metadata().map_err(unreadable)?.len();
        if size > LIMIT {
            return Err(gap(GapReason::TooLarge, format!("it has {} MiB; the limit is {}", size >> 20, LIMIT >> 20)));
        }
        let text = zeroize::Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
        if text.trim_start().starts_with('[') {
            let findings: Vec<GitleaksFinding> = serde_json::from_str(&text).map_err(|error| {
                let message = format!("it is no report of gitleaks: line {}", error.line());
                gap(GapReason::Malformed, message).hint("make it with gitleaks --report-format json")
            })?;
            findings.into_iter().for_each(|finding| self.add(finding, name, key));
        } else {
            self.positions.extend(text.lines().filter_map(position));
        }
        Ok(())
    }

    fn add(&mut self, finding: GitleaksFinding, name: &str, key: &FingerprintKey) {
        if finding.secret.is_empty() || finding.secret.starts_with("REDACTED") || finding.secret.ends_with("...") {
            let commit = Some(finding.commit).filter(|commit| !commit.is_empty());
            self.positions.insert((commit, finding.file, finding.start_line));
        } else {
            let fingerprint = key.fingerprint(&Secret::from(finding.secret));
            self.values.insert(fingerprint, format!("accepted in {name}"));
        }
    }

    /// Why a value is let pass.
    pub fn reason(&self, value: &Fingerprint) -> Option<&str> {
        self.values.get(value).map(String::as_str)
    }

    /// Marks an occurrence that an ignore file names.
    pub fn mark(&self, occurrence: &mut Occurrence) {
        if occurrence.allowed.is_some() || self.positions.is_empty() {
            return;
        }
        let location = &occurrence.location;
        let commit = occurrence.commit.as_ref().map(|commit| commit.id.clone());
        let named = |commit| self.positions.contains(&(commit, location.file.clone(), location.line));
        if named(commit.clone()) || (commit.is_some() && named(None)) {
            occurrence.allowed = Some("its position is in a file of ignored findings".to_owned());
        }
    }
}

/// `commit:file:rule:line`, or `file:rule:line`; `#` begins a comment.
fn position(line: &str) -> Option<(Option<String>, String, u32)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut parts = line.rsplitn(3, ':');
    let number = parts.next()?.parse().ok()?;
    let _rule = parts.next()?;
    let rest = parts.next()?;
    let is_commit = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(match rest.split_once(':') {
        Some((commit, file)) if is_commit(commit) => (Some(commit.to_owned()), file.to_owned(), number),
        _ => (None, rest.to_owned(), number),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use keytrail_rules::model::{FingerprintKey, Location, Medium, Occurrence, Secret};

    use super::{AcceptedElsewhere, position};

    fn occurrence(file: &str, line: u32) -> Occurrence {
        let location = Location { line, ..Location::of_file(file) };
        Occurrence { commit: None, medium: Medium::File, location, present: true, allowed: None }
    }

    #[test]
    fn a_position_is_read_with_and_without_a_commit() {
        let commit = "0123456789".repeat(4);
        assert_eq!(position(&format!("{commit}:a/b.py:rule:7")), Some((Some(commit), "a/b.py".into(), 7)));
        assert_eq!(position("C:/x.py:rule:12"), Some((None, "C:/x.py".into(), 12)));
        assert_eq!(position("# a comment"), None);
        assert_eq!(position("nonsense"), None);
    }

    #[test]
    fn a_report_lets_its_values_pass_and_a_redacted_one_their_places() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("report.json");
        let report = r#"[{"RuleID":"r","Secret":"s3cr3t-value","File":"a","StartLine":1,"Commit":""},
            {"RuleID":"r","Secret":"REDACTED","File":"b","StartLine":2,"Commit":""}]"#;
        fs::write(&file, report).expect("a file");
        let key = FingerprintKey::new([3; 32]);
        let mut accepted = AcceptedElsewhere::default();
        accepted.read(&file, "report.json", &key).expect("a report");
        assert!(accepted.reason(&key.fingerprint(&Secret::from("s3cr3t-value"))).is_some());
        assert!(accepted.reason(&key.fingerprint(&Secret::from("REDACTED"))).is_none());
        let (mut named, mut other) = (occurrence("b", 2), occurrence("b", 3));
        accepted.mark(&mut named);
        accepted.mark(&mut other);
        assert!(named.allowed.is_some() && other.allowed.is_none());
    }

    #[test]
    fn a_file_that_is_no_report_is_a_gap() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("report.json");
        fs::write(&file, "[{\"Secret\": 7}]").expect("a file");
        let gap = AcceptedElsewhere::default().read(&file, "report.json", &FingerprintKey::new([3; 32]));
        assert!(gap.is_err_and(|gap| gap.message.contains("line 1")));
    }
}
