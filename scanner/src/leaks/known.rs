//! The values that are searched for, and the detectors beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use keytrail_rules::detectors::import::import;
use keytrail_rules::detectors::{Detectors, Family, Spec};
use keytrail_rules::inventory::Inventory;
use keytrail_rules::known_values::{KnownValues, Searchable};
use keytrail_rules::model::{Fingerprint, FingerprintKey, Searched, Secret, VersionValue};
use keytrail_rules::searcher::Searcher;
use sha2::{Digest, Sha256};

use crate::config::LeaksConfig;
use crate::error::Error;

/// A value that is searched for.
pub struct KnownValue {
    /// It, under the fingerprint key.
    pub fingerprint: Fingerprint,
    /// It.
    pub secret: Secret,
    /// What it is called; short values are searched for beside these names only.
    pub names: Vec<String>,
}

/// What a search looks for, ready to run.
pub struct Arsenal {
    /// The search.
    pub searcher: Searcher,
    /// The fingerprints of the known values, by the number that the search knows them by.
    pub known: Vec<Fingerprint>,
    /// The known values that the search does not find wherever they stand.
    pub elusive: Vec<Secret>,
    /// What the search covers, before it ran.
    pub searched: Searched,
    /// A digest of all that the outcome hangs on.
    pub digest: String,
    /// What of the rule files is not honoured as it stands there.
    pub notes: Vec<String>,
}

/// The secrets of an inventory whose values were read.
pub fn of_inventory(inventory: &Inventory, values: BTreeMap<Fingerprint, Secret>) -> Vec<KnownValue> {
    let mut names: BTreeMap<&Fingerprint, Vec<String>> = BTreeMap::new();
    for item in inventory.secrets() {
        for copy in &item.copies {
            let of_versions = copy.history.versions.iter().filter_map(|version| match &version.value {
                VersionValue::Read(fingerprint) => Some(fingerprint),
                _ => None,
            });
            for fingerprint in copy.value.fingerprint.iter().chain(of_versions) {
                let names = names.entry(fingerprint).or_default();
                names.push(item.key.as_str().to_owned());
                names.extend(copy.place.key());
                names.extend(item.aliases.iter().map(|alias| alias.as_str().to_owned()));
            }
        }
    }
    values
        .into_iter()
        .filter_map(|(fingerprint, secret)| {
            let mut names = names.remove(&fingerprint)?;
            names.sort_unstable();
            names.dedup();
            Some(KnownValue { fingerprint, secret, names })
        })
        .collect()
}

/// The values that the config names: environment variables, and files whose whole contents are a value.
///
/// # Errors
/// A variable that is not set, a file that cannot be read.
pub fn of_config(config: &LeaksConfig, root: &Path, key: &FingerprintKey) -> Result<Vec<KnownValue>, Error> {
    let named = |name: &str, secret: Secret| KnownValue {
        fingerprint: key.fingerprint(&secret),
        secret,
        names: vec![name.to_owned()],
    };
    let mut known = Vec::new();
    for name in &config.values {
        let value = std::env::var(name).map_err(|_| {
            Error::usage(
                format!("the environment variable {name} is not set, or is not UTF-8"),
                "set it to the value that is to be searched for, or take its name out",
            )
        })?;
        known.push(named(name, Secret::new(value)));
    }
    for file in &config.value_files {
        let path = root.join(file);
        let bytes = fs::read(&path).map_err(|error| Error::Read(path.clone(), error))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::usage(format!("{} is not UTF-8", path.display()), "name a text file"))?;
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        known.push(named(&name, Secret::from(text.trim_end_matches(['\r', '\n']))));
    }
    known.retain(|one| !one.secret.expose().is_empty());
    Ok(known)
}

