//! Tables of the config that a kind of issuer, workload or probe reads for itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keytrail_rules::cadence::Period;
use keytrail_rules::model::{Secret, Time};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
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

    /// The same with the files of credentials (`{ file = "PATH" }`, see [`Given`]) as paths from the working directory.
    #[must_use]
    pub fn rooted(&self, folder: &Path) -> Self {
        let mut settings = self.clone();
        settings.0.values_mut().for_each(|value| root(value, folder));
        settings
    }

    /// The same without some keys that the caller has read.
    #[must_use]
    pub fn without(mut self, keys: &[&str]) -> Self {
        self.0.retain(|key, _| !keys.contains(&key.as_str()));
        self
    }
}

/// A length of time as people write it: `"90s"`, `"24h"`, `"30 days"`; `"0"` is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim() == "0" {
            return Ok(Self::default());
        }
        let start = Time::UNIX_EPOCH;
        let length = Period::parse(&text).and_then(|period| (period.after(start)? - start).to_std().ok());
        length.map(Self).ok_or_else(|| D::Error::custom(format!("{text:?} is no length of time: write \"24h\"")))
    }
}

fn root(value: &mut serde_json::Value, folder: &Path) {
    match value {
        serde_json::Value::Object(table) => match table.get_mut("file") {
            Some(serde_json::Value::String(path)) => *path = folder.join(&*path).to_string_lossy().into_owned(),
            _ => table.values_mut().for_each(|value| root(value, folder)),
        },
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| root(value, folder)),
        _ => {}
    }
}

/// Where a credential comes from that Keytrail itself logs in with: `{ env = "NAME" }` or `{ file = "PATH" }`. The
/// config never holds one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// An environment variable.
    Env(String),
    /// A file; one line end at its end is not part of it.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Form {
            env: Option<String>,
            file: Option<PathBuf>,
        }
        // Not by `derive`, whose error quotes what was written, and that may be the credential itself.
        let form = serde_json::Value::deserialize(deserializer).and_then(|written| match written {
            serde_json::Value::Object(_) => Form::deserialize(written).map_err(D::Error::custom),
            _ => Ok(Form { env: None, file: None }),
        })?;
        match (form.env, form.file) {
            (Some(name), None) => Ok(Self::Env(name)),
            (None, Some(path)) => Ok(Self::File(path)),
            _ => Err(D::Error::custom(
                "no credential is part of the config: write { env = \"NAME\" } or { file = \"PATH\" }",
            )),
        }
    }
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

#[cfg(test)]
mod tests;
