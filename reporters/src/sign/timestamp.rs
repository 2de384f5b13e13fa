//! Timestamps: RFC 3161. Says what was asked for and what was answered; whether the authority is one, `openssl ts -verify`
//! says, with the certificate of it.

use chrono::{DateTime, NaiveDateTime, Utc};
use sha2::{Digest, Sha256};

use super::der::{self, BOOLEAN, CONTEXT_0, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, TIME};

/// 2.16.840.1.101.3.4.2.1: SHA-256.
const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 1.2.840.113549.1.7.2: CMS signed data (RFC 5652, section 5.1).
const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4: a timestamp (RFC 3161, section 2.4.2).
const TST_INFO: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// Asks that bytes are given a time, and that the answer holds the certificate of who does.
pub fn request(bytes: &[u8], nonce: u64) -> Vec<u8> {
    let algorithm = der::write(SEQUENCE, &[der::write(OID, &SHA256), der::write(NULL, &[])].concat());
    let imprint = der::write(SEQUENCE, &[algorithm, der::write(OCTETS, &Sha256::digest(bytes))].concat());
    let version = der::write(INTEGER, &[1]);
    der::write(SEQUENCE, &[version, imprint, integer(nonce), der::write(BOOLEAN, &[0xff])].concat())
}

/// A whole number in as few bytes as it needs; a first bit that is set would make it negative.
fn integer(number: u64) -> Vec<u8> {
    let bytes = [&[0][..], &number.to_be_bytes()].concat();
    let zeros = bytes.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    der::write(INTEGER, &bytes[zeros..])
}

/// What an authority answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timestamp {
    /// When, by its clock.
    pub time: DateTime<Utc>,
    imprint: Vec<u8>,
    nonce: Option<Vec<u8>>,
}

impl Timestamp {
    /// Reads an answer.
    ///
    /// # Errors
    /// Why it holds no timestamp.
    pub fn parse(answer: &[u8]) -> Result<Self, &'static str> {
        const NONE: &str = "it is no answer of a timestamp authority";
        let (body, rest) = der::element(SEQUENCE, answer).ok_or(NONE)?;
        let (status, token) = der::element(SEQUENCE, body).ok_or(NONE)?;
        let (status, _) = der::element(INTEGER, status).ok_or(NONE)?;
        // Granted, or granted with modifications.
        if !matches!(status, [0 | 1]) {
            return Err("the timestamp authority refused");
        }
        if !rest.is_empty() { Err(NONE) } else { info(token).ok_or(NONE) }
    }

    /// Whether it is of these bytes.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        self.imprint == Sha256::digest(bytes)[..]
    }

    /// Whether it answers the request with that nonce.
    pub fn answers(&self, nonce: u64) -> bool {
        self.nonce.as_deref() == der::element(INTEGER, &integer(nonce)).map(|(bytes, _)| bytes)
    }
}

/// The `TSTInfo` in a token.
fn info(token: &[u8]) -> Option<Timestamp> {
    let (content, _) = der::element(SEQUENCE, token)?;
    let (kind, content) = der::element(OID, content)?;
    let (signed, _) = der::element(CONTEXT_0, content)?;
    let (signed, _) = der::element(SEQUENCE, signed)?;
    let (_, signed) = der::element(INTEGER, signed)?;
    let (_, signed) = der::element(SET, signed)?;
    let (inner, _) = der::element(SEQUENCE, signed)?;
    let (inner_kind, inner) = der::element(OID, inner)?;
    let (inner, _) = der::element(CONTEXT_0, inner)?;
    let (octets, _) = der::element(OCTETS, inner)?;
    if kind != SIGNED_DATA || inner_kind != TST_INFO {
        return None;
    }
    let (info, _) = der::element(SEQUENCE, octets)?;
    let (_, info) = der::element(INTEGER, info)?;
    let (_, info) = der::element(OID, info)?;
    let (imprint, info) = der::element(SEQUENCE, info)?;
    let (algorithm, imprint) = der::element(SEQUENCE, imprint)?;
    let (algorithm, _) = der::element(OID, algorithm)?;
    let (imprint, _) = der::element(OCTETS, imprint)?;
    let (_, info) = der::element(INTEGER, info)?;
    let (time, mut info) = der::element(TIME, info)?;
    let mut nonce = None;
    // Accuracy, ordering, nonce, name of the authority, extensions: each may be missing.
    while let Some((tag, content, rest)) = der::any(info) {
        if tag == INTEGER {
            nonce = Some(content.to_vec());
        }
        info = rest;
    }
    let time = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    let time = NaiveDateTime::parse_from_str(time, "%Y%m%d%H%M%S%.f").ok()?.and_utc();
    (algorithm == SHA256).then(|| Timestamp { time, imprint: imprint.to_vec(), nonce })
}