impl Arsenal {
    /// Makes the search. `with_detectors`: whether more is searched for than the known values.
    ///
    /// # Errors
    /// A rule file that cannot be read or understood.
    pub fn new(
        mut values: Vec<KnownValue>,
        config: &LeaksConfig,
        root: &Path,
        with_detectors: bool,
        key: &FingerprintKey,
    ) -> Result<Self, Error> {
        values.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        values.dedup_by(|second, first| {
            let same = second.fingerprint == first.fingerprint;
            if same {
                first.names.append(&mut second.names);
            }
            same
        });
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| Error::Random(error.into()))?;
        let mut builder = KnownValues::builder(random);
        let mut searched = Searched::default();
        let mut digest = Sha256::new();
        let (mut known, mut elusive) = (Vec::with_capacity(values.len()), Vec::new());
        for (number, value) in (0..).zip(values) {
            let names: Vec<&str> = value.names.iter().map(String::as_str).collect();
            let searchable = builder.add(number, &value.secret, &names);
            match searchable {
                Searchable::Anywhere => searched.values += 1,
                Searchable::NearItsName(_) => searched.values_beside_names += 1,
                Searchable::Not(reason) => {
                    *searched.not_searchable.entry(reason.describe().to_owned()).or_default() += 1;
                }
            }
            digest.update(value.fingerprint.as_str());
            known.push(value.fingerprint);
            if searchable != Searchable::Anywhere {
                elusive.push(value.secret);
            }
        }
        let mut notes = Vec::new();
        let detectors = if with_detectors { detectors(config, root, &mut notes)? } else { none()? };
        for about in detectors.all() {
            digest.update(about.id.as_bytes());
            digest.update([0]);
        }
        digest.update(env!("CARGO_PKG_VERSION"));
        digest.update(key.id());
        searched.detectors = detectors.len() as u64;
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let searcher = Searcher { detectors, known: builder.build() };
        Ok(Self { searcher, known, elusive, searched, digest, notes })
    }
}

fn none() -> Result<Detectors, Error> {
    detectors_of(|_| false, Vec::new())
}

/// The built-in detectors that the config leaves on, and those of the rule files.
fn detectors(config: &LeaksConfig, root: &Path, notes: &mut Vec<String>) -> Result<Detectors, Error> {
    let mut own: Vec<Spec> = Vec::new();
    let mut disabled = config.disable.clone();
    for file in &config.rules {
        let path = root.join(file);
        let text = fs::read_to_string(&path).map_err(|error| Error::Read(path.clone(), error))?;
        let shown = file.display().to_string();
        let wrong = |message: String| Error::Rules { file: shown.clone(), message };
        if text.contains("[[detector]]") {
            let family = Family::parse(&text).map_err(|error| wrong(error.to_string()))?;
            own.extend(family.detectors.into_iter().map(|detector| detector.spec));
            continue;
        }
        let imported = import(&text).map_err(|error| wrong(error.to_string()))?;
        if imported.specs.is_empty() && !imported.use_default {
            let why = imported.notes.first().map_or_else(|| "it has no rules".to_owned(), ToString::to_string);
            return Err(wrong(why));
        }
        notes.extend(imported.notes.iter().map(|note| format!("{shown}: {note}")));
        disabled.extend(imported.disabled);
        own.extend(imported.specs);
    }
    for id in &config.disable {
        let known = Detectors::builtin().find(id).is_some() || own.iter().any(|spec| spec.about.id == *id);
        if !known {
            return Err(Error::usage(
                format!("there is no detector '{}' to disable", id.escape_debug()),
                "`keytrail rules detectors` lists them",
            ));
        }
    }
    // A rule of a user stands for the built-in one of its id.
    let replaced: Vec<String> = own.iter().map(|spec| spec.about.id.to_string()).collect();
    own.retain(|spec| !disabled.iter().any(|id| *id == spec.about.id));
    detectors_of(|id| !disabled.iter().chain(&replaced).any(|one| one == id), own)
}

fn detectors_of(wanted: impl Fn(&str) -> bool, own: Vec<Spec>) -> Result<Detectors, Error> {
    Detectors::new(wanted, own).map_err(|message| Error::Rules { file: "the rule files".to_owned(), message })
}
