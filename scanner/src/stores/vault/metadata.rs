//! The metadata of a KV v2 path: what it proves of versions, and what its owners wrote about it.

use std::collections::BTreeMap;

use keytrail_rules::cadence::Cadence;
use keytrail_rules::model::{
    Class, Declaration, Environment, Key, Origin, Place, Stated, Time, Version, VersionState, VersionValue,
};
use serde::Deserialize;

/// `data` of `GET MOUNT/metadata/PATH`.
/// <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-metadata>
#[derive(Deserialize, Default, Debug)]
pub(in crate::stores) struct Metadata {
    #[serde(default)]
    pub(super) current_version: u64,
    #[serde(default)]
    pub(super) versions: BTreeMap<String, VersionMetadata>,
    #[serde(default)]
    pub(super) custom_metadata: Option<BTreeMap<String, serde_json::Value>>,
}

/// One version of [`Metadata`]. `updated_time` is not read: metadata edits and deletions move it.
#[derive(Deserialize, Debug)]
pub(super) struct VersionMetadata {
    pub(super) created_time: String,
    #[serde(default)]
    pub(super) deletion_time: String,
    #[serde(default)]
    pub(super) destroyed: bool,
}

/// `metadata` of a read of values or of subkeys: that of one version, with the custom metadata of its path.
#[derive(Deserialize, Debug)]
pub(super) struct OneVersion {
    version: u64,
    created_time: String,
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
    #[serde(default)]
    custom_metadata: Option<BTreeMap<String, serde_json::Value>>,
}

impl From<OneVersion> for Metadata {
    fn from(one: OneVersion) -> Self {
        let OneVersion { version, created_time, deletion_time, destroyed, custom_metadata } = one;
        let versions =
            BTreeMap::from([(version.to_string(), VersionMetadata { created_time, deletion_time, destroyed })]);
        Self { current_version: version, versions, custom_metadata }
    }
}

/// What is wrong with metadata, as clauses that the path ends.
pub(in crate::stores) type Problems = Vec<&'static str>;

impl Metadata {
    /// The versions from the oldest to the newest, with no values. A `deletion_time` that is still to come
    /// (`delete_version_after`) deletes nothing yet.
    pub(in crate::stores) fn versions(&self, now: Time, problems: &mut Problems) -> Vec<Version> {
        let mut versions: Vec<Version> = Vec::with_capacity(self.versions.len());
        for (number, version) in &self.versions {
            let deleted_at = (!version.deletion_time.is_empty()).then(|| time(&version.deletion_time));
            let (Ok(number), Some(created_at), Some(deleted)) = (
                number.parse(),
                time(&version.created_time),
                deleted_at.map_or(Some(false), |at| at.map(|at| at <= now)),
            ) else {
                problems.push("a version cannot be understood in the metadata of");
                continue;
            };
            let state = match version.destroyed {
                true => VersionState::Destroyed,
                false if deleted => VersionState::Deleted,
                false => VersionState::Live,
            };
            versions.push(Version { number, created_at, state, value: VersionValue::Unread });
        }
        versions.sort_by_key(|version| version.number);
        if versions.last().map_or(0, |version| version.number) != self.current_version {
            problems.push("the current version is not the newest in the metadata of");
        }
        versions
    }

    /// The environment of the custom metadata.
    pub(in crate::stores) fn environment(&self) -> Option<Environment> {
        self.custom("environment").map(Environment::new)
    }

    /// What the custom metadata says of the values in `places`; `None` if it says nothing. `path` has its mount.
    pub(in crate::stores) fn declaration(
        &self,
        path: &str,
        places: Vec<Place>,
        problems: &mut Problems,
    ) -> Option<Declaration> {
        let class = self.custom("class").map(Class::parse);
        if class == Some(None) {
            problems.push("'class' is none of plain, secret and rotation-required in the custom metadata of");
        }
        let cadence = self.custom("cadence").or_else(|| self.custom("rotation"));
        let derived_from = self.custom("derived_from").unwrap_or_default().split(',').map(str::trim);
        let said = Declaration {
            environment: self.environment(),
            class: class.flatten(),
            owner: self.custom("owner").map(str::to_owned),
            cadence: cadence.map(|text| Stated { text: text.to_owned(), meaning: Cadence::parse(text) }),
            derived_from: derived_from.filter(|name| !name.is_empty()).map(Key::new).collect(),
            ..Declaration::new(path, Origin::Store, None)
        };
        let says_nothing = said == Declaration::new(path, Origin::Store, None);
        (!says_nothing).then_some(Declaration { places, ..said })
    }

