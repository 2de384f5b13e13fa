//! Key pairs: made here, written as PEM and as JWK, and read again for their public half.
//!
//! # Guarantees
//! 1. Keys are made by AWS-LC from the system's random source, of sizes that NIST SP 800-57 part 1 §5.6.1 gives at least
//!    112 bits of strength.
//! 2. Buffers with private keys are wiped. No error tells what a key holds.

mod der;
mod jwk;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair,
};
use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use crate::failure::Failure;
pub use der::pem;
pub use jwk::PublicKey;
use jwk::{encoded, private_jwk};

/// A kind of key pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// RSA of 2048, 3072 or 4096 bits.
    Rsa(KeySize),
    /// ECDSA on P-256 or P-384.
    Ec(Curve),
    /// Ed25519.
    Ed25519,
}

/// A curve of NIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curve {
    /// 256 bits.
    P256,
    /// 384 bits.
    P384,
}

impl Curve {
    /// Its name in a JWK: RFC 7518, section 6.2.1.1.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    fn algorithm(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }
}

/// How a private key is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// PKCS#8 in PEM (RFC 5958, RFC 7468).
    #[default]
    Pem,
    /// JSON Web Key (RFC 7517).
    Jwk,
}

/// A key pair as text.
pub struct Generated {
    /// The private key.
    pub private: Secret,
    /// The public key: `SubjectPublicKeyInfo` in PEM (RFC 7468, section 13).
    pub public_pem: String,
    /// The public key.
    pub public: PublicKey,
}

/// Makes a key pair.
///
/// # Errors
/// The library gives none.
pub fn generate(kind: KeyKind, encoding: Encoding) -> Result<Generated, Failure> {
    let made = match kind {
        KeyKind::Rsa(size) => of_rsa(&rsa::KeyPair::generate(size).map_err(|_| no_key())?, encoding),
        KeyKind::Ec(curve) => {
            EcdsaKeyPair::generate(curve.algorithm()).ok().and_then(|pair| of_ec(&pair, curve, encoding))
        }
        KeyKind::Ed25519 => Ed25519KeyPair::generate().ok().and_then(|pair| of_ed25519(&pair, encoding)),
    };
    made.ok_or_else(no_key)
}

fn no_key() -> Failure {
    Failure::not_done("no key pair could be made").hint("look at the system's random source")
}

fn of_rsa(pair: &rsa::KeyPair, encoding: Encoding) -> Option<Generated> {
    let document = AsDer::<Pkcs8V1Der<'static>>::as_der(pair).ok()?;
    let numbers = der::rsa_private_numbers(document.as_ref())?;
    let public = rsa_public(&numbers);
    let private = match encoding {
        Encoding::Pem => pem("PRIVATE KEY", document.as_ref()),
        Encoding::Jwk => {
            // RFC 7518, section 6.3.2.
            let names = ["d", "p", "q", "dp", "dq", "qi"];
            let members: Vec<_> = names.into_iter().zip(numbers[3..].iter().map(|number| encoded(number))).collect();
            private_jwk(&public, &members)
        }
    };
    generated(private, pair.public_key().as_der(), public)
}

fn of_ec(pair: &EcdsaKeyPair, curve: Curve, encoding: Encoding) -> Option<Generated> {
    let public = ec_public(pair, curve)?;
    let private = match encoding {
        Encoding::Pem => pem("PRIVATE KEY", pair.to_pkcs8v1().ok()?.as_ref()),
        Encoding::Jwk => {
            let number: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
            private_jwk(&public, &[("d", encoded(number.as_ref()))])
        }
    };
    generated(private, pair.public_key().as_der(), public)
}

fn of_ed25519(pair: &Ed25519KeyPair, encoding: Encoding) -> Option<Generated> {
    let public = ed25519_public(pair);
    let private = match encoding {
        Encoding::Pem => pem("PRIVATE KEY", pair.to_pkcs8v1().ok()?.as_ref()),
        Encoding::Jwk => {
            let seed = pair.seed().ok()?.as_be_bytes().ok()?;
            private_jwk(&public, &[("d", encoded(seed.as_ref()))])
        }
    };
    generated(private, pair.public_key().as_der(), public)
}

fn generated(private: Secret, info: Result<PublicKeyX509Der<'_>, Unspecified>, public: PublicKey) -> Option<Generated> {
    Some(Generated { private, public_pem: pem("PUBLIC KEY", info.ok()?.as_ref()).expose().to_owned(), public })
}

/// Of the numbers of a private key: RFC 8017, A.1.2.
fn rsa_public(numbers: &[&[u8]; 9]) -> PublicKey {
    let [_version, modulus, exponent, ..] = numbers;
    PublicKey::Rsa { modulus: encoded(modulus).to_string(), exponent: encoded(exponent).to_string() }
}

fn ec_public(pair: &EcdsaKeyPair, curve: Curve) -> Option<PublicKey> {
    // SEC 1, section 2.3.3: 4, then both coordinates.
    let (mark, point) = pair.public_key().as_ref().split_first()?;
    let (x, y) = point.split_at_checked(point.len() / 2)?;
    (*mark == 4).then(|| PublicKey::Ec { curve, x: encoded(x).to_string(), y: encoded(y).to_string() })
}

fn ed25519_public(pair: &Ed25519KeyPair) -> PublicKey {
    PublicKey::Ed25519 { x: encoded(pair.public_key().as_ref()).to_string() }
}

/// The public half of a private key in PEM (PKCS#8, PKCS#1 or SEC 1) or JWK; `None` if it is neither, or encrypted.
pub fn public_half(private: &Secret) -> Option<PublicKey> {
    let text = private.expose().trim();
    if text.starts_with('{') {
        return PublicKey::of_jwk(text);
    }
    let document: Zeroizing<Vec<u8>> = der::unpem(text)?;
    let rsa = || {
        let pair = rsa::KeyPair::from_pkcs8(&document).or_else(|_| rsa::KeyPair::from_der(&document)).ok()?;
        let document = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).ok()?;
        Some(rsa_public(&der::rsa_private_numbers(document.as_ref())?))
    };
    let ec = |curve: Curve| {
        let pair = EcdsaKeyPair::from_private_key_der(curve.algorithm(), &document).ok()?;
        ec_public(&pair, curve)
    };
    let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).ok();
    rsa()
        .or_else(|| ec(Curve::P256))
        .or_else(|| ec(Curve::P384))
        .or_else(|| ed25519().map(|pair| ed25519_public(&pair)))
}

#[cfg(test)]
mod tests;
