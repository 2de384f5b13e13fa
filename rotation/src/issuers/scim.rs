//! The bearer token of a SCIM endpoint (RFC 7644, section 2): the application keeps its SHA-256, and the identity provider
//! that calls the endpoint (the counterpart) the token itself.
//!
//! The value of the item is the hash, as applications keep it, and the part `token` the token; with `stored = "token"` the
//! value is the token, and the part `hash` its hash.
//!
//! # Guarantees
//! 1. The counterpart is told the new token at `set`, and the old one at `withdraw`; telling it again changes nothing.
//! 2. Where the old token is kept nowhere there is no way back, and the preflight says so, unless the table accepts it.
//!
//! # Assumptions
//! 1. The counterpart holds one token. The application accepts the old and the new hash while both are in use, if the table
//!    has `accepted`; else calls between `set` and its loading are refused, and the counterpart tries them again later.
//! 2. The application honours a token as soon as it has loaded the hash: only then does `check` tell something.

mod counterpart;

use keytrail_rules::model::Secret;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::generate::{Accepted, Recipe, RecipeTable, hex, joined, unchosen};
use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::{Credential, VALUE};
use crate::failure::{Failure, Opened};
use crate::http::Verify;
use crate::state::Answer;
use counterpart::{Counterpart, CounterpartTable};

/// See the module.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "scim",
    about: "makes SCIM tokens: the hash for the application, the token for the identity provider",
    open: |settings| open(settings.read()?),
};

/// The part that is the token, where the value is its hash.
const TOKEN: &str = "token";

/// The part that is the hash, where the value is the token.
const HASH: &str = "hash";

/// Random bytes of a token.
const TOKEN_BYTES: usize = 48;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    stored: Stored,
    /// Random bytes of a token.
    bytes: Option<usize>,
    #[serde(default)]
    prefix: String,
    /// The SCIM endpoint: `https://app.example.com/scim/v2`.
    endpoint: Option<String>,
    counterpart: CounterpartTable,
    accepted: Option<Accepted>,
    /// Whether the token may be changed where the old one is kept nowhere, so that there is no way back.
    #[serde(default)]
    one_way: bool,
}

/// What the application keeps.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stored {
    #[default]
    Hash,
    Token,
}

struct Scim {
    stored: Stored,
    recipe: Recipe,
    verify: Option<Verify>,
    counterpart: Counterpart,
    separator: Option<String>,
    one_way: bool,
}

fn open(table: Table) -> Opened<dyn Issuer> {
    let bytes = Some(table.bytes.unwrap_or(TOKEN_BYTES));
    let recipe = Recipe::of(RecipeTable { bytes, prefix: table.prefix, ..RecipeTable::default() })?;
    let verify = table
        .endpoint
        .as_ref()
        .map(|endpoint| Verify::bearer(format!("{}/ServiceProviderConfig", endpoint.trim_end_matches('/'))));
    verify.as_ref().map_or(Ok(()), Verify::validate)?;
    let separator = table.accepted.map(|accepted| accepted.separator);
    if separator.as_ref().is_some_and(|separator| separator.is_empty() || recipe.may_contain(separator)) {
        return Err(Failure::not_done("the separator of `accepted` may be part of a value").hint("separator = \",\""));
    }
    let counterpart = Counterpart::of(table.counterpart, table.endpoint.as_deref())?;
    Ok(Box::new(Scim { stored: table.stored, recipe, verify, counterpart, separator, one_way: table.one_way }))
}

impl Scim {
    /// The token of a credential, where it is known.
    fn token<'a>(&self, credential: &'a Credential) -> Option<&'a Secret> {
        match self.stored {
            Stored::Hash => credential.part(TOKEN),
            Stored::Token => credential.value(),
        }
    }
}

/// The SHA-256 of a token in hexadecimal digits.
fn hash(token: &Secret) -> Secret {
    Secret::from(hex(&Sha256::digest(token.expose().as_bytes())).as_str())
}

impl Issuer for Scim {
    fn nature(&self) -> Nature {
        let overlap = if self.separator.is_some() { Overlap::Both } else { Overlap::One };
        // The application accepts the new hash once it has loaded it, which is after the new value is looked at.
        Nature { chooser: Chooser::Keytrail, overlap, answers: false }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(async move {
            let mut obstacles = self.counterpart.preflight(context).await?;
            if old.is_some_and(|old| self.token(old).is_none()) && !self.one_way {
                obstacles.push(
                    "the old token is kept nowhere (part `token`), so there would be no way back: accept that with \
                     `one_way = true`"
                        .to_owned(),
                );
            }
            Ok(obstacles)
        })
    }

    fn choose(&self, old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        let made = self.recipe.make(old)?;
        let token = made.value().ok_or_else(unchosen)?;
        let (hash, token) = (hash(token), Secret::from(token.expose()));
        let (value, part, other) = match self.stored {
            Stored::Hash => (hash, TOKEN, token),
            Stored::Token => (token, HASH, hash),
        };
        Ok(Some(Credential::default().with(VALUE, value).with(part, other)))
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        _: Option<&'a Credential>,
        chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        Box::pin(async move {
            let chosen = chosen.ok_or_else(unchosen)?;
            self.counterpart.tell(context, self.token(chosen).ok_or_else(unchosen)?).await?;
            Ok(chosen.duplicate())
        })
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        Box::pin(async move {
            match (&self.verify, self.token(credential)) {
                (Some(verify), Some(token)) => Ok(verify.ask(context, token).await),
                _ => Ok(Answer::Unknown),
            }
        })
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        _: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(async move {
            let Some(old) = old else { return Ok(()) };
            let token = self.token(old).ok_or_else(|| {
                Failure::not_done("the old token is kept nowhere, and cannot be given back to the identity provider")
                    .hint("go on with the new one, or set the old one there by hand")
            })?;
            self.counterpart.tell(context, token).await
        })
    }

    fn revoke<'a>(&'a self, _: &'a Context, _: &'a Credential, _: Option<&'a Credential>) -> Act<'a, ()> {
        // The counterpart has forgotten it, and the application does as it loads.
        Box::pin(async { Ok(()) })
    }

    fn accepted(&self, credentials: &[&Credential]) -> Option<Result<Secret, Failure>> {
        Some(joined(credentials, self.separator.as_deref()?))
    }
}

#[cfg(test)]
mod tests;
