//! Reads the lines that findings point at, once the findings are known: one file at a time, and of each no more than a
//! report may have ([`SourceLine`]).
//!
//! # Guarantees
//! * Hashes are made only of files that git tracks: who has the repository has the line. A hash of a line of any other
//!   file, such as a `.env` that git ignores, would tell those who have the report and not the file when they guessed its
//!   value. (GitHub's hash has no key.)
//! * Nothing is kept of a line but its hash and what [`Shown`] shows.
//!
//! # Assumptions
//! * Files did not change since they were scanned. A line that did is shown as it is now, without its values as well.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use keytrail_reporters::source::{self, Kind, Lines, Shown, SourceLine};
use keytrail_rules::checks::{Facet, Rule};
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Finding, Medium};
use keytrail_rules::report::{ItemReport, Report};

use crate::source::open_regular;

/// Lines of larger files are neither hashed nor shown.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// What is wanted of lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Hashes, for SARIF.
    pub hashes: bool,
    /// What can be shown, for a terminal.
    pub shown: bool,
}

/// The lines that the findings of a report on the folder `root` point at, as far as they can be read.
pub fn of_report(report: &Report, root: &Path, wanted: Wanted) -> Lines {
    let mut lines = Lines::new();
    if wanted == Wanted::default() {
        return lines;
    }
    let items: BTreeMap<&ItemId, &ItemReport> = report.items.iter().map(|item| (&item.id, item)).collect();
    let declaring = source::declaring(report);
    let tracked = Tracked::of(root);
    let present = present(report);
    for (file, mut numbers) in source::lines_of(report) {
        // What lies in the history alone is at no line of the file as it is now.
        numbers.retain(|number, findings| {
            present.contains(&(file, *number)) || findings.iter().any(|finding| !is_leak(finding))
        });
        let hashed = wanted.hashes && tracked.as_ref().is_some_and(|tracked| tracked.has(file));
        if numbers.is_empty() || !(hashed || wanted.shown) {
            continue;
        }
        let Some(text) = read(&root.join(file)) else {
            continue;
        };
        let hashes =
            if hashed { source::line_hashes(&text, &numbers.keys().copied().collect()) } else { BTreeMap::new() };
        let kind = if declaring.contains(file) { Kind::Declares } else { Kind::MayHold };
        let shown = if wanted.shown { shown(&text, &numbers, &items, kind) } else { BTreeMap::new() };
        for number in numbers.keys() {
            let line = SourceLine { hash: hashes.get(number).cloned(), shown: shown.get(number).cloned() };
            if line != SourceLine::default() {
                lines.insert((file.to_owned(), *number), line);
            }
        }
    }
    lines
}

fn shown(
    text: &str,
    numbers: &BTreeMap<u32, Vec<&Finding>>,
    items: &BTreeMap<&ItemId, &ItemReport>,
    kind: Kind,
) -> BTreeMap<u32, Shown> {
    let mut all = BTreeMap::new();
    let mut number: u32 = 0;
    for line in text.lines() {
        number = number.saturating_add(1);
        if let Some(findings) = numbers.get(&number) {
            let words = |finding: &&Finding| {
                source::words(finding, finding.item.as_ref().and_then(|id| items.get(id).copied()))
            };
            all.insert(number, Shown::new(line, &findings.iter().flat_map(words).collect(), kind));
        }
    }
    all
}

fn is_leak(finding: &Finding) -> bool {
    Rule::find(finding.rule).is_some_and(|rule| rule.facet == Facet::Leaks)
}

/// The lines of leaks that are in files as they are now.
fn present(report: &Report) -> BTreeSet<(&str, u32)> {
    let occurrences = report.leaks.iter().flat_map(|leak| &leak.occurrences);
    let now = occurrences.filter(|one| matches!(one.medium, Medium::File | Medium::Log));
    now.map(|one| (one.location.file.as_str(), one.location.line)).collect()
}

/// A file as text; `None` for one that is none, or is too large.
fn read(path: &Path) -> Option<String> {
    let (file, metadata) = open_regular(path).ok()??;
    if metadata.len() > MAX_FILE_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_FILE_BYTES || bytes.contains(&0) {
        return None;
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The files that git tracks, below a folder.
struct Tracked {
    root: PathBuf,
    top: PathBuf,
    index: gix::worktree::IndexPersistedOrInMemory,
}

impl Tracked {
    /// `None` outside of a repository, or where its index cannot be read.
    fn of(root: &Path) -> Option<Self> {
        let root = root.canonicalize().ok()?;
        let top = root.ancestors().find(|above| above.join(".git").exists())?.to_owned();
        let git = gix::open_opts(&top, gix::open::Options::isolated()).ok()?;
        let index = git.index_or_empty().ok()?;
        Some(Self { root, top, index: gix::worktree::IndexPersistedOrInMemory::Persisted(index) })
    }

    /// Whether git tracks a file under the very path that it has: a link to one that is tracked is another file.
    fn has(&self, file: &str) -> bool {
        let path = self.root.join(file);
        let Some(below) = path.canonicalize().ok().and_then(|path| Some(path.strip_prefix(&self.top).ok()?.to_owned()))
        else {
            return false;
        };
        let Some(below) = below.to_str() else {
            return false;
        };
        let is_file = |entry: &gix::index::Entry| {
            matches!(entry.mode, gix::index::entry::Mode::FILE | gix::index::entry::Mode::FILE_EXECUTABLE)
        };
        self.index.entry_by_path(below.into()).is_some_and(is_file)
    }
}

#[cfg(test)]
mod tests;
