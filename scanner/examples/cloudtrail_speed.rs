//! Measures the reader of CloudTrail: `cloudtrail_speed inflate FOLDER` only inflates the files, `cloudtrail_speed read
//! FOLDER [KEYS]` reads them as a trail, with the public keys of its digests, and counts the events by credential.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use keytrail::trails::{Opening, Reads, TrailConfig, TrailKind};
use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Entry, FingerprintKey, Location, Time};

/// The files below a folder, sorted.
fn files(folder: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() { files(&path, out)? } else { out.push(path) }
    }
    out.sort();
    Ok(())
}

/// Inflates every file with one call, and adds up the bytes.
fn inflate(paths: &[PathBuf]) -> Result<usize, Box<dyn std::error::Error>> {
    let (mut inflater, mut out, mut bytes) = (libdeflater::Decompressor::new(), Vec::new(), 0);
    for path in paths {
        let compressed = fs::read(path)?;
        let size = compressed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
        if out.len() < size {
            out.resize(size, 0);
        }
        bytes += inflater.gzip_decompress(&compressed, &mut out[..size])?;
    }
    Ok(bytes)
}

fn config(root: &Path, public_keys: Option<PathBuf>) -> TrailConfig {
    TrailConfig {
        public_keys,
        ..TrailConfig::new("cloudtrail", "cloudtrail", root, Location::of_file("keytrail.toml"))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, folder, rest @ ..] = &arguments[..] else { return Err("cloudtrail_speed MODE FOLDER [KEYS]".into()) };
    let (folder, mut paths, mut out) = (Path::new(folder), Vec::new(), std::io::stdout());
    files(folder, &mut paths)?;
    if mode == "inflate" {
        writeln!(out, "{} MB inflated", inflate(&paths)? >> 20)?;
        return Ok(());
    }
    let config = config(folder, rest.first().map(PathBuf::from));
    let key = FingerprintKey::new([7; 32]);
    let opening = Opening { config: &config, trail: 0, names: &Names::default(), as_of: Time::default(), key: &key };
    let Some(Reads::Tree(read)) = TrailKind::find("cloudtrail").map(|kind| &kind.reads) else {
        return Err("there is no such kind".into());
    };
    let (mut counts, mut all) = (BTreeMap::<String, u64>::new(), 0);
    let mut others = Vec::new();
    let gaps = read(&opening, &paths, &mut |entry| match entry {
        Entry::Event(event) => match counts.get_mut(event.target.as_str()) {
            Some(count) => *count += 1,
            None => drop(counts.insert(event.target.as_str().to_owned(), 1)),
        },
        Entry::Progress { records, .. } => all += records,
        Entry::Same(..) => {}
        other => others.push(other),
    });
    writeln!(out, "{all} records, {} events of {} credentials", counts.values().sum::<u64>(), counts.len())?;
    for other in others {
        writeln!(out, "{other:?}")?;
    }
    for gap in gaps {
        writeln!(out, "gap: {}: {}", gap.source, gap.message)?;
    }
    Ok(())
}
