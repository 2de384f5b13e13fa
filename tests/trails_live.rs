//! Every kind of rotation, good and bad, on real servers: what their own logs say is what is judged.

mod asked;
mod aws;
mod digests;
mod kubernetes;
mod truncated;
mod vault_postgres;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Keytrail, Outcome};

/// A ledger of requests and the log of an application, as JSON lines.
struct Estate {
    folder: tempfile::TempDir,
    started: DateTime<Utc>,
    ledger: String,
    application: String,
    secrets: String,
}

/// The only consumer.
const CONSUMER: &str = "kubernetes:demo/deployment/api";

impl Estate {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (ledger, application, secrets) = Default::default();
        Self { folder, started: Utc::now() - TimeDelta::minutes(1), ledger, application, secrets }
    }

    /// A secret in the inventory, with more keys of its table.
    fn secret(&mut self, key: &str, place: &str, more: &str) {
        writeln!(
            self.secrets,
            "[[secret]]\nkey = \"{key}\"\nclass = \"secret\"\nowner = \"team\"\ncopies = [\"{place}\"]\n\
             consumers = [\"{CONSUMER}\"]\n{more}"
        )
        .expect("a string");
    }

    /// Somebody asks for a new value.
    fn request(&mut self, run: &str, target: &str) {
        self.request_at(Utc::now(), run, target);
    }

    fn request_at(&mut self, time: DateTime<Utc>, run: &str, target: &str) {
        let row = json!({
            "id": run, "requested_at": rfc3339(time), "status": "succeeded", "requester": "alice", "approver": "bob",
            "reason": "every 90 days", "targets": [target],
        });
        writeln!(self.ledger, "{row}").expect("a string");
    }

    /// The application loads the value.
    fn load(&mut self, key: &str) {
        let line = json!({ "time": now(), "event": "secret.loaded", "secret": key, "consumer": CONSUMER });
        writeln!(self.application, "{line}").expect("a string");
    }

    /// Writes the config, with the tables of the trails at hand, and the logs of its own.
    fn write(&self, tables: &str) {
        let path = self.folder.path();
        let (from, to) = (self.started - TimeDelta::days(3), self.as_of());
        let covers = format!("covers = [\"{}\", \"{}\"]", rfc3339(from), rfc3339(to));
        let config = format!(
            "{tables}\n\
             [[trail]]\nname = \"ledger\"\nkind = \"workload-runs\"\npath = \"ledger.jsonl\"\nCOVERS\n\
             [[trail]]\nname = \"application\"\nkind = \"json-log\"\nrole = \"application\"\npath = \"app.jsonl\"\n\
             events = {{ loaded = [\"secret.loaded\"] }}\nCOVERS\n{}",
            self.secrets
        );
        fs::write(path.join("keytrail.toml"), config.replace("COVERS", &covers)).expect("a file");
        fs::write(path.join("ledger.jsonl"), &self.ledger).expect("a file");
        fs::write(path.join("app.jsonl"), &self.application).expect("a file");
    }

    /// When it is judged: when every trace is due.
    fn as_of(&self) -> DateTime<Utc> {
        self.started + TimeDelta::days(3)
    }

    fn scan(&self, environment: &[(&str, &str)]) -> Outcome {
        let args = ["scan", "--only", "trails", "--format", "json", "--as-of", &rfc3339(self.as_of())];
        let keytrail = Keytrail::new(self.folder.path()).args(args);
        environment.iter().fold(keytrail, |keytrail, (name, value)| keytrail.env(name, value)).run()
    }
}

fn now() -> String {
    rfc3339(Utc::now())
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `verdict[ silent][ flags]` of every rotation, by item.
fn verdicts(report: &Value) -> BTreeMap<String, Vec<String>> {
    let mut verdicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rotation in report["rotations"].as_array().expect("rotations") {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut words = vec![text(&rotation["verdict"])];
        words.extend(rotation["silent"].as_str().map(str::to_owned));
        words.extend(rotation["flags"].as_array().expect("flags").iter().map(text));
        verdicts.entry(text(&rotation["item"])).or_default().push(words.join(" "));
    }
    verdicts
}

/// `rule item` of every finding, sorted.
fn findings(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    let mut rules: Vec<String> =
        findings.map(|finding| format!("{} {}", text(&finding["rule"]), text(&finding["item"]))).collect();
    rules.sort();
    // A store that rotates by itself does so as often as it likes.
    rules.dedup();
    rules
}

/// Reads the bytes of every event of every rotation again, and checks their hashes.
fn check_evidence(folder: &Path, report: &Value) -> usize {
    let rotations = report["rotations"].as_array().expect("rotations").iter();
    let events = rotations.flat_map(|rotation| rotation["events"].as_array().expect("events"));
    let mut checked = 0;
    for raw in events.map(|event| &event["raw"]) {
        let source = raw["source"].as_str().expect("a source");
        let bytes = fs::read(folder.join(source)).unwrap_or_else(|error| panic!("{source}: {error}"));
        let number = |name: &str| usize::try_from(raw[name].as_u64().expect("a number")).expect("a size");
        let record = &bytes[number("offset")..number("offset") + number("length")];
        let digest: String = Sha256::digest(record).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(raw["sha256"], digest, "{raw}");
        checked += 1;
    }
    checked
}
