//! JSON Web Keys: RFC 7517, RFC 7518 section 6, RFC 8037.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keytrail_rules::model::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Curve;

/// A public key. Numbers are base64url, as in a JWK.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublicKey {
    /// RSA.
    Rsa {
        /// The modulus.
        modulus: String,
        /// The exponent.
        exponent: String,
    },
    /// ECDSA.
    Ec {
        /// On which curve.
        curve: Curve,
        /// The first coordinate.
        x: String,
        /// The second coordinate.
        y: String,
    },
    /// Ed25519.
    Ed25519 {
        /// The key.
        x: String,
    },
}

/// The members of a JWK that make up a public key.
#[derive(Deserialize)]
struct Members<'a> {
    kty: &'a str,
    crv: Option<&'a str>,
    n: Option<&'a str>,
    e: Option<&'a str>,
    x: Option<&'a str>,
    y: Option<&'a str>,
}

/// Bytes in base64url.
pub(super) fn encoded(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes))
}

impl PublicKey {
    /// Of a JWK, public or private.
    pub fn of_jwk(text: &str) -> Option<Self> {
        let key: Members<'_> = serde_json::from_str(text).ok()?;
        let own = |member: Option<&str>| {
            let text = member?;
            URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| !bytes.is_empty())?;
            Some(text.to_owned())
        };
        match (key.kty, key.crv) {
            ("RSA", _) => Some(Self::Rsa { modulus: own(key.n)?, exponent: own(key.e)? }),
            ("EC", Some("P-256")) => Some(Self::Ec { curve: Curve::P256, x: own(key.x)?, y: own(key.y)? }),
            ("EC", Some("P-384")) => Some(Self::Ec { curve: Curve::P384, x: own(key.x)?, y: own(key.y)? }),
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519 { x: own(key.x)? }),
            _ => None,
        }
    }

    /// The members that a thumbprint is made of, in the order of their names.
    fn members(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Rsa { modulus, exponent } => vec![("e", exponent), ("kty", "RSA"), ("n", modulus)],
            Self::Ec { curve, x, y } => vec![("crv", curve.name()), ("kty", "EC"), ("x", x), ("y", y)],
            Self::Ed25519 { x } => vec![("crv", "Ed25519"), ("kty", "OKP"), ("x", x)],
        }
    }

    /// The thumbprint under SHA-256, in base64url: RFC 7638.
    pub fn thumbprint(&self) -> String {
        encoded(&Sha256::digest(object(&self.members()).as_bytes())).to_string()
    }

    /// The key as a JWK, with its thumbprint as its `kid`.
    pub fn jwk(&self) -> Value {
        let mut key = json!({"kid": self.thumbprint(), "use": "sig"});
        self.members().into_iter().for_each(|(name, value)| key[name] = value.into());
        key
    }
}

/// The JWK of a private key: `secrets` are the members that its public half does not have.
pub(super) fn private_jwk(public: &PublicKey, secrets: &[(&'static str, Zeroizing<String>)]) -> Secret {
    let kid = public.thumbprint();
    let mut members = public.members();
    members.extend([("kid", kid.as_str()), ("use", "sig")]);
    members.extend(secrets.iter().map(|(name, value)| (*name, value.as_str())));
    Secret::new(object(&members))
}

/// A JSON object of texts that need no escapes, without white space. Never moved while it grows.
fn object(members: &[(&str, &str)]) -> String {
    let length: usize = members.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
    let mut text = String::with_capacity(length + 2);
    text.push('{');
    for (at, (name, value)) in members.iter().enumerate() {
        text.extend([if at == 0 { "\"" } else { ",\"" }, name, "\":\"", value, "\""]);
    }
    text.push('}');
    text
}
