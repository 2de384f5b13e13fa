//! Trails in `keytrail scan`: the real binary on ledgers and logs.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Keytrail, Outcome, repository, tree};

const SCHEMA: (&str, &str) = (".env.schema", "# @required @sensitive\nDATABASE_PASSWORD=\n");

const CONFIG: &str = r#"
[[secret]]
key = "DATABASE_PASSWORD"
known_as = ["postgres:role/shop_app"]
consumers = ["kubernetes:shop/deployment/api"]

[[trail]]
name = "ledger"
kind = "workload-runs"
path = "ledger/*.jsonl"

[[trail]]
name = "api"
kind = "json-log"
path = "logs"
consumer = "kubernetes:shop/deployment/api"
covers = [2026-03-01, 2026-06-30]
fields = { time = "ts", target = "secret.name", version = "secret.version" }
events = { loaded = ["secret.loaded"], refused = ["secret.rejected"] }
"#;

fn fixture(name: &str) -> String {
    fs::read_to_string(repository().join("fixtures/trails").join(name)).expect("a fixture")
}

fn scan(folder: &Path, more: &[&str]) -> Outcome {
    let usual = ["scan", "--format", "json", "--as-of", "2026-07-01T00:00:00Z"];
    Keytrail::new(folder).args(usual).args(more).run()
}

