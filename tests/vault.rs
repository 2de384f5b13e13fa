//! The Vault store against a real OpenBao, and against servers that misbehave.

mod binary;
mod estate;
mod export;
mod hostile;
mod login;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use keytrail::config::{StoreAuth, StoreConfig};
use keytrail::source::Reader;
use keytrail::stores::StoreKind;
use keytrail_rules::model::{Facts, FingerprintKey, Gap, GapReason, Location, VersionValue};

/// A `[[store]]` at that address, that logs in by a token in `folder`.
fn store(address: &str, token: &str, folder: &Path) -> StoreConfig {
    std::fs::write(folder.join("token"), format!("{token}\n")).expect("a file");
    StoreConfig {
        name: "vault".into(),
        kind: "vault".into(),
        location: Location::of_file("keytrail.toml"),
        root: folder.into(),
        address: Some(address.into()),
        mounts: Vec::new(),
        namespace: None,
        paths: Vec::new(),
        read_values: true,
        environment: None,
        auth: StoreAuth::TokenFile("token".into()),
        ca_file: None,
        timeout: Duration::from_secs(20),
        concurrency: 4,
    }
}

async fn read(config: &StoreConfig) -> Facts {
    let key = FingerprintKey::new([7; 32]);
    let reader = Reader { key: &key, generated: false, as_of: chrono::Utc::now(), known: None };
    let facts = (StoreKind::find(&config.kind).expect("the store").read)(config, &reader).await;
    assert!(!format!("{facts:?}").contains("planted"), "a value is in the facts");
    if let StoreAuth::TokenFile(file) = &config.auth {
        let token = std::fs::read_to_string(config.root.join(file)).expect("a token");
        assert!(token.trim().is_empty() || !format!("{facts:?}").contains(token.trim()), "the token is in the facts");
    }
    facts
}

/// The copies as lines: place, environment, and the history with a letter for each value of a path and key.
fn copies(facts: &Facts) -> String {
    let mut lines = String::new();
    for copy in &facts.copies {
        let mut letters: BTreeMap<&str, char> = BTreeMap::new();
        write!(lines, "{} {}", copy.place, copy.kind.as_str()).expect("text");
        if let Some(environment) = &copy.environment {
            write!(lines, " ({environment})").expect("text");
        }
        for version in &copy.history.versions {
            let value = match &version.value {
                VersionValue::Unread => '?',
                VersionValue::Absent => '-',
                VersionValue::Read(value) => {
                    let next = char::from(b'a' + u8::try_from(letters.len()).expect("few values"));
                    *letters.entry(value.as_str()).or_insert(next)
                }
            };
            write!(lines, " {}:{:?}:{value}", version.number, version.state).expect("text");
        }
        lines.push('\n');
    }
    lines
}

/// The gaps as lines.
fn gaps(facts: &Facts) -> String {
    let line = |gap: &Gap| {
        let Gap { reason, message, place, .. } = gap;
        let place = place.as_ref().map(|place| format!(" [{place}]")).unwrap_or_default();
        format!("{reason:?}: {message}{place}\n")
    };
    facts.gaps.iter().map(line).collect()
}

/// The reason and message of the only gap.
fn only_gap(facts: &Facts) -> (GapReason, &str) {
    let [gap] = &facts.gaps[..] else { panic!("not one gap:\n{}", gaps(facts)) };
    assert!(gap.hint.is_some() || gap.reason == GapReason::TooLarge, "no hint: {gap:?}");
    (gap.reason, &gap.message)
}
