//! One search for leaks: which sources, with what, and what came of it.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use keytrail_rules::detectors::Detectors;
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{
    Commit, Detected, Facts, FingerprintKey, Gap, GapReason, Location, Medium, Occurrence, ScopeEntry, Searched,
    Snapshot,
};
use keytrail_rules::search::Hit;

use super::accepted::AcceptedElsewhere;
use super::gather::Gatherer;
use super::known::{self, Arsenal};
use super::{Position, Progress, Sink, files, git};
use crate::config::{Config, LeaksConfig};
use crate::discover::{globs, matching};
use crate::error::Error;
use crate::source::KnownSecrets;

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
        self.gatherer
            .add(key, Occurrence { commit: None, medium: self.medium, location, present: true, allowed: None });
    }

    fn gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }

    fn progress(&mut self, more: Progress) {
        self.total.add(more);
        // How many there will be is not known before.
        self.progress.inc_length(more.files);
        self.progress.inc(more.files);
    }
}

/// What a detector says, of those that recognised one value: the most specific.
pub(super) fn describe(detectors: &Detectors, recognised: &[u32]) -> Option<Detected> {
    let best =
        recognised.iter().copied().max_by_key(|index| (detectors.specificity(*index), std::cmp::Reverse(*index)))?;
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

impl Hunt<'_> {
    /// Searches every source.
    ///
    /// # Errors
    /// A range of commits that is none; patterns that are no globs. What cannot be read is a gap.
    pub fn run(&self, targets: &Targets) -> Result<Facts, Error> {
        let excluded = globs(self.exclude.iter().map(String::as_str))?;
        let gatherer = Gatherer::new(self.key, &self.arsenal.known);
        let mut facts = Facts::default();
        let mut searched = self.arsenal.searched.clone();
        for target in &targets.trees {
            let total = self.files(target, Medium::File, &gatherer, &mut facts);
            searched.add(total.files, 0, total.bytes);
        }
        for target in &targets.logs {
            let total = self.files(target, Medium::Log, &gatherer, &mut facts);
            searched.add(total.files, 0, total.bytes);
        }
        if targets.standard_input {
            let mut sink = self.collector(Medium::StandardInput, &gatherer);
            files::search_live(&self.arsenal.searcher, std::io::stdin(), "-", &self.options(), &mut sink);
            searched.add(sink.total.files, 0, sink.total.bytes);
            facts.gaps.extend(sink.gaps);
        }
        for target in &targets.repositories {
            self.history(target, &gatherer, &mut facts, &mut searched)?;
        }
        let detectors = &self.arsenal.searcher.detectors;
        facts.leaks = gatherer.finish(
            |recognised| describe(detectors, recognised),
            |detector, path| detectors.admits(detector, path.as_bytes()),
            &self.elsewhere,
        );
        for leak in &mut facts.leaks {
            leak.occurrences.retain(|one| !excluded.is_match(&one.location.file));
        }
        facts.leaks.retain(|leak| !leak.occurrences.is_empty());
        facts.searched = Some(searched);
        Ok(facts)
    }

    fn files(&self, target: &Target, medium: Medium, gatherer: &Gatherer<'_>, facts: &mut Facts) -> Progress {
        let shown = if target.shown.is_empty() { "." } else { &target.shown };
        self.progress.set_message(format!("searching {}", printable(shown)));
        self.progress.set_length(0);
        self.progress.set_position(0);
        let mut sink = self.collector(medium, gatherer);
        files::search(&self.arsenal.searcher, &target.path, &target.shown, &self.options(), &mut sink);
        facts.gaps.extend(sink.gaps);
        facts.scope.push(ScopeEntry { source: shown.to_owned(), kind: "files".to_owned(), held: sink.total.files });
        sink.total
    }

    fn history(
        &self,
        target: &Target,
        gatherer: &Gatherer<'_>,
        facts: &mut Facts,
        searched: &mut Searched,
    ) -> Result<(), Error> {
        let shown = if target.shown.is_empty() { "." } else { &target.shown };
        let source = format!("git history of {shown}");
        self.progress.set_message(format!("searching the {}", printable(&source)));
        let repository = match git::Repository::open(&target.path) {
            Ok(repository) => repository,
            Err(error) => {
                let gap = Gap::new(source, GapReason::Malformed, error.to_string()).hint(error.hint());
                facts.gaps.push(gap);
                return Ok(());
            }
        };
        let progress = |now: git::Progress| {
            self.progress.set_length(now.total);
            self.progress.set_position(now.objects);
        };
        let options = git::Options { progress: &progress, ..git::Options::default() };
        let identify = |text: &[u8], hit: &Hit| gatherer.identify(text, hit);
        let search = &self.arsenal.searcher;
        let scan = match &self.which {
            Which::Everything => repository.scan(search, &identify, &options),
            Which::Range(range) => {
                let scan = repository.scan_range(range, search, &identify, &options);
                scan.map_err(|error| Error::usage(error.to_string(), error.hint()))?
            }
            Which::Staged => repository.scan_staged(search, &identify, &options),
            Which::Since(tips) => repository.scan_since(tips, search, &identify, &options),
        };
        for found in &scan.occurrences {
            gatherer.add(found.secret, occurrence(found, &target.shown));
        }
        searched.add(0, scan.objects, scan.bytes);
        facts.gaps.extend(scan.gaps);
        facts.scope.push(ScopeEntry { source, kind: "git-history".to_owned(), held: scan.objects });
        Ok(())
    }

    fn options(&self) -> files::Options<'static> {
        files::Options { respect_ignored: self.respect_ignore, ..files::Options::default() }
    }

    fn collector<'h>(&'h self, medium: Medium, gatherer: &'h Gatherer<'h>) -> Collector<'h, 'h> {
        Collector { gatherer, medium, progress: self.progress, total: Progress::default(), gaps: Vec::new() }
    }
}

