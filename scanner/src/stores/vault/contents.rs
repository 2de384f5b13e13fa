//! What lies at a path: its keys, their values where they may be read, and its history.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use keytrail_rules::model::{
    CopyKind, Environment, Facts, Fingerprint, GapReason, History, Place, SecretCopy, Time, Version, VersionState,
    VersionValue,
};
use keytrail_rules::value::Value;
use serde::Deserialize;
use vaultrs::api::kv2::requests::ReadSecretMetadataRequest;

use super::connection::{Call, Failed};
use super::gaps::{Kind, Missed};
use super::metadata::{Metadata, OneVersion, is_there};
use super::mounts::{KvVersion, Mount};
use super::session::{Failure, Session};
use super::values::{RawValues, values};
use crate::config::StoreConfig;
use crate::source::Reader;

/// No more versions of one path than this are compared: each is a request.
const MAX_COMPARED: usize = 200;

/// Older versions of one path that are read at once.
const VERSIONS_AT_ONCE: usize = 4;

const VALUES_HINT: &str = "grant the token read on MOUNT/data/PATH, or set read_values = false for the store";
const METADATA_HINT: &str =
    "grant the token read on MOUNT/metadata/PATH: it tells versions and ages, and holds no value";
const KEYS_HINT: &str = "grant the token read on MOUNT/subkeys/PATH: it tells the names of the keys, and no value";

/// What one path, or many, gave.
#[derive(Default)]
pub(super) struct Found {
    pub(super) facts: Facts,
    pub(super) missed: Vec<Missed>,
    /// Paths that are listed, but whose newest version is deleted or destroyed, or that never had one.
    pub(super) gone: u64,
}

impl Found {
    pub(super) fn extend(&mut self, other: Found) {
        self.facts.extend(other.facts);
        self.missed.extend(other.missed);
        self.gone += other.gone;
    }
}

/// The session was lost while a path was read; nothing of that path counts.
pub(super) struct Lost;

/// Reads paths.
pub(super) struct Contents<'a> {
    pub(super) session: &'a Session,
    pub(super) config: &'a StoreConfig,
    pub(super) reader: &'a Reader<'a>,
    /// Which versions are deleted by now.
    pub(super) now: Time,
}

/// The keys of the newest version, with their values where they were read.
enum Keys {
    Values(BTreeMap<String, (Value, Fingerprint)>),
    Names(Vec<String>),
    /// Only the path is known.
    Unknown,
    /// There is no value any more.
    Gone,
}

/// The keys of an older version.
type Older = BTreeMap<u64, BTreeMap<String, Fingerprint>>;

/// A path being read.
struct At<'a> {
    mount: &'a Mount,
    path: &'a str,
    /// With the mount.
    full: String,
    missed: Vec<Missed>,
}

impl At<'_> {
    /// Notes why a request gave nothing; `None` where that is no gap.
    fn miss(&mut self, failure: Failure, denied: &str, hint: &str) -> Result<(), Lost> {
        match failure {
            Failure::Lost => return Err(Lost),
            Failure::Missing => {}
            Failure::Denied => self.missed.push(Missed::denied(denied, self.full.clone(), hint)),
            Failure::Failed(failed) => self.missed.push(Missed::failed(failed, self.full.clone())),
        }
        Ok(())
    }
}

