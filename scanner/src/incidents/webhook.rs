//! Any other receiver: a POST of JSON, `keytrail/incident/v1`.
//!
//! `action` is `file` or `resolve`; `key` is the same in both, and tells one incident from every other; `occurrence`
//! counts how many times the finding came. `Idempotency-Key` is equal for equal requests, and for no others.
//! `X-Keytrail-Signature` is `sha256=` and the HMAC-SHA-256 of the body in hexadecimal digits, if there is a key.
//! Every status from 200 to 299 means that the incident was taken. Whether a receiver looks at `Idempotency-Key` is
//! not known, so that a request of which it is not known whether it arrived is not sent again.

use std::time::Duration;

use aws_lc_rs::hmac;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::Secret;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value as Json, json};

use super::http::{Http, Tries, usual_limit};
use super::{Again, Failure, Filed, Incident, Kind, Setting, Sink, credentials};
use crate::config::IncidentConfig;

/// Webhooks.
pub static KIND: Kind = Kind {
    name: "webhook",
    requires: &[&["url", "url_env"]],
    reads: &["signing_key_env"],
    again: Again::Nothing,
    pause: Duration::ZERO,
    open: |config, setting| Ok(Box::new(Webhook::new(config, setting)?)),
};

struct Webhook {
    http: Http,
    address: Url,
    signing_key: Option<hmac::Key>,
}

impl Webhook {
    fn new(config: &IncidentConfig, setting: &Setting) -> Result<Self, Failure> {
        let (address, mut secrets) = match (&config.url, &config.url_env) {
            (Some(url), _) => (credentials::address(url, "url")?, Vec::new()),
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                let secret = credentials::from_env(name, setting)?;
                (credentials::address(secret.expose(), name)?, vec![secret])
            }
        };
        let secret = config.signing_key_env.as_deref().map(|name| credentials::from_env(name, setting)).transpose()?;
        let key = |secret: &Secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let signing_key = secret.as_ref().map(key);
        secrets.extend(secret);
        Ok(Self { http: Http::new(&address, config, setting, secrets)?, address, signing_key })
    }

    async fn post(&self, message: Json, idempotency: String) -> Result<(), Failure> {
        let body = message.to_string();
        let signature = self.signing_key.as_ref().map(|key| signature(key, &body));
        let tries = Tries { repeatable: false, limit: usual_limit };
        let answer = self
            .http
            .send(tries, |client| {
                let request = client
                    .post(self.address.clone())
                    .header(CONTENT_TYPE, "application/json")
                    .header("Idempotency-Key", &idempotency);
                let request = match &signature {
                    Some(signature) => request.header("X-Keytrail-Signature", signature),
                    None => request,
                };
                request.body(body.clone())
            })
            .await?;
        if answer.is_success() { Ok(()) } else { Err(self.http.refused(&answer)) }
    }
}

impl Sink for Webhook {
    fn file<'a>(&'a self, incident: &'a Incident, _: Option<&'a str>) -> BoxFuture<'a, Result<String, Failure>> {
        async move {
            let idempotency = format!("{}-{}-file", incident.key, incident.occurrence);
            self.post(message(incident), idempotency).await?;
            Ok(incident.key.clone())
        }
        .boxed()
    }

    fn resolve<'a>(&'a self, filed: &'a Filed) -> BoxFuture<'a, Result<(), Failure>> {
        let message = json!({
            "schema": SCHEMA,
            "action": "resolve",
            "key": filed.key,
            "fingerprint": filed.fingerprint,
            "occurrence": filed.occurrence,
            "estate": filed.estate,
            "rule": filed.rule,
            "summary": filed.summary,
        });
        self.post(message, format!("{}-{}-resolve", filed.key, filed.occurrence)).boxed()
    }
}

/// Version of the body. Receivers should refuse another.
const SCHEMA: &str = "keytrail/incident/v1";

fn message(incident: &Incident) -> Json {
    json!({
        "schema": SCHEMA,
        "action": "file",
        "key": incident.key,
        "fingerprint": incident.fingerprint,
        "occurrence": incident.occurrence,
        "estate": incident.estate,
        "rule": incident.rule,
        "code": incident.code,
        "severity": incident.severity.as_str(),
        "item": incident.item,
        "summary": incident.summary(),
        "message": incident.message,
        "next": incident.next,
        "location": incident.location,
        "link": incident.link,
        "evidence": incident.evidence,
        "more_evidence": incident.more_evidence,
    })
}

fn signature(key: &hmac::Key, body: &str) -> String {
    let digits = hmac::sign(key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256={digits}")
}

#[cfg(test)]
mod tests;
