//! Logins that the database engine of Vault or OpenBao makes, each with a lease
//! (<https://developer.hashicorp.com/vault/api-docs/secret/databases#generate-credentials>).
//!
//! # Guarantees
//! 1. A new login never ends an old one: each has a lease of its own, and only the lease that is named is revoked.
//! 2. Done again without a reply, `set` makes one login more; the one that nobody knows ends with its lease.
//!
//! # Assumptions
//! 1. The lease of the current login is kept beside it, as the part `lease`; without it nothing can be revoked.
//! 2. The server honours a login for as long as its lease is there; that is what `check` asks.

use futures::FutureExt;
use keytrail_rules::model::Secret;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::state::Answer;
use crate::vault::{Reach, Vault, in_words, is_absent};

/// Logins with leases.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "vault-dynamic",
    about: "has Vault's database engine make a new login, and later revokes the lease of the old one",
    open: |settings| {
        let table: Table = settings.read()?;
        let Table { role, mount, address, token, namespace } = table;
        Ok(Box::new(Dynamic { vault: Vault::new(Reach { address, token, namespace })?, role, mount }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The role.
    role: String,
    /// Where the engine is mounted.
    #[serde(default = "super::vault_static::default_mount")]
    mount: String,
    address: Option<String>,
    token: Option<crate::settings::Given>,
    namespace: Option<String>,
}

struct Dynamic {
    vault: Vault,
    role: String,
    mount: String,
}

/// Parts of the credential beside its value, the password.
const USER: &str = "user";
const LEASE: &str = "lease";

#[derive(Deserialize)]
struct Made {
    lease_id: String,
    data: Login,
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Login {
    username: String,
    password: String,
}

impl Dynamic {
    fn path(&self) -> String {
        format!("{}/creds/{}", self.mount, self.role)
    }

    async fn end(&self, context: &Context, credential: &Credential) -> Result<(), Failure> {
        let Some(lease) = credential.part(LEASE) else {
            return Err(no_lease());
        };
        // Synchronous: the answer comes when the database has dropped the login.
        let body = json!({ "lease_id": lease.expose(), "sync": true });
        let reply = self.vault.ask(context, Method::PUT, "sys/leases/revoke", Some(body)).await?;
        if reply.is_success() {
            return Ok(());
        }
        // A lease that is gone is what was asked for.
        match self.look(context, lease).await? {
            Answer::Rejected => Ok(()),
            _ => Err(reply.refusal()),
        }
    }

    async fn look(&self, context: &Context, lease: &Secret) -> Result<Answer, Failure> {
        let body = json!({ "lease_id": lease.expose() });
        let reply = self.vault.ask(context, Method::PUT, "sys/leases/lookup", Some(body)).await?;
        Ok(match reply.status {
            200 => Answer::Works,
            _ if is_absent(&reply) => Answer::Rejected,
            _ => Answer::Unknown,
        })
    }
}

fn no_lease() -> Failure {
    Failure::not_done("the lease of the login is not known, so Vault cannot be told to revoke it")
        .hint("keep it beside the password, and name the place: parts = { lease = [\"vault:…#lease\"] }")
}

impl Issuer for Dynamic {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Issuer, overlap: Overlap::Both, answers: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        async move {
            let needs = [
                (self.path(), "read"),
                ("sys/leases/revoke".to_owned(), "update"),
                ("sys/leases/lookup".to_owned(), "update"),
            ];
            let mut obstacles = match self.vault.obstacles(context, &needs).await {
                Ok(obstacles) => obstacles,
                Err(failure) => return Ok(in_words(&failure)),
            };
            if old.is_some_and(|old| old.part(LEASE).is_none()) {
                obstacles.extend(in_words(&no_lease()));
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
            let reply = self.vault.ask(context, Method::GET, &self.path(), None).await?.accepted()?;
            let mut made: Made = reply.json()?;
            let take = |text: &mut String| Secret::new(std::mem::take(text));
            let (user, password) = (take(&mut made.data.username), take(&mut made.data.password));
            Ok(Credential::of_value(password).with(USER, user).with(LEASE, take(&mut made.lease_id)))
        }
        .boxed()
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        async move {
            match credential.part(LEASE) {
                Some(lease) => self.look(context, lease).await,
                None => Ok(Answer::Unknown),
            }
        }
        .boxed()
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        _old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        async move {
            match new {
                Some(new) => self.end(context, new).await,
                // One whose reply was lost is known to nobody, and ends with its lease.
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, _new: Option<&'a Credential>) -> Act<'a, ()> {
        self.end(context, old).boxed()
    }
}
