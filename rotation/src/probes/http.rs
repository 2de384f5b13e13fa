//! A request over HTTP: `{ http = "https://api.example.com/health", status = 200, json = "db.state", equals = "up" }`.
//!
//! | what happens | before the switch | after it |
//! |---|---|---|
//! | the answer is as expected | healthy | healthy |
//! | it is another one | unhealthy | unhealthy |
//! | 429 | unknown | unknown |
//! | no connection can be made | unknown | unhealthy: before it could |
//! | the connection breaks, or no answer comes in time | unknown | unknown |
//!
//! With `within`, it is asked again for that long until it is healthy.
//!
//! # Guarantees
//! 1. Every request goes over a new connection. No redirect is followed.
//! 2. `{KEY}` in a header stands for the value of that item, which then goes in the clear to no other machine. Nothing of
//!    the answer is quoted.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use keytrail_rules::model::Secret;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Health, Moment, Probe, ProbeKind};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::http::{Expected, Http, Statuses, endpoint, header};
use crate::settings::{Settings, Span};
use crate::workloads::{Values, credential_of};

/// HTTP.
pub(super) static KIND: ProbeKind = ProbeKind {
    name: "http",
    about: "sends a request and looks at the status and the JSON of the answer",
    open: |settings| Ok(Box::new(Request::new(settings)?)),
};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    http: String,
    #[serde(default)]
    status: Statuses,
    json: Option<String>,
    equals: Option<Value>,
    /// `Bearer {API_TOKEN}`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    within: Span,
}

struct Request {
    url: Url,
    expected: Expected,
    headers: Vec<(HeaderName, Template)>,
    within: Duration,
}

/// A text with the names of items in it.
struct Template {
    /// What is before each name, and the name.
    parts: Vec<(String, String)>,
    end: String,
}

impl Template {
    fn parse(text: &str) -> Result<Self, Failure> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, end) = after.split_once('}').ok_or_else(|| Failure::not_done("a { in a header has no }"))?;
            parts.push((before.to_owned(), name.to_owned()));
            rest = end;
        }
        Ok(Self { parts, end: rest.to_owned() })
    }

    /// The text with the values in it; or the name of an item that there is no value of.
    fn fill(&self, values: &Values<'_>) -> Result<Result<HeaderValue, Failure>, &str> {
        let mut found = Vec::new();
        for (before, name) in &self.parts {
            let value = credential_of(values, name).and_then(|credential| credential.value()).ok_or(name.as_str())?;
            found.extend([before.as_str(), value.expose()]);
        }
        found.push(&self.end);
        // Made at once, in memory that is wiped.
        Ok(header("{value}", &Secret::new(found.concat())))
    }
}

impl Request {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let Table { http, status, json, equals, headers, within } = settings.read()?;
        let headers = headers.iter().map(|(name, text)| {
            let name = HeaderName::try_from(name).map_err(|_| Failure::not_done(format!("{name} is no header")))?;
            Ok((name, Template::parse(text)?))
        });
        let headers = headers.collect::<Result<Vec<_>, Failure>>()?;
        let has_credential = headers.iter().any(|(_, template)| !template.parts.is_empty());
        let url = endpoint(&http, has_credential)?;
        Ok(Self { url, expected: Expected { status, json, equals }, headers, within: within.0 })
    }

    async fn once(&self, context: &Context, is_before: bool, values: &Values<'_>) -> Result<Health, Failure> {
        let http = Http::new(context, &self.url)?;
        let mut request = http.request(Method::GET, &[]);
        for (name, template) in &self.headers {
            match template.fill(values) {
                Ok(value) => request = request.header(name, value?),
                Err(name) => return Ok(Health::Unknown(format!("there is no value of {name}"))),
            }
        }
        let host = self.url.host_str().unwrap_or_default();
        Ok(match http.reach(request).await {
            Ok(reply) if reply.status == 429 => Health::Unknown(format!("{host} takes no more requests now (429)")),
            Ok(reply) => match self.expected.difference(&reply) {
                None => Health::Healthy(format!("status {}", reply.status)),
                Some(difference) => Health::Unhealthy(format!("{host}: {difference}")),
            },
            Err(nobody) if nobody.is_absent && !is_before => Health::Unhealthy(nobody.failure.what),
            Err(nobody) => Health::Unknown(nobody.failure.what),
        })
    }

    async fn until_healthy(&self, context: &Context, moment: &Moment, values: &Values<'_>) -> Result<Health, Failure> {
        let end = Instant::now() + self.within;
        loop {
            let health = self.once(context, *moment == Moment::Before, values).await?;
            if matches!(health, Health::Healthy(_)) || Instant::now() + PAUSE > end {
                return Ok(health);
            }
            sleep(PAUSE).await;
        }
    }
}

impl Probe for Request {
    fn check<'a>(&'a self, context: &'a Context, moment: &'a Moment, values: &'a Values<'a>) -> Act<'a, Health> {
        self.until_healthy(context, moment, values).boxed()
    }
}

#[cfg(test)]
mod tests;
