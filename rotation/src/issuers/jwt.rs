//! Keys that sign JSON Web Tokens. Consumers change over in three phases: they accept the new key beside the old one
//! (`accepted` with both), then sign with the new one (`value`), then drop the old one (`accepted` with the new one).
//!
//! # Guarantees
//! 1. `accepted` holds public keys alone, but for HS256, where who verifies needs the secret.
//! 2. A key keeps the `kid` that it had: that of its JWK, or of the key set that the credential carries as `accepted`
//!    or `jwks`. Any other key is called by its thumbprint (RFC 7638).
//!
//! # Assumptions
//! 1. Who signs and who verifies are the consumers: nobody else has to be asked.
//! 2. `token_ttl` is the longest life of a token, and `jwks_cache` the longest time for which who verifies keeps a key set.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keytrail_rules::model::Secret;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::generate::{Format, Recipe, RecipeTable, joined, unacceptable, unchosen};
use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::keys::{Curve, Encoding, PublicKey, public_half};
use crate::settings::Span;
use crate::state::Answer;

/// See the module.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "jwt",
    about: "changes the keys of JSON Web Tokens: accept the new one, sign with it, drop the old one",
    open: |settings| Ok(Box::new(Jwt::of(settings.read()?)?)),
};

/// RFC 7518, section 3.1, and RFC 8037.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
enum Algorithm {
    HS256,
    RS256,
    ES256,
    ES384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    fn is_of(self, key: &PublicKey) -> bool {
        match key {
            PublicKey::Rsa { .. } => self == Self::RS256,
            PublicKey::Ec { curve: Curve::P256, .. } => self == Self::ES256,
            PublicKey::Ec { curve: Curve::P384, .. } => self == Self::ES384,
            PublicKey::Ed25519 { .. } => self == Self::EdDsa,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    algorithm: Algorithm,
    /// The longest life of a token.
    token_ttl: Span,
    /// How long who verifies may keep a key set.
    #[serde(default)]
    jwks_cache: Span,
    accepted_format: Option<AcceptedFormat>,
    /// Of a list.
    separator: Option<String>,
    /// Of a new HS256 secret: RFC 7518, section 3.2, wants 32 or more.
    bytes: Option<usize>,
    /// Of a new RSA key.
    bits: Option<u32>,
    /// Of a new private key.
    encoding: Option<Encoding>,
}

/// How consumers want the keys that they are to accept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AcceptedFormat {
    /// A JSON Web Key Set.
    Jwks,
    /// HS256 secrets with a separator between them.
    List,
}

struct Jwt {
    algorithm: Algorithm,
    recipe: Recipe,
    /// What stands between the values; `None` for a key set.
    separator: Option<String>,
    token_ttl: Duration,
    jwks_cache: Duration,
}

impl Jwt {
    fn of(table: Table) -> Result<Self, Failure> {
        let algorithm = table.algorithm;
        let recipe = |format, curve: Option<&str>| {
            let curve = curve.map(str::to_owned);
            let (bytes, bits, encoding) = (table.bytes, table.bits, table.encoding);
            Recipe::of(RecipeTable { format, bytes, bits, curve, encoding, ..RecipeTable::default() })
        };
        let recipe = match algorithm {
            Algorithm::HS256 if table.bytes.is_some_and(|bytes| bytes < 32) => {
                return Err(Failure::not_done("a secret of HS256 has 32 bytes or more").hint("raise `bytes`"));
            }
            Algorithm::HS256 => recipe(Format::UrlSafe64, None),
            Algorithm::RS256 => recipe(Format::Rsa, None),
            Algorithm::ES256 => recipe(Format::Ec, Some("P-256")),
            Algorithm::ES384 => recipe(Format::Ec, Some("P-384")),
            Algorithm::EdDsa => recipe(Format::Ed25519, None),
        }?;
        let usual = if algorithm == Algorithm::HS256 { AcceptedFormat::List } else { AcceptedFormat::Jwks };
        let separator = match (table.accepted_format.unwrap_or(usual), table.separator) {
            (AcceptedFormat::List, _) if algorithm != Algorithm::HS256 => {
                return Err(
                    Failure::not_done("public keys are accepted as a key set").hint("accepted_format = \"jwks\"")
                );
            }
            (AcceptedFormat::List, separator) => Some(separator.unwrap_or_else(|| ",".to_owned())),
            (AcceptedFormat::Jwks, None) => None,
            (AcceptedFormat::Jwks, Some(_)) => return Err(Failure::not_done("a key set has no `separator`")),
        };
        if separator.as_ref().is_some_and(|separator| separator.is_empty() || recipe.may_contain(separator)) {
            return Err(Failure::not_done("the separator may be part of a value").hint("separator = \",\""));
        }
        Ok(Self { algorithm, recipe, separator, token_ttl: table.token_ttl.0, jwks_cache: table.jwks_cache.0 })
    }

    /// A key set of credentials, in their order.
    fn key_set(&self, credentials: &[&Credential]) -> Result<Secret, Failure> {
        let mut keys = Vec::with_capacity(credentials.len());
        for credential in credentials {
            let value = credential.value().ok_or_else(|| Failure::not_done("a credential has no value"))?;
            keys.push(
                match self.algorithm {
                    Algorithm::HS256 => Key::of_secret(value),
                    _ => self.public(value)?,
                }
                .called_as_in(credential),
            );
        }
        let texts: Vec<_> = keys.iter().map(Key::text).collect();
        let length = texts.iter().map(|text| text.len() + 1).sum::<usize>() + 16;
        let mut set = String::with_capacity(length);
        set.push_str("{\"keys\":[");
        for (at, text) in texts.iter().enumerate() {
            set.extend([if at == 0 { "" } else { "," }, text.as_str()]);
        }
        set.push_str("]}");
        Ok(Secret::new(set))
    }

