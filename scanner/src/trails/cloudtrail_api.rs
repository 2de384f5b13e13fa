//! AWS CloudTrail, asked through its API: `LookupEvents`.
//!
//! # What is asked for
//! In each of `regions`, of the last 90 days, which is what the API remembers: every record of the calls that change a
//! credential, by the name of the call; and every record about the secrets, parameters, users and databases that the
//! inventory knows, by their names. A query has one attribute, an answer 50 records, and AWS takes two requests a second of
//! an account and region: what a busy account reads of many secrets is better read from S3, with `cloudtrail`.
//!
//! # Guarantees
//! * Nothing is asked for but records. Credentials are those that the AWS CLI would take. Requests go to AWS, or to `url`
//!   where that is set.
//! * What could not be asked for is a hole in the trail and a gap. Nothing that was read proves that the trail is whole.
//! * No message quotes what the server sent.

use std::collections::HashSet;

use aws_config::BehaviorVersion;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::Region;
use aws_sdk_cloudtrail::config::timeout::TimeoutConfig;
use aws_sdk_cloudtrail::types::LookupAttributeKey;
use chrono::TimeDelta;
use futures::FutureExt;
use keytrail_rules::model::{Entry, Gap, GapReason, Hole, Place, Role, Time};

use super::{Opening, Reads, TrailKind};

mod ask;
mod pace;

use ask::{Asking, Query};
use pace::Pace;

/// CloudTrail, from its API.
pub static KIND: TrailKind = TrailKind {
    name: "cloudtrail-api",
    role: Role::Store,
    delay: super::cloudtrail::DELAY,
    watches: super::cloudtrail::WATCHES,
    requires: &["regions"],
    reads: Reads::Server(|opening| {
        async move {
            let mut clients = Vec::new();
            for region in &opening.config.regions {
                clients.push((region.as_str(), client(region, opening.config.url.as_deref()).await));
            }
            read(opening, clients, &queries(opening.names.places()), Pace::of_aws).await
        }
        .boxed()
    }),
};

/// How far back the API remembers.
const MEMORY: TimeDelta = TimeDelta::days(90);
/// A request that takes longer has failed.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

async fn client(region: &str, url: Option<&str>) -> Client {
    let loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned()));
    let loader = loader.timeout_config(TimeoutConfig::builder().operation_timeout(TIMEOUT).build());
    let loader = match url {
        Some(url) => loader.endpoint_url(url),
        None => loader,
    };
    Client::new(&loader.load().await)
}

/// The calls and events of which every record is asked for: those that change a credential.
const CHANGES: [&str; 24] = [
    "PutSecretValue",
    "UpdateSecret",
    "CreateSecret",
    "UpdateSecretVersionStage",
    "RotateSecret",
    "CancelRotateSecret",
    "RotationSucceeded",
    "RotationFailed",
    "RotationAbandoned",
    "DeleteSecret",
    "RestoreSecret",
    "StartSecretVersionDelete",
    "CancelSecretVersionDelete",
    "EndSecretVersionDelete",
    "PutParameter",
    "DeleteParameter",
    "DeleteParameters",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "ModifyDBInstance",
    "ModifyDBCluster",
    "ModifyReplicationGroup",
    "BatchGetSecretValue",
];

/// What is asked for.
fn queries<'a>(places: impl Iterator<Item = &'a Place>) -> Vec<Query> {
    let of_place = |place: &Place| {
        let path = place.path();
        match place.source() {
            "aws-secrets-manager" | "aws-ssm" => Some(path),
            "aws-iam" | "aws-rds" | "aws-elasticache" => path.split_once('/').map(|(_, name)| name.to_owned()),
            _ => None,
        }
    };
    let mut names: Vec<String> = places.filter_map(of_place).collect();
    names.sort();
    names.dedup();
    let changes = CHANGES.iter().map(|name| Query { key: LookupAttributeKey::EventName, value: (*name).to_owned() });
    let about = names.into_iter().map(|value| Query { key: LookupAttributeKey::ResourceName, value });
    changes.chain(about).collect()
}

async fn read(
    opening: &Opening<'_>,
    clients: Vec<(&str, Client)>,
    queries: &[Query],
    pace: fn() -> Pace,
) -> (Vec<Entry>, Vec<Gap>) {
    let span = (opening.as_of - MEMORY, opening.as_of);
    let regions = clients.into_iter().map(|(region, client)| async move {
        let mut asking = Asking::new(opening, region, client, span, pace());
        for query in queries {
            if asking.ask(query).await.is_err() {
                break;
            }
        }
        asking.answers
    });
    let mut events = Vec::new();
    let (mut entries, mut gaps, mut records) = (Vec::new(), Vec::new(), 0);
    let mut last: Option<Time> = None;
    let mut told = HashSet::new();
    for answers in futures::future::join_all(regions).await {
        events.extend(answers.events);
        records += answers.records;
        last = last.max(answers.last);
        entries.extend(answers.holes.into_iter().map(Entry::Hole));
        gaps.extend(answers.gaps);
        for (one, other) in answers.same {
            if one != other && told.insert((one.clone(), other.clone())) {
                entries.push(Entry::Same(one, other));
            }
        }
    }
    events.sort_by_key(|event| event.time);
    entries.extend(events.into_iter().map(|event| Entry::Event(Box::new(event))));
    entries.extend(last.map(|time| Entry::Progress { records, time }));
    (entries, gaps)
}

/// What is missing when a region, or a part of it, could not be asked for.
fn missing(region: &str, (from, to): (Time, Time), message: &str) -> Hole {
    let reason = format!("{region}: {message}");
    Hole { from: Some(from), to: Some(to), reason, tampered: false, raw: None }
}

/// A gap of one region.
fn gap(opening: &Opening<'_>, region: &str, reason: GapReason, message: &str, hint: &str) -> Gap {
    let message = format!("{region}: {message}");
    Gap { hint: Some(hint.to_owned()), ..Gap::new(&opening.config.name, reason, message) }
}

#[cfg(test)]
mod tests;
