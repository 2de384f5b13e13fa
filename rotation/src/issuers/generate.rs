//! Values that are made up here and that consumers alone know: passwords between services, signing secrets of webhooks,
//! session keys, key pairs.
//!
//! # Guarantees
//! 1. Values come from [`crate::random`] and [`crate::keys`]: an alphabet and a length are kept to the letter.
//! 2. A value that could be guessed (under 128 bits) is made only where the table says that it is `weak`.
//! 3. A new value differs from the one before.
//!
//! # Assumptions
//! Nobody but the consumers honours the value, so setting, withdrawing and revoking are theirs: they do so as they load.
//! Where they accept several values at once (the fallback keys of a web framework), `accepted` writes them all.

mod recipe;

use keytrail_rules::model::Secret;
use serde::Deserialize;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Opened};
use crate::settings::Settings;
use crate::state::Answer;
pub(super) use recipe::{Format, Recipe, Table as RecipeTable, hex, unchosen};

/// See the module.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "generate",
    about: "makes up values and key pairs that consumers alone know",
    open: |settings| open(settings),
};

#[derive(Deserialize)]
struct Table {
    accepted: Option<Accepted>,
}

/// How consumers want all values that they are to accept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    /// What stands between them.
    pub(super) separator: String,
}

struct Generate {
    recipe: Recipe,
    /// What stands between all values that consumers accept, where they accept several.
    separator: Option<String>,
}

fn open(settings: &Settings) -> Opened<dyn Issuer> {
    let own = Settings(settings.0.iter().filter(|(key, _)| *key == "accepted").map(owned).collect());
    let separator = own.read::<Table>()?.accepted.map(|accepted| accepted.separator);
    let recipe = Recipe::of(settings.clone().without(&["accepted"]).read()?)?;
    if separator.as_ref().is_some_and(|separator| separator.is_empty() || recipe.may_contain(separator)) {
        return Err(Failure::not_done("the separator of `accepted` may be part of a value")
            .hint("choose one with a character that no value has; key pairs are accepted with the issuer \"jwt\""));
    }
    Ok(Box::new(Generate { recipe, separator }))
}

fn owned((key, value): (&String, &serde_json::Value)) -> (String, serde_json::Value) {
    (key.clone(), value.clone())
}

impl Issuer for Generate {
    fn nature(&self) -> Nature {
        let overlap = if self.separator.is_some() { Overlap::Both } else { Overlap::One };
        Nature { chooser: Chooser::Keytrail, overlap, answers: false }
    }

    fn preflight<'a>(&'a self, _: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(async move { Ok(unacceptable(self, old)) })
    }

    fn choose(&self, old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        self.recipe.make(old).map(Some)
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
        Some(joined(credentials, self.separator.as_deref()?))
    }
}

/// Why a current credential cannot be among those that consumers are to accept.
pub(super) fn unacceptable(issuer: &dyn Issuer, old: Option<&Credential>) -> Vec<String> {
    let failure = old.and_then(|old| issuer.accepted(&[old])?.err());
    failure.map(|failure| failure.what).into_iter().collect()
}

/// The values of credentials with a separator between them.
///
/// # Errors
/// A credential without a value; a value with the separator in it.
pub(super) fn joined(credentials: &[&Credential], separator: &str) -> Result<Secret, Failure> {
    let values = credentials.iter().map(|credential| credential.value().map(Secret::expose));
    let values: Vec<&str> =
        values.collect::<Option<_>>().ok_or_else(|| Failure::not_done("a credential has no value"))?;
    if values.iter().any(|value| value.contains(separator)) {
        return Err(Failure::not_done("a value contains the separator of `accepted`").hint("choose another separator"));
    }
    let length = values.iter().map(|value| value.len() + separator.len()).sum();
    let mut text = String::with_capacity(length);
    for (at, value) in values.into_iter().enumerate() {
        text.extend([if at == 0 { "" } else { separator }, value]);
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests;
