use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::pem;

/// The bytes of a signature.
pub type Signature = [u8; 64];

/// How is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// Ed25519: RFC 8032.
    Ed25519,
}

impl Algorithm {
    /// The spelling of lists of keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
        }
    }

    /// What SSH calls it (RFC 8709).
    pub fn ssh_name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
        }
    }
}

/// What comes before the 32 bytes of a public key in a `SubjectPublicKeyInfo` (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What comes before the 32 bytes of a private key in PKCS#8 (RFC 8410, section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

const PUBLIC: &str = "PUBLIC KEY";

/// The label of a private key, which no file of this repository spells out.
fn private() -> String {
    format!("{} KEY", "PRIVATE")
}

/// A key that checks signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key of these 32 bytes; `None` where they are no point of the curve.
    pub fn from_raw(raw: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(raw).ok().filter(|key| !key.is_weak()).map(Self)
    }

    /// Its 32 bytes.
    pub fn raw(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    /// Reads a public key in PEM, as `openssl pkey -pubout` writes it.
    pub fn from_pem(text: &str) -> Option<Self> {
        let document = pem::read(PUBLIC, text)?;
        Self::from_raw(document.strip_prefix(&SPKI)?.try_into().ok()?)
    }

    /// The key as [`PublicKey::from_pem`] reads it.
    pub fn to_pem(&self) -> String {
        pem::write(PUBLIC, &[&SPKI[..], &self.raw()].concat(), 64).to_string()
    }

    /// The key as SSH sends it: RFC 8709, section 4.
    pub fn ssh_blob(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(51);
        ssh_string(&mut blob, self.algorithm().ssh_name().as_bytes());
        ssh_string(&mut blob, &self.raw());
        blob
    }

    /// Reads what [`PublicKey::ssh_blob`] gives.
    pub fn from_ssh_blob(blob: &[u8]) -> Option<Self> {
        let key = Self::from_raw(blob.last_chunk()?)?;
        (key.ssh_blob() == blob).then_some(key)
    }

    /// `ssh-ed25519 AAAA…`.
    pub fn ssh_text(&self) -> String {
        format!("{} {}", self.algorithm().ssh_name(), BASE64_STANDARD.encode(self.ssh_blob()))
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it: what reports and lists call the key.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(self.ssh_blob())))
    }

    /// Whether a signature is of these bytes.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

/// A key that signs.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// The key of 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a PKCS#8 key in PEM, as `openssl genpkey -algorithm ed25519` writes it; `None` for anything else.
    pub fn from_pem(text: &str) -> Option<Self> {
        SigningKey::from_pkcs8_der(&pem::read(&private(), text)?).ok().map(Self)
    }

    /// The key as [`PrivateKey::from_pem`] reads it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut document = Zeroizing::new(Vec::with_capacity(48));
        document.extend(PKCS8);
        document.extend(self.0.as_bytes());
        pem::write(&private(), &document, 64)
    }

    /// What checks its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public().fingerprint())
    }
}

/// Appends a `string` of SSH: its length in four bytes, then it (RFC 4251, section 5).
pub(super) fn ssh_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // What is written here is a name, a key or a hash.
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}