    /// A text of the custom metadata; one that is empty says nothing.
    fn custom(&self, name: &str) -> Option<&str> {
        let text = self.custom_metadata.as_ref()?.get(name)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// Whether the newest version can be read: otherwise there is no value at that path now.
pub(in crate::stores) fn is_there(versions: &[Version]) -> bool {
    versions.last().is_some_and(|newest| newest.state == VersionState::Live)
}

fn time(text: &str) -> Option<Time> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(text: &str) -> Metadata {
        serde_json::from_str(text).expect("metadata")
    }

    fn at(text: &str) -> Time {
        time(text).expect("a time")
    }

    #[test]
    fn a_version_is_as_old_as_its_creation_and_nothing_else() {
        let metadata = metadata(
            r#"{"current_version": 10, "oldest_version": 7, "updated_time": "2026-09-09T00:00:00Z",
                "created_time": "2020-01-01T00:00:00Z", "versions": {
                "10": {"created_time": "2026-04-01T00:00:00.123456789Z", "deletion_time": "2026-12-31T00:00:00Z"},
                "7": {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": true},
                "8": {"created_time": "2026-02-01T01:00:00+01:00", "deletion_time": "2026-02-02T00:00:00Z"},
                "9": {"created_time": "2026-03-01T00:00:00Z", "deletion_time": "", "destroyed": false}}}"#,
        );
        let mut problems = Vec::new();
        let versions = metadata.versions(at("2026-06-01T00:00:00Z"), &mut problems);
        let seen: Vec<_> = versions.iter().map(|one| (one.number, one.created_at, one.state)).collect();
        assert_eq!(
            seen,
            [
                (7, at("2026-01-01T00:00:00Z"), VersionState::Destroyed),
                (8, at("2026-02-01T00:00:00Z"), VersionState::Deleted),
                (9, at("2026-03-01T00:00:00Z"), VersionState::Live),
                (10, at("2026-04-01T00:00:00.123456789Z"), VersionState::Live),
            ]
        );
        assert!(is_there(&versions) && problems.is_empty());
        let later = metadata.versions(at("2027-01-01T00:00:00Z"), &mut problems);
        assert!(!is_there(&later), "delete_version_after has passed");
    }

    #[test]
    fn what_is_not_understood_is_told_and_the_rest_kept() {
        let now = at("2026-06-01T00:00:00Z");
        for (text, kept, told) in [
            (r#"{}"#, 0, 0),
            (r#"{"current_version": 0, "versions": {}, "custom_metadata": null}"#, 0, 0),
            (r#"{"current_version": 3, "versions": {}}"#, 0, 1),
            (r#"{"current_version": 1, "versions": {"1": {"created_time": "yesterday"}}}"#, 0, 2),
            (
                r#"{"current_version": 1, "versions": {"1": {"created_time": "2026-01-01T00:00:00Z"}, "-1":
                {"created_time": "2026-01-01T00:00:00Z"}, "99999999999999999999": {"created_time": ""}}}"#,
                1,
                2,
            ),
            (
                r#"{"current_version": 1, "versions": {"1": {"created_time": "2026-01-01T00:00:00Z",
                "deletion_time": "soon"}}}"#,
                0,
                2,
            ),
        ] {
            let mut problems = Vec::new();
            let versions = metadata(text).versions(now, &mut problems);
            assert_eq!((versions.len(), problems.len()), (kept, told), "{text}");
        }
    }

    #[test]
    fn custom_metadata_declares() {
        let place = Place::new("vault", "secret/app", "k");
        let declare = |text: &str| {
            let mut problems = Vec::new();
            let metadata = metadata(&format!(r#"{{"custom_metadata": {text}}}"#));
            (metadata.declaration("secret/app", vec![place.clone()], &mut problems), problems.len())
        };
        let (said, problems) = declare(
            r#"{"owner": "platform", "rotation": "90 days", "class": "rotation_required", "environment": "prod",
                "derived_from": "DB_PASSWORD, , salt", "note": "x"}"#,
        );
        let said = said.expect("a declaration");
        assert_eq!((said.origin, said.location.clone(), problems), (Origin::Store, None, 0));
        assert_eq!(said.owner.as_deref(), Some("platform"));
        assert_eq!(said.class, Some(Class::RotationRequired));
        assert_eq!(said.environment, Some(Environment::new("production")));
        assert_eq!(said.derived_from, [Key::new("DB_PASSWORD"), Key::new("SALT")]);
        assert_eq!(said.cadence.and_then(|cadence| cadence.meaning), Cadence::parse("90 days"));
        assert_eq!(said.places, std::slice::from_ref(&place));

        let both = declare(r#"{"cadence": "whenever", "rotation": "90 days"}"#).0.expect("a declaration");
        assert_eq!(both.cadence, Some(Stated { text: "whenever".into(), meaning: None }));
        assert_eq!(declare(r#"{"note": "x", "owner": " ", "cadence": 90}"#), (None, 0));
        assert_eq!(declare("null"), (None, 0));
        assert_eq!(declare(r#"{"class": "top-secret"}"#), (None, 1));
    }
}
