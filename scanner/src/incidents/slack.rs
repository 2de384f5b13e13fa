//! Slack, by an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
//!
//! A webhook can neither be asked what it posted nor change it. So a message of which it is not known whether it was
//! posted is not posted again, and an incident is resolved by a message that says so.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::Secret;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value as Json, json};

use super::http::{Http, Tries, usual_limit};
use super::{Again, Failure, Filed, Incident, Kind, Setting, Sink, credentials};
use crate::config::IncidentConfig;

/// Slack.
pub static KIND: Kind = Kind {
    name: "slack",
    requires: &[&["url_env"]],
    reads: &[],
    again: Again::Nothing,
    // A message a second, with short bursts.
    pause: Duration::from_secs(1),
    open: |config, setting| Ok(Box::new(Slack::new(config, setting)?)),
};

/// Characters of the text of a section: 3,000. Blocks of a message: 50.
const MAX_SECTION: usize = 2_900;
const MAX_BLOCKS: usize = 20;

struct Slack {
    http: Http,
    /// It is a credential: whoever has it may post.
    address: Url,
}

impl Slack {
    fn new(config: &IncidentConfig, setting: &Setting) -> Result<Self, Failure> {
        let name = config.url_env.as_deref().unwrap_or_default();
        let secret = credentials::from_env(name, setting)?;
        let address = credentials::address(secret.expose(), name)?;
        let path = Secret::from(address.path());
        Ok(Self { http: Http::new(&address, config, setting, vec![secret, path])?, address })
    }

    async fn post(&self, message: Json) -> Result<(), Failure> {
        let body = message.to_string();
        let tries = Tries { repeatable: false, limit: usual_limit };
        let answer = self
            .http
            .send(tries, |client| {
                client.post(self.address.clone()).header(CONTENT_TYPE, "application/json").body(body.clone())
            })
            .await?;
        if answer.is_success() { Ok(()) } else { Err(self.http.refused(&answer)) }
    }
}

impl Sink for Slack {
    fn file<'a>(&'a self, incident: &'a Incident, _: Option<&'a str>) -> BoxFuture<'a, Result<String, Failure>> {
        async move {
            self.post(message(incident)).await?;
            Ok(incident.key.clone())
        }
        .boxed()
    }

    fn resolve<'a>(&'a self, filed: &'a Filed) -> BoxFuture<'a, Result<(), Failure>> {
        let text = format!("Resolved: {}", escaped(&filed.summary));
        self.post(json!({"text": text, "blocks": [section(&text)]})).boxed()
    }
}

fn message(incident: &Incident) -> Json {
    let title = format!("{}: {}", incident.severity.as_str(), escaped(&incident.summary()));
    let mut sections = vec![format!("*{}* · {} ({})", incident.severity.as_str(), incident.rule, incident.code)];
    for line in incident.lines().iter().map(|line| escaped(line)) {
        match sections.last_mut().filter(|last| last.chars().count() + 1 + line.chars().count() <= MAX_SECTION) {
            Some(last) => {
                last.push('\n');
                last.push_str(&line);
            }
            None => sections.push(line),
        }
    }
    sections.truncate(MAX_BLOCKS);
    // The link is made of escaped parts: it has none of the three characters.
    sections.extend(incident.link.as_ref().map(|link| format!("<{link}|The line>")));
    json!({"text": title, "blocks": sections.iter().map(|text| section(text)).collect::<Vec<_>>()})
}

/// `verbatim` leaves names of channels and addresses in the text as they are.
fn section(text: &str) -> Json {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}})
}

/// The three characters of markup that calls people and channels or links; as many whole characters as a section
/// has room for.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    for c in text.chars() {
        let (entity, count) = match c {
            '&' => ("&amp;", 5),
            '<' => ("&lt;", 4),
            '>' => ("&gt;", 4),
            _ => ("", 1),
        };
        length += count;
        if length > MAX_SECTION {
            break;
        }
        if entity.is_empty() {
            escaped.push(c);
        } else {
            escaped.push_str(entity);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
