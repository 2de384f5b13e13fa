//! The list of the keys that were ever used, beside the private key: what they signed stays verifiable.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keytrail_reporters::sign::{PublicKey, TrustedKey};
use keytrail_rules::model::Time;
use serde::{Deserialize, Serialize};

use super::file;
use crate::error::Error;

/// Version of the list.
pub const SCHEMA: &str = "keytrail/keys/v1";

/// The keys, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyList {
    /// Each with the time that it is used in.
    pub keys: Vec<TrustedKey>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    keys: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    algorithm: String,
    fingerprint: String,
    /// Base64 of its 32 bytes.
    public_key: String,
    valid_after: Option<Time>,
    valid_before: Option<Time>,
}

impl KeyList {
    /// The list beside a key file; empty where there is none.
    ///
    /// # Errors
    /// A list that cannot be read.
    pub fn read(key_file: &Path) -> Result<Self, Error> {
        let path = place(key_file);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::Read(path, error)),
        };
        Self::parse(&text).ok_or_else(|| {
            let message = format!("{} is no list of keys", path.display());
            Error::usage(message, "bring it back from a backup: it says which keys signed earlier exports")
        })
    }

    /// Reads the text of a list.
    pub fn parse(text: &str) -> Option<Self> {
        let document: Document = serde_json::from_str(text).ok().filter(|one: &Document| one.schema == SCHEMA)?;
        let read = |listed: Listed| {
            let raw = BASE64_STANDARD.decode(listed.public_key).ok()?;
            let key = PublicKey::from_raw(raw.as_slice().try_into().ok()?)?;
            Some(TrustedKey { key, valid_after: listed.valid_after, valid_before: listed.valid_before })
        };
        Some(Self { keys: document.keys.into_iter().map(read).collect::<Option<_>>()? })
    }

    /// The list as JSON.
    pub fn to_json(&self) -> String {
        let keys = self.keys.iter().map(|one| Listed {
            algorithm: one.key.algorithm().as_str().to_owned(),
            fingerprint: one.key.fingerprint(),
            public_key: BASE64_STANDARD.encode(one.key.raw()),
            valid_after: one.valid_after,
            valid_before: one.valid_before,
        });
        let document = Document { schema: SCHEMA.to_owned(), keys: keys.collect() };
        // Texts and times can always be written.
        serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
    }

    /// Writes it beside the key file.
    pub(super) fn write(&self, key_file: &Path) -> Result<(), Error> {
        file::write(&place(key_file), self.to_json().as_bytes())
    }

    /// Adds a key that is in use, though no list says since when.
    pub(super) fn add_unlisted(&mut self, key: &PublicKey) {
        if !self.keys.iter().any(|one| one.key == *key) {
            self.keys.push(TrustedKey::always(key.clone()));
        }
    }

    /// A new key is used from now on, and no other any more.
    pub(super) fn begin(&mut self, key: PublicKey, now: Time) {
        for earlier in self.keys.iter_mut().filter(|one| one.valid_before.is_none()) {
            earlier.valid_before = Some(now);
        }
        self.keys.push(TrustedKey { key, valid_after: Some(now), valid_before: None });
    }

    /// Refuses a key that another took the place of.
    pub(super) fn refuse_ended(&self, key: &PublicKey, path: &Path) -> Result<(), Error> {
        match self.keys.iter().find(|one| one.key == *key).and_then(|one| one.valid_before) {
            None => Ok(()),
            Some(end) => {
                let message = format!("the key {} was rotated away on {}", path.display(), end.format("%Y-%m-%d"));
                Err(Error::usage(message, "`keytrail keys rotate` makes the next one"))
            }
        }
    }
}

fn place(key_file: &Path) -> PathBuf {
    key_file.with_extension("keys.json")
}
