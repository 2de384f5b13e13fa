//! Slack, by an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
//!
//! Its URL is a credential: whoever has it may post. A message may come more than once.

use futures::FutureExt;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use super::{Ending, News, Notifier, NotifierKind};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::http::{Http, endpoint};
use crate::settings::Given;

/// Slack.
pub(super) static KIND: NotifierKind = NotifierKind {
    name: "slack",
    about: "posts a message to a channel of Slack",
    open: |settings| Ok(Box::new(Slack { table: settings.read()? })),
};

/// Characters of a text: 40,000 are cut off by Slack, and nobody reads more than a few.
const MAX_TEXT: usize = 3_000;

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The webhook.
    url: Given,
}

struct Slack {
    table: Table,
}

impl Slack {
    async fn post(&self, context: &Context, news: &News) -> Result<(), Failure> {
        let url = endpoint(self.table.url.get()?.expose(), true)?;
        let http = Http::new(context, &url)?;
        let body = json!({ "text": text(news) }).to_string();
        let request = http.request(Method::POST, &[]).header(CONTENT_TYPE, "application/json").body(body);
        http.send(request).await?.accepted()?;
        Ok(())
    }
}

fn text(news: &News) -> String {
    let title = match news.ending {
        Ending::Confirmed => "Rotated",
        Ending::RolledBack => "Rolled back",
        Ending::Stuck => "Needs a person",
    };
    let mut text = format!("*{title}*: {} ({})\n{}", news.items.join(", "), news.run, news.summary);
    if let Some(next) = &news.next {
        text.push_str("\nNext: ");
        text.push_str(next);
    }
    // The three characters of markup, which call people and channels or link.
    let text: String = text.chars().take(MAX_TEXT).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Notifier for Slack {
    fn tell<'a>(&'a self, context: &'a Context, news: &'a News) -> Act<'a, ()> {
        self.post(context, news).boxed()
    }
}

#[cfg(test)]
mod tests;
