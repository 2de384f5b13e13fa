//! Whether a value works, as a status tells.

use std::collections::BTreeMap;

use keytrail_rules::model::Secret;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::{Http, address, header};
use crate::context::Context;
use crate::failure::Failure;
use crate::state::Answer;

/// A request that works with a valid value alone.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Where: `GET` of it changes nothing.
    pub url: String,
    /// With which headers; `{value}` stands for the value.
    #[serde(default = "bearer")]
    pub headers: BTreeMap<String, String>,
    /// Statuses that a valid value gives.
    #[serde(default = "ok")]
    pub works: Vec<u16>,
    /// Statuses that an invalid value gives. Any other one tells nothing.
    #[serde(default = "unauthorized")]
    pub rejected: Vec<u16>,
}

fn bearer() -> BTreeMap<String, String> {
    BTreeMap::from([("authorization".to_owned(), "Bearer {value}".to_owned())])
}

fn ok() -> Vec<u16> {
    vec![200]
}

fn unauthorized() -> Vec<u16> {
    vec![401]
}

impl Verify {
    /// A request with the value as a bearer token, and the usual statuses.
    pub fn bearer(url: String) -> Self {
        Self { url, headers: bearer(), works: ok(), rejected: unauthorized() }
    }

    /// Whether it can be asked at all.
    ///
    /// # Errors
    /// See [`address`]; a header that is none; no header with the value; a status that tells both.
    pub fn validate(&self) -> Result<(), Failure> {
        address(&self.url)?;
        for (name, template) in &self.headers {
            HeaderName::try_from(name).map_err(|_| Failure::not_done(format!("{name:?} is no name of a header")))?;
            HeaderValue::from_str(template)
                .map_err(|_| Failure::not_done(format!("{name}: no header has such a value")))?;
        }
        if !self.headers.values().any(|template| template.contains("{value}")) {
            return Err(Failure::not_done("no header of `verify` holds {value}").hint("write \"Bearer {value}\""));
        }
        if self.works.iter().any(|status| self.rejected.contains(status)) {
            return Err(Failure::not_done("one status of `verify` tells both that a value works and that it does not"));
        }
        Ok(())
    }

    /// Asks once, over a new connection. Whatever keeps it from an answer is [`Answer::Unknown`].
    pub async fn ask(&self, context: &Context, value: &Secret) -> Answer {
        match self.status(context, value).await {
            Ok(status) if self.works.contains(&status) => Answer::Works,
            Ok(status) if self.rejected.contains(&status) => Answer::Rejected,
            _ => Answer::Unknown,
        }
    }

    async fn status(&self, context: &Context, value: &Secret) -> Result<u16, Failure> {
        let http = Http::new(context, &address(&self.url)?)?;
        let mut request = http.request(Method::GET, &[]);
        for (name, template) in &self.headers {
            request = request.header(name, header(template, value)?);
        }
        Ok(http.send(request).await?.status)
    }
}
