//! Lines of log files that tell of refused logins: `{ log = "/var/log/api/*.log", patterns = ["auth.*refused"], max = 0 }`.
//!
//! Before the switch it is noted how long each file is; after it, the lines behind that are looked at, and more than
//! `max` that match make it unhealthy. Without `patterns`, what databases and token endpoints usually say is looked for.
//! The last part of the path may have `*` and `?`.
//!
//! # Guarantees
//! 1. Only counts are told, never a line. Memory is bounded, and wiped.
//! 2. A file that was renamed in its folder is found again. Where lines are lost (a file was cut off, or has gone), it is
//!    not said to be healthy.
//!
//! # Assumptions
//! A line is in the file soon after what it tells of: the probe is repeated until the grace is over.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use futures::FutureExt;
use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Health, Moment, Probe, ProbeKind};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::workloads::Values;

/// Logs.
pub(super) static KIND: ProbeKind = ProbeKind {
    name: "log",
    about: "counts lines of log files that tell of refused logins",
    open: |settings| Ok(Box::new(Log::new(settings)?)),
};

/// What refused logins look like: PostgreSQL, PgBouncer, MySQL, Redis, OAuth, HTTP.
const USUAL: &[&str] = &[
    "password authentication failed",
    "authentication (failed|failure|error)",
    "server login (has been )?fail",
    "access denied for user",
    r"\b(WRONGPASS|NOAUTH)\b",
    r"\b(invalid|unauthorized)[_ ]client\b",
    r"\binvalid (credentials?|password|api[_ ]key|token)\b",
    r"\b401 unauthorized\b",
];

/// Of a longer line, the rest is not looked at.
const MAX_LINE: usize = 64 << 10;
/// So much is read at one look.
const MAX_BYTES: u64 = 1 << 30;
/// So many files may match.
const MAX_FILES: usize = 1_000;

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    log: PathBuf,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    max: u64,
}

#[derive(Clone)]
struct Log {
    path: PathBuf,
    patterns: RegexSet,
    max: u64,
}

/// Files by what tells them apart, which stays when they are renamed: how long each was.
type Marks = BTreeMap<String, u64>;

impl Log {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let table: Table = settings.read()?;
        let mut patterns = match table.patterns.is_empty() {
            true => RegexSetBuilder::new(USUAL),
            false => RegexSetBuilder::new(&table.patterns),
        };
        let patterns = patterns.unicode(false).case_insensitive(table.patterns.is_empty()).build();
        let patterns =
            patterns.map_err(|_| Failure::not_done("`patterns` has one that is no regular expression of bytes"))?;
        Ok(Self { path: table.log, patterns, max: table.max })
    }

    /// The files that the path means now.
    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let path = folder.join(&self.path);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.contains(['*', '?']) {
            return Ok(vec![path]);
        }
        let mut files = siblings(&path)?;
        files.retain(|file| file.file_name().is_some_and(|found| matches(&name, &found.to_string_lossy())));
        Ok(files)
    }

    fn look(&self, folder: &Path, moment: &Moment) -> io::Result<Health> {
        let files = self.files(folder)?;
        let mut open = Vec::new();
        for path in &files {
            let file = File::open(path)?;
            let about = file.metadata()?;
            open.push((file, about));
        }
        if open.is_empty() || open.len() > MAX_FILES {
            return Ok(Health::Unknown(format!("{} files match {}", open.len(), self.path.display())));
        }
        let Moment::After { before, .. } = moment else {
            let marks: Marks = open.iter().map(|(_, about)| (identity(about), about.len())).collect();
            return Ok(Health::Healthy(serde_json::to_string(&marks)?));
        };
        let Ok(mut marks) = serde_json::from_str::<Marks>(before) else {
            return Ok(Health::Unknown("how long the logs were before is not known".to_owned()));
        };
        let mut reading = Reading { patterns: &self.patterns, left: MAX_BYTES, found: 0 };
        let mut is_lost = false;
        for (file, about) in open {
            is_lost |= reading.file(file, &about, marks.remove(&identity(&about)).unwrap_or(0))?;
        }
        // What is missing may have been renamed.
        let others = match files.first().filter(|_| !marks.is_empty()) {
            Some(file) => siblings(file)?,
            None => Vec::new(),
        };
        for path in others {
            let from = marks.remove(&identity(&path.metadata()?));
            if let Some(from) = from {
                let file = File::open(&path)?;
                let about = file.metadata()?;
                is_lost |= reading.file(file, &about, from)?;
            }
        }
        Ok(self.judge(reading.found, is_lost || !marks.is_empty() || reading.left == 0))
    }

    fn judge(&self, found: u64, is_incomplete: bool) -> Health {
        let path = self.path.display();
        match found > self.max {
            true => Health::Unhealthy(format!("{found} lines of {path} tell of refused logins; {} may", self.max)),
            false if is_incomplete => Health::Unknown(format!("a part of {path} is lost, or too long to read")),
            false => Health::Healthy(format!("{found} lines")),
        }
    }
}

/// What tells a file from every other one in its folder, and stays when it is renamed.
fn identity(about: &Metadata) -> String {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(about).to_string();
    #[cfg(not(unix))]
    return format!("{:?}", about.created().ok());
}

/// The files of the folder that a path is in.
fn siblings(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path.parent().unwrap_or(path))? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a name fits a pattern of `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Which lengths of the name the pattern so far can stand for.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for c in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match c {
                '*' => reached[at] || at > 0 && next[at - 1],
                '?' => at > 0 && reached[at - 1],
                c => at > 0 && reached[at - 1] && name[at - 1] == c,
            };
        }
        reached = next;
    }
    reached[name.len()]
}

struct Reading<'a> {
    patterns: &'a RegexSet,
    /// How many bytes may still be read.
    left: u64,
    found: u64,
}

impl Reading<'_> {
    /// Counts the lines from a place on. Gives whether lines before its end are lost.
    fn file(&mut self, mut file: File, about: &Metadata, from: u64) -> io::Result<bool> {
        let is_cut = about.len() < from;
        file.seek(SeekFrom::Start(if is_cut { 0 } else { from }))?;
        let mut reader = BufReader::new(file);
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
        loop {
            let block = reader.fill_buf()?;
            let end = block.iter().position(|byte| *byte == b'\n');
            let part = &block[..end.unwrap_or(block.len())];
            let room = MAX_LINE - line.len();
            line.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            let is_over = used == 0 || self.left < used as u64;
            if end.is_some() || is_over {
                self.found += u64::from(self.patterns.is_match(&line));
                line.clear();
            }
            if is_over {
                // At its end nothing is used; else there is more than may be read.
                self.left = if used == 0 { self.left } else { 0 };
                return Ok(is_cut);
            }
            self.left -= used as u64;
            reader.consume(used);
        }
    }
}

impl Probe for Log {
    fn check<'a>(&'a self, context: &'a Context, moment: &'a Moment, _: &'a Values<'a>) -> Act<'a, Health> {
        async move {
            let (log, folder, moment) = (self.clone(), context.folder.clone(), moment.clone());
            let looked = tokio::task::spawn_blocking(move || log.look(&folder, &moment)).await;
            Ok(match looked {
                Ok(Ok(health)) => health,
                Ok(Err(error)) => Health::Unknown(format!("{} cannot be read: {}", self.path.display(), error.kind())),
                Err(_) => Health::Unknown(format!("{} was not read to its end", self.path.display())),
            })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
