//! What OpenBao itself is asked for: how it hashes what is known, and canaries.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Estate, findings, verdicts};
use crate::support::Keytrail;
use crate::support::openbao::OpenBao;

const STORE: &str = "\
[[store]]
name = \"vault\"
kind = \"vault\"
address = \"ADDRESS\"
mounts = [\"secret\", \"one\"]
read_values = true
";

const TRAIL: &str = "\
[[trail]]
name = \"vault-audit\"
kind = \"vault-audit\"
paths = [\"audit.*.log\"]
";

/// Writes as a run, with a token of that run.
async fn put_as(bao: &OpenBao, run: &str, path: &str, data: Value) {
    let made = bao.put("auth/token/create", json!({ "meta": { "run_id": run } })).await;
    let request = bao.put_as(made["auth"]["client_token"].as_str().expect("a token"), path, data);
    request.await;
}

/// Scans copies of the logs of both devices, with more keys of the trail.
fn scan(bao: &OpenBao, estate: &Estate, more: &str, token: &str) -> Value {
    for (at, log) in bao.audit_logs().iter().enumerate() {
        fs::copy(log, estate.folder.path().join(format!("audit.{at}.log"))).expect("a copy");
    }
    estate.write(&format!("{}{TRAIL}COVERS\n{more}", STORE.replace("ADDRESS", &bao.address)));
    let outcome = estate.scan(&[("VAULT_TOKEN", token)]);
    assert!(!outcome.stdout.contains("planted") && !outcome.stderr.contains("planted"), "a value is shown");
    outcome.json()
}

fn of<'a>(report: &Value, item: &'a str) -> (&'a str, Vec<String>) {
    (item, verdicts(report).remove(item).unwrap_or_default())
}

/// The versions of the events of one kind that are evidence of a change of an item.
fn versions(report: &Value, item: &str, kind: &str) -> Vec<String> {
    let rotations = report["rotations"].as_array().expect("rotations").iter().filter(|one| one["item"] == item);
    let events = rotations.flat_map(|one| one["events"].as_array().expect("events"));
    let versions = events.filter(|event| event["kind"] == kind).map(|event| &event["version"]);
    let mut versions: Vec<String> = versions.map(|version| version.as_str().unwrap_or("-").to_owned()).collect();
    versions.dedup();
    versions
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_asked_what_the_hashes_of_its_audit_are_of() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.mount("", "one", 1).await;
    let mut estate = Estate::new();
    estate.secret("NO_OP", "vault:one/no_op#NO_OP", "");
    // Version 1 of the engine answers nothing that marks of two tokens could be compared by.
    estate.request("run-first", "NO_OP");
    put_as(&bao, "run-first", "one/no_op", json!({ "NO_OP": "planted-no-op" })).await;
    estate.load("NO_OP");
    estate.request("run-no-op", "NO_OP");
    put_as(&bao, "run-no-op", "one/no_op", json!({ "NO_OP": "planted-no-op" })).await;
    estate.load("NO_OP");
    // An old version is destroyed, and a new one deleted and brought back: by texts, as the command line sends them.
    for key in ["OLD", "NEW"] {
        estate.secret(key, &format!("vault:secret/{key}#{key}"), "");
        bao.write("secret", key, json!({ key: format!("planted-first-{key}") })).await;
        estate.request(&format!("run-{key}"), key);
        let data = json!({ "data": { key: format!("planted-second-{key}") } });
        put_as(&bao, &format!("run-{key}"), &format!("secret/data/{key}"), data).await;
    }
    estate.load("OLD");
    bao.cli(&["kv", "destroy", "-versions=1", "secret/OLD"]);
    bao.cli(&["kv", "delete", "-versions=2", "secret/NEW"]);
    bao.cli(&["kv", "undelete", "-versions=2", "secret/NEW"]);

    let report = scan(&bao, &estate, "", &bao.root_token);
    assert_eq!(of(&report, "NO_OP"), ("NO_OP", ["traced", "traced"].map(str::to_owned).to_vec()));
    assert_eq!(of(&report, "NEW"), ("NEW", vec!["applied-never-loaded revoked-before-verified".to_owned()]));
    assert!(versions(&report, "OLD", "destroyed")[0].starts_with("hmac-sha256:"), "{report:#}");

    let devices = "audit_hash = [\"file\", \"second/\"]\n";
    let report = scan(&bao, &estate, devices, &bao.root_token);
    assert_eq!(report["gaps"], json!([]));
    assert_eq!(of(&report, "NO_OP"), ("NO_OP", ["traced", "traced no-op"].map(str::to_owned).to_vec()), "{report:#}");
    assert_eq!(of(&report, "NEW"), ("NEW", vec!["applied-never-loaded".to_owned()]));
    assert_eq!(versions(&report, "OLD", "destroyed"), ["1"]);
    for log in bao.audit_logs() {
        assert!(!fs::read_to_string(log).expect("a log").contains("planted"), "the server's log holds a value");
    }

    let policy = "path \"secret/*\" { capabilities = [\"read\", \"list\"] }\n\
                  path \"one/*\" { capabilities = [\"read\", \"list\"] }\n";
    let token = bao.token("reader", policy).await;
    let refused = scan(&bao, &estate, devices, &token);
    assert_eq!(
        of(&refused, "NO_OP"),
        ("NO_OP", ["traced", "traced"].map(str::to_owned).to_vec()),
        "nothing else depends on it"
    );
    let told: Vec<&str> =
        refused["gaps"].as_array().expect("gaps").iter().filter_map(|gap| gap["message"].as_str()).collect();
    assert_eq!(
        told,
        ["file", "second"].map(|device| format!("the token may not ask how the audit device {device} hashes"))
    );
    let nowhere = scan(&bao, &estate, "audit_hash = [\"third\"]\n", &bao.root_token);
    assert_eq!(nowhere["gaps"][0]["message"], "the server does not tell how an audit device third hashes");
    assert!(findings(&nowhere).iter().all(|finding| !finding.starts_with("silent")), "{:#?}", findings(&nowhere));
}

/// An estate whose scans leave canaries.
struct Canaries {
    bao: OpenBao,
    folder: tempfile::TempDir,
}

impl Canaries {
    async fn start() -> Self {
        let bao = OpenBao::start().await;
        bao.mount("", "secret", 2).await;
        bao.write("secret", "keytrail-canary", json!({ "any": "thing" })).await;
        Self { bao, folder: tempfile::tempdir().expect("a folder") }
    }

    /// What the trail is found to hold, read from a log.
    fn trail(&self, log: &Path, args: &[&str]) -> Value {
        let store = STORE.replace("ADDRESS", &self.bao.address).replace(", \"one\"", "");
        let trail = TRAIL.replace("audit.*.log", &log.display().to_string());
        let canary = "canary = { path = \"secret/keytrail-canary\", every = \"10m\" }\n";
        let secret = "[[secret]]\nkey = \"API_KEY\"\nclass = \"secret\"\nowner = \"team\"\ncopies = [\"vault:secret/api#API_KEY\"]\n";
        fs::write(self.folder.path().join("keytrail.toml"), format!("{store}{trail}{canary}{secret}")).expect("a file");
        let keytrail = Keytrail::new(self.folder.path()).args(["trails", "--format", "json"]).args(args);
        let report = keytrail.env("VAULT_TOKEN", &self.bao.root_token).run().json();
        report[0].clone()
    }

    /// The log without the lines for which this holds.
    fn without(&self, cut: impl Fn(&Value) -> bool) -> PathBuf {
        let log = fs::read_to_string(&self.bao.audit_logs()[0]).expect("a log");
        let kept = log.lines().filter(|line| !cut(&serde_json::from_str(line).expect("JSON")));
        let path = self.folder.path().join("cut.log");
        fs::write(&path, kept.map(|line| format!("{line}\n")).collect::<String>()).expect("a file");
        path
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scan_reads_a_canary_that_has_to_be_in_the_log() {
    let estate = Canaries::start().await;
    let (bao, log) = (&estate.bao, &estate.bao.audit_logs()[0]);
    let reads = || bao.audited().iter().filter(|call| call.ends_with("read secret/data/keytrail-canary")).count();
    bao.write("secret", "api", json!({ "API_KEY": "planted-first" })).await;
    let first = estate.trail(log, &[]);
    let before = reads();
    assert!(before > 0, "{:#?}", bao.audited());
    bao.write("secret", "api", json!({ "API_KEY": "planted-second" })).await;
    let second = estate.trail(log, &[]);
    assert!(reads() > before);
    let stretch =
        |trail: &Value| trail["covered"].as_array().filter(|all| all.len() == 1).expect("one stretch")[0].clone();
    let (one, both) = (stretch(&first), stretch(&second));
    assert_eq!((&one["proof"], &one["from"], &both["proof"]), (&json!("canary"), &both["from"], &json!("canary")));
    assert!(both["to"].as_str() > one["to"].as_str(), "{one} {both}");
    assert_eq!(second["holes"], json!([]));

    // What was cut out between two canaries, the store remembers.
    let is_put =
        |line: &Value| line["request"]["path"] == "secret/data/api" && line["request"]["operation"] == "update";
    let soon = super::rfc3339(chrono::Utc::now() + chrono::TimeDelta::hours(1));
    let cut = estate.trail(&estate.without(is_put), &["--as-of", &soon]);
    assert_eq!(cut["holes"][0]["tampered"], true, "{cut:#}");
    // Without its canaries, the trail is covered at no time.
    let is_canary = |line: &Value| line["request"]["path"] == "secret/data/keytrail-canary";
    let blind = estate.trail(&estate.without(is_canary), &[]);
    assert_eq!(blind["covered"], json!([]), "{blind:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_the_past_reads_no_canary() {
    let estate = Canaries::start().await;
    let log = &estate.bao.audit_logs()[0];
    let count = || estate.bao.audited().iter().filter(|call| call.contains("data/keytrail-canary")).count();
    let before = count();
    estate.trail(log, &["--as-of", "2030-01-01"]);
    let of_inventory = count() - before;
    estate.trail(log, &[]);
    assert_eq!(count() - before, 2 * of_inventory + 1);
}
