//! PagerDuty: a rotation that was confirmed is a change event
//! (<https://developer.pagerduty.com/docs/send-change-event>), one that was rolled back or waits for a person an alert
//! (<https://developer.pagerduty.com/docs/send-alert-event>) with the run as its `dedup_key`, so that it is one alert
//! however often it is told.

use futures::FutureExt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

use super::{Ending, News, Notifier, NotifierKind, ending};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::http::{Http, endpoint};
use crate::process::message::json;
use crate::settings::{Given, Settings};

/// PagerDuty.
pub(super) static KIND: NotifierKind = NotifierKind {
    name: "pagerduty",
    about: "sends a change event, or an alert of what needs a person",
    open: |settings| Ok(Box::new(PagerDuty::new(settings)?)),
};

/// Characters of a summary.
const MAX_SUMMARY: usize = 1_024;

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The integration's key.
    routing_key: Given,
    /// Another address than that of the service's region in the USA.
    #[serde(default = "usual_url")]
    url: String,
}

fn usual_url() -> String {
    "https://events.pagerduty.com".to_owned()
}

struct PagerDuty {
    url: Url,
    routing_key: Given,
}

/// An event.
#[derive(Serialize)]
struct Event<'a> {
    routing_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dedup_key: Option<&'a str>,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: String,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'a str>,
    custom_details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    run: &'a str,
    ending: &'a str,
    items: &'a [String],
    next: Option<&'a str>,
}

impl PagerDuty {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let table: Table = settings.read()?;
        Ok(Self { url: endpoint(&table.url, true)?, routing_key: table.routing_key })
    }

    async fn send(&self, context: &Context, news: &News) -> Result<(), Failure> {
        let (path, severity): (&[&str], _) = match news.ending {
            Ending::Confirmed => (&["v2", "change", "enqueue"], None),
            Ending::RolledBack => (&["v2", "enqueue"], Some("warning")),
            Ending::Stuck => (&["v2", "enqueue"], Some("error")),
        };
        let key = self.routing_key.get()?;
        let event = Event {
            routing_key: key.expose(),
            event_action: severity.map(|_| "trigger"),
            dedup_key: severity.map(|_| news.run.as_str()),
            payload: Payload {
                summary: news.summary.chars().take(MAX_SUMMARY).collect(),
                source: "keytrail",
                severity,
                custom_details: Details {
                    run: &news.run,
                    ending: ending(news.ending),
                    items: &news.items,
                    next: news.next.as_deref(),
                },
            },
        };
        let http = Http::new(context, &self.url)?;
        let request = http.request(Method::POST, path).header(CONTENT_TYPE, "application/json");
        http.send(request.body(json(&event)?.to_vec())).await?.accepted()?;
        Ok(())
    }
}

impl Notifier for PagerDuty {
    fn tell<'a>(&'a self, context: &'a Context, news: &'a News) -> Act<'a, ()> {
        self.send(context, news).boxed()
    }
}

#[cfg(test)]
mod tests;
