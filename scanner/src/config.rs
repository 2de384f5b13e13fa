//! `keytrail.toml`: read, then validated into other types that keep the lines for messages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use keytrail_rules::model::{Declaration, Environment, Location};
use keytrail_rules::policy::Policy;

/// The config of a scan. The default is that of a tree without a `keytrail.toml`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    /// `[inventory]`.
    pub inventory: InventoryConfig,
    /// `[[store]]`, in the order of the file.
    pub stores: Vec<StoreConfig>,
    /// `[[secret]]` as declarations.
    pub declarations: Vec<Declaration>,
    /// `[policy]` and `[[exception]]`.
    pub policy: Policy,
    /// `[state]`.
    pub state: StateConfig,
}

/// `[inventory]`: which files the inventory is read from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InventoryConfig {
    /// Glob patterns by the `config_key` of the file kind; a kind that is not here is discovered by its own patterns.
    pub patterns: BTreeMap<String, Vec<String>>,
    /// Files that are generated from the schema, and so must agree with it.
    pub generated: Vec<String>,
    /// Paths that are passed over.
    pub exclude: Vec<String>,
}

/// One `[[store]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreConfig {
    /// The name, which places start with: `vault:…`.
    pub name: String,
    /// The kind, one of [`crate::stores::KINDS`].
    pub kind: String,
    /// The line of the config.
    pub location: Location,
    /// The scanned folder, which paths are relative to.
    pub root: PathBuf,
    /// URL of a server; where it is missing, the store's usual environment variable (`VAULT_ADDR`).
    pub address: Option<String>,
    /// Mounts to read; empty for all that may be listed.
    pub mounts: Vec<String>,
    /// Vault namespace.
    pub namespace: Option<String>,
    /// Glob patterns of files, for stores that are files.
    pub paths: Vec<String>,
    /// Whether values may be read (into memory only) to compare them.
    pub read_values: bool,
    /// The environment that all of it belongs to; otherwise by the words of each path.
    pub environment: Option<Environment>,
    /// How to log in.
    pub auth: StoreAuth,
    /// PEM bundle of the authorities that the server's certificate is checked against, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Limit for one request.
    pub timeout: Duration,
    /// Requests under way at once.
    pub concurrency: usize,
}

/// How to log in to a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum StoreAuth {
    /// The store's usual ways: `VAULT_TOKEN`, then `~/.vault-token`.
    #[default]
    Ambient,
    /// A token in an environment variable.
    TokenEnv(String),
    /// A token in a file.
    TokenFile(PathBuf),
    /// Vault AppRole.
    AppRole {
        /// Where the method is mounted: `approle`.
        mount: String,
        /// The role id, which is no secret.
        role_id: String,
        /// Environment variable that holds the secret id.
        secret_id_env: Option<String>,
        /// File that holds the secret id.
        secret_id_file: Option<PathBuf>,
    },
}

/// `[state]`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StateConfig {
    /// `postgres://…` or `sqlite:PATH`; by default SQLite in `.keytrail/` of the scanned folder.
    pub url: Option<String>,
    /// File that holds the fingerprint key; by default `.keytrail/fingerprint.key`.
    pub fingerprint_key: Option<PathBuf>,
}
