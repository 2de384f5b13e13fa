//! The envelope: DSSE 1.0.2, <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md>.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use base64::{alphabet, engine};
use serde::{Deserialize, Serialize};

use super::{PublicKey, Signature};

/// Base64 of both alphabets, padded or not: a verifier has to accept either.
const LENIENT: GeneralPurposeConfig =
    engine::general_purpose::GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// A payload, its type, and who signed both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// What is signed.
    pub payload: Vec<u8>,
    /// Its media type.
    pub payload_type: String,
    /// The signatures.
    pub signatures: Vec<Signed>,
}

/// One signature of an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// Whose it is said to be: a hint, which nothing authenticates.
    pub keyid: String,
    /// It.
    pub signature: Vec<u8>,
}

/// The envelope as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    payload: String,
    payload_type: String,
    signatures: Vec<DocumentSignature>,
}

#[derive(Serialize, Deserialize)]
struct DocumentSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// The bytes that are signed: <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md>.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}

impl Envelope {
    /// An envelope with one signature.
    pub fn new(payload: Vec<u8>, payload_type: &str, key: &PublicKey, signature: Signature) -> Self {
        let signed = Signed { keyid: key.fingerprint(), signature: signature.to_vec() };
        Self { payload, payload_type: payload_type.to_owned(), signatures: vec![signed] }
    }

    /// Reads an envelope, of which nothing is to be believed yet.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let document: Document = serde_json::from_slice(bytes).map_err(|_| "it is no DSSE envelope")?;
        let sign = |one: DocumentSignature| Some(Signed { keyid: one.keyid, signature: decode(&one.sig)? });
        let signatures: Option<Vec<Signed>> = document.signatures.into_iter().map(sign).collect();
        Ok(Self {
            payload: decode(&document.payload).ok_or("its payload is not base64")?,
            payload_type: document.payload_type,
            signatures: signatures.ok_or("a signature in it is not base64")?,
        })
    }

    /// The envelope as a file: one line of JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sign =
            |one: &Signed| DocumentSignature { keyid: one.keyid.clone(), sig: BASE64_STANDARD.encode(&one.signature) };
        let document = Document {
            payload: BASE64_STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self.signatures.iter().map(sign).collect(),
        };
        // Texts can always be written.
        let mut bytes = serde_json::to_vec(&document).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The payload, if the key signed it under its type.
    pub fn open(&self, key: &PublicKey) -> Option<&[u8]> {
        let signed = pae(&self.payload_type, &self.payload);
        let holds = self.signatures.iter().any(|one| key.verifies(&signed, &one.signature));
        holds.then_some(self.payload.as_slice())
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let standard = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let url_safe = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    standard.decode(text).or_else(|_| url_safe.decode(text)).ok()
}
