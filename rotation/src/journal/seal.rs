//! The seal on kept values: AES-256-GCM under a key that the database does not hold.
//!
//! # Guarantees
//! 1. What is sealed opens only as the same credential of the same item in the same run: moved elsewhere, or changed in a
//!    single bit, it is refused.
//! 2. The length of what is sealed tells the length of the values only to a factor of two.
//!
//! # Assumptions
//! 1. Under one key fewer than 2^32 credentials are sealed, so that random nonces do not meet (NIST SP 800-38D, 8.3).
//! 2. Who can put back an older state of the whole database can put back what was kept then.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::Which;
use crate::credential::Credential;
use crate::failure::Failure;

/// What is sealed has at least this length, before encryption: no password is told from another.
const SMALLEST: usize = 256;

/// What is sealed has at most this length.
const LARGEST: usize = 1 << 20;

/// The key of the seal, and those that are derived from it.
pub struct SealKey {
    id: String,
    seal: LessSafeKey,
    fingerprints: hmac::Key,
}

/// What a sealed credential is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label<'a> {
    /// The run.
    pub run: &'a str,
    /// The item.
    pub item: &'a str,
    /// Which of its credentials.
    pub which: Which,
}

impl SealKey {
    /// Takes 32 random bytes over.
    ///
    /// # Errors
    /// The system has no AES.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, Failure> {
        let master = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derive = |purpose: &str| hmac::sign(&master, format!("keytrail/seal/v1/{purpose}").as_bytes());
        let seal = UnboundKey::new(&AES_256_GCM, derive("seal").as_ref())
            .map_err(|_| Failure::not_done("the system's cryptography has no AES-256-GCM"))?;
        Ok(Self {
            id: hex(&derive("id").as_ref()[..8]),
            seal: LessSafeKey::new(seal),
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, derive("fingerprints").as_ref()),
        })
    }

    /// Reads 64 hexadecimal digits, or the base64 of 32 bytes, with white space around them; `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; 32]);
        if text.len() == 64 {
            for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                *byte = digit(0)? << 4 | digit(1)?;
            }
        } else {
            let decoded = Zeroizing::new(BASE64_STANDARD.decode(text).ok()?);
            *bytes = decoded.as_slice().try_into().ok()?;
        }
        Self::new(&bytes).ok()
    }

    /// A random key, which nobody else has.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, Failure> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| no_random())?;
        Self::new(&bytes)
    }

    /// A public name of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a credential, as base64.
    ///
    /// # Errors
    /// A credential of more than 1 MiB; no random numbers.
    pub fn seal(&self, label: Label<'_>, credential: &Credential) -> Result<String, Failure> {
        let mut sealed = pad(credential)?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| no_random())?;
        let aad = Aad::from(self.describe(label));
        let tag = self
            .seal
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| Failure::not_done("the credential could not be encrypted"))?;
        let whole: Vec<u8> = nonce.iter().chain(sealed.iter()).chain(tag.as_ref()).copied().collect();
        Ok(BASE64_STANDARD.encode(whole))
    }

    /// Opens what [`SealKey::seal`] gave for the same label.
    ///
    /// # Errors
    /// It was made under another key or for another label, or changed since.
    pub fn open(&self, label: Label<'_>, sealed: &str) -> Result<Credential, Failure> {
        let broken = || {
            let which = label.which.as_str();
            Failure::not_done(format!(
                "the seal on the {which} credential of {} in run {} is broken",
                label.item, label.run
            ))
            .hint("somebody changed the state database: restore it from a backup, and look for who did it")
        };
        let mut whole = Zeroizing::new(BASE64_STANDARD.decode(sealed).map_err(|_| broken())?);
        let (nonce, sealed) = whole.split_first_chunk_mut::<NONCE_LEN>().ok_or_else(broken)?;
        let aad = Aad::from(self.describe(label));
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.seal.open_in_place(nonce, aad, sealed).map_err(|_| broken())?;
        unpad(opened).ok_or_else(broken)
    }

    /// A keyed fingerprint of a value that an item had; that of the same value of another item is another one.
    pub fn fingerprint(&self, item: &str, value: &Secret) -> String {
        let mut context = hmac::Context::with_key(&self.fingerprints);
        context.update(&(item.len() as u64).to_be_bytes());
        context.update(item.as_bytes());
        context.update(value.expose().as_bytes());
        hex(context.sign().as_ref())
    }

    /// What the seal binds a credential to.
    fn describe(&self, label: Label<'_>) -> Vec<u8> {
        let mut described = b"keytrail/sealed/v1".to_vec();
        for text in [&self.id, label.run, label.item, label.which.as_str()] {
            described.extend((text.len() as u64).to_be_bytes());
            described.extend(text.as_bytes());
        }
        described
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

fn no_random() -> Failure {
    Failure::not_done("the system gives no random numbers")
}

/// The parts, each with its lengths, behind the length of all of them; zeros up to a power of two.
fn pad(credential: &Credential) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let fields = || credential.parts().flat_map(|(name, value)| [name.as_bytes(), value.expose().as_bytes()]);
    let length: usize = fields().map(|field| field.len().saturating_add(4)).fold(0, usize::saturating_add);
    let padded = length.saturating_add(4).max(SMALLEST).checked_next_power_of_two().unwrap_or(usize::MAX);
    if padded > LARGEST {
        return Err(Failure::not_done("the credential is larger than 1 MiB").hint("rotate it by hand"));
    }
    // Whole from the start, so that no copy of it is left behind where it grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(padded));
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    bytes.extend(number(length));
    for field in fields() {
        bytes.extend(number(field.len()));
        bytes.extend(field);
    }
    bytes.resize(padded, 0);
    Ok(bytes)
}

fn unpad(bytes: &[u8]) -> Option<Credential> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let mut rest = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let mut field = || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (field, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        rest = behind;
        std::str::from_utf8(field).ok()
    };
    let mut credential = Credential::default();
    while let Some(name) = field() {
        credential.set(name, Secret::from(field()?));
    }
    rest.is_empty().then_some(credential)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
