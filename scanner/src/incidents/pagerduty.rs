//! PagerDuty, Events API v2 (<https://developer.pagerduty.com/docs/events-api-v2-overview>).
//!
//! The incident's key is the `dedup_key`: events with one key are one alert for as long as it is open, so that an event
//! may be sent again whenever it is not known whether it arrived.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{Secret, Severity};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use super::http::{Http, Tries, usual_limit};
use super::text::clip;
use super::{Again, Failure, Filed, Incident, Kind, Setting, Sink, credentials};
use crate::config::IncidentConfig;

/// PagerDuty.
pub static KIND: Kind = Kind {
    name: "pagerduty",
    requires: &[&["routing_key_env"]],
    // The service region of the EU has another.
    reads: &["url"],
    again: Again::Repeat,
    pause: Duration::ZERO,
    open: |config, setting| Ok(Box::new(PagerDuty::new(config, setting)?)),
};

const ADDRESS: &str = "https://events.pagerduty.com/v2/enqueue";

/// Characters of a summary that PagerDuty takes: 1,024.
const MAX_SUMMARY: usize = 1_000;

struct PagerDuty {
    http: Http,
    address: Url,
    routing_key: Secret,
}

impl PagerDuty {
    fn new(config: &IncidentConfig, setting: &Setting) -> Result<Self, Failure> {
        let address = credentials::address(config.url.as_deref().unwrap_or(ADDRESS), "url")?;
        let name = config.routing_key_env.as_deref().unwrap_or_default();
        let http = Http::new(&address, config, setting, vec![credentials::from_env(name, setting)?])?;
        Ok(Self { http, address, routing_key: credentials::from_env(name, setting)? })
    }

    async fn send(&self, mut event: Json) -> Result<(), Failure> {
        event["routing_key"] = Json::from(self.routing_key.expose());
        let body = Zeroizing::new(event.to_string().into_bytes());
        let tries = Tries { repeatable: true, limit: usual_limit };
        let answer = self
            .http
            .send(tries, |client| {
                client.post(self.address.clone()).header(CONTENT_TYPE, "application/json").body(body.to_vec())
            })
            .await?;
        if answer.is_success() { Ok(()) } else { Err(self.http.refused(&answer)) }
    }
}

impl Sink for PagerDuty {
    fn file<'a>(&'a self, incident: &'a Incident, _: Option<&'a str>) -> BoxFuture<'a, Result<String, Failure>> {
        async move {
            self.send(trigger(incident)).await?;
            Ok(incident.key.clone())
        }
        .boxed()
    }

    fn resolve<'a>(&'a self, filed: &'a Filed) -> BoxFuture<'a, Result<(), Failure>> {
        self.send(json!({"event_action": "resolve", "dedup_key": filed.key})).boxed()
    }
}

fn trigger(incident: &Incident) -> Json {
    let source = incident.item.as_ref().or(incident.location.as_ref()).or(incident.estate.as_ref());
    let mut event = json!({
        "event_action": "trigger",
        "dedup_key": incident.key,
        "client": "Keytrail",
        "payload": {
            "summary": clip(&format!("{}: {}", incident.rule, incident.message), MAX_SUMMARY),
            "source": source.map_or("keytrail", String::as_str),
            "severity": severity(incident.severity),
            "class": incident.rule,
            "custom_details": {
                "message": incident.message,
                "severity": incident.severity.as_str(),
                "rule": format!("{} ({})", incident.rule, incident.code),
                "next": incident.next,
                "where": incident.location,
                "estate": incident.estate,
                "evidence": incident.evidence,
                "more_evidence": incident.more_evidence,
                "fingerprint": incident.fingerprint,
            },
        },
    });
    if let Some(item) = &incident.item {
        event["payload"]["component"] = Json::from(item.as_str());
    }
    if let Some(link) = &incident.link {
        event["links"] = json!([{"href": link, "text": "The line"}]);
    }
    event
}

/// PagerDuty knows four.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

#[cfg(test)]
mod tests;