/// The entry of that name in a list of a report.
fn named<'r>(report: &'r Value, list: &str, key: &str, name: &str) -> &'r Value {
    let entries = report[list].as_array().expect("a list");
    entries.iter().find(|entry| entry[key] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

fn shop() -> tempfile::TempDir {
    let (ledger, api) = (fixture("workload-runs/ledger.jsonl"), fixture("json-log/api.jsonl"));
    tree([SCHEMA, ("keytrail.toml", CONFIG), ("ledger/2026.jsonl", &ledger), ("logs/api.jsonl", &api)])
}

#[test]
fn canaries_show_which_times_a_trail_covers() {
    let read = |hour: u32| {
        let line = json!({ "time": format!("2026-06-01T{hour:02}:00:00Z"), "event": "read", "secret": "DATABASE_PASSWORD",
            "run": "canary" });
        format!("{line}\n")
    };
    let config = "[[trail]]\nname = \"audit\"\nkind = \"json-log\"\npath = \"audit.jsonl\"\n\
                  canary = { run = \"canary\", every = \"1h\" }\n";
    // That of three o'clock is missing.
    let log: String = [1, 0, 2, 4, 5].into_iter().map(read).collect();
    let folder = tree([SCHEMA, ("keytrail.toml", config), ("audit.jsonl", &log)]);
    let report = scan(folder.path(), &["--only", "trails"]).json();
    let covered = &named(&report, "trails", "name", "audit")["covered"];
    assert_eq!(
        covered,
        &json!([
            { "from": "2026-06-01T00:00:00Z", "to": "2026-06-01T02:00:00Z", "proof": "canary" },
            { "from": "2026-06-01T04:00:00Z", "to": "2026-06-01T05:00:00Z", "proof": "canary" },
        ]),
        "{report:#}"
    );
}

#[test]
fn what_was_read_and_what_was_not_is_in_the_report() {
    let folder = shop();
    let out = scan(folder.path(), &["--only", "trails"]);
    assert_eq!(out.status, Some(3), "a line of the log is broken: {}", out.stderr);
    let report = out.json();

    let held = |name: &str| named(&report, "scope", "source", name)["held"].as_u64();
    assert_eq!((held("ledger"), held("api")), (Some(7), Some(3)));
    assert_eq!(named(&report, "scope", "source", "ledger")["kind"], "workload-runs");

    let gaps = report["gaps"].as_array().expect("gaps");
    assert_eq!(gaps.len(), 1, "{gaps:#?}");
    assert_eq!((&gaps[0]["source"], &gaps[0]["location"]["line"]), (&json!("logs/api.jsonl"), &json!(4)));
    assert!(!gaps[0].to_string().contains("DATABASE"), "a gap shows nothing of the record");

    let ledger = named(&report, "trails", "name", "ledger");
    assert_eq!((&ledger["role"], &ledger["records"]), (&json!("ledger"), &json!(3)));
    let proved = json!([{ "from": "2026-03-01T10:05:00Z", "to": "2026-03-20T09:00:00Z", "proof": "sequence" }]);
    assert_eq!(ledger["covered"], proved);
    assert_eq!(ledger["holes"][0]["reason"], "row 43 of the ledger is missing");
    let api = named(&report, "trails", "name", "api");
    assert_eq!(api["covered"][0]["proof"], "declared");
    assert_eq!(api["holes"].as_array().map(Vec::len), Some(1));

    let rotation = &report["rotations"][0];
    assert_eq!((&rotation["item"], &rotation["traces"]["ledger"]), (&json!("DATABASE_PASSWORD"), &json!("present")));
    let asked = &rotation["events"][0];
    assert_eq!(asked["details"]["approver"], "ben@example.com");
    let raw = &asked["raw"];
    let (offset, length) = (raw["offset"].as_u64().expect("an offset"), raw["length"].as_u64().expect("a length"));
    let bytes = fs::read(folder.path().join(raw["source"].as_str().expect("a file"))).expect("the file");
    let record = &bytes[usize::try_from(offset).expect("small")..usize::try_from(offset + length).expect("small")];
    assert_eq!(raw["sha256"].as_str(), Some(sha256(record).as_str()), "an auditor finds the same bytes");
}

fn sha256(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sha256sum");
    child.stdin.take().expect("a pipe").write_all(bytes).expect("bytes");
    let out = child.wait_with_output().expect("a sum");
    String::from_utf8_lossy(&out.stdout).split_whitespace().next().expect("a sum").to_owned()
}

#[test]
fn nothing_is_read_that_was_not_asked_for() {
    let folder = shop();
    let report = scan(folder.path(), &["--only", "inventory"]).json();
    assert_eq!(
        (report["trails"].as_array().map(Vec::len), report["gaps"].as_array().map(Vec::len)),
        (Some(0), Some(0))
    );
}

#[test]
fn a_trail_that_is_not_there_makes_the_scan_incomplete() {
    let folder = shop();
    fs::remove_dir_all(folder.path().join("ledger")).expect("a folder");
    let out = scan(folder.path(), &["--only", "trails", "--fail-on", "never"]);
    assert_eq!(out.status, Some(3), "{}", out.stderr);
    let report = out.json();
    let gap = named(&report, "gaps", "source", "ledger/*.jsonl");
    assert_eq!(gap["reason"], "unreachable");
    let hole = &named(&report, "trails", "name", "ledger")["holes"][0];
    assert!(hole["from"].is_null() && hole["to"].is_null(), "{hole:#}");
}

#[test]
fn order_copies_and_compression_do_not_matter() {
    let folder = shop();
    let rotations = |folder: &Path| {
        let mut rotations = scan(folder, &["--only", "trails"]).json()["rotations"].clone();
        for event in rotations.as_array_mut().expect("a list").iter_mut().filter_map(|one| one["events"].as_array_mut())
        {
            event.iter_mut().for_each(|event| event["raw"] = Value::Null);
        }
        rotations
    };
    let expected = rotations(folder.path());
    let log = folder.path().join("logs/api.jsonl");
    let text = fs::read_to_string(&log).expect("the log");
    let (first, rest) = text.split_once('\n').expect("two lines");
    fs::write(folder.path().join("logs/z.jsonl"), format!("{first}\n")).expect("a file");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(rest.as_bytes()).expect("bytes");
    fs::write(folder.path().join("logs/a.gz"), encoder.finish().expect("bytes")).expect("a file");
    fs::write(&log, zstd::encode_all(text.as_bytes(), 3).expect("bytes")).expect("a file");
    assert_eq!(rotations(folder.path()), expected);
}

#[test]
fn hostile_logs_cost_no_memory_and_nothing_else() {
    let folder = shop();
    // A line of a quarter of a gigabyte, which is NUL bytes on a disk that stores none of them.
    let log = folder.path().join("logs/huge.jsonl");
    let good =
        "{\"ts\":\"2026-06-01T00:00:00Z\",\"event\":\"secret.loaded\",\"secret\":{\"name\":\"DATABASE_PASSWORD\"}}\n";
    let mut file = fs::File::create(&log).expect("a file");
    file.write_all(good.as_bytes()).expect("a line");
    file.set_len(1 << 28).expect("a sparse file");
    let mut file = fs::OpenOptions::new().append(true).open(&log).expect("the file");
    file.write_all(format!("\n{good}").as_bytes()).expect("a line");
    let report = scan(folder.path(), &["--only", "trails"]).json();
    assert_eq!(named(&report, "scope", "source", "api")["held"], 5);
    let gap = named(&report, "gaps", "source", "logs/huge.jsonl");
    assert_eq!((&gap["reason"], &gap["location"]["line"]), (&json!("malformed"), &json!(2)));
}
