use serde::Serialize;

use super::{Environment, Key, Location, Place};
use crate::cadence::Cadence;
use crate::value::Value;

/// What one line of a schema, runbook, config or store metadata says of a secret or variable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Declaration {
    /// The name that is declared.
    pub key: Key,
    /// The name as it is written.
    pub label: String,
    /// Which kind of source says it.
    pub origin: Origin,
    /// The line that says it; none for a store's metadata.
    pub location: Option<Location>,
    /// The only environment that it is said of; `None` says it of all.
    pub environment: Option<Environment>,
    /// Classification.
    pub class: Option<Class>,
    /// Team or person in charge.
    pub owner: Option<String>,
    /// How often the value is to be changed, as written and as understood.
    pub cadence: Option<Stated<Cadence>>,
    /// Whether a provider rotates by itself, as written and as understood.
    pub auto_rotation: Option<Stated<AutoRotation>>,
    /// Whether the variable has to be set.
    pub required: Option<bool>,
    /// The default value, observed (never in clear).
    pub default: Option<Value>,
    /// Where the schema's generator writes it; empty for everywhere.
    pub targets: Vec<Target>,
    /// The places that hold it, where the source names them.
    pub places: Vec<Place>,
    /// The secrets that its value is made from.
    pub derived_from: Vec<Key>,
    /// The workloads that load it, as `kubernetes:shop/deployment/api`.
    pub consumers: Vec<String>,
    /// What trails call it where that is no place of it: `postgres:role/app`, `auth0:client/abc`.
    pub known_as: Vec<Place>,
    /// Principals that may read it, as trails call them; `*` stands for any letters.
    pub readers: Vec<String>,
}

impl Declaration {
    /// A declaration of that name which says nothing yet.
    pub fn new(label: &str, origin: Origin, location: Option<Location>) -> Self {
        Self {
            key: Key::new(label),
            label: label.to_owned(),
            origin,
            location,
            environment: None,
            class: None,
            owner: None,
            cadence: None,
            auto_rotation: None,
            required: None,
            default: None,
            targets: Vec::new(),
            places: Vec::new(),
            derived_from: Vec::new(),
            consumers: Vec::new(),
            known_as: Vec::new(),
            readers: Vec::new(),
        }
    }
}

/// The kind of source that a [`Declaration`] comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A `[[secret]]` of `keytrail.toml`.
    Config,
    /// A `.env.schema`.
    Schema,
    /// A table of a runbook.
    Runbook,
    /// Custom metadata in a store.
    Store,
}

/// Classification of a variable, from the least to the most protected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// No secret: belongs in a ConfigMap.
    Plain,
    /// A secret with no rotation cadence of its own.
    Secret,
    /// A secret that is to be rotated on a cadence.
    RotationRequired,
}

impl Class {
    /// The spelling of schemas and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Secret => "secret",
            Self::RotationRequired => "rotation-required",
        }
    }

    /// Reads a schema's spelling, in any case and with `_` for `-`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().replace('_', "-").as_str() {
            "plain" => Some(Self::Plain),
            "secret" => Some(Self::Secret),
            "rotation-required" => Some(Self::RotationRequired),
            _ => None,
        }
    }
}

/// A place that a schema's generator writes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `.env` files.
    Local,
    /// ConfigMaps and Secrets.
    Kubernetes,
    /// Cloud stores and sealed secrets.
    Cloud,
}

impl Target {
    /// Reads a schema's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().as_str() {
            "local" => Some(Self::Local),
            "kubernetes" | "k8s" => Some(Self::Kubernetes),
            "cloud" => Some(Self::Cloud),
            _ => None,
        }
    }

    /// The spelling of schemas.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Kubernetes => "kubernetes",
            Self::Cloud => "cloud",
        }
    }
}

/// A text as its author wrote it, and what it means; `None` where it was not understood, which is a finding at
/// its line and never a guess.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stated<T> {
    /// As written.
    pub text: String,
    /// As understood.
    pub meaning: Option<T>,
}

/// What a runbook's auto-rotation column says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AutoRotation {
    /// The provider rotates; its name where it is given (`RDS: Yes`).
    On {
        /// `RDS` of `RDS: Yes`.
        by: Option<String>,
    },
    /// Nobody rotates by itself.
    Off {
        /// `use OIDC/WIF` of `No (use OIDC/WIF)`.
        advice: Option<String>,
    },
}
