//! Issues of a GitHub repository: REST API, version 2022-11-28
//! (<https://docs.github.com/rest/issues/issues?apiVersion=2022-11-28>).
//!
//! An issue ends with a comment that no reader sees and that holds the incident's key. Before anything is filed, the
//! repository's issues are looked through for it: a scan may have ended before it could note what it filed, or the
//! state may be gone, as in a workflow that keeps nothing between its runs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{GapReason, Time};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use super::http::{Answer, Http, Limit, Tries};
use super::text::clip;
use super::{Again, Failure, Filed, Incident, Kind, Setting, Sighted, Sink, credentials};
use crate::config::IncidentConfig;

/// GitHub issues.
pub static KIND: Kind = Kind {
    name: "github-issue",
    requires: &[&["repository"], &["token_env", "token_file"]],
    reads: &["labels"],
    again: Again::Look,
    // Asked for where many are made (best practices of the REST API).
    pause: Duration::from_secs(1),
    open: |config, setting| Ok(Box::new(Issues::new(config, setting)?)),
};

/// The label that issues are looked for by.
const LABEL: &str = "keytrail";

/// Characters of a title and a body that GitHub takes: 256 and 65,536.
const MAX_TITLE: usize = 250;
const MAX_BODY: usize = 65_000;

/// Pages of 100 issues that are looked through.
const MAX_PAGES: u32 = 100;

/// A secondary limit without a time asks for a minute at least.
const SECONDARY_PAUSE: Duration = Duration::from_secs(60);

/// How far the clocks of this machine and of GitHub may be apart.
const MAX_SKEW: TimeDelta = TimeDelta::days(1);

struct Issues {
    http: Http,
    /// `https://api.github.com`.
    base: String,
    repository: String,
    labels: Vec<String>,
    authorization: HeaderValue,
    /// The issues with the label, by key, once they were asked for.
    labelled: Mutex<Option<BTreeMap<String, Found>>>,
}

/// An issue that holds a key.
#[derive(Clone)]
struct Found {
    number: u64,
    /// Whether it was closed as done. One that was closed as not planned stays closed: somebody decided so.
    is_done: bool,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    state: String,
    state_reason: Option<String>,
    body: Option<String>,
    pull_request: Option<serde::de::IgnoredAny>,
}

impl Issues {
    fn new(config: &IncidentConfig, setting: &Setting) -> Result<Self, Failure> {
        let token = match (&config.token_env, &config.token_file) {
            (Some(name), _) => credentials::from_env(name, setting)?,
            (None, file) => credentials::from_file(&config.root.join(file.as_deref().unwrap_or("".as_ref())))?,
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
            Failure::new(GapReason::Unauthenticated, "the token has characters that no token has")
                .hint("is it the right variable or file?")
        })?;
        authorization.set_sensitive(true);
        let base = (setting.env)("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".into());
        let url = credentials::address(&base, "GITHUB_API_URL")?;
        Ok(Self {
            http: Http::new(&url, config, setting, vec![token])?,
            base: url.as_str().trim_end_matches('/').to_owned(),
            repository: config.repository.clone().unwrap_or_default(),
            labels: [LABEL.to_owned()].into_iter().chain(config.labels.iter().cloned()).collect(),
            authorization,
            labelled: Mutex::new(None),
        })
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Answer, Failure> {
        let url = format!("{}/repos/{path}", self.base);
        let bytes = body.map(|body| body.to_string().into_bytes());
        let build = |client: &Client| -> RequestBuilder {
            let request = client
                .request(method.clone(), &url)
                .header(ACCEPT, "application/vnd.github+json")
                .header("X-GitHub-Api-Version", "2022-11-28")
                .header(AUTHORIZATION, self.authorization.clone());
            match &bytes {
                Some(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes.clone()),
                None => request,
            }
        };
        // To set a state twice, and to read, changes nothing; to create does.
        self.http.send(Tries { repeatable: method != Method::POST, limit }, build).await
    }

    /// The issues of a listing that hold a key, by key; an open one before one that is closed.
    async fn list(&self, query: &str) -> Result<BTreeMap<String, Found>, Failure> {
        let mut all: BTreeMap<String, (bool, Found)> = BTreeMap::new();
        for page in 1..=MAX_PAGES {
            let path = format!("{}/issues?state=all&per_page=100&page={page}&{query}", self.repository);
            let answer = self.send(Method::GET, &path, None).await?;
            if !answer.is_success() {
                return Err(self.http.refused(&answer));
            }
            let issues: Vec<Issue> = serde_json::from_slice(&answer.body).map_err(|_| not_github())?;
            let is_last = issues.len() < 100;
            for issue in issues.into_iter().filter(|issue| issue.pull_request.is_none()) {
                let Some(key) = issue.body.as_deref().and_then(key_of) else { continue };
                let is_open = issue.state == "open";
                let is_done = !is_open && issue.state_reason.as_deref().is_none_or(|reason| reason == "completed");
                let found = (is_open, Found { number: issue.number, is_done });
                let known = all.entry(key.to_owned()).or_insert_with(|| found.clone());
                if is_open && !known.0 {
                    *known = found;
                }
            }
            if is_last {
                return Ok(all.into_iter().map(|(key, (_, found))| (key, found)).collect());
            }
        }
        Err(Failure::new(GapReason::TooLarge, format!("the repository has more than {MAX_PAGES} pages of issues")))
    }

