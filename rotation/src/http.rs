//! Requests to issuers over HTTP.
//!
//! # Guarantees
//! 1. Every [`Http`] connects anew, follows no redirect, and gives up when the time of its context is over.
//! 2. An answer is bounded, kept in memory that is wiped, and never quoted; an error names the host and the status alone.
//! 3. Only an answer is a refusal. No connection, no answer, one that is cut off or too large, 408, 425, 429 and 5xx are
//!    [`Outcome::Unknown`](crate::failure::Outcome::Unknown).
//! 4. Nothing goes in the clear to another machine.
//!
//! # Assumptions
//! What is sent lies in buffers of the HTTP and TLS libraries for a moment, which do not wipe them.

mod expected;
mod verify;

use std::error::Error;
use std::time::Duration;

use keytrail_rules::model::Secret;
use reqwest::header::HeaderValue;
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use serde::de::DeserializeOwned;

use crate::bounded::Bounded;
use crate::context::Context;
use crate::failure::Failure;
pub use expected::{Expected, Statuses, endpoint};
pub use verify::Verify;

/// Answers of issuers are small.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A server that is asked.
pub struct Http {
    client: Client,
    base: Url,
    timeout: Duration,
}

/// An answer.
pub struct Reply {
    /// The status.
    pub status: u16,
    host: String,
    body: Bounded,
}

/// Why no answer came.
#[derive(Debug)]
pub struct Unanswered {
    /// Whether not even a connection could be made.
    pub is_absent: bool,
    /// What is known of the request.
    pub failure: Failure,
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self { is_absent: false, failure }
    }
}

/// An address that requests may go to.
///
/// # Errors
/// No URL; `http` to another machine; one with a user, a query or a fragment.
pub fn address(text: &str) -> Result<Url, Failure> {
    let bad = |what: &str| Failure::not_done(what.to_owned()).hint("write https://host.example.com");
    let url = Url::parse(text).map_err(|_| bad("the address is no URL"))?;
    let host = url.host_str().ok_or_else(|| bad("the address names no host"))?;
    if !(url.scheme() == "https" || url.scheme() == "http" && is_this_machine(host)) {
        return Err(bad("the address does not start with https://, and others could read values on the way"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("the address has more than a host and a path"));
    }
    Ok(url)
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A value as a header, which the library's logs leave out; `template` has `{value}` where it belongs.
///
/// # Errors
/// A value with characters that no header carries.
pub fn header(template: &str, value: &Secret) -> Result<HeaderValue, Failure> {
    let text = Secret::new(template.replace("{value}", value.expose()));
    let mut header = HeaderValue::from_str(text.expose())
        .map_err(|_| Failure::not_done("the value has characters that no header carries"))?;
    header.set_sensitive(true);
    Ok(header)
}

impl Http {
    /// Prepares requests to an address. Sends nothing.
    ///
    /// # Errors
    /// See [`address`]; no TLS.
    pub fn new(context: &Context, base: &Url) -> Result<Self, Failure> {
        let mut client = Client::builder().redirect(redirect::Policy::none()).user_agent(context.user_agent());
        if base.scheme() == "http" {
            // This machine: neither a proxy nor the system's authorities are asked for.
            client = client.no_proxy().tls_certs_only([]);
        }
        let client = client
            .build()
            .map_err(|error| Failure::not_done(format!("cannot set up TLS: {}", root_cause(&error.without_url()))))?;
        Ok(Self { client, base: base.clone(), timeout: context.timeout })
    }

    /// A request below the address; each segment is escaped.
    pub fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut()
            && !segments.is_empty()
        {
            path.pop_if_empty().extend(segments);
        }
        self.client.request(method, url)
    }

    /// Sends one request, once.
    ///
    /// # Errors
    /// No answer. Whatever the server answers is a [`Reply`].
    pub async fn send(&self, request: RequestBuilder) -> Result<Reply, Failure> {
        self.reach(request).await.map_err(|unanswered| unanswered.failure)
    }

    /// The same, for whom it matters whether anybody was there.
    ///
    /// # Errors
    /// No answer.
    pub async fn reach(&self, request: RequestBuilder) -> Result<Reply, Unanswered> {
        let host = self.base.host_str().unwrap_or_default().to_owned();
        let limit = self.timeout;
        tokio::time::timeout(limit, exchange(&host, request)).await.unwrap_or_else(|_| {
            let failure = Failure::unknown(format!("{host} did not answer within {limit:?}"));
            Err(failure.hint("look at the server").into())
        })
    }
}

async fn exchange(host: &str, request: RequestBuilder) -> Result<Reply, Unanswered> {
    let mut response = request.send().await.map_err(|error| broken(host, error))?;
    let mut body = Bounded::new(MAX_ANSWER_BYTES);
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(host, error))? {
        if !body.push(&chunk) {
            return Err(Failure::unknown(format!("the answer of {host} is larger than 1 MiB")).into());
        }
    }
    Ok(Reply { status: response.status().as_u16(), host: host.to_owned(), body })
}

fn broken(host: &str, error: reqwest::Error) -> Unanswered {
    let error = error.without_url();
    let cause = root_cause(&error);
    if error.is_builder() {
        return Failure::not_done(format!("{host} cannot be asked that: {cause}")).into();
    }
    let is_absent = error.is_connect();
    let what = if is_absent { "cannot connect to" } else { "the connection broke to" };
    // Not sent is not refused: who turned back for that would need the same server for the way back.
    let failure = Failure::unknown(format!("{what} {host}: {cause}"))
        .hint("check the address and that the server can be reached from here; go on with `keytrail rotate --resume`");
    Unanswered { is_absent, failure }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl Reply {
    /// Whether it did what was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer of a request that was done.
    ///
    /// # Errors
    /// Any other status, with what it means for the request.
    pub fn accepted(self) -> Result<Self, Failure> {
        if self.is_success() { Ok(self) } else { Err(self.refusal()) }
    }

    /// The answer as JSON.
    ///
    /// # Errors
    /// [`Unknown`](crate::failure::Outcome::Unknown): it is none, or another one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(self.body.as_bytes()).map_err(|error| {
            // The words of the error may quote the answer; the place in it cannot.
            let (line, column) = (error.line(), error.column());
            Failure::unknown(format!("the answer of {} is not as expected (line {line}, column {column})", self.host))
        })
    }

    /// What a status means that is no success.
    pub fn refusal(&self) -> Failure {
        let (host, status) = (&self.host, self.status);
        match status {
            300..=399 => Failure::not_done(format!("{host} sends elsewhere ({status})"))
                .hint("no redirect is followed: name the place itself"),
            401 => Failure::not_done(format!("{host} does not know Keytrail's credential (401)"))
                .hint("check the credential that the table names"),
            403 => Failure::not_done(format!("{host} does not let Keytrail do that (403)"))
                .hint("check the rights of the credential that the table names"),
            404 | 410 => Failure::not_done(format!("{host} does not have that ({status})"))
                .hint("check the address and the ids of the table"),
            409 | 412 => Failure::conflict(format!("{host} has it in another state ({status})")),
            408 | 425 | 429 => Failure::unknown(format!("{host} takes no more requests now ({status})"))
                .hint("go on later: `keytrail rotate --resume`"),
            400..=499 => Failure::not_done(format!("{host} refused it ({status})")),
            _ => Failure::unknown(format!("{host} failed ({status})")),
        }
    }
}

#[cfg(test)]
mod tests;
