//! Any receiver: a POST of JSON, `keytrail/rotation/v1`.
//!
//! `ending` is `confirmed`, `rolled-back` or `stuck`; `run`, `items`, `summary` and `next` go with it. `Idempotency-Key` is
//! the run and the ending. `X-Keytrail-Signature` is `sha256=` and the HMAC-SHA-256 of the body in hexadecimal digits, if
//! there is a `signing_key`. Every status from 200 to 299 means that it was taken. It may come more than once.

use aws_lc_rs::hmac;
use futures::FutureExt;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use super::{News, Notifier, NotifierKind, ending};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::http::{Http, endpoint};
use crate::settings::Given;

/// Webhooks.
pub(super) static KIND: NotifierKind = NotifierKind {
    name: "webhook",
    about: "posts JSON to a URL, signed if there is a key",
    open: |settings| Ok(Box::new(Webhook { table: settings.read()? })),
};

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The URL, which may hold a credential.
    url: Given,
    signing_key: Option<Given>,
}

struct Webhook {
    table: Table,
}

impl Webhook {
    async fn post(&self, context: &Context, news: &News) -> Result<(), Failure> {
        let url = endpoint(self.table.url.get()?.expose(), true)?;
        let body = json!({
            "schema": "keytrail/rotation/v1",
            "run": news.run,
            "ending": ending(news.ending),
            "items": news.items,
            "summary": news.summary,
            "next": news.next,
        });
        let body = body.to_string();
        let http = Http::new(context, &url)?;
        let key = format!("{}-{}", news.run, ending(news.ending));
        let mut request = http.request(Method::POST, &[]).header(CONTENT_TYPE, "application/json");
        request = request.header("Idempotency-Key", key);
        if let Some(key) = &self.table.signing_key {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.get()?.expose().as_bytes());
            request = request.header("X-Keytrail-Signature", signature(&key, &body));
        }
        http.send(request.body(body)).await?.accepted()?;
        Ok(())
    }
}

fn signature(key: &hmac::Key, body: &str) -> String {
    let digits = hmac::sign(key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256={digits}")
}

impl Notifier for Webhook {
    fn tell<'a>(&'a self, context: &'a Context, news: &'a News) -> Act<'a, ()> {
        self.post(context, news).boxed()
    }
}

#[cfg(test)]
mod tests;