impl Contents<'_> {
    /// Reads one path of a mount.
    pub(super) async fn read(&self, mount: &Mount, path: &str) -> Result<Found, Lost> {
        let at = At { mount, path, full: format!("{}/{path}", mount.path), missed: Vec::new() };
        match mount.version {
            KvVersion::V1 => self.read_v1(at).await,
            KvVersion::V2 => self.read_v2(at).await,
        }
    }

    async fn read_v2(&self, mut at: At<'_>) -> Result<Found, Lost> {
        let mut problems = Vec::new();
        let (mut metadata, mut versions) = match self.metadata(&at).await {
            Ok(metadata) => {
                let versions = metadata.versions(self.now, &mut problems);
                if problems.is_empty() && !is_there(&versions) {
                    return Ok(gone(at));
                }
                // A history with a hole might prove a wrong age: what the newest version tells of itself stands alone.
                if problems.is_empty() { (Some(metadata), versions) } else { (None, Vec::new()) }
            }
            // Deleted for good since it was listed.
            Err(Failure::Missing) => return Ok(gone(at)),
            Err(failure) => {
                at.miss(failure, "the token may not read the metadata of", METADATA_HINT)?;
                (None, Vec::new())
            }
        };
        let newest = versions.last().map(|version| version.number);
        let (keys, current) = self.keys(&mut at, newest).await?;
        if matches!(keys, Keys::Gone) {
            return Ok(gone(at));
        }
        if let Some(current) = current.filter(|_| metadata.is_none()) {
            let current = metadata.insert(Metadata::from(current));
            versions = current.versions(self.now, &mut problems);
        }
        let older = match &keys {
            Keys::Values(_) => self.older(&mut at, &versions).await?,
            _ => Older::new(),
        };
        let metadata = metadata.unwrap_or_default();
        let environment = self.environment(metadata.environment(), &at.full);
        let copies = self.copies(&at.full, keys, &versions, &older, environment.as_ref());
        let places = copies.iter().map(|copy| copy.place.clone()).collect();
        let declaration = metadata.declaration(&at.full, places, &mut problems);
        at.missed.extend(problems.into_iter().map(|problem| Missed::malformed(problem, at.full.clone())));
        let facts = Facts { copies, declarations: declaration.into_iter().collect(), ..Facts::default() };
        Ok(Found { facts, missed: at.missed, gone: 0 })
    }

    async fn metadata(&self, at: &At<'_>) -> Result<Metadata, Failure> {
        let request = ReadSecretMetadataRequest { mount: at.mount.path.clone(), path: at.path.to_owned() };
        let body = self.session.get(&[&Call::of(&request).path], "").await?;
        body.data().map_err(Failure::Failed)
    }

    /// The keys of the newest version: with values if they may be read, else the names alone, which the server tells
    /// without values. Beside them, what the answer tells of that version.
    async fn keys(&self, at: &mut At<'_>, newest: Option<u64>) -> Result<(Keys, Option<OneVersion>), Lost> {
        if self.config.read_values {
            match self.version(at, newest).await {
                Ok((values, current)) => {
                    let observed = values.into_iter();
                    let observed = observed.map(|(name, value)| {
                        let fingerprint = self.reader.fingerprint(&value);
                        (name, (self.reader.observe_secret(&value), fingerprint))
                    });
                    return Ok((Keys::Values(observed.collect()), current));
                }
                Err(Failure::Missing) => return Ok((Keys::Gone, None)),
                Err(failure) => at.miss(failure, "the token may not read the values of", VALUES_HINT)?,
            }
        }
        match self.names(at).await {
            Ok((names, current)) => return Ok((Keys::Names(names), Some(current))),
            Err(Failure::Denied) if self.config.read_values => {} // The values are a gap already.
            // An old server has no subkeys, and answers like that.
            Err(Failure::Failed(Failed { reason: GapReason::Unsupported, .. })) => {}
            Err(failure) => at.miss(failure, "the token may not read the names of the keys of", KEYS_HINT)?,
        }
        Ok((Keys::Unknown, None))
    }

    /// <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-subkeys>
    async fn names(&self, at: &At<'_>) -> Result<(Vec<String>, OneVersion), Failure> {
        #[derive(Deserialize)]
        struct Subkeys {
            subkeys: BTreeMap<String, serde::de::IgnoredAny>,
            metadata: OneVersion,
        }
        let body = self.session.get(&[&at.mount.path, "subkeys", at.path], "depth=1").await?;
        let Subkeys { subkeys, metadata } = body.data().map_err(Failure::Failed)?;
        Ok((subkeys.into_keys().collect(), metadata))
    }

    /// The values of one version, or of the newest.
    /// <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version>
    async fn version(
        &self,
        at: &At<'_>,
        number: Option<u64>,
    ) -> Result<(BTreeMap<String, keytrail_rules::model::Secret>, Option<OneVersion>), Failure> {
        #[derive(Deserialize)]
        struct Data<'a> {
            #[serde(borrow)]
            data: Option<RawValues<'a>>,
            #[serde(default)]
            metadata: Option<OneVersion>,
        }
        let query = number.map(|number| format!("version={number}")).unwrap_or_default();
        let body = self.session.get(&[&at.mount.path, "data", at.path], &query).await?;
        let Data { data, metadata } = body.data().map_err(Failure::Failed)?;
        Ok((values(data.ok_or(Failure::Missing)?), metadata))
    }

    /// The values of the versions before the newest that can be read, as fingerprints.
    async fn older(&self, at: &mut At<'_>, versions: &[Version]) -> Result<Older, Lost> {
        let live = versions.iter().rev().skip(1).filter(|version| version.state == VersionState::Live);
        let mut numbers: Vec<u64> = live.map(|version| version.number).collect();
        if numbers.len() >= MAX_COMPARED {
            let kind = Kind {
                reason: GapReason::TooLarge,
                what: format!("only the newest {MAX_COMPARED} versions were compared of"),
                hint: Some("lower its max_versions".into()),
            };
            at.missed.push(Missed { kind, path: at.full.clone() });
            numbers.truncate(MAX_COMPARED - 1);
        }
        let reads: Vec<_> = {
            let at = &*at;
            let reads = numbers.into_iter().map(|number| async move {
                let values = self.version(at, Some(number)).await;
                let prints = values.map(|(values, _)| {
                    values.into_iter().map(|(name, value)| (name, self.reader.fingerprint(&value))).collect()
                });
                (number, prints)
            });
            stream::iter(reads).buffered(VERSIONS_AT_ONCE).collect().await
        };
        let mut older = Older::new();
        for (number, prints) in reads {
            match prints {
                Ok(prints) => {
                    older.insert(number, prints);
                }
                Err(failure) => at.miss(failure, "the token may not read older values of", VALUES_HINT)?,
            }
        }
        Ok(older)
    }

    async fn read_v1(&self, mut at: At<'_>) -> Result<Found, Lost> {
        let mut copy = None;
        if self.config.read_values {
            match self.values_v1(&at).await {
                Ok(values) => copy = Some(values),
                Err(Failure::Missing) => return Ok(gone(at)),
                Err(failure) => at.miss(
                    failure,
                    "the token may not read the values of",
                    "grant the token read on MOUNT/PATH, or set read_values = false for the store",
                )?,
            }
        }
        let environment = self.environment(None, &at.full);
        let whole = || vec![(Place::of_path(&self.config.name, &at.full), Value::unread())];
        let copies = copy.unwrap_or_else(whole).into_iter();
        let copies = copies.map(|(place, value)| SecretCopy {
            environment: environment.clone(),
            ..SecretCopy::new(place, CopyKind::VaultKv1, None, value)
        });
        let facts = Facts { copies: copies.collect(), ..Facts::default() };
        Ok(Found { facts, missed: at.missed, gone: 0 })
    }

    /// <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1#read-secret>
    async fn values_v1(&self, at: &At<'_>) -> Result<Vec<(Place, Value)>, Failure> {
        let body = self.session.get(&[&at.mount.path, at.path], "").await?;
        let raw: RawValues<'_> = body.data().map_err(Failure::Failed)?;
        let place = |key: &str| Place::new(&self.config.name, &at.full, key);
        let values = values(raw).into_iter();
        Ok(values.map(|(key, value)| (place(&key), self.reader.observe_secret(&value))).collect())
    }

    fn environment(&self, stated: Option<Environment>, path: &str) -> Option<Environment> {
        self.config.environment.clone().or(stated).or_else(|| Environment::in_path(path))
    }

    fn copies(
        &self,
        path: &str,
        keys: Keys,
        versions: &[Version],
        older: &Older,
        environment: Option<&Environment>,
    ) -> Vec<SecretCopy> {
        let store = &self.config.name;
        let copy = |place: Place, value: Value, versions: Vec<Version>| SecretCopy {
            environment: environment.cloned(),
            history: History { versions },
            ..SecretCopy::new(place, CopyKind::VaultKv2, None, value)
        };
        let unread = |name: &String| copy(Place::new(store, path, name), Value::unread(), versions.to_vec());
        match keys {
            Keys::Gone => Vec::new(),
            Keys::Unknown => vec![copy(Place::of_path(store, path), Value::unread(), versions.to_vec())],
            Keys::Names(names) => names.iter().map(unread).collect(),
            Keys::Values(current) => current
                .into_iter()
                .map(|(name, (value, fingerprint))| {
                    let history = history_of(&name, &fingerprint, versions, older);
                    copy(Place::new(store, path, &name), value, history)
                })
                .collect(),
        }
    }
}

/// The versions of a path as one key saw them, whose newest value is `current`.
fn history_of(key: &str, current: &Fingerprint, versions: &[Version], older: &Older) -> Vec<Version> {
    let newest = versions.last().map(|version| version.number);
    let value_in = |version: &Version| match older.get(&version.number) {
        _ if Some(version.number) == newest => VersionValue::Read(current.clone()),
        Some(values) => values.get(key).cloned().map_or(VersionValue::Absent, VersionValue::Read),
        None => VersionValue::Unread,
    };
    versions.iter().map(|version| Version { value: value_in(version), ..version.clone() }).collect()
}

fn gone(at: At<'_>) -> Found {
    Found { missed: at.missed, gone: 1, ..Found::default() }
}
