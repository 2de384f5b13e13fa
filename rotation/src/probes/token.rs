//! A token that is minted with the credential itself: OAuth 2.0 client credentials (RFC 6749 §4.4), as in
//! `{ token = "https://login.example.com/oauth/token", client_id = "…", item = "AUTH0_CLIENT_SECRET" }`.
//!
//! 200 with an `access_token` is healthy. A refusal of the client (401, or 400 with `invalid_client`, §5.2) is unhealthy.
//! Whatever else comes tells nothing of the credential.
//!
//! # Guarantees
//! The credential goes out in the body or by HTTP Basic, never in the clear to another machine. The token is not kept.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::FutureExt;
use keytrail_rules::model::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, Url};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{Health, Moment, Probe, ProbeKind};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::http::{Http, Reply, endpoint, header};
use crate::settings::Settings;
use crate::workloads::{Values, credential_of};

/// Tokens.
pub(super) static KIND: ProbeKind = ProbeKind {
    name: "token",
    about: "mints an OAuth token with the client's new secret",
    open: |settings| Ok(Box::new(Mint::new(settings)?)),
};

/// What is escaped: all but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    token: String,
    client_id: String,
    /// The item whose value is the client's secret.
    item: String,
    audience: Option<String>,
    scope: Option<String>,
    #[serde(default)]
    style: Style,
}

/// How the client shows its secret (RFC 6749 §2.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Style {
    /// `client_id` and `client_secret` in the body.
    #[default]
    Post,
    /// HTTP Basic.
    Basic,
}

struct Mint {
    url: Url,
    table: Table,
}

/// What an endpoint answers; of the token only whether there is one.
#[derive(Deserialize, Default)]
struct Answer {
    #[serde(default, rename = "access_token", deserialize_with = "is_text")]
    has_token: bool,
    #[serde(default, rename = "error", deserialize_with = "is_refusal")]
    is_refused: bool,
}

fn is_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(!Zeroizing::new(String::deserialize(deserializer)?).is_empty())
}

/// Whether an error says that the client is unknown or its secret wrong.
fn is_refusal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(deserializer)? == "invalid_client")
}

/// As in a form: a byte becomes three at most.
fn escaped(text: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(3 * text.len()));
    escaped.extend(utf8_percent_encode(text, RESERVED));
    escaped
}

impl Mint {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let table: Table = settings.read()?;
        Ok(Self { url: endpoint(&table.token, true)?, table })
    }

    /// The body of the request: a form.
    fn form(&self, secret: &Secret) -> Zeroizing<String> {
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(self.table.audience.as_deref().map(|audience| ("audience", audience)));
        fields.extend(self.table.scope.as_deref().map(|scope| ("scope", scope)));
        if self.table.style == Style::Post {
            fields.extend([("client_id", self.table.client_id.as_str()), ("client_secret", secret.expose())]);
        }
        // As long as it can get: it does not move as it grows.
        let room = fields.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
        let mut form = Zeroizing::new(String::with_capacity(room));
        for (name, value) in fields {
            let separator = if form.is_empty() { "" } else { "&" };
            form.push_str(separator);
            form.push_str(name);
            form.push('=');
            form.push_str(&escaped(value));
        }
        form
    }

    /// `Authorization` of HTTP Basic: both escaped as a form, RFC 6749 §2.3.1.
    fn basic(&self, secret: &Secret) -> Secret {
        let pair = Zeroizing::new([&escaped(&self.table.client_id), ":", &escaped(secret.expose())].concat());
        Secret::new(BASE64_STANDARD.encode(pair.as_bytes()))
    }

    async fn mint(&self, context: &Context, values: &Values<'_>) -> Result<Health, Failure> {
        let credential = credential_of(values, &self.table.item);
        let Some(secret) = credential.and_then(|credential| credential.value()) else {
            return Ok(Health::Unknown(format!("there is no value of {}", self.table.item)));
        };
        let http = Http::new(context, &self.url)?;
        let mut request = http.request(Method::POST, &[]).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if self.table.style == Style::Basic {
            request = request.header(AUTHORIZATION, header("Basic {value}", &self.basic(secret))?);
        }
        match http.send(request.body(self.form(secret).as_bytes().to_vec())).await {
            Ok(reply) => Ok(self.judge(&reply)),
            Err(failure) => Ok(Health::Unknown(failure.what)),
        }
    }

    fn judge(&self, reply: &Reply) -> Health {
        let host = self.url.host_str().unwrap_or_default();
        let answer: Answer = reply.json().unwrap_or_default();
        match reply.status {
            200 if answer.has_token => Health::Healthy("a token was minted".to_owned()),
            200 => Health::Unknown(format!("{host} answers without a token")),
            401 => Health::Unhealthy(format!("{host} refuses the client (401)")),
            400 if answer.is_refused => Health::Unhealthy(format!("{host} refuses the client (invalid_client)")),
            status => Health::Unknown(format!("{host} answers with status {status}")),
        }
    }
}

impl Probe for Mint {
    fn check<'a>(&'a self, context: &'a Context, _: &'a Moment, values: &'a Values<'a>) -> Act<'a, Health> {
        self.mint(context, values).boxed()
    }
}

#[cfg(test)]
mod tests;