/// A place in a repository, as reports call it.
fn occurrence(found: &git::Occurrence, shown: &str) -> Occurrence {
    let medium = match found.medium {
        git::Medium::History => Medium::GitHistory,
        git::Medium::Message => Medium::GitMessage,
        git::Medium::Index => Medium::GitIndex,
        git::Medium::Unreachable => Medium::GitUnreachable,
    };
    // What is no file is named by its object.
    let path = if found.path.is_empty() { format!("git:{}", found.object) } else { found.path.clone() };
    let file = if shown.is_empty() { path } else { format!("{shown}/{path}") };
    let git::Position { line, start_column, end_column } = found.position;
    Occurrence {
        commit: found.commit.as_ref().and_then(|commit| {
            Some(Commit {
                time: chrono::DateTime::from_timestamp(commit.time, 0)?,
                id: commit.id.clone(),
                author: commit.author.clone(),
                email: commit.email.clone(),
            })
        }),
        medium,
        location: Location { file, line, start_column, end_column: end_column.max(start_column + 1) },
        present: found.in_head || found.medium == git::Medium::Index,
        allowed: None,
    }
}

/// What the files of accepted findings let pass.
pub fn elsewhere(config: &LeaksConfig, root: &Path, key: &FingerprintKey, gaps: &mut Vec<Gap>) -> AcceptedElsewhere {
    let mut elsewhere = AcceptedElsewhere::default();
    for file in &config.ignore_files {
        if let Err(gap) = elsewhere.read(&root.join(file), &file.to_string_lossy(), key) {
            gaps.push(gap);
        }
    }
    elsewhere
}

/// The repository that a folder is; with `above`, or that it lies in.
pub fn repository(folder: &Path, above: bool) -> Option<PathBuf> {
    if is_bare(folder) || folder.join(".git").exists() {
        return Some(folder.to_owned());
    }
    let full = folder.canonicalize().ok().filter(|_| above)?;
    full.ancestors().find(|one| one.join(".git").exists()).map(Path::to_owned)
}

/// Whether a folder is a git repository without a working tree.
pub fn is_bare(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
}

/// Searches for leaks what a scan is of, and adds them to its snapshot. Gives what was searched with.
///
/// # Errors
/// Values and rule files that the config names and that cannot be read.
pub fn in_scan(
    snapshot: &mut Snapshot,
    values: KnownSecrets,
    key: &FingerprintKey,
    root: &Path,
    config: &Config,
    progress: &ProgressBar,
    warn: &dyn Fn(&str),
) -> Result<Arsenal, Error> {
    let leaks = &config.leaks;
    let mut known = known::of_inventory(&Inventory::new(snapshot, &config.policy), values.into_inner());
    known.extend(known::of_config(leaks, root, key)?);
    let arsenal = Arsenal::new(known, leaks, root, true, key)?;
    arsenal.notes.iter().for_each(|note| warn(note));
    let target =
        |path: &String| Target { path: root.join(path), shown: if path == "." { String::new() } else { path.clone() } };
    let here = || Target { path: root.to_owned(), shown: String::new() };
    let mut targets = Targets {
        repositories: match &leaks.repositories {
            Some(paths) => paths.iter().map(target).collect(),
            None => repository(root, false).into_iter().map(|_| here()).collect(),
        },
        trees: match &leaks.paths {
            Some(paths) => paths.iter().map(target).collect(),
            None => vec![here()],
        },
        ..Targets::default()
    };
    for pattern in &leaks.logs {
        let found = matching(root, pattern).map_err(|message| Error::usage(message, "write logs = [\"logs/**/*\"]"))?;
        targets.logs.extend(found.iter().map(target));
    }
    let hunt = Hunt {
        arsenal: &arsenal,
        key,
        which: Which::Everything,
        respect_ignore: true,
        exclude: leaks.exclude.clone(),
        elsewhere: elsewhere(leaks, root, key, &mut snapshot.facts.gaps),
        progress,
    };
    snapshot.facts.extend(hunt.run(&targets)?);
    Ok(arsenal)
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What the refs of a repository lead to now; nothing for what is no repository.
pub fn tips(folder: &Path) -> Vec<String> {
    git::Repository::open(folder).map(|repository| repository.tips()).unwrap_or_default()
}