    fn public(&self, private: &Secret) -> Result<Key, Failure> {
        let key = public_half(private).ok_or_else(|| {
            Failure::not_done("the current value is no private key in PEM or JWK").hint(
                "check `algorithm` and which key of the store holds the signing key; an encrypted key is not read",
            )
        })?;
        let mut jwk = key.jwk();
        if self.algorithm.is_of(&key) {
            jwk["alg"] = self.algorithm.name().into();
        }
        Ok(Key { kid: key.thumbprint(), kind: KeyText::Public(key, jwk) })
    }
}

/// A key of a key set.
struct Key {
    kid: String,
    kind: KeyText,
}

enum KeyText {
    Public(PublicKey, Value),
    /// In base64url.
    Shared(Zeroizing<String>),
}

impl Key {
    /// A shared secret: RFC 7518, section 6.4. Its thumbprint tells no more of it than a token that it signed.
    fn of_secret(value: &Secret) -> Self {
        let k = Zeroizing::new(URL_SAFE_NO_PAD.encode(value.expose()));
        let members = Zeroizing::new(["{\"k\":\"", &k, "\",\"kty\":\"oct\"}"].concat());
        Self { kid: URL_SAFE_NO_PAD.encode(Sha256::digest(members.as_bytes())), kind: KeyText::Shared(k) }
    }

    /// The same under the name that it has in the credential's own JWK, or key sets.
    fn called_as_in(mut self, credential: &Credential) -> Self {
        let value = credential.value().and_then(|value| self.kid_in(value.expose()));
        let sets = ["accepted", "jwks"].into_iter().filter_map(|part| credential.part(part));
        let known = value.or_else(|| {
            let mut keys = sets.flat_map(|set| keys_of(set.expose()));
            keys.find_map(|key| self.kid_in(&key))
        });
        if let Some(kid) = known {
            self.kid = kid;
        }
        self
    }

    /// What a JWK calls itself, if it is this key.
    fn kid_in(&self, jwk: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Named<'a> {
            kid: String,
            k: Option<&'a str>,
        }
        let named: Named<'_> = serde_json::from_str(jwk).ok()?;
        let same = match &self.kind {
            KeyText::Public(key, _) => PublicKey::of_jwk(jwk).as_ref() == Some(key),
            KeyText::Shared(k) => named.k == Some(k.as_str()),
        };
        same.then_some(named.kid)
    }

    fn text(&self) -> Zeroizing<String> {
        let kid = Value::from(self.kid.as_str());
        Zeroizing::new(match &self.kind {
            KeyText::Public(_, jwk) => {
                let mut jwk = jwk.clone();
                jwk["kid"] = kid;
                jwk.to_string()
            }
            KeyText::Shared(k) => {
                ["{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":", &kid.to_string(), ",\"k\":\"", k, "\"}"].concat()
            }
        })
    }
}

/// The keys of a key set, each as text; none of anything else.
fn keys_of(set: &str) -> Vec<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Set<'a> {
        #[serde(borrow)]
        keys: Vec<&'a serde_json::value::RawValue>,
    }
    let set: Option<Set<'_>> = serde_json::from_str(set).ok();
    set.into_iter().flat_map(|set| set.keys).map(|key| Zeroizing::new(key.get().to_owned())).collect()
}

impl Issuer for Jwt {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Keytrail, overlap: Overlap::Both, answers: false }
    }

    fn preflight<'a>(&'a self, _: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(async move { Ok(unacceptable(self, old)) })
    }

    fn choose(&self, old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        let mut new = self.recipe.make(old)?;
        match (self.algorithm, new.value()) {
            (Algorithm::HS256, Some(value)) if self.separator.is_none() => {
                let kid = Key::of_secret(value).kid;
                new.set("kid", Secret::new(kid));
            }
            (Algorithm::HS256, _) => {}
            _ => {
                let jwks = self.key_set(&[&new])?;
                new.set("jwks", jwks);
            }
        }
        Ok(Some(new))
    }

    fn set<'a>(
        &'a self,
        _: &'a Context,
        _: Option<&'a Credential>,
        chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        Box::pin(async move { chosen.map(Credential::duplicate).ok_or_else(unchosen) })
    }

    fn check<'a>(&'a self, _: &'a Context, _: &'a Credential) -> Act<'a, Answer> {
        Box::pin(async { Ok(Answer::Unknown) })
    }

    fn withdraw<'a>(&'a self, _: &'a Context, _: Option<&'a Credential>, _: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn revoke<'a>(&'a self, _: &'a Context, _: &'a Credential, _: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn accepted(&self, credentials: &[&Credential]) -> Option<Result<Secret, Failure>> {
        Some(match &self.separator {
            Some(separator) => joined(credentials, separator),
            None => self.key_set(credentials),
        })
    }

    fn acceptance_delay(&self) -> Duration {
        self.jwks_cache
    }

    fn least_grace(&self) -> Duration {
        self.token_ttl + self.jwks_cache
    }
}

#[cfg(test)]
mod tests;
