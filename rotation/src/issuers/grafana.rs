//! Tokens of Grafana's service accounts:
//! <https://grafana.com/docs/grafana/latest/developers/http_api/serviceaccount/>.
//!
//! # Guarantees
//! 1. A run makes tokens of one name, `keytrail-` and the run, and leaves at most one of them: what an earlier try made
//!    without a reply is deleted first, since its value is lost.
//! 2. The old token is deleted by its id alone: the part `token_id` of the credential, or `current_token_id` of the table.
//!    Which token a value belongs to cannot be asked, so without an id nothing is deleted, and the preflight says so.
//!
//! # Assumptions
//! 1. Nobody else names tokens `keytrail-…`.
//! 2. A request that got no reply has been carried out, or never will be, by the time of the next one. `lifetime` ends what
//!    a later one may leave.

use keytrail_rules::model::Secret;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Outcome};
use crate::http::{Http, Reply, Verify, address, header};
use crate::settings::{Given, Span};
use crate::state::Answer;

/// See the module.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "grafana",
    about: "makes tokens of a Grafana service account",
    open: |settings| {
        let table: Table = settings.read()?;
        address(&table.address)?;
        Ok(Box::new(Grafana { table }))
    },
};

/// The part of a credential that is the id of its token.
const TOKEN_ID: &str = "token_id";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// `https://grafana.example.com`.
    address: String,
    /// The id of the service account.
    service_account: u64,
    /// What Keytrail logs in with: it may read and write the service account.
    token: Given,
    /// Of a new token; for ever without.
    lifetime: Option<Span>,
    /// The id of the token that is in use before the first rotation, where no part `token_id` is kept.
    current_token_id: Option<u64>,
}

struct Grafana {
    table: Table,
}

/// A token as it is listed.
#[derive(Deserialize)]
struct Listed {
    id: u64,
    name: String,
}

/// A token as it was made.
#[derive(Deserialize)]
struct Made {
    id: u64,
    key: String,
}

/// The name of what a run makes.
fn name(context: &Context) -> String {
    format!("keytrail-{}", context.run)
}

fn unknown_id() -> Failure {
    Failure::not_done("which token of the service account is the old one is not known").hint(
        "keep its id beside the value with `parts = { token_id = […] }`, name it once as `current_token_id`, or delete the \
         old token in Grafana",
    )
}

impl Grafana {
    /// A request about the tokens of the service account, sent.
    async fn ask(
        &self,
        context: &Context,
        method: Method,
        id: Option<u64>,
        body: Option<String>,
    ) -> Result<Reply, Failure> {
        let http = Http::new(context, &address(&self.table.address)?)?;
        let (account, id) = (self.table.service_account.to_string(), id.map(|id| id.to_string()));
        let path = ["api", "serviceaccounts", &account, "tokens"].into_iter().chain(id.as_deref());
        let login = header("Bearer {value}", &self.table.token.get()?)?;
        let mut request = http.request(method, &path.collect::<Vec<_>>()).header("authorization", login);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        http.send(request).await
    }

    async fn list(&self, context: &Context) -> Result<Vec<Listed>, Failure> {
        self.ask(context, Method::GET, None, None).await?.accepted()?.json()
    }

    /// Deletes a token; one that is not there is deleted.
    async fn delete(&self, context: &Context, id: u64) -> Result<(), Failure> {
        let reply = self.ask(context, Method::DELETE, Some(id), None).await?;
        if reply.status == 404 { Ok(()) } else { reply.accepted().map(drop) }
    }

    /// Deletes what this run made.
    async fn reap(&self, context: &Context) -> Result<(), Failure> {
        let name = name(context);
        for token in self.list(context).await?.into_iter().filter(|token| token.name == name) {
            self.delete(context, token.id).await?;
        }
        Ok(())
    }

    async fn make(&self, context: &Context) -> Result<Credential, Failure> {
        let lifetime = self.table.lifetime.map_or(0, |lifetime| lifetime.0.as_secs());
        let body = json!({"name": name(context), "secondsToLive": lifetime}).to_string();
        let made: Made = self.ask(context, Method::POST, None, Some(body)).await?.accepted()?.json()?;
        Ok(Credential::of_value(Secret::new(made.key)).with(TOKEN_ID, Secret::new(made.id.to_string())))
    }

    /// The id of the token that an old credential is.
    fn old_id(&self, old: &Credential) -> Option<u64> {
        match old.part(TOKEN_ID) {
            Some(id) => id.expose().trim().parse().ok(),
            None => self.table.current_token_id,
        }
    }
}

fn id_of(credential: &Credential) -> Option<u64> {
    credential.part(TOKEN_ID)?.expose().trim().parse().ok()
}

impl Issuer for Grafana {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Issuer, overlap: Overlap::Both, answers: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(async move {
            let listed = match self.list(context).await {
                Ok(listed) => listed,
                Err(failure) => return Ok(vec![failure.what]),
            };
            Ok(match old.map(|old| self.old_id(old)) {
                Some(None) => vec![unknown_id().what],
                Some(Some(id)) if !listed.iter().any(|token| token.id == id) => {
                    vec![format!("the service account has no token {id}, which the current one is said to be")]
                }
                _ => Vec::new(),
            })
        })
    }

    fn choose(&self, _: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        Ok(None)
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        _: Option<&'a Credential>,
        _: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        Box::pin(async move {
            self.reap(context).await?;
            match self.make(context).await {
                // A name that is taken although nothing had it: a try before this one was carried out late.
                Err(failure) if failure.outcome == Outcome::Conflict => {
                    self.reap(context).await?;
                    self.make(context).await
                }
                made => made,
            }
        })
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        Box::pin(async move {
            let base = self.table.address.trim_end_matches('/');
            let Some(value) = credential.value() else { return Ok(Answer::Unknown) };
            Ok(Verify::bearer(format!("{base}/api/access-control/user/permissions")).ask(context, value).await)
        })
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        _: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(async move {
            if let Some(id) = new.and_then(id_of) {
                self.delete(context, id).await?;
            }
            self.reap(context).await
        })
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(async move {
            let id = self.old_id(old).ok_or_else(unknown_id)?;
            if new.and_then(id_of) == Some(id) {
                return Err(Failure::not_done("the old token and the new one have the same id")
                    .hint("correct the part token_id of the old one"));
            }
            self.delete(context, id).await
        })
    }
}

#[cfg(test)]
mod tests;
