//! The records behind what the report says, as they lie in the trails.
//!
//! `raw/index.jsonl` has a line for every record: where it lay, its hash, and where it is now (`state`):
//!
//! * `included`: its bytes are in `file` from `at` on;
//! * `withheld`: it holds a value of the inventory, or what a detector takes for one;
//! * `unavailable`: it cannot be read again: the answer of a server, standard input, a log that was changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use keytrail_rules::model::Raw;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::folder::{Folder, Growing, hex};
use super::guard::Guard;
use super::manifest::Records;
use super::{Evidence, Window, events, ledger};
use crate::error::Error;
use crate::trails::framing::MAX_RECORD_BYTES;
use crate::trails::{Sources, TrailConfig, keytrail_ledger};

pub(super) const INDEX: &str = "raw/index.jsonl";

/// A record, and where it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Indexed {
    pub(super) trail: String,
    /// The file, or the query whose answer it was.
    pub(super) source: String,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) line: u64,
    pub(super) sha256: String,
    pub(super) state: State,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) at: Option<u64>,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Included,
    Withheld,
    Unavailable,
}

/// The records of one source, in the order in which they lie there.
type OfSource = BTreeSet<(u64, u64, u64, [u8; 32])>;

/// Writes the records of the window and their index.
pub(super) fn write(
    evidence: &Evidence<'_>,
    window: Window,
    ledger: &ledger::Proven,
    folder: &mut Folder,
) -> Result<Records, Error> {
    let mut index = Vec::new();
    let mut guard = evidence.arsenal.map(Guard::new).transpose()?;
    for (number, (trail, sources)) in (1..).zip(wanted(evidence, window)) {
        let config = evidence.config.trails.iter().find(|config| config.name == trail);
        let name = format!("raw/{number:02}-{}.log", file_name(&trail));
        let mut writer = Writer {
            files: config.map(Sources::of),
            ledger: config.filter(|config| is_own_ledger(config)).map(|_| ledger),
            guard: guard.as_mut(),
            out: folder.create(&name)?,
            name,
            index: &mut index,
        };
        for (source, records) in sources {
            writer.source(&trail, &source, &records)?;
        }
        let out = writer.out;
        folder.close(out)?;
    }
    let mut records = Records::default();
    let mut text = String::new();
    for one in &index {
        match one.state {
            State::Included => records.included += 1,
            State::Withheld => records.withheld += 1,
            State::Unavailable => records.unavailable += 1,
        }
        text += &serde_json::to_string(one).map_err(keytrail_reporters::Error::from)?;
        text.push('\n');
    }
    folder.write(INDEX, text.as_bytes())?;
    Ok(records)
}

/// The records that are evidence, by trail and source.
fn wanted(evidence: &Evidence<'_>, window: Window) -> BTreeMap<String, BTreeMap<String, OfSource>> {
    let mut wanted: BTreeMap<String, BTreeMap<String, OfSource>> = BTreeMap::new();
    let mut want = |trail: &str, raw: &Raw| {
        if raw.length > 0 {
            let of_source = wanted.entry(trail.to_owned()).or_default().entry(raw.source.to_string()).or_default();
            of_source.insert((raw.offset, raw.length, raw.line, raw.sha256));
        }
    };
    for event in events(evidence.report, evidence.snapshot).filter(|event| window.meets(event.time, event.time)) {
        want(&event.trail, &event.raw);
    }
    for reading in evidence.report.readings.iter().filter(|reading| window.meets(reading.first, reading.last)) {
        want(&reading.trail, &reading.raw);
    }
    for trail in &evidence.report.trails {
        trail.holes.iter().filter_map(|hole| hole.raw.as_ref()).for_each(|raw| want(&trail.name, raw));
    }
    wanted
}

fn is_own_ledger(config: &TrailConfig) -> bool {
    config.kind == keytrail_ledger::KIND.name && config.paths.is_empty()
}

/// A name as part of one of a file.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    name.chars().take(60).map(plain).collect()
}

/// Writes the records of one trail.
struct Writer<'a, 'g> {
    files: Option<Sources>,
    ledger: Option<&'a ledger::Proven>,
    guard: Option<&'a mut Guard<'g>>,
    out: Growing,
    name: String,
    index: &'a mut Vec<Indexed>,
}

impl Writer<'_, '_> {
    fn source(&mut self, trail: &str, source: &str, records: &OfSource) -> Result<(), Error> {
        let mut open: Option<(Box<dyn Read>, u64)> = None;
        for record @ (offset, length, line, sha256) in records {
            let read = match self.ledger {
                Some(ledger) => ledger_row(ledger, *line),
                None => self.read(source, &mut open, *offset, *length),
            };
            let read = read.and_then(|bytes| match Sha256::digest(&bytes)[..] == sha256[..] {
                true => Ok(bytes),
                false => Err("it was changed since it was scanned".to_owned()),
            });
            if read.is_err() {
                open = None;
            }
            let at = self.out.size;
            let (state, why) = match read {
                Err(why) => (State::Unavailable, Some(why)),
                Ok(bytes) if self.guard.as_mut().is_some_and(|guard| guard.holds_a_value(&bytes)) => {
                    (State::Withheld, Some("it holds what may be a value of a secret".to_owned()))
                }
                Ok(bytes) => {
                    self.out.append(&bytes)?;
                    self.out.append(b"\n")?;
                    (State::Included, None)
                }
            };
            let is_there = state == State::Included;
            self.index.push(Indexed {
                trail: trail.to_owned(),
                source: source.to_owned(),
                offset: record.0,
                length: record.1,
                line: record.2,
                sha256: hex(sha256),
                state,
                file: is_there.then(|| self.name.clone()),
                at: is_there.then_some(at),
                why,
            });
        }
        Ok(())
    }

    /// Reads on to a record, or from the start where it lies before what was read.
    fn read(
        &self,
        source: &str,
        open: &mut Option<(Box<dyn Read>, u64)>,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, String> {
        let unread = |error: &io::Error| format!("it cannot be read again: {}", error.kind());
        if open.as_ref().is_none_or(|(_, at)| *at > offset) {
            let files = self.files.as_ref().ok_or("the config has no such trail")?;
            let opened = files.open(source).ok_or("it was the answer of a server, or came through a pipe")?;
            *open = Some((opened.map_err(|gap| gap.message)?, 0));
        }
        let Some((reader, at)) = open else { return Ok(Vec::new()) };
        if length > MAX_RECORD_BYTES as u64 {
            return Err("it is too long".to_owned());
        }
        let skipped = io::copy(&mut reader.take(offset - *at), &mut io::sink()).map_err(|error| unread(&error))?;
        let mut bytes = Vec::new();
        reader.take(length).read_to_end(&mut bytes).map_err(|error| unread(&error))?;
        *at += skipped + bytes.len() as u64;
        Ok(bytes)
    }
}

/// A row of the ledger of the state, which counts as the line of that number.
fn ledger_row(ledger: &ledger::Proven, line: u64) -> Result<Vec<u8>, String> {
    let number = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
    let row = number.and_then(|number| ledger.row(number)).ok_or("the ledger has no such row")?;
    Ok(row.as_bytes().to_vec())
}
