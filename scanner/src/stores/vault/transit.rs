//! Signing with a key of the transit engine: <https://developer.hashicorp.com/vault/api-docs/secret/transit>.
//!
//! # Guarantees
//! The private key never leaves the server. What is sent is the text itself, never a hash of it (`prehashed`), of which
//! servers make different things. All signatures of one [`Transit`] are made with one version of the key.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use keytrail_reporters::sign::{PublicKey, Signature, TrustedKey};
use keytrail_rotation::failure::Failure;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::{self, Body, Meaning};
use super::connection::{Connection, Failed};
use super::session::{Change, Failure as Unread, Session};
use super::{auth, environment, refusal};
use crate::config::StoreConfig;

/// A key, logged in to.
pub struct Transit {
    store: String,
    session: Session,
    /// `transit/sign/NAME`.
    path: String,
    /// By the number of the version.
    versions: BTreeMap<u64, TrustedKey>,
}

#[derive(Deserialize)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    keys: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Signing {
        creation_time: DateTime<Utc>,
        public_key: String,
    },
    /// Of a key that does not sign.
    Other(serde::de::IgnoredAny),
}

impl Transit {
    /// Logs in, and reads the public keys.
    ///
    /// # Errors
    /// The server or the key cannot be used.
    pub async fn open(config: &StoreConfig, mount: &str, key: &str) -> Result<Self, Failure> {
        let session = log_in(config).await?;
        let name = format!("{mount}/keys/{key}");
        let body = session.get(&[&name], "").await.map_err(|unread| no_key(config, &name, unread, &session))?;
        let described: Described = body.data().map_err(|failed| refusal::of(&config.name, failed))?;
        let versions = versions(described).ok_or_else(|| {
            Failure::not_done(format!("{name} is no key of type ed25519"))
                .hint("make one: vault write -f MOUNT/keys/NAME type=ed25519")
        })?;
        Ok(Self { store: config.name.clone(), session, path: format!("{mount}/sign/{key}"), versions })
    }

    /// Makes the key, or its next version.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn make(config: &StoreConfig, mount: &str, key: &str, is_first: bool) -> Result<(), Failure> {
        let session = log_in(config).await?;
        let (path, body) = match is_first {
            true => (format!("{mount}/keys/{key}"), serde_json::json!({ "type": "ed25519" })),
            false => (format!("{mount}/keys/{key}/rotate"), serde_json::json!({})),
        };
        let made = send(config.name.as_str(), &session, &path, &body).await;
        session.close().await;
        made.map(drop)
    }

    /// The version that signs.
    ///
    /// # Errors
    /// There is none.
    pub fn latest(&self) -> Result<&TrustedKey, Failure> {
        self.versions.values().next_back().ok_or_else(|| Failure::not_done(format!("{} has no key", self.path)))
    }

    /// Every version that is still there, the oldest first.
    pub fn keys(&self) -> Vec<TrustedKey> {
        self.versions.values().cloned().collect()
    }

    /// Signs a text with the latest version.
    ///
    /// # Errors
    /// The server refuses, or answers with no signature of that version.
    pub async fn sign(&self, message: &[u8]) -> Result<Signature, Failure> {
        #[derive(Deserialize)]
        struct Signed {
            signature: String,
        }
        let version = self.versions.keys().next_back().copied().unwrap_or_default();
        let body = serde_json::json!({ "input": BASE64_STANDARD.encode(message), "key_version": version });
        let body = send(&self.store, &self.session, &self.path, &body).await?;
        let signed: Signed = body.data().map_err(|failed| refusal::of(&self.store, failed))?;
        let signature = signed.signature.strip_prefix(&format!("vault:v{version}:"));
        let signature = signature.and_then(|text| BASE64_STANDARD.decode(text).ok());
        let signature = signature.and_then(|bytes| Signature::try_from(bytes.as_slice()).ok());
        signature.ok_or_else(|| refusal::of(&self.store, answer::not_json(b"")))
    }

    /// Gives up a login that was made for it.
    pub async fn close(self) {
        self.session.close().await;
    }
}

async fn log_in(config: &StoreConfig) -> Result<Session, Failure> {
    let log_in = async {
        let connection = Connection::new(config, &environment)?;
        auth::check_health(&connection).await?;
        let token = auth::login(config, &connection, &environment).await?;
        Ok(Session::new(connection, token, 1))
    };
    log_in.await.map_err(|failed: Failed| refusal::of(&config.name, failed))
}

async fn send(store: &str, session: &Session, path: &str, body: &serde_json::Value) -> Result<Body, Failure> {
    let agent = HeaderValue::from_static(concat!("keytrail/", env!("CARGO_PKG_VERSION")));
    let change = Change { body: Zeroizing::new(body.to_string().into_bytes()), patch: false, agent: &agent };
    let response = session.change(&[path], change).await.map_err(|failed| refusal::of(store, failed))?;
    match answer::read(response) {
        Meaning::Success(body) => Ok(body),
        Meaning::Denied => {
            Err(Failure::not_done(format!("the token may not write {path}"))
                .hint("give its policy `update` on that path"))
        }
        Meaning::Missing => Err(Failure::not_done(format!("there is nothing at {path}"))
            .hint("`keytrail keys new --transit MOUNT/KEY` makes the key")),
        Meaning::Failed(failed) | Meaning::Lost(failed) => Err(refusal::of(store, failed)),
    }
}

fn no_key(config: &StoreConfig, name: &str, unread: Unread, session: &Session) -> Failure {
    match unread {
        Unread::Missing => Failure::not_done(format!("there is no key {name}"))
            .hint("`keytrail keys new --transit MOUNT/KEY` makes it, where the engine is mounted"),
        Unread::Denied => {
            Failure::not_done(format!("the token may not read {name}")).hint("give its policy `read` on that path")
        }
        Unread::Failed(failed) => refusal::of(&config.name, failed),
        Unread::Lost => refusal::of(&config.name, session.lost().unwrap_or_else(|| answer::not_json(b""))),
    }
}

/// The versions of a key, each used until the next was made.
fn versions(described: Described) -> Option<BTreeMap<u64, TrustedKey>> {
    let mut versions = BTreeMap::new();
    for (number, version) in described.keys {
        let Version::Signing { creation_time, public_key } = version else { return None };
        let raw = BASE64_STANDARD.decode(public_key).ok()?;
        let key = PublicKey::from_raw(raw.as_slice().try_into().ok()?)?;
        versions.insert(number.parse().ok()?, TrustedKey { key, valid_after: Some(creation_time), valid_before: None });
    }
    let begins: Vec<_> = versions.values().skip(1).map(|next: &TrustedKey| next.valid_after).collect();
    versions.values_mut().zip(begins).for_each(|(version, end)| version.valid_before = end);
    (described.kind == "ed25519" && !versions.is_empty()).then_some(versions)
}
