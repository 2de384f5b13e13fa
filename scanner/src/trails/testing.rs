//! What the tests of trails share.

use std::path::Path;
use std::sync::LazyLock;

use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Entry, Event, FingerprintKey, Hole, Location, Time};

use super::{Opening, TrailConfig};

/// A trail of a kind, read from paths below a folder.
pub(super) fn config(kind: &str, root: &Path, paths: &[&str]) -> TrailConfig {
    TrailConfig {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        ..TrailConfig::new("trail", kind, root, Location::of_file("keytrail.toml"))
    }
}

/// The key of every test.
pub(super) static KEY: LazyLock<FingerprintKey> = LazyLock::new(|| FingerprintKey::new([7; 32]));

/// Opens the trail of a config.
pub(super) fn opening<'a>(config: &'a TrailConfig, names: &'a Names) -> Opening<'a> {
    Opening { config, trail: 0, names, as_of: time("2026-07-01T00:00:00Z"), key: &KEY }
}

pub(super) fn time(text: &str) -> Time {
    text.parse().expect("a time")
}

pub(super) fn events(entries: &[Entry]) -> Vec<&Event> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Event(event) => Some(event.as_ref()),
            _ => None,
        })
        .collect()
}

pub(super) fn holes(entries: &[Entry]) -> Vec<&Hole> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Hole(hole) => Some(hole),
            _ => None,
        })
        .collect()
}
