//! Any other receiver: a POST of JSON, `keytrail/ledger/v1`.
//!
//! `entry` is the row as the ledger has it, `hash` its hash as a leaf of the ledger's tree. `Idempotency-Key` is that hash:
//! equal for copies of one row, and for no others. `X-Keytrail-Signature` is `sha256=` and the HMAC-SHA-256 of the body
//! in hexadecimal digits, if there is a key. Every status from 200 to 299 means that the row was taken.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use futures::FutureExt;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, Url, redirect};
use serde::Deserialize;
use serde_json::json;

use super::{Sink, SinkKind};
use crate::context::{Act, Context};
use crate::failure::{Failure, Opened};
use crate::ledger::Entry;
use crate::settings::{Given, Settings};

/// Webhooks.
pub(super) static KIND: SinkKind =
    SinkKind { name: "webhook", about: "a POST of JSON for each row, signed where there is a key", open };

/// Version of the body. Receivers should refuse another.
const SCHEMA: &str = "keytrail/ledger/v1";

/// The table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Where to, if that is no secret.
    url: Option<String>,
    /// Where the address comes from, if it is one.
    url_from: Option<Given>,
    /// The key of the signature.
    signing_key: Option<Given>,
}

struct Webhook {
    table: Table,
}

fn open(settings: &Settings) -> Opened<dyn Sink> {
    let table: Table = settings.read()?;
    if table.url.is_some() == table.url_from.is_some() {
        return Err(Failure::not_done("a webhook needs either `url` or `url_from`"));
    }
    if let Some(url) = &table.url {
        address(url)?;
    }
    Ok(Box::new(Webhook { table }))
}

impl Webhook {
    async fn post(&self, context: &Context, entry: &Entry) -> Result<(), Failure> {
        let url = match (&self.table.url, &self.table.url_from) {
            (Some(url), _) => address(url)?,
            (None, Some(given)) => address(given.get()?.expose())?,
            (None, None) => return Err(Failure::not_done("a webhook needs `url`")),
        };
        let hash = entry.hash().to_string();
        let body = json!({ "schema": SCHEMA, "hash": hash, "entry": entry }).to_string();
        let mut client = Client::builder().redirect(redirect::Policy::none()).timeout(context.timeout);
        if url.scheme() == "http" {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|_| Failure::not_done("cannot set up TLS"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, context.user_agent())
            .header("Idempotency-Key", &hash);
        if let Some(given) = &self.table.signing_key {
            let key = hmac::Key::new(hmac::HMAC_SHA256, given.get()?.expose().as_bytes());
            request = request.header("X-Keytrail-Signature", signature(&key, &body));
        }
        let answer = request.body(body).send().await.map_err(|error| {
            let what = if error.is_connect() { "cannot be reached" } else { "gave no answer" };
            Failure::unknown(format!("{host} {what}")).hint("the row is sent again with the next rotation")
        })?;
        let status = answer.status();
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500.. => Err(Failure::unknown(format!("{host} failed with status {status}"))),
            _ => Err(Failure::not_done(format!("{host} refused the row with status {status}"))
                .hint("check the url and the signing key of the receiver")),
        }
    }
}

impl Sink for Webhook {
    fn take<'a>(&'a self, context: &'a Context, entry: &'a Entry) -> Act<'a, ()> {
        self.post(context, entry).boxed()
    }
}

/// An address of which nobody else sees the requests.
fn address(text: &str) -> Result<Url, Failure> {
    let is_here = |host: &str| host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback);
    let is_protected = |url: &Url| match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => url.host_str().is_some_and(is_here),
        _ => false,
    };
    let url = Url::parse(text).ok().filter(is_protected);
    url.ok_or_else(|| {
        Failure::not_done("the address of the webhook is no URL that starts with https://")
            .hint("plain http:// is for this machine only: others would read the request on its way")
    })
}

fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

fn signature(key: &hmac::Key, body: &str) -> String {
    let digits = hmac::sign(key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256={digits}")
}

#[cfg(test)]
mod tests;
