//! Measures the walk through packs: `git_history inflate PATH` inflates each entry once, `git_history blobs PATH` only
//! those that blobs are made of, `git_history scan PATH [THREADS [-v]]` searches the history for a few literals,
//! `git_history staged PATH` the index, `git_history range PATH 1 RANGE` some commits.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gix::odb::pack::data::{Entry, File, entry::Header};
use gix::odb::pack::index;
use keytrail::leaks::git::{Occurrence, Options, Repository, SecretKey};
use keytrail_rules::search::{Found, Hit, Hits, LongAnchor, Search};
use regex::bytes::Regex;

/// Finds what one expression matches, between bytes that are no letters.
struct Literals(Regex);

const REACH: usize = 128;

impl Search for Literals {
    type Scratch = ();

    fn margin(&self) -> usize {
        REACH
    }

    fn reach(&self) -> usize {
        REACH
    }

    fn search(&self, text: &[u8], changed: Range<usize>, _: &mut (), out: &mut Hits) {
        let start = changed.start.saturating_sub(REACH);
        let end = (changed.end + REACH).min(text.len());
        for found in self.0.find_iter(&text[start..end]) {
            let value = start + found.start()..start + found.end();
            let depends = value.start.saturating_sub(1)..(value.end + 1).min(text.len());
            out.hits.push(Hit { found: Found::Detector(0), value, depends, decoded: None });
        }
    }

    fn recheck(&self, _: &[u8], _: &LongAnchor, _: &mut (), _: &mut Hits) {}

    fn settle(&self, hits: &mut Vec<Hit>) {
        hits.sort_by_key(|hit| (hit.value.start, hit.value.end));
        hits.dedup_by_key(|hit| (hit.value.start, hit.value.end));
    }
}

/// Inflates every entry once, and adds up what comes of it.
fn inflate(pack: &Path, blobs_only: bool) -> Result<(usize, u64), Box<dyn std::error::Error>> {
    let data = File::at(pack, gix::hash::Kind::Sha1)?;
    let index = index::File::at(pack.with_extension("idx"), gix::hash::Kind::Sha1)?;
    let mut ends = index.sorted_offsets();
    ends.push(data.pack_end() as u64);
    let mut is_blob = vec![false; ends.len()];
    let (mut out, mut inflater) = (Vec::new(), libdeflater::Decompressor::new());
    let (mut entries, mut bytes) = (0, 0);
    for (at, pair) in ends.windows(2).enumerate() {
        let slice = data.entry_slice(pair[0]..pair[1]).ok_or("a broken index")?;
        let entry = Entry::from_bytes(slice, pair[0], gix::hash::Kind::Sha1)?;
        is_blob[at] = match entry.header {
            Header::OfsDelta { base_distance } => {
                ends.binary_search(&(pair[0] - base_distance)).is_ok_and(|base| is_blob[base])
            }
            header => header == Header::Blob,
        };
        if blobs_only && !is_blob[at] {
            continue;
        }
        let size = usize::try_from(entry.decompressed_size)?;
        if out.len() < size {
            out.resize(size, 0);
        }
        let compressed = &slice[usize::try_from(entry.data_offset - pair[0])?..];
        bytes += inflater.zlib_decompress(compressed, &mut out[..size])? as u64;
        entries += 1;
    }
    Ok((entries, bytes))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, path, rest @ ..] = &arguments[..] else { return Err("git_history MODE PATH [THREADS]".into()) };
    let mut out = std::io::stdout();
    if mode == "inflate" || mode == "blobs" {
        let folder = [".git/objects/pack", "objects/pack"].map(|below| PathBuf::from(path).join(below));
        for entry in folder.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
            if entry.path().extension().is_some_and(|end| end == "pack") {
                let (entries, bytes) = inflate(&entry.path(), mode == "blobs")?;
                writeln!(out, "{entries} entries, {} MB inflated", bytes >> 20)?;
            }
        }
        return Ok(());
    }
    let search = Literals(Regex::new(
        r#"(?-u)AKIA[A-Z0-9]{16}|ghp_[A-Za-z0-9]{36}|-----BEGIN [A-Z ]{3,20}KEY|SECRET_KEY = ['"][^'"]{8,60}"#,
    )?);
    let identify = |text: &[u8], hit: &Hit| {
        let fold = |sum: u128, byte: &u8| sum.wrapping_mul(0x0100_0193).wrapping_add(u128::from(*byte));
        SecretKey(text[hit.value.clone()].iter().fold(7, fold))
    };
    let mut options = Options::default();
    if let Some(threads) = rest.first() {
        options.threads = threads.parse()?;
    }
    let repository = Repository::open(Path::new(path))?;
    let scan = match mode.as_str() {
        "staged" => repository.scan_staged(&search, &identify, &options),
        "range" => {
            repository.scan_range(rest.last().map_or("HEAD~1..HEAD", String::as_str), &search, &identify, &options)?
        }
        _ => repository.scan(&search, &identify, &options),
    };
    let secrets = scan.occurrences.iter().map(|one| one.secret).collect::<std::collections::BTreeSet<_>>().len();
    writeln!(
        out,
        "{} objects, {} MB, {} MB changed; {secrets} secrets in {} places, {} gaps",
        scan.objects,
        scan.bytes >> 20,
        scan.changed >> 20,
        scan.occurrences.len(),
        scan.gaps.len()
    )?;
    for gap in &scan.gaps {
        writeln!(out, "gap: {}: {}", gap.source, gap.message)?;
    }
    if rest.last().is_some_and(|last| last == "-v") {
        for one in &scan.occurrences {
            let commit = one.commit.as_ref().map_or("-", |commit| &commit.id);
            let Occurrence { medium, path, position, first, in_head, .. } = one;
            writeln!(
                out,
                "{:x} {medium:?} {commit} {path}:{}:{} first={first} head={in_head}",
                one.secret.0, position.line, position.start_column
            )?;
        }
    }
    Ok(())
}
