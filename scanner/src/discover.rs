//! Finds the files of the scanned folder that the inventory is read from.
//!
//! # Guarantees
//! Symbolic links are followed only to files inside the folder, so that neither a cycle nor a link can lead out of it.
//! What cannot be looked at becomes a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use keytrail_rules::model::{Gap, GapReason, Location};
use walkdir::{DirEntry, WalkDir};

use crate::config::InventoryConfig;
use crate::inventory::{FileKind, KINDS};

/// Folders of caches and other people's code, which hold no inventory.
const PRUNED: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".keytrail",
    ".terraform",
    ".tox",
    ".venv",
    "venv",
    "__pycache__",
    "node_modules",
    "site-packages",
];

/// The marker of a cache folder (<https://bford.info/cachedir/>), such as cargo's `target`.
const CACHE_MARKER: &str = "CACHEDIR.TAG";

/// A file to read.
#[derive(Debug)]
pub struct Found {
    /// Path relative to the scanned folder, with `/` between its parts.
    pub path: String,
    /// The kinds that it may be of, by its name.
    pub kinds: Vec<&'static FileKind>,
    /// Whether the config names it as generated from the schema.
    pub generated: bool,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Discovery {
    /// The files, by path.
    pub files: Vec<Found>,
    /// What could not be looked at.
    pub gaps: Vec<Gap>,
}

/// Glob patterns that match paths as `.gitignore` does: `*` stops at `/`, `**` does not.
///
/// # Errors
/// The pattern that is no glob, with the reason.
pub fn globs<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

/// The files that a path or pattern names, relative to `root` or absolute, sorted. Links are not followed.
///
/// # Errors
/// A pattern that is no glob, with the reason.
pub fn matching(root: &Path, pattern: &str) -> Result<Vec<String>, String> {
    let is_glob = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
    let pattern = pattern.trim_start_matches("./");
    if !is_glob(pattern) {
        return Ok(if root.join(pattern).exists() { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let globs = globs([pattern]).map_err(|error| format!("{pattern} is no glob: {}", error.kind()))?;
    // Only the folders that the pattern can match are walked.
    let folder: Vec<&str> = pattern.split('/').take_while(|part| !is_glob(part)).collect();
    let found = WalkDir::new(root.join(folder.join("/"))).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = found.filter(|entry| entry.file_type().is_file()).filter_map(|entry| {
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let path = path.to_str()?.replace(std::path::MAIN_SEPARATOR, "/");
        globs.is_match(&path).then_some(path)
    });
    Ok(files.collect())
}

/// Which kind of file has which patterns, and whether the config names them.
struct Wanted {
    kind: &'static FileKind,
    globs: GlobSet,
    patterns: Vec<String>,
    named: bool,
}

/// Walks `root` for the files of every kind. `tick` is called for every entry, for a progress bar.
///
/// # Errors
/// A pattern of the config that is no glob.
pub fn discover(root: &Path, config: &InventoryConfig, tick: &dyn Fn()) -> Result<Discovery, globset::Error> {
    let exclude = globs(config.exclude.iter().map(String::as_str))?;
    let generated = globs(config.generated.iter().map(String::as_str))?;
    let mut wanted = Vec::new();
    for kind in KINDS {
        let named = config.patterns.get(kind.config_key);
        let patterns =
            named.cloned().unwrap_or_else(|| kind.patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        wanted.push(Wanted {
            kind,
            globs: globs(patterns.iter().map(String::as_str))?,
            patterns,
            named: named.is_some(),
        });
    }
    let mut discovery = Discovery::default();
    let mut files: BTreeMap<String, Found> = BTreeMap::new();
    let inside = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let walk = WalkDir::new(root)
        .follow_links(false)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !is_pruned(entry) && !exclude.is_match(relative(root, entry.path())));
    for entry in walk {
        tick();
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                discovery.gaps.push(unreadable(root, &error));
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        let path = relative(root, entry.path());
        let kinds: Vec<&FileKind> = wanted.iter().filter(|one| one.globs.is_match(&path)).map(|one| one.kind).collect();
        if kinds.is_empty() {
            continue;
        }
        if entry.path().strip_prefix(root).is_ok_and(|below| below.to_str().is_none()) {
            let gap = Gap::at(
                Location::of_file(&path),
                GapReason::Unsupported,
                "the name of the file is not UTF-8 (� stands for what is not), and the file was not read",
            );
            discovery.gaps.push(gap.hint("rename the file or the folder that it is in"));
            continue;
        }
        if entry.file_type().is_symlink()
            && let Some(gap) = refused_link(&inside, &entry, &path)
        {
            discovery.gaps.push(gap);
            continue;
        }
        let generated = generated.is_match(&path);
        files.insert(path.clone(), Found { path, kinds, generated });
    }
    discovery.gaps.extend(unmatched(&wanted, &files));
    discovery.files = files.into_values().collect();
    Ok(discovery)
}

fn is_pruned(entry: &DirEntry) -> bool {
    entry.depth() > 0
        && entry.file_type().is_dir()
        && (entry.file_name().to_str().is_some_and(|name| PRUNED.contains(&name))
            || entry.path().join(CACHE_MARKER).is_file())
}

/// The path below `root`, with `/` between its parts. What is not UTF-8 in it becomes `�`.
fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts = below.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn unreadable(root: &Path, error: &walkdir::Error) -> Gap {
    let path =
        error.path().map(|path| relative(root, path)).filter(|path| !path.is_empty()).unwrap_or_else(|| ".".into());
    let io = error.io_error().map(std::io::Error::kind);
    match io {
        Some(std::io::ErrorKind::PermissionDenied) => {
            Gap::new(path, GapReason::PermissionDenied, "the folder may not be read")
                .hint("give the scan read access, or exclude it in [inventory] exclude")
        }
        _ => Gap::new(path, GapReason::Unreachable, "the folder cannot be read"),
    }
}

/// A link counts as a file only if it ends at one inside the scanned folder.
fn refused_link(inside: &Path, entry: &DirEntry, path: &str) -> Option<Gap> {
    let gap = |message: &str| Gap::at(Location::of_file(path), GapReason::Unreachable, message);
    match entry.path().canonicalize() {
        Ok(target) if target.starts_with(inside) => None,
        Ok(_) => Some(
            gap("the symbolic link leads out of the scanned folder, and is not followed")
                .hint("scan the folder that it leads to"),
        ),
        Err(_) => Some(gap("the symbolic link leads nowhere, or to itself").hint("mend or delete the link")),
    }
}

/// Patterns of the config that match no file: a source that its author believes to be read.
fn unmatched(wanted: &[Wanted], files: &BTreeMap<String, Found>) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for one in wanted.iter().filter(|one| one.named) {
        for pattern in one.patterns.iter().collect::<BTreeSet<_>>() {
            let matches = globs([pattern.as_str()]).is_ok_and(|glob| files.keys().any(|path| glob.is_match(path)));
            if !matches {
                let message = format!("no file matches '{pattern}', which [inventory] {} names", one.kind.config_key);
                gaps.push(
                    Gap::new(pattern.clone(), GapReason::Unreachable, message)
                        .hint("correct the pattern, or remove it"),
                );
            }
        }
    }
    gaps
}