    async fn look(&self, key: &str, since: Option<Time>) -> Result<Option<Found>, Failure> {
        let mut labelled = self.labelled.lock().await;
        let known = match &mut *labelled {
            Some(known) => known,
            none => none.insert(self.list(&format!("labels={LABEL}")).await?),
        };
        if let Some(found) = known.get(key) {
            return Ok(Some(found.clone()));
        }
        // Whoever may not push sets no labels: GitHub drops them without a word.
        let Some(since) = since else { return Ok(None) };
        let since = (since - MAX_SKEW).to_rfc3339_opts(SecondsFormat::Secs, true);
        let query = format!("since={}", utf8_percent_encode(&since, NON_ALPHANUMERIC));
        Ok(self.list(&query).await?.remove(key))
    }

    /// Opens or closes an issue; `false` if there is none any more. 404 is also said to whoever may not see it.
    async fn set_state(&self, place: &str, state: &Json, gone: &[u16]) -> Result<bool, Failure> {
        let answer = self.send(Method::PATCH, place, Some(state)).await?;
        match answer.status {
            status if gone.contains(&status) => Ok(false),
            _ if answer.is_success() => Ok(true),
            301 | 404 => Err(self.http.refused(&answer).of_one()),
            _ => Err(self.http.refused(&answer)),
        }
    }

    async fn create(&self, incident: &Incident) -> Result<String, Failure> {
        let issue = json!({"title": title(incident), "body": body(incident), "labels": self.labels});
        let answer = self.send(Method::POST, &format!("{}/issues", self.repository), Some(&issue)).await?;
        if !answer.is_success() {
            return Err(self.http.refused(&answer));
        }
        let created: Issue = serde_json::from_slice(&answer.body).map_err(|_| not_github().uncertain())?;
        Ok(format!("{}#{}", self.repository, created.number))
    }
}

impl Sink for Issues {
    fn find<'a>(&'a self, key: &'a str, since: Option<Time>) -> BoxFuture<'a, Result<Option<Sighted>, Failure>> {
        async move {
            let found = self.look(key, since).await?;
            Ok(found.map(|Found { number, is_done }| Sighted {
                reference: format!("{}#{number}", self.repository),
                is_resolved: is_done,
            }))
        }
        .boxed()
    }

    fn file<'a>(&'a self, incident: &'a Incident, before: Option<&'a str>) -> BoxFuture<'a, Result<String, Failure>> {
        async move {
            if let Some((before, place)) = before.and_then(|before| Some((before, place(before)?)))
                && self.set_state(&place, &json!({"state": "open"}), &[404, 410]).await?
            {
                return Ok(before.to_owned());
            }
            self.create(incident).await
        }
        .boxed()
    }

    fn resolve<'a>(&'a self, filed: &'a Filed) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            if let Some(place) = filed.reference.as_deref().and_then(place) {
                // An issue that was deleted needs no closing.
                self.set_state(&place, &json!({"state": "closed", "state_reason": "completed"}), &[410]).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

fn not_github() -> Failure {
    Failure::new(GapReason::Malformed, "the answer is none of GitHub's").hint("check GITHUB_API_URL")
}

/// `owner/name/issues/7` of `owner/name#7`.
fn place(reference: &str) -> Option<String> {
    let (repository, number) = reference.rsplit_once('#')?;
    Some(format!("{repository}/issues/{}", number.parse::<u64>().ok()?))
}

/// The limits of GitHub: <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>.
fn limit(answer: &Answer, setting: &Setting) -> Limit {
    if !matches!(answer.status, 403 | 429) {
        return Limit::None;
    }
    if let Some(seconds) = answer.number(RETRY_AFTER.as_str()) {
        return Limit::Wait(Some(Duration::from_secs(seconds)));
    }
    if answer.number("x-ratelimit-remaining") == Some(0) {
        let now = u64::try_from((setting.now)().timestamp()).unwrap_or(0);
        let reset = answer.number("x-ratelimit-reset").map(|reset| reset.saturating_sub(now).max(1));
        return Limit::Wait(Some(reset.map_or(SECONDARY_PAUSE, Duration::from_secs)));
    }
    let is_secondary = String::from_utf8_lossy(&answer.body).contains("secondary rate limit");
    if is_secondary || answer.status == 429 { Limit::Wait(Some(SECONDARY_PAUSE)) } else { Limit::None }
}

fn marker(key: &str) -> String {
    format!("<!-- keytrail:{key} -->")
}

/// The key in the last marker that has a line for itself. What was scanned never has one: its lines begin with a word.
fn key_of(body: &str) -> Option<&str> {
    body.lines().rev().find_map(|line| {
        let key = line.trim().strip_prefix("<!-- keytrail:")?.strip_suffix(" -->")?;
        (key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(key)
    })
}

fn title(incident: &Incident) -> String {
    clip(&incident.summary(), MAX_TITLE).into_owned()
}

/// Markdown. What was scanned stands in a block of code, where it is neither markup nor a mention of anybody.
fn body(incident: &Incident) -> String {
    let lines = incident.lines();
    let ticks = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(ticks.max(2) + 1);
    let mut end = String::new();
    if let Some(link) = &incident.link {
        // Writing to a string cannot fail.
        let _ = write!(end, "\n[The line]({link})\n");
    }
    let _ = write!(
        end,
        "\nFiled by [Keytrail](https://keytrail.dev/rules/{}), which closes it when a complete scan no longer finds \
         this.\n\n{}\n",
        incident.code,
        marker(&incident.key)
    );
    let head = format!("**{}** · `{}` ({})\n\n{fence}text\n", incident.severity.as_str(), incident.rule, incident.code);
    let mut room = MAX_BODY.saturating_sub(head.chars().count() + end.chars().count() + fence.len() + 1);
    let mut body = head;
    for line in lines {
        let length = line.chars().count() + 1;
        if length > room {
            break;
        }
        room -= length;
        body.push_str(&line);
        body.push('\n');
    }
    format!("{body}{fence}\n{end}")
}

#[cfg(test)]
mod tests;
