//! Asks a timestamp authority: RFC 3161, over HTTP (section 3.4).

use std::time::Duration;

use keytrail_reporters::sign::timestamp::{Timestamp, request};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};

use crate::error::Error;

/// An answer holds some certificates.
const MAX_BYTES: usize = 1 << 20;

const LIMIT: Duration = Duration::from_secs(30);

/// The URL of an authority, which every export tells: it may hold no password.
pub(super) fn authority(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none());
    url.ok_or_else(|| {
        Error::usage(
            "the timestamp authority is no URL that starts with http:// or https://, or holds a user or a query",
            "write --timestamp https://timestamp.example.com",
        )
    })
}

/// What an authority answers to bytes. It is for this request, and of these bytes.
pub(super) async fn ask(url: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let url = authority(url)?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| Error::Random(error.into()))?;
    let nonce = u64::from_be_bytes(nonce);
    let failed = |what: &str| {
        let message =
            format!("the timestamp authority {} {what}; nothing was written", url.origin().ascii_serialization());
        Error::usage(message, "try again, name another authority, or leave --timestamp out")
    };
    let answer = tokio::time::timeout(LIMIT, exchange(&url, request(bytes, nonce))).await;
    let answer = answer.map_err(|_| failed("gave no answer in time"))?.map_err(failed)?;
    let timestamp = Timestamp::parse(&answer).map_err(|why| failed(&format!("did not answer as one: {why}")))?;
    if !timestamp.is_of(bytes) || !timestamp.answers(nonce) {
        return Err(failed("answered something else than was asked"));
    }
    Ok(answer)
}

async fn exchange(url: &Url, body: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    let mut client = Client::builder().redirect(redirect::Policy::none());
    if url.scheme() == "http" {
        // Spares reading the system's authorities, which nobody asks for.
        client = client.tls_certs_only([]);
    }
    let client = client.build().map_err(|_| "cannot be asked: TLS cannot be set up")?;
    let request = client.post(url.clone()).header(CONTENT_TYPE, "application/timestamp-query").body(body);
    let mut response = request.send().await.map_err(|_| "cannot be reached")?;
    if !response.status().is_success() {
        return Err("refused");
    }
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| "broke off")? {
        if answer.len() + chunk.len() > MAX_BYTES {
            return Err("answers with more than a timestamp");
        }
        answer.extend(chunk);
    }
    Ok(answer)
}
