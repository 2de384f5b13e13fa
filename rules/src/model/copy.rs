use serde::Serialize;

use super::{Environment, Fingerprint, Key, Location, Place, Time};
use crate::value::Value;

/// One place that holds a value of a secret or variable: a *Copy* of the vocabulary.
#[derive(Clone, PartialEq, Debug)]
pub struct SecretCopy {
    /// Where it is.
    pub place: Place,
    /// The name of the value there; `None` where only the path is known.
    pub key: Option<Key>,
    /// The environment that the place belongs to.
    pub environment: Option<Environment>,
    /// The line, for a copy in a file.
    pub location: Option<Location>,
    /// What kind of place it is.
    pub kind: CopyKind,
    /// What is known of the value.
    pub value: Value,
    /// What the place remembers of earlier values.
    pub history: History,
    /// Whether the file is generated from the schema, so that it must agree with it.
    pub generated: bool,
}

impl SecretCopy {
    /// A copy with no environment, no history, and not generated.
    pub fn new(place: Place, kind: CopyKind, location: Option<Location>, value: Value) -> Self {
        let key = place.key().map(|key| Key::new(&key));
        Self { place, key, environment: None, location, kind, value, history: History::default(), generated: false }
    }
}

/// The kind of place that a [`SecretCopy`] is in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyKind {
    /// Vault or OpenBao KV version 2.
    VaultKv2,
    /// Vault or OpenBao KV version 1: no versions, no times.
    VaultKv1,
    /// A line of a `.env` file.
    EnvFile,
    /// `data` or `stringData` of a Kubernetes Secret in a manifest.
    KubernetesSecret,
    /// `data` of a ConfigMap in a manifest.
    ConfigMap,
    /// A literal `env` value in a Kubernetes workload.
    WorkloadEnv,
    /// `encryptedData` of a SealedSecret.
    SealedSecret,
    /// `data` of an ExternalSecret: filled from a store by an operator.
    ExternalSecret,
    /// A literal `environment` value in a compose file.
    ComposeEnv,
    /// A top-level `secrets` entry of a compose file.
    ComposeSecret,
    /// A GitHub Actions secret that a workflow reads.
    GithubSecret,
    /// A GitHub Actions variable that a workflow reads.
    GithubVariable,
}

impl CopyKind {
    /// Whether the place shows its values to everyone who may read configuration.
    pub fn is_plain_config(self) -> bool {
        matches!(self, Self::ConfigMap | Self::WorkloadEnv | Self::ComposeEnv | Self::GithubVariable)
    }

    /// Whether only secrets are put there.
    pub fn is_for_secrets(self) -> bool {
        !self.is_plain_config() && self != Self::EnvFile
    }

    /// Whether names there are environment variables, which mean one thing all over a repository. The keys of a
    /// store path or of a Kubernetes Secret (`password`) mean something only together with their path.
    pub fn is_env_named(self) -> bool {
        !matches!(
            self,
            Self::VaultKv1 | Self::VaultKv2 | Self::KubernetesSecret | Self::SealedSecret | Self::ExternalSecret
        )
    }

    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VaultKv2 => "vault-kv2",
            Self::VaultKv1 => "vault-kv1",
            Self::EnvFile => "env-file",
            Self::KubernetesSecret => "kubernetes-secret",
            Self::ConfigMap => "config-map",
            Self::WorkloadEnv => "workload-env",
            Self::SealedSecret => "sealed-secret",
            Self::ExternalSecret => "external-secret",
            Self::ComposeEnv => "compose-env",
            Self::ComposeSecret => "compose-secret",
            Self::GithubSecret => "github-secret",
            Self::GithubVariable => "github-variable",
        }
    }
}

/// What a place remembers: its versions from the oldest to the newest. Empty for a place without history.
///
/// In a KV v2 store the versions are those of the *path*, which many keys share: a version says something about
/// one key only through its [`VersionValue`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// By number, ascending. Numbers may start above 1: a store keeps only so many.
    pub versions: Vec<Version>,
}

/// One version of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// 1 for the first that was ever written.
    pub number: u64,
    /// When it was written. Deleting, undeleting and metadata edits do not change it.
    pub created_at: Time,
    /// Whether it can still be read.
    pub state: VersionState,
    /// What it holds for the key of the copy.
    pub value: VersionValue,
}

/// Whether a [`Version`] can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// Readable.
    Live,
    /// Soft-deleted: an undelete brings it back.
    Deleted,
    /// Gone for good.
    Destroyed,
}

/// What a [`Version`] holds for one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VersionValue {
    /// Not read, or not readable.
    Unread,
    /// Read, and the key is not in it.
    Absent,
    /// Read.
    Read(Fingerprint),
}
