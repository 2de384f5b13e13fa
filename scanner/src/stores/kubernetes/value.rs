//! Values as the API carries them: Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keytrail_rules::model::Secret;
use zeroize::{Zeroize, Zeroizing};

/// The text of a value; `None` for one that is binary.
pub(super) fn decode(encoded: &str) -> Option<Secret> {
    let decoded = STANDARD.decode(encoded).ok()?;
    match String::from_utf8(decoded) {
        Ok(text) => Some(Secret::new(text)),
        Err(error) => {
            error.into_bytes().zeroize();
            None
        }
    }
}

/// A value as it is sent.
pub(super) fn encode(value: &Secret) -> Zeroizing<String> {
    let value = value.expose();
    let mut encoded = Zeroizing::new(String::with_capacity(value.len().div_ceil(3) * 4));
    STANDARD.encode_string(value, &mut encoded);
    encoded
}
