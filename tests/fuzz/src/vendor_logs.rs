//! The JSON logs of vendors: a record is read, or said to be broken.

use keytrail::trails::{self, Opening, Out, Reads, TrailConfig, TrailKind};
use keytrail_rules::correlate::Names;
use keytrail_rules::model::Location;
use serde_json::Value;

use super::planted;

/// The kinds, by the first byte: `a` for the first.
const KINDS: [&TrailKind; 8] = [
    &trails::auth0_log::KIND,
    &trails::azure_key_vault::KIND,
    &trails::entra_audit::KIND,
    &trails::gcp_audit::KIND,
    &trails::github_audit::KIND,
    &trails::keycloak_log::KIND,
    &trails::okta_log::KIND,
    &trails::onepassword_usage::KIND,
];

/// A kind of log, told by the first byte, reads each line of the rest.
pub fn vendor_logs(data: &[u8]) {
    let Some((first, content)) = data.split_first() else { return };
    let Some(kind) = KINDS.get(usize::from(first.wrapping_sub(b'a'))) else { return };
    let Reads::Records { parser, .. } = &kind.reads else { return };
    let (config, names) = (config(kind), Names::default());
    let key = keytrail_rules::model::FingerprintKey::new([7; 32]);
    let opening = Opening { config: &config, trail: 0, names: &names, as_of: super::now(), key: &key };
    let mut parser = parser(&opening);
    for record in content.split(|byte| *byte == b'\n') {
        let mut out = Out::default();
        parser.record(record, &mut out);
        assert!(out.broken.is_none() || out.events.is_empty(), "a broken record is no event");
        assert!(out.broken.is_some() || out.time.is_some(), "a record has a time");
        assert!(out.events.iter().all(|event| !event.id.is_empty() && Some(event.time) == out.time));
        if serde_json::from_slice(record).is_ok_and(|record| only_in_values(&record, &SECRETS)) {
            planted::assert_hidden(&format!("{out:?}"));
        }
    }
}

/// Keys of secrets, and the one of a secret in the JSON that a text holds.
const SECRETS: [&str; 2] = ["client_secret", "clientSecret"];
const INNER: [&str; 1] = ["value"];

/// Whether the planted value is only where a secret would be.
fn only_in_values(value: &Value, secrets: &[&str]) -> bool {
    match value {
        Value::String(text) => {
            let inner = || serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
            !text.contains(planted::MARKER) || inner().is_some_and(|inner| only_in_values(&inner, &INNER))
        }
        Value::Array(values) => values.iter().all(|value| only_in_values(value, secrets)),
        Value::Object(members) => members.iter().all(|(key, value)| {
            let is_secret = secrets.contains(&key.as_str()) && value.is_string();
            !key.contains(planted::MARKER) && (is_secret || only_in_values(value, secrets))
        }),
        _ => true,
    }
}

fn config(kind: &TrailKind) -> TrailConfig {
    TrailConfig::new("log", kind.name, "/nowhere", Location::of_file("keytrail.toml"))
}
