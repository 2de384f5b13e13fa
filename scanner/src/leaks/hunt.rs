//! One search for leaks: which sources, with what, and what came of it.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use keytrail_rules::detectors::Detectors;
use keytrail_rules::model::{
    Detected, Facts, FingerprintKey, Gap, Location, Medium, Occurrence, ScopeEntry, Time,
};
use keytrail_rules::search::Hit;

use super::accepted::AcceptedElsewhere;
use super::gather::Gatherer;
use super::known::Arsenal;
use super::{Position, Progress, Sink};
use crate::error::Error;

/// A folder or a file, and how reports call it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Where it is.
    pub path: PathBuf,
    /// What reports call it; empty for the scanned folder itself.
    pub shown: String,
}

/// Which part of the histories is searched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// All of it.
    Everything,
    /// What these commits bring in.
    Range(String),
    /// What is staged for the next commit.
    Staged,
    /// What none of these commits leads to.
    Since(Vec<String>),
}

/// The sources of a search.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Targets {
    /// Git repositories whose history is searched.
    pub repositories: Vec<Target>,
    /// Folders and files.
    pub trees: Vec<Target>,
    /// Logs.
    pub logs: Vec<Target>,
    /// Whether standard input is searched.
    pub standard_input: bool,
}

/// A search for leaks.
pub struct Hunt<'a> {
    /// What is searched for.
    pub arsenal: &'a Arsenal,
    /// The key under which values are fingerprinted.
    pub key: &'a FingerprintKey,
    /// Which part of the histories is searched.
    pub which: Which,
    /// Whether files that `.gitignore` names are passed over.
    pub respect_ignore: bool,
    /// Glob patterns of paths that are passed over.
    pub exclude: Vec<String>,
    /// What other scanners let pass.
    pub elsewhere: AcceptedElsewhere,
    /// Where progress is shown.
    pub progress: &'a ProgressBar,
}

/// Puts the hits of files into the gatherer.
struct Collector<'h, 'a> {
    gatherer: &'h Gatherer<'a>,
    medium: Medium,
    progress: &'h ProgressBar,
    total: Progress,
    gaps: Vec<Gap>,
}

impl Sink for Collector<'_, '_> {
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
        let key = self.gatherer.identify(text, hit);
        let location = Location {
            file: at.path.to_owned(),
            line: u32::try_from(at.line).unwrap_or(u32::MAX),
            start_column: at.start_column,
            end_column: at.end_column.max(at.start_column + 1),
        };
        self.gatherer.add(key, Occurrence { commit: None, medium: self.medium, location, present: true, allowed: None });
    }

    fn gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }

    fn progress(&mut self, more: Progress) {
        self.total.add(more);
        self.progress.inc(more.bytes);
    }
}

/// What a detector says, of those that recognised one value: the most specific.
pub(super) fn describe(detectors: &Detectors, recognised: &[u32]) -> Option<Detected> {
    let best = recognised.iter().copied().max_by_key(|index| (detectors.specificity(*index), std::cmp::Reverse(*index)))?;
    let about = detectors.about(best);
    let prefix = detectors.prefix(best);
    Some(Detected {
        id: about.id.to_string(),
        name: about.name.to_string(),
        provider: about.provider.to_string(),
        severity: about.severity,
        remedy: about.remedy.to_string(),
        preview: (!prefix.is_empty()).then(|| prefix.to_owned()),
    })
}
