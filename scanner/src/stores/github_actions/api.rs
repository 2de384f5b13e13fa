//! Requests to GitHub.

use std::time::Duration;

use keytrail_rotation::failure::Failure;
use keytrail_rules::model::Secret;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Method, Url, redirect};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Larger answers are not read to their end.
const MAX_BODY_BYTES: usize = 1 << 20;
/// The version of the API that is spoken.
const API_VERSION: &str = "2022-11-28";

/// A way to GitHub's API, as somebody.
pub(super) struct Api {
    http: Client,
    base: String,
    token: HeaderValue,
    agent: HeaderValue,
    timeout: Duration,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Api {
    /// Prepares requests to an address. Sends nothing.
    ///
    /// # Errors
    /// An address or a token that no request can have.
    pub(super) fn new(address: &str, token: &Secret, agent: &str, timeout: Duration) -> Result<Self, Failure> {
        let url = Url::parse(address)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none())
            .ok_or_else(|| Failure::not_done("the address of GitHub's API is no URL that can be used"))?;
        let header = |text: &str, what: &str| {
            HeaderValue::from_str(text).map_err(|_| Failure::not_done(format!("{what} has characters of no token")))
        };
        let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
        let mut token = header(&bearer, "the token for GitHub")?;
        token.set_sensitive(true);
        let mut http = Client::builder().redirect(redirect::Policy::none()).no_proxy();
        if url.scheme() == "http" {
            // Spares reading the system's authorities, which nobody asks for.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|_| Failure::not_done("TLS cannot be set up"))?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, token, agent: header(agent, "the name of the run")?, timeout })
    }

    /// Asks for what is at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, None).await
    }

    /// Puts JSON at a path.
    pub(super) async fn put(&self, path: &str, body: String) -> Result<Answer, Failure> {
        self.send(Method::PUT, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, Failure> {
        match tokio::time::timeout(self.timeout, self.exchange(method, path, body)).await {
            Ok(answer) => answer?.unless_passing(),
            Err(_) => Err(Failure::unknown(format!("GitHub did not answer within {:?}", self.timeout))),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, Failure> {
        // Whether it arrived is not known, but where no connection was made.
        let broken = |error: reqwest::Error| match error.is_connect() {
            true => Failure::unknown("cannot connect to GitHub").hint("check the address and the network"),
            false => Failure::unknown("the connection to GitHub broke"),
        };
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header(AUTHORIZATION, self.token.clone()).header(USER_AGENT, self.agent.clone());
        let request = request.header(ACCEPT, "application/vnd.github+json").header("X-GitHub-Api-Version", API_VERSION);
        let request = match body {
            Some(body) => request.header("Content-Type", "application/json").body(body),
            None => request,
        };
        let mut response = request.send().await.map_err(broken)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(Failure::unknown("the answer is larger than GitHub gives"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

impl Answer {
    /// What says nothing of what was asked for, but that it could not be looked at now, as a failure.
    ///
    /// Source: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
    fn unless_passing(self) -> Result<Self, Failure> {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let waits = self.headers.contains_key(RETRY_AFTER) || header("x-ratelimit-remaining") == Some("0");
        match self.status {
            429 => Err(self.limited()),
            403 if waits => Err(self.limited()),
            500.. => Err(Failure::unknown(format!("GitHub answers with an error (HTTP {})", self.status))),
            _ => Ok(self),
        }
    }

    fn limited(&self) -> Failure {
        let after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let failure = Failure::unknown("GitHub takes no more requests for now");
        match after {
            Some(seconds) => failure.hint(format!("try again in {seconds} seconds")),
            None => failure.hint("try again later"),
        }
    }

    /// The scopes of a classic token; `None` for one of another kind.
    pub(super) fn scopes(&self) -> Option<Vec<&str>> {
        let scopes = self.headers.get("x-oauth-scopes")?.to_str().ok()?;
        Some(scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect())
    }

    /// The answer as JSON, where it is one of 200.
    ///
    /// # Errors
    /// Any other status, as what it means for `what`: `the secret A of the repository acme/shop`.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Failure> {
        if self.status != 200 {
            return Err(self.refusal(what));
        }
        serde_json::from_slice(&self.body).map_err(|_| Failure::unknown(format!("{what}: the answer is not GitHub's")))
    }

    /// What another status than that of success means.
    pub(super) fn refusal(&self, what: &str) -> Failure {
        let refused = |why: String| Failure::not_done(format!("{what}: {why}"));
        match self.status {
            401 => {
                refused("GitHub does not accept the token".into()).hint("set GH_TOKEN or GITHUB_TOKEN, or log in anew")
            }
            403 => refused("the token has no right to it".into())
                .hint("give the token the right to read and write secrets (and environments)"),
            404 => refused("GitHub knows none, or hides it from this token".into())
                .hint("correct the place in `copies`, create the secret first, or give the token the right to it"),
            300..=399 => refused("it has moved".into()).hint("correct the name of the repository in the place"),
            status => refused(format!("GitHub refuses (HTTP {status})")),
        }
    }
}
