//! Workloads that load when a URL is posted to: `url:NAME`, with `post` in their table.
//!
//! The body is `{"run": "kt-…", "consumer": "NAME", "load": "…"}`, where `load` is another text with every loading. With
//! `progress`, a URL is asked until it answers as expected: with `status`, and with `equals` at the place `json` of its
//! body, or with the text of `load` there where `equals` is left out.
//!
//! # Guarantees
//! 1. No redirect is followed. No value is sent. A header with a credential goes in the clear to no other machine.
//! 2. With `json` it is done only when the workload itself tells this loading. With less, what it answers is believed.

use std::collections::BTreeMap;

use chrono::{SecondsFormat, Utc};
use futures::FutureExt;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Method, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Mark, Progress, Values, Workload, WorkloadKind, obstacles};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::http::{Expected, Http, Statuses, endpoint, header};
use crate::settings::{Given, Settings};

/// A URL.
pub(super) static KIND: WorkloadKind = WorkloadKind {
    name: "url",
    about: "posts to a URL, and asks another one how far it is",
    open: |place, settings| Ok(Box::new(Webhook::new(place, settings)?)),
};

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    post: String,
    /// Headers of every request, and where their text comes from.
    #[serde(default)]
    headers: BTreeMap<String, Given>,
    progress: Option<Look>,
}

/// How it is asked how far it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    get: String,
    #[serde(default)]
    status: Statuses,
    json: Option<String>,
    equals: Option<Value>,
}

struct Webhook {
    name: String,
    post: Url,
    headers: Vec<(HeaderName, Given)>,
    progress: Option<(Url, Expected)>,
}

impl Webhook {
    fn new(name: &str, settings: &Settings) -> Result<Self, Failure> {
        let table: Table = settings.read()?;
        let has_credential = !table.headers.is_empty();
        let headers = table.headers.into_iter().map(|(name, given)| {
            let name = HeaderName::try_from(&name).map_err(|_| Failure::not_done(format!("{name} is no header")))?;
            Ok((name, given))
        });
        let look = |Look { get, status, json, equals }: Look| {
            Ok::<_, Failure>((endpoint(&get, has_credential)?, Expected { status, json, equals }))
        };
        Ok(Self {
            name: name.to_owned(),
            post: endpoint(&table.post, has_credential)?,
            headers: headers.collect::<Result<_, Failure>>()?,
            progress: table.progress.map(look).transpose()?,
        })
    }

    fn with_headers(&self, mut request: RequestBuilder) -> Result<RequestBuilder, Failure> {
        for (name, given) in &self.headers {
            request = request.header(name, header("{value}", &given.get()?)?);
        }
        Ok(request)
    }

    async fn obstacles(&self, context: &Context) -> Result<Vec<String>, Failure> {
        let mut obstacles: Vec<String> =
            self.headers.iter().filter_map(|(_, given)| given.get().err()).map(|failure| failure.what).collect();
        if let (Some((url, _)), true) = (&self.progress, obstacles.is_empty()) {
            let http = Http::new(context, url)?;
            match http.send(self.with_headers(http.request(Method::GET, &[]))?).await {
                Ok(reply) if reply.status < 500 && reply.status != 401 && reply.status != 403 => {}
                Ok(reply) => obstacles.push(format!("url:{} answers with status {}", self.name, reply.status)),
                Err(failure) => obstacles.push(failure.what),
            }
        }
        Ok(obstacles)
    }

    async fn ask_to_load(&self, context: &Context) -> Result<Mark, Failure> {
        let load = format!("{} {}", context.run, Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true));
        let body = json!({ "run": context.run, "consumer": self.name, "load": load }).to_string();
        let http = Http::new(context, &self.post)?;
        let request = http.request(Method::POST, &[]).header(CONTENT_TYPE, "application/json").body(body);
        http.send(self.with_headers(request)?).await?.accepted()?;
        Ok(Mark(load))
    }

    async fn look(&self, context: &Context, mark: &Mark) -> Result<Progress, Failure> {
        let Some((url, expected)) = &self.progress else {
            return Ok(Progress::Done);
        };
        let mut expected = expected.clone();
        if expected.json.is_some() && expected.equals.is_none() {
            expected.equals = Some(Value::from(mark.0.as_str()));
        }
        let http = Http::new(context, url)?;
        // While it restarts nobody may be there.
        match http.send(self.with_headers(http.request(Method::GET, &[]))?).await {
            Ok(reply) => Ok(expected.difference(&reply).map_or(Progress::Done, Progress::Waiting)),
            Err(failure) => Ok(Progress::Waiting(failure.what)),
        }
    }
}

impl Workload for Webhook {
    fn preflight<'a>(&'a self, context: &'a Context) -> Act<'a, Vec<String>> {
        self.obstacles(context).map(obstacles).boxed()
    }

    fn load<'a>(&'a self, context: &'a Context, _: &'a Values<'a>, _: &'a Values<'a>) -> Act<'a, Mark> {
        self.ask_to_load(context).boxed()
    }

    fn progress<'a>(&'a self, context: &'a Context, mark: &'a Mark, _: &'a Values<'a>) -> Act<'a, Progress> {
        self.look(context, mark).boxed()
    }
}

#[cfg(test)]
mod tests;
