//! Collects a snapshot: the files of the tree, the stores, and what earlier scans saw.

use std::collections::BTreeMap;
use std::path::Path;

use futures::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use keytrail_rules::correlate::Verdict;
use keytrail_rules::model::{
    Facts, FingerprintKey, Gap, GapReason, Location, SecretCopy, Snapshot, Time, VersionValue,
};
use keytrail_rules::value::{Shape, Value};

use crate::config::{Config, StateConfig};
use crate::discover::{Discovery, Found, discover};
use crate::error::Error;
use crate::inventory;
use crate::rotation::unfinished_run;
use crate::source::{KnownSecrets, Reader, SourceFile};
use crate::state::{self, Mode, Seen, State};
use crate::stores::StoreKind;

/// What to collect.
pub struct Collection<'a> {
    /// The scanned folder.
    pub root: &'a Path,
    /// The config.
    pub config: &'a Config,
    /// The instant of the snapshot.
    pub as_of: Time,
    /// Whether that instant was asked for, rather than being now.
    pub is_past: bool,
    /// Whether what is seen is written to the state.
    pub record: bool,
    /// Where the values go that leaks are searched for; `None` where none are.
    pub known: Option<&'a KnownSecrets>,
    /// Where progress is shown.
    pub progress: &'a ProgressBar,
    /// Takes what the user should know and no report says.
    pub warn: &'a dyn Fn(&str),
}

/// What was collected.
pub struct Collected {
    /// What the sources say.
    pub snapshot: Snapshot,
    /// The key of its fingerprints.
    pub key: FingerprintKey,
    /// How earlier scans judged the changes that trails show, by the id of the change.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Whether the state has a ledger of rotations, where the config has trails.
    pub has_ledger: bool,
    /// Whether this scan may write to the state.
    pub mode: Mode,
}

