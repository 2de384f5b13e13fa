//! The public keys that digests are signed with.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html>

use std::collections::HashMap;
use std::fs;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keytrail_rules::model::{Gap, GapReason};
use serde::Deserialize;

use crate::trails::Opening;

/// Keys, by their fingerprints.
pub(super) struct PublicKeys(HashMap<String, Vec<u8>>);

/// What `aws cloudtrail list-public-keys` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    public_key_list: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    /// An `RSAPublicKey` of PKCS #1 in DER, in base 64.
    value: String,
    fingerprint: String,
}

impl PublicKeys {
    /// Reads the file of keys of a trail; without one, nothing can be verified.
    pub(super) fn read(opening: &Opening<'_>, gaps: &mut Vec<Gap>) -> Option<Self> {
        let mut give_up = |source: &str, reason, message: String| {
            let hint = "save what `aws cloudtrail list-public-keys --start-time T` prints, for each region, and name the file \
                        in `public_keys`";
            gaps.push(Gap { hint: Some(hint.to_owned()), ..Gap::new(source, reason, message) });
        };
        let Some(path) = &opening.config.public_keys else {
            let message = "the digests are not verified: `public_keys` is not set".to_owned();
            give_up(&opening.config.name, GapReason::Unsupported, message);
            return None;
        };
        let name = path.to_string_lossy();
        let bytes = match fs::read(opening.config.root.join(path)) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("the digests are not verified: the public keys cannot be read: {error}");
                give_up(&name, GapReason::Unreachable, message);
                return None;
            }
        };
        let keys = parse(&bytes);
        if keys.is_none() {
            let message = "the digests are not verified: the public keys are not what `list-public-keys` prints";
            give_up(&name, GapReason::Malformed, message.to_owned());
        }
        keys.map(Self)
    }

    /// Whether the key of that fingerprint signed the message. `None` where there is no such key.
    pub(super) fn verify(&self, fingerprint: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
        let key = self.0.get(fingerprint)?;
        Some(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature).is_ok())
    }
}

/// Keys of one list, or of several, one after the other.
fn parse(bytes: &[u8]) -> Option<HashMap<String, Vec<u8>>> {
    let lists: Result<Vec<List>, _> = serde_json::Deserializer::from_slice(bytes).into_iter().collect();
    let keys = lists.ok()?.into_iter().flat_map(|list| list.public_key_list);
    keys.map(|key| Some((key.fingerprint, STANDARD.decode(key.value).ok()?))).collect()
}
