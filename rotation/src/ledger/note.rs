//! Signed checkpoints: <https://c2sp.org/tlog-checkpoint>, in signed notes, <https://c2sp.org/signed-note>, with Ed25519.
//!
//! ```text
//! keytrail/ledger/5f0a9c21d3e4b687
//! 42
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — keytrail/ledger/5f0a9c21d3e4b687 az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::tree::Hash;
use crate::failure::Failure;

/// The algorithm in key ids: Ed25519 over the text of the note.
const ED25519: u8 = 1;

/// What PKCS#8 puts before the 32 bytes of an Ed25519 key (RFC 8410, section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The state of a ledger: so many rows have this hash of their tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The name of the ledger.
    pub origin: String,
    /// How many rows it has.
    pub size: u64,
    /// The hash of their tree.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root.0))
    }

    /// Reads the text; lines after the third are extensions, which say nothing to Keytrail.
    ///
    /// # Errors
    /// [`NoteError::NotACheckpoint`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split('\n');
        let mut next = || lines.next().filter(|line| !line.is_empty()).ok_or(NoteError::NotACheckpoint);
        let (origin, number, hash) = (next()?.to_owned(), next()?, next()?);
        let size: u64 = number.parse().map_err(|_| NoteError::NotACheckpoint)?;
        let root = BASE64_STANDARD.decode(hash).map_err(|_| NoteError::NotACheckpoint)?;
        let root = Hash(root.try_into().map_err(|_| NoteError::NotACheckpoint)?);
        if size.to_string() == number { Ok(Self { origin, size, root }) } else { Err(NoteError::NotACheckpoint) }
    }
}

/// Why a note or a checkpoint is not to be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// It has no signature where notes have it.
    #[error("it is not a signed note")]
    NotANote,
    /// Nobody who is known signed it.
    #[error("it is not signed with the ledger's key")]
    OtherKey,
    /// The signature does not fit the text.
    #[error("its signature is wrong")]
    Forged,
    /// It is a note about something else.
    #[error("it is not a checkpoint of a ledger")]
    NotACheckpoint,
}

/// Signs notes.
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl Signer {
    /// A new key, with a name made from it.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, Failure> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|_| Failure::not_done("the system gives no random numbers"))?;
        Ok(Self::of(SigningKey::from_bytes(&seed)))
    }

    /// Reads a PKCS#8 key in PEM, as `openssl genpkey -algorithm ed25519` writes it; `None` for anything else.
    pub fn from_pem(pem: &str) -> Option<Self> {
        let (begin, end) = pem_lines();
        let body = pem.split_once(&begin)?.1.split_once(&end)?.0;
        let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let der = Zeroizing::new(BASE64_STANDARD.decode(body.as_bytes()).ok()?);
        SigningKey::from_pkcs8_der(&der).ok().map(Self::of)
    }

    /// The key as [`Signer::from_pem`] reads it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let (begin, end) = pem_lines();
        let mut der = Zeroizing::new(Vec::with_capacity(48));
        der.extend(PKCS8);
        der.extend(self.key.as_bytes());
        let body = Zeroizing::new(BASE64_STANDARD.encode(&*der));
        Zeroizing::new(format!("{begin}\n{}\n{end}\n", *body))
    }

    fn of(key: SigningKey) -> Self {
        let digest = Sha256::digest(key.verifying_key().as_bytes());
        let name = format!("keytrail/ledger/{}", &Hash(digest.into()).to_string()[..16]);
        Self { name, key }
    }

    /// What checks its signatures.
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// Signs a state of the ledger.
    pub fn checkpoint(&self, size: u64, root: Hash) -> String {
        self.sign(&Checkpoint { origin: self.name.clone(), size, root }.text())
    }

    /// Signs a text, which ends in a line end.
    fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        format!("{text}\n{}", self.verifier().line(&signature))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier())
    }
}

/// Checks the signatures of a [`Signer`]. Its text is that of C2SP's verifier keys: `NAME+ID+KEY`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

impl Verifier {
    /// Reads a verifier key; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let bytes = BASE64_STANDARD.decode(key).ok()?;
        let (algorithm, key) = bytes.split_first()?;
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let verifier = Self { name: name.to_owned(), key };
        (*algorithm == ED25519 && !name.is_empty() && !name.contains(char::is_whitespace) && id == verifier.id_text())
            .then_some(verifier)
    }

    /// What checks the signatures of a key under a name; `None` where the key is no point of the curve, or the name none.
    pub fn new(name: &str, key: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key).ok()?;
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+');
        is_name.then(|| Self { name: name.to_owned(), key })
    }

    /// The name of the ledger.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the key.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The line that a signature of the key makes under a note, see [`Checkpoint::text`].
    pub fn line(&self, signature: &[u8; 64]) -> String {
        let signed: Vec<u8> = self.key_id().into_iter().chain(*signature).collect();
        format!("\u{2014} {} {}\n", self.name, BASE64_STANDARD.encode(signed))
    }

    /// The text of a checkpoint that the key signed, read.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn checkpoint(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let checkpoint = Checkpoint::parse(self.open(note)?)?;
        if checkpoint.origin == self.name { Ok(checkpoint) } else { Err(NoteError::NotACheckpoint) }
    }

    /// The text of a note that the key signed.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let end = note.rfind("\n\n").ok_or(NoteError::NotANote)?;
        let (text, signatures) = (&note[..=end], &note[end + 2..]);
        for line in signatures.strip_suffix('\n').ok_or(NoteError::NotANote)?.split('\n') {
            let line = line.strip_prefix("\u{2014} ").ok_or(NoteError::NotANote)?;
            let (name, signature) = line.split_once(' ').ok_or(NoteError::NotANote)?;
            let signature = BASE64_STANDARD.decode(signature).map_err(|_| NoteError::NotANote)?;
            let (id, signature) = signature.split_first_chunk::<4>().ok_or(NoteError::NotANote)?;
            if name == self.name && *id == self.key_id() {
                let signature = Signature::from_slice(signature).map_err(|_| NoteError::Forged)?;
                self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| NoteError::Forged)?;
                return Ok(text);
            }
        }
        Err(NoteError::OtherKey)
    }

    fn key_id(&self) -> [u8; 4] {
        let name = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]);
        let digest: [u8; 32] = name.chain_update(self.key.as_bytes()).finalize().into();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    fn id_text(&self) -> String {
        self.key_id().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<u8> = std::iter::once(ED25519).chain(*self.key.as_bytes()).collect();
        write!(f, "{}+{}+{}", self.name, self.id_text(), BASE64_STANDARD.encode(key))
    }
}

/// The lines around the key.
fn pem_lines() -> (String, String) {
    let line = |word: &str| format!("-----{word} {} KEY-----", "PRIVATE");
    (line("BEGIN"), line("END"))
}

#[cfg(test)]
mod tests;
