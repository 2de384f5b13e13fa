use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret value. It has no `Display`, no `Serialize` and a `Debug` that hides it; memory is wiped on drop.
///
/// # Guarantees
/// The value leaves only through [`Secret::expose`], which is easy to search for, and through its keyed
/// fingerprint, which cannot be turned back without the key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes a value over.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself. Callers must not let it into anything that is written, logged or formatted.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

/// The key under which values are fingerprinted. 32 bytes from the system's random source; two states that are
/// to be compared must share it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    /// Takes 32 random bytes over.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A public name for the key, by which stored fingerprints are told from those made under another key.
    pub fn id(&self) -> String {
        hex(&self.mac(b"keytrail/fingerprint-key-id/v1", b"")[..8])
    }

    /// HMAC-SHA-256 of the value, cut to 128 bits.
    pub fn fingerprint(&self, value: &Secret) -> Fingerprint {
        Fingerprint(hex(&self.mac(b"keytrail/fingerprint/v1", value.expose().as_bytes())[..16]))
    }

    fn mac(&self, domain: &[u8], message: &[u8]) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(domain);
        mac.update(&[0]);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FingerprintKey({})", self.id())
    }
}

/// The keyed fingerprint of a value: 32 hexadecimal digits. Equal under one key if and only if the values are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Takes a fingerprint back that was stored before.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{FingerprintKey, Secret};

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(…)");
    }

    #[test]
    fn fingerprints_depend_on_value_and_key_alone() {
        let (one, two) = (FingerprintKey::new([1; 32]), FingerprintKey::new([2; 32]));
        let value = Secret::from("hunter2");
        assert_eq!(one.fingerprint(&value), one.fingerprint(&Secret::from("hunter2")));
        assert_ne!(one.fingerprint(&value), one.fingerprint(&Secret::from("hunter3")));
        assert_ne!(one.fingerprint(&value), two.fingerprint(&value));
        assert_ne!(one.id(), two.id());
        assert_eq!(one.fingerprint(&value).as_str().len(), 32);
    }
}
