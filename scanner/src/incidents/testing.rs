//! What the tests of receivers share: a process that can be set, and something to file.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use futures::FutureExt;
use keytrail_rules::checks::Rule;
use keytrail_rules::model::{Evidence, Finding, Location, Place, Time};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::text::{Source, key};
use super::{Failure, Filed, Incident, Setting, Sink};
use crate::config::IncidentConfig;

/// The instant of the tests' clock.
pub(super) fn now() -> Time {
    DateTime::from_timestamp(1_790_000_000, 0).expect("a time")
}

/// A finding about a subject.
pub(super) fn finding(subject: &str) -> Finding {
    let rule = Rule::find("leaked-current-value").expect("a rule");
    Finding::new(rule, subject, format!("Something is wrong with {subject}."))
        .at(Some(Location::of_line("deploy/a b.yaml", 7, "x: y")))
        .evidence([Evidence::new("it lies there", None, Some(Place::new("vault", "secret/app", "password")))])
        .next("rotate it")
}

pub(super) fn incident(subject: &str) -> Incident {
    Incident::of(&finding(subject), None, &Source::default())
}

/// What was filed of a finding, and how the receiver calls it.
pub(super) fn filed(subject: &str, reference: &str) -> Filed {
    let incident = incident(subject);
    Filed {
        key: key(&incident.fingerprint, None),
        summary: incident.summary(),
        fingerprint: incident.fingerprint,
        estate: None,
        occurrence: 1,
        rule: incident.rule.to_owned(),
        reference: Some(reference.to_owned()),
    }
}

/// A server that gives these answers, one after the other, and a process whose waits are only noted.
pub(super) struct World {
    pub(super) server: MockServer,
    waits: Arc<Mutex<Vec<u64>>>,
}

impl World {
    pub(super) async fn new(answers: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        let server = MockServer::start().await;
        for answer in answers {
            Mock::given(any()).respond_with(answer).up_to_n_times(1).mount(&server).await;
        }
        Self { server, waits: Arc::default() }
    }

    /// Opens a receiver whose address is that of the server.
    pub(super) fn open(&self, kind: &str, change: impl FnOnce(&mut IncidentConfig)) -> Box<dyn Sink> {
        self.try_open(kind, change).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    pub(super) fn try_open(
        &self,
        kind: &str,
        change: impl FnOnce(&mut IncidentConfig),
    ) -> Result<Box<dyn Sink>, Failure> {
        let kind = super::Kind::find(kind).expect("a kind");
        let mut config = IncidentConfig::new("test", kind.name, Location::of_file("keytrail.toml"), Path::new("."));
        change(&mut config);
        (kind.open)(&config, &self.setting())
    }

    fn setting(&self) -> Setting {
        let (address, waits) = (self.server.uri(), self.waits.clone());
        Setting {
            env: Arc::new(move |name| match name {
                "GITHUB_API_URL" => Some(address.clone()),
                "ADDRESS" => Some(format!("{address}/services/whisper")),
                "TOKEN" => Some("lantern-whisper\n".into()),
                _ => None,
            }),
            now: Arc::new(now),
            wait: Arc::new(move |pause: Duration| {
                waits.lock().expect("waits").push(pause.as_secs());
                async {}.boxed()
            }),
        }
    }

    /// The seconds that were waited.
    pub(super) fn waits(&self) -> Vec<u64> {
        self.waits.lock().expect("waits").clone()
    }

    pub(super) async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.expect("recorded")
    }

    /// Method, path with query, and JSON body of each request.
    pub(super) async fn asked(&self) -> Vec<(String, String, serde_json::Value)> {
        let asked = |request: Request| {
            let query = request.url.query().map_or(String::new(), |query| format!("?{query}"));
            let body = serde_json::from_slice(&request.body).unwrap_or_default();
            (request.method.to_string(), format!("{}{query}", request.url.path()), body)
        };
        self.requests().await.into_iter().map(asked).collect()
    }
}

pub(super) fn answer(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}
