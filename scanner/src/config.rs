//! `keytrail.toml`: read, then validated into other types that keep the lines for messages.

mod auth;
mod decode;
mod document;
mod error;
mod incidents;
mod leaks;
mod rotation;
#[cfg(test)]
mod tests;
mod trails;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keytrail_rotation::plan::Recipes;
use keytrail_rules::model::{Declaration, Environment, Location};
use keytrail_rules::policy::Policy;

use crate::source::open_regular;
use crate::trails::TrailConfig;

pub use error::ConfigErrors;
pub use incidents::IncidentConfig;
pub(crate) use incidents::is_protected;
pub use leaks::LeaksConfig;
pub use rotation::{Approval, NotifyConfig, RotationConfig, SinkConfig};

/// The name of the config in the scanned folder.
pub const FILE_NAME: &str = "keytrail.toml";

/// A config is kilobytes; what is larger is not one.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The config of a scan. The default is that of a tree without a `keytrail.toml`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    /// `[inventory]`.
    pub inventory: InventoryConfig,
    /// `[[store]]`, in the order of the file.
    pub stores: Vec<StoreConfig>,
    /// `[[trail]]`, in the order of the file.
    pub trails: Vec<TrailConfig>,
    /// `[[secret]]` as declarations.
    pub declarations: Vec<Declaration>,
    /// `[policy]` and `[[exception]]`.
    pub policy: Policy,
    /// `[leaks]`.
    pub leaks: LeaksConfig,
    /// `[[incident]]`, in the order of the file.
    pub incidents: Vec<IncidentConfig>,
    /// `[state]`.
    pub state: StateConfig,
    /// `[rotation]`.
    pub rotation: RotationConfig,
    /// How secrets are rotated: `[[secret]]` and `[[workload]]`.
    pub recipes: Recipes,
    /// `[[notify]]`, in the order of the file.
    pub notifiers: Vec<NotifyConfig>,
}

impl Config {
    /// Reads the config of the scanned folder `root`: the file `explicit`, which is relative to the working directory; or
    /// [`FILE_NAME`] in `root` if it is there; or else the defaults. Paths *in* the config are relative to `root`.
    ///
    /// # Errors
    /// Every mistake of the file, each with its line.
    pub fn load(root: &Path, explicit: Option<&Path>) -> Result<Self, ConfigErrors> {
        let path = match explicit {
            Some(path) => path.to_owned(),
            None => root.join(FILE_NAME),
        };
        // A link that leads nowhere is a mistake, not a missing config.
        if explicit.is_none() && path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(Self::default());
        }
        let name = display_path(root, &path);
        Self::parse(&read_text(&path, &name)?, &name, root)
    }

    /// Reads the text of a config, which messages and locations call `file`. No file is read: paths are only taken as
    /// relative to `root`.
    ///
    /// # Errors
    /// Every mistake of the text, each with its line.
    pub fn parse(text: &str, file: &str, root: &Path) -> Result<Self, ConfigErrors> {
        document::read(text, file, root, &document::Names::of_this_build())
    }
}

/// The path relative to the root where it lies in it, with `/` between its parts.
fn display_path(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

fn read_text(path: &Path, name: &str) -> Result<String, ConfigErrors> {
    let unreadable = |error: std::io::Error| {
        ConfigErrors::unreadable(
            name,
            &format!("the config cannot be read: {error}"),
            "check the path and its permissions",
        )
    };
    let Some((file, _)) = open_regular(path).map_err(unreadable)? else {
        return Err(ConfigErrors::unreadable(name, "the config is not a regular file", "name a file"));
    };
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        return Err(ConfigErrors::unreadable(name, "the config is larger than 1 MiB", "is it the right file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigErrors::unreadable(&format!("{name}:{line}"), "this line is not UTF-8", "save the file as UTF-8")
    })
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
    /// Mounts, or namespaces of a cluster, to read; empty for all that may be listed.
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
    /// What is scanned, where several share the database.
    pub estate: Option<String>,
}
