//! The keys that sign exports: a file, or a key of Vault's or OpenBao's transit engine.
//!
//! # Guarantees
//! * They are not the key that signs the ledger: who rotates is not who vouches for the evidence.
//! * A file that others than its owner may read is refused, and no private key is printed.
//! * An old key stays in the list with the time that it was used in, so that what it signed can be verified.

mod file;
mod list;

use std::path::{Path, PathBuf};

use keytrail_reporters::sign::{PrivateKey, PublicKey, Signature, TrustedKey};
use keytrail_rotation::ledger::note::Verifier;
use sha2::{Digest, Sha256};

use crate::config::{Config, StoreConfig};
use crate::error::Error;
use crate::stores::vault::Transit;

pub(crate) use file::write as write_private;
pub use list::{KeyList, SCHEMA};

/// The namespace of SSH signatures.
pub const NAMESPACE: &str = "keytrail@v1";

/// Who signs, by the name of lists of allowed signers.
pub const PRINCIPAL: &str = "keytrail";

/// The key file of a folder, in the folder of the state.
const FILE: &str = "export.key";

/// Where a signing key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyPlace {
    /// A PKCS#8 file, with its list of keys beside it.
    File(PathBuf),
    /// A key of a transit engine.
    Transit {
        /// The server.
        store: Box<StoreConfig>,
        /// Where the engine is mounted.
        mount: String,
        /// The name of the key.
        key: String,
    },
}

impl KeyPlace {
    /// The place that the command line names: `[STORE:]MOUNT/KEY` of a transit engine, a file, or else that of the folder.
    ///
    /// # Errors
    /// A store that the config does not have, or a name that is none.
    pub fn of(root: &Path, config: &Config, file: Option<&Path>, transit: Option<&str>) -> Result<Self, Error> {
        let Some(transit) = transit else {
            let file = file.map_or_else(|| root.join(crate::state::FOLDER).join(FILE), Path::to_owned);
            return Ok(Self::File(file));
        };
        let (store, path) = match transit.split_once(':') {
            Some((store, path)) => (Some(store), path),
            None => (None, transit),
        };
        let (mount, key) = path.trim_matches('/').rsplit_once('/').ok_or_else(|| {
            let message = format!("'{}' is no key of a transit engine", transit.escape_debug());
            Error::usage(message, "write --transit transit/keytrail, or --transit STORE:transit/keytrail")
        })?;
        let is_vault = |one: &&StoreConfig| one.kind == crate::stores::vault::KIND.name;
        let found = config.stores.iter().filter(is_vault).find(|one| store.is_none_or(|store| one.name == store));
        let store = match (found, store) {
            (Some(found), _) => found.clone(),
            (None, None) => crate::stores::ambient(crate::stores::vault::KIND.name, root),
            (None, Some(store)) => {
                let message = format!("no [[store]] of kind \"vault\" is called '{}'", store.escape_debug());
                return Err(Error::usage(message, "add it to keytrail.toml, or leave its name out to use VAULT_ADDR"));
            }
        };
        Ok(Self::Transit { store: Box::new(store), mount: mount.to_owned(), key: key.to_owned() })
    }

    /// Opens the key to sign with it.
    ///
    /// # Errors
    /// There is none, others may read it, its time is over, or the server refuses.
    pub async fn open(&self) -> Result<SigningKey, Error> {
        match self {
            Self::File(path) => {
                let key = file::read(path)?;
                KeyList::read(path)?.refuse_ended(&key.public(), path)?;
                Ok(SigningKey { public: key.public(), with: With::File(Box::new(key)) })
            }
            Self::Transit { store, mount, key } => {
                let transit = Transit::open(store, mount, key).await?;
                Ok(SigningKey { public: transit.latest()?.key.clone(), with: With::Transit(Box::new(transit)) })
            }
        }
    }

    /// Every key that is or was used, the oldest first.
    ///
    /// # Errors
    /// A list that cannot be read, or a server that refuses.
    pub async fn all(&self) -> Result<Vec<TrustedKey>, Error> {
        match self {
            Self::File(path) => {
                let mut list = KeyList::read(path)?;
                if path.exists() {
                    list.add_unlisted(&file::read(path)?.public());
                }
                Ok(list.keys)
            }
            Self::Transit { store, mount, key } => {
                let transit = Transit::open(store, mount, key).await?;
                let keys = transit.keys();
                transit.close().await;
                Ok(keys)
            }
        }
    }

    /// Makes the first key, or the next one: the one before ends now.
    ///
    /// # Errors
    /// There is one already, or none yet; it cannot be written, or the server refuses.
    pub async fn make(&self, is_first: bool, now: keytrail_rules::model::Time) -> Result<PublicKey, Error> {
        match self {
            Self::File(path) => {
                match (is_first, path.symlink_metadata().is_ok()) {
                    (true, true) => {
                        let message = format!("there is a key already: {}", path.display());
                        return Err(Error::usage(message, "`keytrail keys rotate` makes the next one"));
                    }
                    (false, false) => return Err(file::missing(path)),
                    _ => {}
                }
                let mut list = KeyList::read(path)?;
                if !is_first {
                    list.add_unlisted(&file::read(path)?.public());
                }
                let key = file::generate()?;
                list.begin(key.public(), now);
                // The list first: a key that is in use must be in it.
                list.write(path)?;
                file::write(path, key.to_pem().as_bytes())?;
                Ok(key.public())
            }
            Self::Transit { store, mount, key } => {
                Transit::make(store, mount, key, is_first).await?;
                let transit = Transit::open(store, mount, key).await?;
                let public = transit.latest()?.key.clone();
                transit.close().await;
                Ok(public)
            }
        }
    }
}

/// A key that can sign.
pub struct SigningKey {
    public: PublicKey,
    with: With,
}

enum With {
    File(Box<PrivateKey>),
    Transit(Box<Transit>),
}

impl SigningKey {
    /// What checks its signatures.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs bytes.
    ///
    /// # Errors
    /// The server refuses, or signs with another key.
    pub async fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        match &self.with {
            With::File(key) => Ok(key.sign(message)),
            With::Transit(transit) => {
                let signature = transit.sign(message).await?;
                if !self.public.verifies(message, &signature) {
                    let message = "the transit engine gave a signature that its public key does not verify";
                    return Err(Error::usage(message, "check that the key is of type ed25519"));
                }
                Ok(signature)
            }
        }
    }

    /// Gives up a login that was made for it.
    pub async fn close(self) {
        if let With::Transit(transit) = self.with {
            transit.close().await;
        }
    }
}

/// What checks the signatures of a key under checkpoints.
///
/// # Errors
/// Not for a key that was read.
pub fn cosigner(key: &PublicKey) -> Result<Verifier, Error> {
    let digest: String = Sha256::digest(key.raw()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Verifier::new(&format!("keytrail/export/{digest}"), &key.raw())
        .ok_or_else(|| Error::usage("the key has no verifier", "make another with `keytrail keys rotate`"))
}
