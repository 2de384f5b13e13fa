//! Who calls a SCIM endpoint, and is told its token.

use std::sync::Arc;

use keytrail_rules::model::Secret;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

use super::super::Issuer;
use super::super::command::{CommandIssuer, Table as CommandTable};
use super::super::human::{Person, confirm, terminal};
use crate::context::Context;
use crate::credential::Credential;
use crate::failure::Failure;
use crate::http::{Http, Reply, address, header};
use crate::settings::Given;

/// Microsoft Graph.
const GRAPH: &str = "https://graph.microsoft.com/v1.0";

/// `{ entra = {…} }`, `{ command = {…} }` or `{ human = {…} }`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum CounterpartTable {
    Entra(EntraTable),
    Command(Box<CommandTable>),
    Human(HumanTable),
}

/// Microsoft Entra ID.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntraTable {
    /// The object id of the service principal of the enterprise application.
    service_principal: String,
    /// Of Graph, where it is another cloud's.
    address: Option<String>,
    /// An access token of Graph with the permission `Synchronization.ReadWrite.All`.
    token: Given,
}

/// A person at a console.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HumanTable {
    /// What to do there.
    steps: Vec<String>,
}

/// Who is told.
pub(super) enum Counterpart {
    Entra(Entra),
    Command(CommandIssuer),
    Human { steps: Vec<String>, person: Arc<dyn Person> },
}

/// What is told to Graph.
#[derive(Serialize)]
struct Secrets<'a> {
    value: [Pair<'a>; 2],
}

#[derive(Serialize)]
struct Pair<'a> {
    key: &'static str,
    value: &'a str,
}

/// The synchronization of an enterprise application:
/// <https://learn.microsoft.com/graph/api/synchronization-serviceprincipal-put-synchronization>.
pub(super) struct Entra {
    graph: Url,
    endpoint: String,
    service_principal: String,
    token: Given,
}

impl Entra {
    fn of(table: EntraTable, endpoint: Option<&str>) -> Result<Self, Failure> {
        let endpoint = endpoint
            .ok_or_else(|| Failure::not_done("Entra is told the address of the endpoint too").hint("add `endpoint`"))?;
        Ok(Self {
            graph: address(table.address.as_deref().unwrap_or(GRAPH))?,
            endpoint: endpoint.to_owned(),
            service_principal: table.service_principal,
            token: table.token,
        })
    }

    async fn put(&self, context: &Context, token: &Secret) -> Result<(), Failure> {
        let pair = |key, value| Pair { key, value };
        let value = [pair("BaseAddress", self.endpoint.as_str()), pair("SecretToken", token.expose())];
        let body = serde_json::to_vec(&Secrets { value });
        let body = body.map_err(|_| Failure::not_done("the token cannot be written as JSON"))?;
        self.ask(context, Method::PUT, &["synchronization", "secrets"], Some(body)).await?.accepted().map(drop)
    }

    async fn ask(
        &self,
        context: &Context,
        method: Method,
        path: &[&str],
        body: Option<Vec<u8>>,
    ) -> Result<Reply, Failure> {
        let http = Http::new(context, &self.graph)?;
        let account = ["servicePrincipals", self.service_principal.as_str()];
        let login = header("Bearer {value}", &self.token.get()?)?;
        let mut request = http.request(method, &[&account, path].concat()).header("authorization", login);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        http.send(request).await
    }
}

impl Counterpart {
    pub(super) fn of(table: CounterpartTable, endpoint: Option<&str>) -> Result<Self, Failure> {
        match table {
            CounterpartTable::Entra(table) => Entra::of(table, endpoint).map(Self::Entra),
            CounterpartTable::Command(table) => CommandIssuer::of(*table).map(Self::Command),
            CounterpartTable::Human(table) => Ok(Self::Human { steps: table.steps, person: terminal() }),
        }
    }

    /// What would keep it from being told.
    pub(super) async fn preflight(&self, context: &Context) -> Result<Vec<String>, Failure> {
        match self {
            Self::Entra(entra) => {
                let reply = entra.ask(context, Method::GET, &["synchronization", "jobs"], None).await;
                Ok(reply.and_then(Reply::accepted).err().map(|failure| failure.what).into_iter().collect())
            }
            Self::Command(command) => command.preflight(context, None).await,
            Self::Human { person, .. } => Ok(person.obstacle().into_iter().collect()),
        }
    }

    /// Tells it a token, which it uses from then on.
    pub(super) async fn tell(&self, context: &Context, token: &Secret) -> Result<(), Failure> {
        match self {
            Self::Entra(entra) => entra.put(context, token).await,
            Self::Command(command) => {
                let credential = Credential::of_value(Secret::from(token.expose()));
                command.set(context, None, Some(&credential)).await.map(drop)
            }
            Self::Human { steps, person } => {
                let (person, steps) = (person.clone(), steps.clone());
                let token = Secret::from(token.expose());
                confirm(person, move |person| {
                    person.tell("Tell the identity provider the token of the SCIM endpoint:")?;
                    steps.iter().try_for_each(|step| person.tell(&format!("  - {step}")))?;
                    person.show(&token)
                })
                .await
            }
        }
    }
}
