//! AWS CloudTrail, as it delivers to S3: folders of gzip files, or any file with its records.
//!
//! # What is read
//! Every file of the trail, in the order of the times in their names; where a name holds none, of the first record's.
//! Files are `{"Records": […]}` as AWS writes them, what `aws cloudtrail lookup-events` prints, arrays, or one record a line;
//! plain, gzip or Zstandard. Of each record it is first found where it ends, by its brackets alone, and whether it can be
//! about a credential; only then is it parsed.
//!
//! # Digests
//! Files below `CloudTrail-Digest/` in the same tree are verified as `aws cloudtrail validate-logs` does it: signatures,
//! the chain from each digest to the one before, and the hashes of the log files. What they prove is coverage. The
//! signature of a digest is in the metadata of its object in S3, which a copy on disk lacks: it is taken from a file
//! beside it, `NAME.json.gz.signature` (hexadecimal) or `NAME.json.gz.metadata.json` (what `aws s3api head-object`
//! prints), else from the next digest, which repeats it. `public_keys` is a file of what `aws cloudtrail list-public-keys`
//! prints.

mod digest;
mod layout;
mod log;
mod names;
mod opened;
pub(in crate::trails) mod record;
mod split;
mod structure;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use keytrail_rules::model::{Entry, Event, Gap, GapReason, Hole, Location, Place, Role, Time};

use digest::Digests;
use layout::Sort;
use log::Told;
#[cfg(any(test, feature = "aws"))]
pub(in crate::trails) use log::event;
use opened::Buffers;

use super::{Opening, Reads, TrailKind};

/// CloudTrail, from files.
pub static KIND: TrailKind = TrailKind {
    name: "cloudtrail",
    role: Role::Store,
    delay: DELAY,
    watches: WATCHES,
    requires: &["paths"],
    reads: Reads::Tree(read),
};

/// What both kinds speak of.
pub(in crate::trails) const WATCHES: &[&str] =
    &["aws-secrets-manager:", "aws-ssm:", "aws-iam:", "aws-rds:", "aws-elasticache:"];

/// Measured deliveries took 10 minutes at most; AWS promises nothing, and speaks of 5 on average.
pub(in crate::trails) const DELAY: TimeDelta = TimeDelta::minutes(15);

/// Events that are held to be sorted.
const SORTED_AT_ONCE: usize = 50_000;

fn read(opening: &Opening<'_>, paths: &[PathBuf], take: &mut dyn FnMut(Entry)) -> Vec<Gap> {
    let mut buffers = Buffers::default();
    let of_sort = |sort: Sort| paths.iter().filter(move |path| Sort::of(path) == sort);
    let (mut digests, mut gaps) = Digests::read(opening, of_sort(Sort::Digest), &mut buffers);
    let mut trail = Trail { opening, take, gaps: Vec::new(), named: Named::default(), foreign: BTreeMap::new() };
    let (mut newest, mut unattributable) = (None, 0);
    for log in in_order(of_sort(Sort::Log)) {
        let seen = trail.read_log(log, &mut buffers, &mut digests);
        newest = newest.max(seen.last);
        unattributable += seen.unattributable;
        if let Some(time) = newest {
            (trail.take)(Entry::Progress { records: seen.records, time });
        }
    }
    for entry in digests.finish() {
        (trail.take)(entry);
    }
    gaps.append(&mut trail.gaps);
    gaps.extend(trail.foreign.into_iter().map(|((folder, account), (file, count))| {
        let message = format!("{count} records are of the account {account} and lie in the folder of {folder}");
        Gap { hint: Some(FOREIGN_HINT.to_owned()), ..Gap::new(file, GapReason::Malformed, message) }
    }));
    if unattributable > 0 {
        let message =
            format!("{unattributable} calls were turned away for too many requests; their records name no credential");
        gaps.push(Gap::new(&opening.config.name, GapReason::Unsupported, message));
    }
    gaps
}

const FOREIGN_HINT: &str = "find out who wrote these files: the records were read as they are";

/// The files in the order of their times.
fn in_order<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<&'a Path> {
    let mut paths: Vec<(Option<Time>, &Path)> = paths.map(|path| (None, path.as_path())).collect();
    if paths.len() > 1 {
        for (time, path) in &mut paths {
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            *time = layout::stamp(&name).filter(|_| !layout::is_backfill(&name)).or_else(|| layout::first_time(path));
        }
    }
    paths.sort();
    paths.into_iter().map(|(_, path)| path).collect()
}

/// What is remembered from file to file.
struct Trail<'a> {
    opening: &'a Opening<'a>,
    take: &'a mut dyn FnMut(Entry),
    gaps: Vec<Gap>,
    named: Named,
    /// By the account of the folder and that of the record: the first file, and how many records.
    foreign: BTreeMap<(String, String), (String, u64)>,
}

