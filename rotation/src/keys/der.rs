//! The little of DER and PEM that private keys need.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;

/// A document in PEM, with lines of 64 characters (RFC 7468, section 3).
pub fn pem(label: &str, document: &[u8]) -> Secret {
    let body = Zeroizing::new(STANDARD.encode(document));
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    text.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.extend([line, "\n"]);
        rest = more;
    }
    text.extend(["-----END ", label, "-----\n"]);
    Secret::new(text)
}

/// The first document of a PEM text, of a kind of private key that is not encrypted.
pub(super) fn unpem(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    if !matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY") {
        return None;
    }
    let (body, _) = rest.split_once("-----END ")?;
    let mut squeezed = Zeroizing::new(String::with_capacity(body.len()));
    // A newline that an environment variable carries is often spelt out.
    body.split("\\n").for_each(|line| squeezed.extend(line.split_ascii_whitespace()));
    STANDARD.decode(squeezed.as_bytes()).ok().map(Zeroizing::new)
}

/// What follows a tag and a length; and what comes after that.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

/// The nine numbers of an RSA private key in PKCS#8 (RFC 8017, A.1.2), without leading zeros.
pub(super) fn rsa_private_numbers(pkcs8: &[u8]) -> Option<[&[u8]; 9]> {
    let (body, _) = element(SEQUENCE, pkcs8)?;
    let (_, body) = element(INTEGER, body)?;
    let (_, body) = element(SEQUENCE, body)?;
    let (key, _) = element(OCTETS, body)?;
    let (mut key, _) = element(SEQUENCE, key)?;
    let mut numbers = [&[][..]; 9];
    for number in &mut numbers {
        let (bytes, rest) = element(INTEGER, key)?;
        *number = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        key = rest;
    }
    Some(numbers)
}
