//! A query of Prometheus, before and after: `{ prometheus = "http://prometheus:9090", query = "…", max_increase = 0.01 }`.
//!
//! The query is an instant one (<https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>); of several
//! series the largest value counts. `max` is for the value, `max_increase` for how much larger it is than before.
//! `{window}` in the query stands for `window` (five minutes without) before the switch, and after it for the time since,
//! up to `window`: `sum(rate(http_requests_total{code="401"}[{window}]))` then says nothing of the time before.
//!
//! # Guarantees
//! No data is never taken for a good value: no series, a value that is not a number, another kind of result, no answer.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use futures::FutureExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::Value;

use super::{Health, Moment, Probe, ProbeKind};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::http::{Http, endpoint, header};
use crate::settings::{Given, Settings, Span};
use crate::workloads::Values;

/// Prometheus.
pub(super) static KIND: ProbeKind = ProbeKind {
    name: "prometheus",
    about: "compares the result of a query of Prometheus before and after",
    open: |settings| Ok(Box::new(Query::new(settings)?)),
};

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    prometheus: String,
    query: String,
    max: Option<f64>,
    max_increase: Option<f64>,
    window: Option<Span>,
    /// Headers, and where their text comes from.
    #[serde(default)]
    headers: BTreeMap<String, Given>,
}

struct Query {
    base: Url,
    headers: Vec<(HeaderName, Given)>,
    query: String,
    max: Option<f64>,
    max_increase: Option<f64>,
    window: Duration,
}

/// An answer.
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

impl Data {
    /// The largest number of the result; `None` where there is none.
    fn largest(&self) -> Option<f64> {
        // A sample is its time and its value, as a text.
        let number = |sample: &Value| sample[1].as_str()?.parse::<f64>().ok().filter(|number| !number.is_nan());
        match self.result_type.as_str() {
            "scalar" => number(&self.result),
            "vector" => {
                let series = self.result.as_array()?.iter();
                series.filter_map(|series| number(&series["value"])).max_by(f64::total_cmp)
            }
            _ => None,
        }
    }
}

impl Query {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let table: Table = settings.read()?;
        if table.max.is_none() && table.max_increase.is_none() {
            let failure = Failure::not_done("the query has no bound");
            return Err(failure.hint("write `max` or `max_increase`"));
        }
        let base = endpoint(&table.prometheus, !table.headers.is_empty())?;
        let headers = table.headers.into_iter().map(|(name, given)| {
            let name = HeaderName::try_from(&name).map_err(|_| Failure::not_done(format!("{name} is no header")))?;
            Ok((name, given))
        });
        Ok(Self {
            base,
            headers: headers.collect::<Result<_, Failure>>()?,
            query: table.query,
            max: table.max,
            max_increase: table.max_increase,
            window: table.window.map_or(Duration::from_secs(300), |span| span.0),
        })
    }

    /// The query as it is asked.
    fn text(&self, moment: &Moment) -> String {
        let window = match moment {
            Moment::Before => self.window,
            Moment::After { since, .. } => (Utc::now() - since).to_std().unwrap_or_default().min(self.window),
        };
        self.query.replace("{window}", &format!("{}s", window.as_secs().max(1)))
    }

    async fn ask(&self, context: &Context, moment: &Moment) -> Result<Option<f64>, Failure> {
        let http = Http::new(context, &self.base)?;
        let body = format!("query={}", utf8_percent_encode(&self.text(moment), NON_ALPHANUMERIC));
        let mut request = http.request(Method::POST, &["api", "v1", "query"]);
        for (name, given) in &self.headers {
            request = request.header(name, header("{value}", &given.get()?)?);
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let answer: Answer = http.send(request).await?.accepted()?.json()?;
        Ok(answer.data.largest())
    }

    fn judge(&self, value: f64, moment: &Moment) -> Health {
        if let Some(max) = self.max.filter(|max| value > *max) {
            return Health::Unhealthy(format!("the query gives {value}, more than {max}"));
        }
        let (Moment::After { before, .. }, Some(most)) = (moment, self.max_increase) else {
            return Health::Healthy(value.to_string());
        };
        let Ok(before) = before.parse::<f64>() else {
            return Health::Unknown("what the query gave before is not known".to_owned());
        };
        if value - before > most {
            return Health::Unhealthy(format!("the query gives {value}; before it gave {before}"));
        }
        Health::Healthy(value.to_string())
    }
}

impl Probe for Query {
    fn check<'a>(&'a self, context: &'a Context, moment: &'a Moment, _: &'a Values<'a>) -> Act<'a, Health> {
        async move {
            Ok(match self.ask(context, moment).await {
                Ok(Some(value)) => self.judge(value, moment),
                Ok(None) => Health::Unknown("the query gives no number".to_owned()),
                Err(failure) => Health::Unknown(failure.what),
            })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
