//! Vault and OpenBao as issuers: of logins that their database engine makes.
//!
//! # Guarantees
//! Nothing that the server sends is quoted. A token is sent to the address alone, and stays in a header.

use futures::FutureExt;
use keytrail_rules::model::Secret;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::http::{Http, Reply, address, header};
use crate::settings::Given;

/// How to reach the server: keys of the tables of every kind that asks it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct Reach {
    /// `https://vault.example.com:8200`; by default VAULT_ADDR.
    pub(crate) address: Option<String>,
    /// The token; by default VAULT_TOKEN.
    pub(crate) token: Option<Given>,
    /// The namespace; by default VAULT_NAMESPACE.
    pub(crate) namespace: Option<String>,
}

/// A server with a token.
pub(crate) struct Vault {
    base: Url,
    token: Given,
    namespace: Option<String>,
}

impl Vault {
    /// The server of a table. Nothing is read or sent yet.
    pub(crate) fn new(reach: Reach) -> Result<Self, Failure> {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let base = reach.address.or_else(|| env("VAULT_ADDR")).unwrap_or_else(|| "https://127.0.0.1:8200".to_owned());
        let base = address(base.trim_end_matches('/'))?;
        let token = reach.token.unwrap_or_else(|| Given::Env("VAULT_TOKEN".to_owned()));
        Ok(Self { base, token, namespace: reach.namespace.or_else(|| env("VAULT_NAMESPACE")) })
    }

    /// Asks once: a path below `/v1/`, and a body that holds no value of a secret.
    pub(crate) async fn ask(
        &self,
        context: &Context,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Reply, Failure> {
        let http = Http::new(context, &self.base)?;
        let segments: Vec<&str> = std::iter::once("v1").chain(path.split('/')).collect();
        let token: Secret = self.token.get()?;
        let mut request = http.request(method, &segments).header("X-Vault-Token", header("{value}", &token)?);
        request = request.header("X-Vault-Request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        http.send(request).boxed().await
    }

    /// What keeps the token from each of some paths and what is needed of it, in words; or why the server cannot be asked.
    pub(crate) async fn obstacles(&self, context: &Context, needs: &[(String, &str)]) -> Result<Vec<String>, Failure> {
        let mut obstacles = Vec::new();
        for (path, needed) in needs {
            if !self.may(context, path, needed).await? {
                obstacles.push(format!("the Vault token may not {needed} {path}"));
            }
        }
        Ok(obstacles)
    }

    /// Source: <https://developer.hashicorp.com/vault/api-docs/system/capabilities-self>
    async fn may(&self, context: &Context, path: &str, needed: &str) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Answer {
            capabilities: Vec<String>,
        }
        let body = json!({ "paths": [path] });
        let reply = self.ask(context, Method::POST, "sys/capabilities-self", Some(body)).await?.accepted()?;
        let answer: Answer = reply.json()?;
        Ok(answer.capabilities.iter().any(|has| has == needed || has == "root"))
    }
}

/// What is in the way, where that is not a reason to fail: no reply, no right.
pub(crate) fn in_words(failure: &Failure) -> Vec<String> {
    let hint = failure.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
    vec![format!("{failure}{hint}")]
}

/// Whether the server answered that it does not have something, in the ways that it does: 404, or 400 for leases.
pub(crate) fn is_absent(reply: &Reply) -> bool {
    matches!(reply.status, 400 | 404)
}

/// The same failure as one that certainly was not done, for a request that only reads.
pub(crate) fn unread(failure: Failure) -> Failure {
    Failure { outcome: Outcome::NotDone, ..failure }
}
