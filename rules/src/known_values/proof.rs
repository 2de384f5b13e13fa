//! Proofs that a text is a value, which do not hold the value.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip::SipHasher13;
use zeroize::Zeroize;

/// What is kept of a text to recognise it: its length, 40 bits of a SipHash to turn others down cheaply, and 128 bits
/// of an HMAC-SHA-256. Wiped on drop.
#[derive(Clone)]
pub(super) struct Proof {
    mac: [u8; 16],
    hash: [u8; 5],
    length: u16,
}

impl Proof {
    /// The length of the text. In bytes.
    pub(super) fn length(&self) -> usize {
        usize::from(self.length)
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.mac.zeroize();
        self.hash.zeroize();
    }
}

/// The keys of the proofs, from the random key of a run.
pub(super) struct Prover {
    hash: SipHasher13,
    mac: Hmac<Sha256>,
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// A key for one purpose.
pub(super) fn derive(key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = hmac(key);
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

/// The keyed hash of SipHash-1-3.
pub(super) fn sip(key: &[u8; 32], purpose: &[u8]) -> SipHasher13 {
    let [first, second] = words(key, purpose);
    SipHasher13::new_with_keys(first, second)
}

/// Two words for one purpose.
pub(super) fn words(key: &[u8; 32], purpose: &[u8]) -> [u64; 2] {
    let derived = derive(key, purpose);
    [0, 8].map(|at| derived[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

impl Prover {
    /// The keys of a run.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let mut mac_key = derive(key, b"keytrail/known-values/mac");
        let prover = Self { hash: sip(key, b"keytrail/known-values/hash"), mac: hmac(&mac_key) };
        mac_key.zeroize();
        prover
    }

    /// The proof of a text of under 64 KiB.
    pub(super) fn prove(&self, text: &[u8]) -> Proof {
        Proof { mac: self.mac(text), hash: self.hash(text), length: text.len() as u16 }
    }

    /// Whether a text, of the length that the proof says, is what the proof was made of.
    pub(super) fn proves(&self, proof: &Proof, text: &[u8]) -> bool {
        proof.hash == self.hash(text) && proof.mac == self.mac(text)
    }

    fn hash(&self, text: &[u8]) -> [u8; 5] {
        let [a, b, c, d, e, ..] = self.hash.hash(text).to_le_bytes();
        [a, b, c, d, e]
    }

    fn mac(&self, text: &[u8]) -> [u8; 16] {
        let mut mac = self.mac.clone();
        mac.update(text);
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; 16];
        half.copy_from_slice(&bytes[..16]);
        half
    }
}
