//! The password of a database role that Vault or OpenBao keeps: its static roles
//! (<https://developer.hashicorp.com/vault/api-docs/secret/databases#rotate-static-role-credentials>).
//!
//! # Guarantees
//! Done again, `set` rotates no second time: a password that is another than the old one is the new one.
//!
//! # Assumptions
//! 1. The role has one password: the old one ends when the new one is set.
//! 2. The server sets no password that it had before, so that there is no way back but to rotate on. `withdraw` says so
//!    unless the old password is still the current one.

use futures::FutureExt;
use keytrail_rules::model::Secret;
use reqwest::Method;
use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::{Credential, same};
use crate::failure::Failure;
use crate::settings::Given;
use crate::state::Answer;
use crate::vault::{Reach, Vault, in_words, unread};

/// Static roles.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "vault-static",
    about: "has Vault's database engine rotate a static role now",
    open: |settings| {
        let table: Table = settings.read()?;
        let Table { role, mount, address, token, namespace } = table;
        Ok(Box::new(Static { vault: Vault::new(Reach { address, token, namespace })?, role, mount }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The static role.
    role: String,
    /// Where the engine is mounted.
    #[serde(default = "default_mount")]
    mount: String,
    address: Option<String>,
    token: Option<Given>,
    namespace: Option<String>,
}

pub(super) fn default_mount() -> String {
    "database".to_owned()
}

struct Static {
    vault: Vault,
    role: String,
    mount: String,
}

#[derive(Deserialize)]
struct Read {
    data: Current,
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Current {
    username: String,
    password: String,
}

impl Static {
    async fn current(&self, context: &Context) -> Result<Credential, Failure> {
        let path = format!("{}/static-creds/{}", self.mount, self.role);
        let reply = self.vault.ask(context, Method::GET, &path, None).await.map_err(unread)?;
        let mut read: Read = reply.accepted().and_then(|reply| reply.json()).map_err(unread)?;
        let take = |text: &mut String| Secret::new(std::mem::take(text));
        let (user, password) = (take(&mut read.data.username), take(&mut read.data.password));
        Ok(Credential::of_value(password).with("user", user))
    }
}

fn is_same(one: &Credential, other: &Credential) -> bool {
    one.value().zip(other.value()).is_some_and(|(one, other)| same(one, other))
}

impl Issuer for Static {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Issuer, overlap: Overlap::One, answers: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        async move {
            let Self { mount, role, .. } = self;
            let needs = [(format!("{mount}/static-creds/{role}"), "read"), (format!("{mount}/rotate-role/{role}"), "update")];
            let mut obstacles = match self.vault.obstacles(context, &needs).await {
                Ok(obstacles) => obstacles,
                Err(failure) => return Ok(in_words(&failure)),
            };
            match self.current(context).await {
                Ok(current) if old.is_some_and(|old| !is_same(old, &current)) => obstacles.push(format!(
                    "the store holds another password than the static role {role}: Vault rotated it, and the copies were \
                     not brought up to date"
                )),
                Ok(_) => {}
                Err(failure) => obstacles.extend(in_words(&failure)),
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
        old: Option<&'a Credential>,
        _chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        async move {
            let before = self.current(context).await?;
            if old.is_some_and(|old| !is_same(old, &before)) {
                return Ok(before);
            }
            let path = format!("{}/rotate-role/{}", self.mount, self.role);
            self.vault.ask(context, Method::POST, &path, None).await?.accepted()?;
            let after = self.current(context).await.map_err(|failure| Failure::unknown(failure.what))?;
            if is_same(&before, &after) {
                return Err(Failure::unknown("Vault rotated the static role, and it has the same password"));
            }
            Ok(after)
        }
        .boxed()
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        async move {
            Ok(match self.current(context).await {
                Ok(current) if is_same(&current, credential) => Answer::Works,
                Ok(_) => Answer::Rejected,
                Err(_) => Answer::Unknown,
            })
        }
        .boxed()
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        _new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        async move {
            let current = self.current(context).await?;
            if old.is_some_and(|old| is_same(old, &current)) {
                return Ok(());
            }
            Err(Failure::not_done("Vault does not set an earlier password of a static role again")
                .hint("go forward: `keytrail rotate --resume`; or write the current password to the copies by hand"))
        }
        .boxed()
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, _new: Option<&'a Credential>) -> Act<'a, ()> {
        async move {
            match self.check(context, old).await? {
                Answer::Rejected => Ok(()),
                Answer::Works => Err(Failure::not_done("the static role still has its old password")),
                Answer::Unknown => Err(Failure::unknown("Vault does not tell the password of the static role")),
            }
        }
        .boxed()
    }
}