impl Trail<'_> {
    fn read_log(&mut self, path: &Path, buffers: &mut Buffers, digests: &mut Digests) -> log::Seen {
        let name = display(self.opening, path);
        let expected = digests.expects(&name);
        let opened = match buffers.open(path, expected) {
            Ok(opened) => opened,
            Err(error) => {
                self.hole(path, &name, &log::Seen { error: Some(error), ..log::Seen::default() });
                return log::Seen::default();
            }
        };
        let folder = layout::account(path);
        let mut events = Vec::new();
        let seen = log::read(opened, &name, self.opening.trail, expected, &mut |told| {
            self.told(folder, &name, told, &mut events);
            if events.len() >= SORTED_AT_ONCE {
                self.emit(&mut events);
            }
        });
        self.emit(&mut events);
        if seen.broken > 0 || seen.error.is_some() {
            self.hole(path, &name, &seen);
        }
        digests.was_read(&name, seen.sha256.filter(|_| seen.error.is_none()));
        seen
    }

    fn told(&mut self, folder: Option<&str>, name: &str, told: Told, events: &mut Vec<Event>) {
        let names = self.opening.names;
        for event in told.events {
            let others = || told.same.iter().filter(|(_, one)| *one == event.target).map(|(other, _)| other);
            if names.may_be(&event.target) || others().any(|other| names.may_be(other)) {
                for other in others() {
                    self.named.tell(&self.opening.config.name, other, &event.target, self.take, &mut self.gaps);
                }
                events.push(event);
            }
        }
        if let (Some(folder), Some(account)) = (folder, told.account)
            && folder != account
        {
            self.foreign.entry((folder.to_owned(), account)).or_insert_with(|| (name.to_owned(), 0)).1 += 1;
        }
    }

    fn emit(&mut self, events: &mut Vec<Event>) {
        events.sort_by_key(|event| event.time);
        events.drain(..).for_each(|event| (self.take)(Entry::Event(Box::new(event))));
    }

    /// Says what of a file could not be read: what lies in it is missing from the trail.
    fn hole(&mut self, path: &Path, name: &str, seen: &log::Seen) {
        let broken = seen.first_broken.as_ref();
        let message = match (&seen.error, broken) {
            (Some(error), _) => format!("the file cannot be read to its end: {error}"),
            (None, Some((raw, why))) => {
                let (count, at) = (seen.broken, raw.offset);
                match count {
                    1 => format!("a piece is no record, at byte {at}: {why}"),
                    _ => format!("{count} pieces are no records, the first at byte {at}: {why}"),
                }
            }
            (None, None) => "the file cannot be read".to_owned(),
        };
        let reason = match seen.error.as_ref().map(std::io::Error::kind) {
            Some(std::io::ErrorKind::NotFound) => GapReason::Unreachable,
            Some(std::io::ErrorKind::PermissionDenied) => GapReason::PermissionDenied,
            _ => GapReason::Malformed,
        };
        let line = broken.map_or(1, |(raw, _)| u32::try_from(raw.line).unwrap_or(u32::MAX));
        let (from, to) = span(path, seen);
        let raw = broken.map(|(raw, _)| raw.clone());
        (self.take)(Entry::Hole(Hole { from, to, reason: format!("{name}: {message}"), tampered: false, raw }));
        self.gaps.push(Gap::at(Location::of_line(name, line, ""), reason, message));
    }
}

/// Of which time a file may hold records: its name says until when, and they come within the usual delay.
fn span(path: &Path, seen: &log::Seen) -> (Option<Time>, Option<Time>) {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let stamp = layout::stamp(&name).filter(|_| !layout::is_backfill(&name));
    let before = stamp.map(|stamp| stamp - DELAY * 2);
    let from = [seen.first.map(|first| first - DELAY), before].into_iter().flatten().min();
    (from, seen.last.map(|last| last + DELAY).max(stamp))
}

/// The path as reports show it.
fn display(opening: &Opening<'_>, path: &Path) -> String {
    let path = path.strip_prefix(&opening.config.root).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

/// The names that were told to be of one credential.
#[derive(Default)]
struct Named {
    /// By the ARN, or another target: its other name.
    told: HashMap<Place, Place>,
    /// The first ARN of each name.
    first: HashMap<Place, String>,
}

/// More names than this are not remembered to be told only once.
const MAX_NAMES: usize = 1 << 20;

impl Named {
    /// Says that two names are of one credential, once. A name that is used in two accounts is only that of the first.
    fn tell(&mut self, trail: &str, name: &Place, target: &Place, take: &mut dyn FnMut(Entry), gaps: &mut Vec<Gap>) {
        if name == target || self.told.get(target) == Some(name) {
            return;
        }
        if self.told.len() < MAX_NAMES {
            self.told.insert(target.clone(), name.clone());
        }
        let first = self.first.entry(name.clone()).or_insert_with(|| target.path());
        if names::are_apart(first, &target.path()) {
            let hint = "name the secrets of this name by their ARNs, in `known_as`";
            let message = format!("{} is the name of several secrets, among them {first}", name.as_str());
            gaps.push(Gap {
                hint: Some(hint.to_owned()),
                place: Some(target.clone()),
                ..Gap::new(trail, GapReason::Unsupported, message)
            });
        } else {
            take(Entry::Same(name.clone(), target.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
