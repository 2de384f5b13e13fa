//! The login that Vault or OpenBao itself has at a database, which nobody else is to know
//! (<https://developer.hashicorp.com/vault/api-docs/secret/databases#rotate-root-credentials>).
//!
//! # Guarantees
//! Nothing is told to Keytrail, and so nothing can leak: the credential has no parts.
//!
//! # Assumptions
//! 1. The login is Vault's alone. Whoever else uses it is locked out, and there is no way back.
//! 2. Doing it again rotates again, which harms nobody.

use futures::FutureExt;
use reqwest::Method;
use serde::Deserialize;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::settings::Given;
use crate::state::Answer;
use crate::vault::{Reach, Vault, in_words};

/// Vault's own login at a database.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "vault-root",
    about: "has Vault rotate its own login at a database, which nobody else knows",
    open: |settings| {
        let table: Table = settings.read()?;
        let Table { connection, mount, address, token, namespace } = table;
        Ok(Box::new(Root { vault: Vault::new(Reach { address, token, namespace })?, connection, mount }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The name of the connection: that of `database/config/NAME`.
    connection: String,
    /// Where the engine is mounted.
    #[serde(default = "super::vault_static::default_mount")]
    mount: String,
    address: Option<String>,
    token: Option<Given>,
    namespace: Option<String>,
}

struct Root {
    vault: Vault,
    connection: String,
    mount: String,
}

impl Issuer for Root {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Issuer, overlap: Overlap::One, answers: false }
    }

    fn preflight<'a>(&'a self, context: &'a Context, _old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        async move {
            let Self { mount, connection, .. } = self;
            let needs = [
                (format!("{mount}/config/{connection}"), "read"),
                (format!("{mount}/rotate-root/{connection}"), "update"),
            ];
            let mut obstacles = match self.vault.obstacles(context, &needs).await {
                Ok(obstacles) => obstacles,
                Err(failure) => return Ok(in_words(&failure)),
            };
            let config = self.vault.ask(context, Method::GET, &format!("{mount}/config/{connection}"), None).await;
            if let Err(failure) = config.and_then(crate::http::Reply::accepted) {
                obstacles.extend(in_words(&failure));
            }
            Ok(obstacles)
        }
        .boxed()
    }

    fn choose(&self, _old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        Ok(None)
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        _old: Option<&'a Credential>,
        _chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        async move {
            let path = format!("{}/rotate-root/{}", self.mount, self.connection);
            self.vault.ask(context, Method::POST, &path, None).await?.accepted()?;
            Ok(Credential::default())
        }
        .boxed()
    }

    fn check<'a>(&'a self, _context: &'a Context, _credential: &'a Credential) -> Act<'a, Answer> {
        async { Ok(Answer::Unknown) }.boxed()
    }

    fn withdraw<'a>(
        &'a self,
        _context: &'a Context,
        _old: Option<&'a Credential>,
        _new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        // Vault goes on with the login that it has, whichever that is.
        async { Ok(()) }.boxed()
    }

    fn revoke<'a>(&'a self, _context: &'a Context, _old: &'a Credential, _new: Option<&'a Credential>) -> Act<'a, ()> {
        async { Ok(()) }.boxed()
    }
}
