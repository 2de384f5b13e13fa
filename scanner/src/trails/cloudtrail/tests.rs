use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use keytrail_rules::correlate::Names;
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{CopyKind, Entry, EventKind, Facts, Gap, Hole, Location, Outcome, SecretCopy, Snapshot};
use keytrail_rules::policy::Policy;
use keytrail_rules::value::{self, Shape};
use serde_json::{Value, json};

use super::*;
use crate::trails::{Opening, TrailConfig};

mod chain;
mod fixture;
mod hostile;
mod records;
mod signed;
mod whole;

/// A config of a trail in a folder, with nothing set.
pub(super) fn config(root: &Path) -> TrailConfig {
    TrailConfig::new("cloudtrail", "cloudtrail", root, Location::of_file("keytrail.toml"))
}

/// What a trail gives.
#[derive(Default)]
pub(super) struct Given {
    pub(super) events: Vec<Event>,
    pub(super) same: Vec<(String, String)>,
    pub(super) covered: Vec<(Time, Time)>,
    pub(super) holes: Vec<Hole>,
    pub(super) records: u64,
    pub(super) gaps: Vec<Gap>,
}

/// What the inventory knows in most tests.
const KNOWN: [&str; 18] = [
    "aws-secrets-manager:prod/db",
    "aws-secrets-manager:prod/shop/db",
    "aws-secrets-manager:prod/shop/mail",
    "aws-secrets-manager:prod/shop/other",
    "aws-ssm:/app",
    "aws-ssm:/app/db",
    "aws-ssm:/app/key",
    "aws-ssm:/db",
    "aws-ssm:/shop",
    "aws-ssm:/shop/api-key",
    "aws-ssm:/token",
    "aws-iam:user/ci",
    "aws-iam:user/mailer",
    "aws-iam:access-key/AKEY1",
    "aws-iam:access-key/EXAMPLEKEY0000000003",
    "aws-iam:access-key/EXAMPLEKEY0000000004",
    "aws-rds:db/shop",
    "aws-elasticache:group/sessions",
];

fn known() -> Names {
    names(KNOWN.into_iter().filter_map(Place::parse))
}

/// Names of an inventory with copies in these places.
pub(super) fn names(places: impl IntoIterator<Item = Place>) -> Names {
    let copy = |place| SecretCopy::new(place, CopyKind::VaultKv2, None, value::Value::of_shape(Shape::Unread));
    let copies = places.into_iter().map(copy).collect();
    let facts = Facts { copies, ..Facts::default() };
    let snapshot = Snapshot { as_of: Time::default(), facts, sightings: BTreeMap::new() };
    Names::new(&Inventory::new(&snapshot, &Policy::default()))
}

/// Reads a trail of some files, which lie below the root of the config.
pub(super) fn read_trail(config: &TrailConfig, files: &[&str]) -> Given {
    read_known(config, files, &known())
}

/// Reads a trail for an inventory.
fn read_known(config: &TrailConfig, files: &[&str], names: &Names) -> Given {
    let mut paths: Vec<PathBuf> = files.iter().map(|file| config.root.join(file)).collect();
    paths.sort();
    let opening =
        Opening { config, trail: 3, names, as_of: at("2026-03-01T00:00:00Z"), key: &crate::trails::testing::KEY };
    let mut given = Given::default();
    let gaps = read(&opening, &paths, &mut |entry| match entry {
        Entry::Event(event) => given.events.push(*event),
        Entry::Same(one, other) => given.same.push((one.as_str().to_owned(), other.as_str().to_owned())),
        Entry::Covered(covered) => given.covered.push((covered.from, covered.to)),
        Entry::Hole(hole) => given.holes.push(hole),
        Entry::Progress { records, .. } => given.records += records,
    });
    Given { gaps, ..given }
}

/// Reads a trail of one file with these bytes.
pub(super) fn read_bytes(bytes: &[u8]) -> Given {
    read_bytes_known(bytes, &known())
}

/// Reads a trail of one file with these bytes, for an inventory.
pub(super) fn read_bytes_known(bytes: &[u8], names: &Names) -> Given {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log"), bytes).unwrap();
    read_known(&config(folder.path()), &["log"], names)
}

pub(super) fn at(text: &str) -> Time {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) const ARN: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-a1B2c3";

/// A record as CloudTrail orders its keys, of a call with these parameters and answers.
pub(super) fn record(number: u32, service: &str, name: &str, request: Value, response: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/deploy/alice",
            "accountId": "111122223333",
            "sessionContext": {"attributes": {"mfaAuthenticated": "false"}},
        },
        "eventTime": format!("2026-02-01T{:02}:{:02}:{:02}Z", number / 3600 % 24, number / 60 % 60, number % 60),
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.31.0",
    });
    let mut rest = json!({
        "requestParameters": null,
        "responseElements": null,
        "requestID": format!("00000000-0000-4000-8000-{number:012}"),
        "eventID": format!("11111111-0000-4000-8000-{number:012}"),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    });
    rest["requestParameters"] = request;
    rest["responseElements"] = response;
    record.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    record
}

/// The bytes of a file of records, as CloudTrail writes it.
pub(super) fn file(records: &[Value]) -> Vec<u8> {
    let records: Vec<String> = records.iter().map(text).collect();
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

/// The text of a record, which begins as CloudTrail begins it.
pub(super) fn text(record: &Value) -> String {
    let version = r#""eventVersion":"1.11","#;
    format!("{{{version}{}", record.to_string().replacen(version, "", 1).trim_start_matches('{'))
}

/// What an event says, in one line.
pub(super) fn told(event: &Event) -> String {
    let version = event.version.as_deref().unwrap_or("-");
    let outcome = if event.outcome == Outcome::Done { "" } else { event.outcome.as_str() };
    format!("{} {} {version} {outcome}", event.kind.as_str(), event.target.as_str()).trim_end().to_owned()
}

pub(super) fn put(number: u32) -> Value {
    let request = json!({"secretId": ARN, "clientRequestToken": format!("token-{number}")});
    let response = json!({"arn": ARN, "name": "prod/db", "versionId": format!("token-{number}")});
    record(number, "secretsmanager", "PutSecretValue", request, response)
}

pub(super) fn noise(number: u32) -> Value {
    let request = json!({"roleArn": "arn:aws:iam::111122223333:role/x", "note": "a \\\"{[ in a text \u{e9}"});
    record(number, "sts", "AssumeRole", request, Value::Null)
}

#[test]
fn the_table_has_the_kind() {
    assert!(crate::trails::TrailKind::find("cloudtrail").is_some_and(|kind| kind.delay == DELAY));
    assert_eq!(EventKind::Written.role(), Role::Store);
}
