//! Tables of the config that a kind of issuer, workload or probe reads for itself.

use std::path::PathBuf;

use keytrail_rules::model::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A table of the config, as JSON; paths in it are relative to the scanned folder. Holds no value of a secret.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub serde_json::Map<String, serde_json::Value>);

impl Settings {
    /// The table as what a kind makes of it. The type should deny unknown fields.
    ///
    /// # Errors
    /// What is wrong with which key, as `serde` says it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_value(serde_json::Value::Object(self.0.clone()))
            .map_err(|error| Failure::not_done(error.to_string()).hint("correct the table in keytrail.toml"))
    }

    /// The same without some keys that the caller has read.
    #[must_use]
    pub fn without(mut self, keys: &[&str]) -> Self {
        self.0.retain(|key, _| !keys.contains(&key.as_str()));
        self
    }
}

/// Where a credential comes from that Keytrail itself logs in with: `{ env = "NAME" }` or `{ file = "PATH" }`. The
/// config never holds one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Given {
    /// An environment variable.
    Env(String),
    /// A file; one line end at its end is not part of it.
    File(PathBuf),
}

impl Given {
    /// The value.
    ///
    /// # Errors
    /// A variable that is not set or empty, a file that cannot be read or is empty.
    pub fn get(&self) -> Result<Secret, Failure> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map(Zeroizing::new).map_err(|_| {
                Failure::not_done(format!("the environment variable {name} is not set")).hint("set it for Keytrail")
            })?,
            Self::File(path) => std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
                Failure::not_done(format!("{} cannot be read: {error}", path.display())).hint("check the path")
            })?,
        };
        let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if value.is_empty() {
            return Err(Failure::not_done(match self {
                Self::Env(name) => format!("the environment variable {name} is empty"),
                Self::File(path) => format!("{} is empty", path.display()),
            }));
        }
        Ok(Secret::from(value))
    }
}