impl Collection<'_> {
    /// Reads everything. A source that cannot be read becomes a gap of the snapshot.
    ///
    /// # Errors
    /// A config whose patterns are no globs, and a state that cannot be opened: without it ages would be wrong.
    pub async fn collect(&self) -> Result<Collected, Error> {
        self.progress.set_message("looking for files");
        let discovery = discover(self.root, &self.config.inventory, &|| self.progress.tick())?;
        // A folder with nothing in it is most likely the wrong one.
        let is_configured = !self.config.stores.is_empty() || !self.config.trails.is_empty();
        let holds_something = is_configured || discovery.files.iter().any(|found| self.claims(found));
        let wanted = if self.record && holds_something { Mode::ReadWrite } else { Mode::ReadOnly };
        let (state, key, mode) = self.open_state(wanted).await?;
        let mut facts = self.read_tree(discovery, &key);
        facts.declarations.extend(self.config.declarations.iter().cloned());
        for store in self.read_stores(&key).await {
            facts.extend(store);
        }
        if self.is_past {
            facts.copies = facts.copies.into_iter().filter_map(|copy| as_it_was(copy, self.as_of)).collect();
        }
        if let Some(state) = &state {
            let begun = state.unfinished_rotations().await?.into_iter();
            let begun = begun.filter(|saved| saved.job.request.at <= self.as_of);
            facts.unfinished = begun.map(|saved| unfinished_run(&saved)).collect();
        }
        let mut sightings = match &state {
            Some(state) => state.sightings(&key.id()).await?,
            None => Default::default(),
        };
        if let Some(state) = state.as_ref().filter(|_| sightings.is_empty()) {
            state.refuse_other_keys(&key.id()).await?;
        }
        for seen in sightings.values_mut() {
            seen.retain(|sighting| sighting.first_seen <= self.as_of);
            for sighting in seen {
                sighting.last_seen = sighting.last_seen.min(self.as_of);
            }
        }
        let verdicts = match state.as_ref().filter(|_| !self.config.trails.is_empty()) {
            Some(state) => state.verdicts(self.as_of).await?,
            None => Default::default(),
        };
        let has_ledger = match state.as_ref().filter(|_| !self.config.trails.is_empty()) {
            Some(state) => !state.rotation_ledger().await?.rows.is_empty(),
            None => false,
        };
        if let Some(state) = state {
            if mode == Mode::ReadWrite {
                state.record(&key.id(), self.as_of, &seen(&facts)).await?;
            }
            state.close().await?;
        }
        Ok(Collected { snapshot: Snapshot { as_of: self.as_of, facts, sightings }, key, verdicts, has_ledger, mode })
    }

    /// The state, and the key of its fingerprints. Where the folder cannot be written, nothing is remembered.
    async fn open_state(&self, mode: Mode) -> Result<(Option<State>, FingerprintKey, Mode), Error> {
        let config = &self.config.state;
        let opened = match state::fingerprint_key(config, self.root, mode) {
            Ok(key) => State::open(config, self.root, mode).await.map(|state| (state, key, mode)),
            Err(error) => Err(error),
        };
        match opened {
            Err(error) if mode == Mode::ReadWrite && *config == StateConfig::default() && error.is_unwritable() => {
                (self.warn)(&format!("nothing is remembered of this scan: {error}"));
                let key = state::fingerprint_key(config, self.root, Mode::ReadOnly)?;
                Ok((State::open(config, self.root, Mode::ReadOnly).await?, key, Mode::ReadOnly))
            }
            opened => Ok(opened?),
        }
    }

    /// Whether a file is of one of the kinds that its name suggests, or cannot be looked at.
    fn claims(&self, found: &Found) -> bool {
        SourceFile::read(self.root, &found.path)
            .map_or(true, |file| found.kinds.iter().any(|kind| (kind.claims)(&file)))
    }

    fn read_tree(&self, discovery: Discovery, key: &FingerprintKey) -> Facts {
        let mut facts = Facts { gaps: discovery.gaps, ..Facts::default() };
        self.progress.set_length(discovery.files.len() as u64);
        for found in &discovery.files {
            self.progress.set_message(printable(&found.path));
            facts.extend(self.read_file(found, key));
            self.progress.inc(1);
        }
        facts
    }

    fn read_file(&self, found: &Found, key: &FingerprintKey) -> Facts {
        let reader = Reader { key, generated: found.generated, as_of: self.as_of, known: self.known };
        let file = match SourceFile::read(self.root, &found.path) {
            Ok(file) => file,
            Err(gap) => return inventory::read_without_content(&found.kinds, self.root, &found.path, &reader, gap),
        };
        let mut facts = Facts::default();
        for kind in &found.kinds {
            if (kind.claims)(&file) {
                facts.extend(inventory::read(kind, &file, &reader));
            } else if self
                .config
                .inventory
                .patterns
                .get(kind.config_key)
                .is_some_and(|patterns| patterns.contains(&found.path))
            {
                // Named outright, not by a pattern that happens to match it.
                let message = format!("[inventory] {} names the file, but it is no {}", kind.config_key, kind.name);
                facts.gaps.push(Gap::at(Location::of_file(&found.path), GapReason::Malformed, message));
            }
        }
        facts
    }

    async fn read_stores(&self, key: &FingerprintKey) -> Vec<Facts> {
        let reader = Reader { key, generated: false, as_of: self.as_of, known: self.known };
        let reads = self.config.stores.iter().filter_map(|store| {
            // The config has checked the kind.
            let kind = StoreKind::find(&store.kind)?;
            Some((kind.read)(store, &reader))
        });
        if !self.config.stores.is_empty() {
            let names: Vec<&str> = self.config.stores.iter().map(|store| store.name.as_str()).collect();
            self.progress.set_message(printable(&format!("reading {}", names.join(", "))));
        }
        join_all(reads).await
    }
}

/// A copy as it was at an instant: without the versions that were written later. `None`, if it was not there yet.
fn as_it_was(mut copy: SecretCopy, as_of: Time) -> Option<SecretCopy> {
    let newest = copy.history.versions.len();
    copy.history.versions.retain(|version| version.created_at <= as_of);
    if copy.history.versions.len() == newest {
        return Some(copy);
    }
    copy.value = match &copy.history.versions.last()?.value {
        VersionValue::Absent => return None,
        VersionValue::Unread => Value::unread(),
        VersionValue::Read(value) => Value { fingerprint: Some(value.clone()), ..Value::of_shape(Shape::Literal) },
    };
    Some(copy)
}

/// What of the facts the state keeps: which value lies where.
fn seen(facts: &Facts) -> Vec<Seen> {
    facts
        .copies
        .iter()
        .filter_map(|copy| {
            Some(Seen {
                place: copy.place.clone(),
                fingerprint: copy.value.fingerprint.clone()?,
                version: copy.history.versions.last().map(|version| version.number),
            })
        })
        .collect()
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A progress bar on standard error; none where that is no terminal.
pub fn progress(quiet: bool) -> ProgressBar {
    if quiet || !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}
