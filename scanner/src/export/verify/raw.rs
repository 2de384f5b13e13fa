//! That the raw records are those that the report speaks of.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_reporters::Format;
use keytrail_rules::model::Time;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::folder::hex;
use super::super::manifest::{Manifest, Records};
use super::super::raw::{INDEX, Indexed, State};
use super::super::{Window, report_name};
use super::files::Intact;
use super::{REPORT, Verification};
use crate::error::Error;

/// What of a report names records.
#[derive(Deserialize)]
struct Report {
    rotations: Vec<Rotation>,
    readings: Vec<Reading>,
}

#[derive(Deserialize)]
struct Rotation {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    time: Time,
    raw: Raw,
}

#[derive(Deserialize)]
struct Reading {
    first: Time,
    last: Time,
    raw: Raw,
}

#[derive(Deserialize)]
struct Raw {
    source: String,
    offset: u64,
    length: u64,
    sha256: String,
}

type Id = (String, u64, u64, String);

pub(super) fn check(intact: &Intact<'_>, manifest: &Manifest, result: &mut Verification) -> Result<(), Error> {
    let before = result.problems.len();
    let Some(index) = intact.read(INDEX)? else { return Ok(()) };
    let lines = std::str::from_utf8(&index).ok().map(str::lines);
    let index: Option<Vec<Indexed>> =
        lines.and_then(|lines| lines.map(|line| serde_json::from_str(line).ok()).collect());
    let Some(index) = index else {
        result.problem(INDEX, "is not written as an export writes it");
        return Ok(());
    };
    let records = shown(intact, &index, result)?;
    if records != manifest.records {
        result.problem(INDEX, "has other numbers of records than the manifest");
    }
    let known: BTreeSet<Id> = index.into_iter().map(|one| (one.source, one.offset, one.length, one.sha256)).collect();
    let name = Format::find(REPORT).map(report_name).unwrap_or_default();
    let Some(report) = intact.read(&name)? else { return Ok(()) };
    let Ok(report) = serde_json::from_slice::<Report>(&report) else {
        result.problem(&name, "is no report that this version reads");
        return Ok(());
    };
    let window = Window { since: manifest.query.since, until: manifest.query.until };
    let events = report.rotations.into_iter().flat_map(|rotation| rotation.events);
    let events = events.map(|event| (event.time, event.time, event.raw));
    let readings = report.readings.into_iter().map(|reading| (reading.first, reading.last, reading.raw));
    for (first, last, raw) in events.chain(readings) {
        let (source, line) = (raw.source.clone(), raw.offset);
        let id = (raw.source, raw.offset, raw.length, raw.sha256);
        if raw.length > 0 && window.meets(first, last) && !known.contains(&id) {
            result.problem(INDEX, format!("lacks a record of the report: {source}, byte {line}"));
        }
    }
    if result.problems.len() == before {
        let Records { included, withheld, unavailable } = manifest.records;
        let rest = withheld + unavailable;
        result.hold(format!("{included} raw records have the hashes that the report gives; {rest} are only listed"));
    }
    Ok(())
}

/// Checks the records that are there, and counts all.
fn shown(intact: &Intact<'_>, index: &[Indexed], result: &mut Verification) -> Result<Records, Error> {
    let mut records = Records::default();
    let mut by_file: BTreeMap<&str, Vec<&Indexed>> = BTreeMap::new();
    for one in index {
        match one.state {
            State::Withheld => records.withheld += 1,
            State::Unavailable => records.unavailable += 1,
            State::Included => {
                records.included += 1;
                by_file.entry(one.file.as_deref().unwrap_or_default()).or_default().push(one);
            }
        }
    }
    for (file, ones) in by_file {
        let Some(bytes) = intact.read(file)? else {
            if !intact.has(file) && !result.problems.iter().any(|problem| problem.file == file) {
                result.problem(INDEX, format!("names a file that is not part of the export: {file}"));
            }
            continue;
        };
        for one in ones {
            let start = one.at.and_then(|at| usize::try_from(at).ok());
            let end = start.zip(usize::try_from(one.length).ok()).and_then(|(start, length)| start.checked_add(length));
            let record = start.zip(end).and_then(|(start, end)| bytes.get(start..end));
            if record.is_none_or(|record| hex(&Sha256::digest(record)) != one.sha256) {
                result.problem(file, format!("does not hold the record of {}, byte {}", one.source, one.offset));
            }
        }
    }
    Ok(records)
}
