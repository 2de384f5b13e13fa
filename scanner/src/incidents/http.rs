//! Requests to receivers. No redirect is followed, no answer is read without bounds, and how long a receiver may keep a
//! scan waiting is bounded.

use std::error::Error;
use std::time::Duration;

use keytrail_rules::model::{GapReason, Secret};
use keytrail_rules::text::visible;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Url, redirect};

use super::{Failure, Setting};
use crate::config::IncidentConfig;

/// Answers are small, but for lists of issues: 100 of 64 KiB.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// Pauses before further tries, where the receiver names none.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_secs(60)];

/// All pauses of one request together.
const MAX_WAIT: Duration = Duration::from_secs(150);

/// What of a receiver's own words a message quotes.
const MAX_QUOTE: usize = 200;

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A header that is a whole number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.headers.get(name)?.to_str().ok()?.trim().parse().ok()
    }

    /// Whether it did what was asked.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What a receiver says by an answer about its limits.
pub(super) enum Limit {
    /// The request was taken, or refused for another reason.
    None,
    /// It may be tried again; after so long, where the receiver says it.
    Wait(Option<Duration>),
}

/// The usual way: 429, with `Retry-After` in seconds (RFC 9110 §10.2.3).
pub(super) fn usual_limit(answer: &Answer, _: &Setting) -> Limit {
    match answer.status {
        429 => Limit::Wait(answer.number(RETRY_AFTER.as_str()).map(Duration::from_secs)),
        _ => Limit::None,
    }
}

/// How a request is tried again.
#[derive(Clone, Copy)]
pub(super) struct Tries {
    /// Whether it may be sent again where it is not known whether it was done.
    pub(super) repeatable: bool,
    /// Reads the receiver's limits.
    pub(super) limit: fn(&Answer, &Setting) -> Limit,
}

/// A receiver that can be asked.
pub(super) struct Http {
    client: Client,
    timeout: Duration,
    setting: Setting,
    /// What no message may quote.
    credentials: Vec<Secret>,
}

impl Http {
    /// Prepares requests to an address. Sends nothing.
    pub(super) fn new(
        address: &Url,
        config: &IncidentConfig,
        setting: &Setting,
        credentials: Vec<Secret>,
    ) -> Result<Self, Failure> {
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("keytrail/", env!("CARGO_PKG_VERSION")));
        if address.scheme() == "http" {
            // This machine: neither a proxy nor the system's authorities are asked for.
            client = client.no_proxy().tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            Failure::new(GapReason::Unreachable, format!("cannot set up TLS: {}", root_cause(&error.without_url())))
        })?;
        Ok(Self { client, timeout: config.timeout, setting: setting.clone(), credentials })
    }

    /// Sends what `build` makes, and again where the receiver asks to wait, or where it may.
    pub(super) async fn send(
        &self,
        tries: Tries,
        build: impl Fn(&Client) -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, Failure> {
        let mut waited = Duration::ZERO;
        let mut pauses = PAUSES.into_iter();
        loop {
            let answer = self.once(build(&self.client)).await;
            let Some(asked) = self.again(&answer, tries) else {
                return answer;
            };
            let pause = pauses.next().map(|usual| asked.unwrap_or(usual)).filter(|pause| waited + *pause <= MAX_WAIT);
            let Some(pause) = pause else {
                return self.given_up(answer, tries, asked);
            };
            (self.setting.wait)(pause).await;
            waited += pause;
        }
    }

    /// Whether to try again, and after how long if the receiver says so.
    fn again(&self, answer: &Result<Answer, Failure>, tries: Tries) -> Option<Option<Duration>> {
        match answer {
            Ok(answer) => match (tries.limit)(answer, &self.setting) {
                Limit::Wait(asked) => Some(asked),
                Limit::None => (answer.status >= 500 && tries.repeatable).then_some(None),
            },
            Err(failure) => (tries.repeatable && !failure.certain).then_some(None),
        }
    }

    /// What the last answer comes to.
    fn given_up(
        &self,
        answer: Result<Answer, Failure>,
        tries: Tries,
        asked: Option<Duration>,
    ) -> Result<Answer, Failure> {
        let answer = answer?;
        if matches!((tries.limit)(&answer, &self.setting), Limit::None) {
            return Ok(answer);
        }
        let long = asked.map_or(String::new(), |pause| format!(" for {} s", pause.as_secs()));
        let failure = Failure::new(GapReason::Unreachable, format!("the server takes no more requests{long}"));
        Err(failure.hint("scan again later: what was not filed is filed then"))
    }

    async fn once(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let exchange = async {
            let mut response = request.send().await.map_err(broken)?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(broken)? {
                if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                    return Err(Failure::new(GapReason::TooLarge, "the answer is larger than 32 MiB").uncertain());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer { status, headers, body })
        };
        let limit = self.timeout;
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
            let failure = Failure::new(GapReason::TimedOut, format!("the server did not answer within {limit:?}"));
            Err(failure.hint("raise timeout of the [[incident]], or look at the server").uncertain())
        })
    }

    /// What an answer means that is no success.
    pub(super) fn refused(&self, answer: &Answer) -> Failure {
        let failure = |reason, what: &str| Failure::new(reason, format!("{what}{}", self.quote(answer)));
        match answer.status {
            401 => failure(GapReason::Unauthenticated, "the server refused the credential")
                .hint("check the credential that the [[incident]] names"),
            403 => failure(GapReason::PermissionDenied, "the server refused the request")
                .hint("check the rights of the credential that the [[incident]] names"),
            404 | 410 => failure(GapReason::Unreachable, "the server does not know the address")
                .hint("check where the [[incident]] leads, and that the credential may see it"),
            status @ 300..=399 => failure(GapReason::Unreachable, &format!("the server sends elsewhere ({status})"))
                .hint("no redirect is followed: name the place itself"),
            status @ 400..=499 => {
                failure(GapReason::Unsupported, &format!("the server refused it ({status})")).of_one()
            }
            status => failure(GapReason::Unreachable, &format!("the server failed ({status})")).uncertain(),
        }
    }

    /// `: ` and what the receiver says, if it is short, and has no credential in it.
    fn quote(&self, answer: &Answer) -> String {
        let words = words(&answer.body).unwrap_or_default();
        let words = visible(words.trim()).into_owned();
        let leaks = self.credentials.iter().any(|secret| words.contains(secret.expose()));
        if words.is_empty() || leaks {
            return String::new();
        }
        format!(": {}", super::text::clip(&words, MAX_QUOTE))
    }
}

/// The words of an answer: of JSON the `message` and the `errors`, or a line of plain text.
fn words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else {
        return (text.len() <= MAX_QUOTE && !text.contains('<')).then(|| text.to_owned());
    };
    let errors = json["errors"].as_array().into_iter().flatten();
    let errors = errors.filter_map(|error| error.as_str().or(error["message"].as_str()));
    let all: Vec<&str> = json["message"].as_str().into_iter().chain(errors).collect();
    Some(all.join("; "))
}

fn broken(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let cause = root_cause(&error);
    if error.is_connect() || error.is_builder() {
        return Failure::new(GapReason::Unreachable, format!("cannot connect to the server: {cause}"))
            .hint("check the address, and that the server can be reached from here");
    }
    if error.is_timeout() {
        return Failure::new(GapReason::TimedOut, "the server did not answer in time").uncertain();
    }
    Failure::new(GapReason::Unreachable, format!("the connection broke: {cause}")).uncertain()
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
