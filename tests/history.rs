//! What scans found one after the other, by the real binary; and two reports compared.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::postgres::Postgres;
use crate::support::{Keytrail, Outcome, copy_tree, repository, tree};

const API: &str = "[[secret]]\nkey = \"API_TOKEN\"\nowner = \"shop\"\ncadence = \"90 days\"\n";

/// The config of two secrets; the second has an owner or not.
fn config(owner: &str, state: &str) -> String {
    format!("{state}{API}\n[[secret]]\nkey = \"DB_PASSWORD\"\n{owner}cadence = \"never (static)\"\n")
}

const OWNER: &str = "owner = \"data\"\n";

fn write(folder: &Path, config: &str, token: &str) {
    fs::write(folder.join("keytrail.toml"), config).unwrap();
    let values = format!("API_TOKEN={token}-zW2kfL0xP\nDB_PASSWORD=tT7-harbour-8841\n");
    fs::write(folder.join(".env.production"), values).unwrap();
}

fn run(folder: &Path, args: &[&str]) -> Outcome {
    Keytrail::new(folder).args(args).run()
}

/// A scan of an instant that is recorded.
fn scan(folder: &Path, as_of: &str, more: &[&str]) -> Value {
    let args = ["scan", "--as-of", as_of, "--record", "--format", "json", "--fail-on", "never"];
    let out = run(folder, &[&args, more].concat());
    assert_eq!(out.stderr, "");
    out.json()
}

/// The rules and items of a list of changes.
fn rules(report: &Value, list: &str) -> Vec<String> {
    let changes = report["changes"][list].as_array().unwrap_or_else(|| panic!("{}", report["changes"]));
    let name = |change: &Value| format!("{} {}", change["rule"].as_str().unwrap(), change["item"].as_str().unwrap());
    changes.iter().map(name).collect()
}

fn history(folder: &Path, more: &[&str]) -> Vec<Value> {
    run(folder, &[&["history", "--format", "json"], more].concat()).json().as_array().unwrap().clone()
}

fn three_scans(folder: &Path, state: &str) {
    write(folder, &config("", state), "first");
    let first = scan(folder, "2026-01-01", &[]);
    assert!(first.get("changes").is_none() && first.get("trends").is_none(), "there was none before");
    write(folder, &config(OWNER, state), "first");
    let second = scan(folder, "2026-05-01", &[]);
    assert_eq!(second["changes"]["since"], "2026-01-01T00:00:00Z");
    assert!(rules(&second, "new").contains(&"overdue-rotation API_TOKEN@production".to_owned()), "{second}");
    assert!(rules(&second, "fixed").contains(&"no-owner DB_PASSWORD@production".to_owned()), "{second}");
    write(folder, &config("", state), "second");
    let third = scan(folder, "2026-05-11", &[]);
    assert_eq!(rules(&third, "regressed"), ["no-owner DB_PASSWORD@production"]);
    assert_eq!(rules(&third, "fixed"), ["overdue-rotation API_TOKEN@production"]);
    let trends = &third["trends"];
    assert_eq!(trends["points"].as_array().unwrap().len(), 3);
    assert_eq!(trends["points"][1]["measures"]["in_cadence"], 0);
    assert_eq!(trends["points"][2]["measures"], third["summary"]["measures"]);
    // Due on 1 April, 90 days after it was seen first; another value was seen on 11 May.
    assert_eq!((&trends["rotated"], &trends["mean_seconds_to_rotate"]), (&1.into(), &(40 * 86_400).into()));
}

#[test]
fn three_scans_know_of_one_another() {
    let folder = tree([]);
    let empty = run(folder.path(), &["history"]);
    assert_eq!(empty.status, Some(0));
    assert!(empty.stdout.starts_with("No scan was recorded here yet.\n`keytrail scan`"), "{}", empty.stdout);
    three_scans(folder.path(), "");
    let scans = history(folder.path(), &[]);
    assert_eq!(scans.len(), 3);
    assert_eq!(scans[2]["changes"]["regressed"], 1);
    assert_eq!(history(folder.path(), &["--since", "2026-05-01"]).len(), 2);
    let table = run(folder.path(), &["history"]).stdout;
    assert!(table.contains("2026-05-11T00:00:00Z") && table.contains("1 back, 1 fixed"), "{table}");

    // The same again adds nothing, and neither does one that comes late; what it finds is told all the same.
    scan(folder.path(), "2026-05-11", &[]);
    let late = ["scan", "--as-of", "2026-03-01", "--record", "--format", "json", "--fail-on", "never"];
    let late = run(folder.path(), &late);
    assert_eq!(late.json()["changes"]["since"], "2026-01-01T00:00:00Z");
    assert!(
        late.stderr.ends_with("not added to the history, which has one of 2026-05-11 already\n"),
        "{}",
        late.stderr
    );
    assert_eq!(history(folder.path(), &[]), scans);

    // A scan as of an instant reads the state and leaves it alone, and says the same whenever it runs.
    let read = |format: &str| run(folder.path(), &["scan", "--as-of", "2026-06-01", "--format", format]).stdout;
    let before = read("json");
    assert_eq!(read("json"), before);
    assert!(read("table").contains("Changes   since 2026-05-11: "), "{}", read("table"));
    assert_eq!(history(folder.path(), &[]), scans);
    let forgot = run(folder.path(), &["scan", "--fix", "--dry-run", "--fail-on", "never"]);
    assert_eq!(forgot.status, Some(0), "{}", forgot.stderr);
    assert_eq!(history(folder.path(), &[]), scans, "of a plan that is only looked at nothing is remembered");
    assert_eq!(run(folder.path(), &["scan", "--fail-on", "never"]).status, Some(0));
    assert_eq!(history(folder.path(), &[]).len(), 4, "a scan of now is recorded");
}

#[tokio::test]
async fn a_server_keeps_estates_apart() {
    let server = Postgres::shared();
    let url = server.new_database().await;
    // The config takes no password.
    let password = crate::support::postgres::PASSWORD;
    let url = url.replace(&format!(":{password}@"), "@");
    let key = repository().join("fixtures/estate/state/fingerprint.key");
    let state = |estate: &str| {
        format!("[state]\nurl = \"{url}\"\nfingerprint_key = \"{}\"\nestate = \"{estate}\"\n\n", key.display())
    };
    let (shop, other) = (tree([]), tree([]));
    let scan_of = |folder: &TempDir, estate: &str, as_of: &str| {
        write(folder.path(), &config("", &state(estate)), "first");
        let args = ["scan", "--as-of", as_of, "--record", "--format", "json", "--fail-on", "never"];
        let out = Keytrail::new(folder.path()).args(args).env("PGPASSWORD", password).run();
        assert_eq!(out.stderr, "");
        out.json()
    };
    scan_of(&shop, "shop", "2026-01-01");
    assert!(scan_of(&other, "other", "2026-02-01").get("changes").is_none());
    let next = scan_of(&shop, "shop", "2026-05-01");
    assert_eq!(next["changes"]["since"], "2026-01-01T00:00:00Z");
    assert_eq!(next["trends"]["points"].as_array().unwrap().len(), 2);
}

#[test]
fn what_was_not_looked_at_is_not_fixed() {
    let folder = tree([]);
    write(folder.path(), &config("", ""), "first");
    scan(folder.path(), "2026-01-01", &[]);
    write(folder.path(), &config(OWNER, ""), "first");
    let part = scan(folder.path(), "2026-01-02", &["--only", "cadence"]);
    assert!(rules(&part, "fixed").is_empty() && part.get("trends").is_none());
    assert!(rules(&part, "unseen").contains(&"no-owner DB_PASSWORD@production".to_owned()));
    // What cannot be read makes a gap.
    fs::create_dir(folder.path().join("deploy")).unwrap();
    fs::write(folder.path().join("deploy/api.yaml"), "apiVersion: v1\nkind: Secret\nmetadata: [\n").unwrap();
    let gaps = scan(folder.path(), "2026-01-03", &[]);
    assert_eq!(gaps["summary"]["complete"], false, "{gaps}");
    assert!(rules(&gaps, "fixed").is_empty());
    assert!(rules(&gaps, "unseen").contains(&"no-owner DB_PASSWORD@production".to_owned()));
    fs::remove_dir_all(folder.path().join("deploy")).unwrap();
    let whole = scan(folder.path(), "2026-01-04", &[]);
    assert!(rules(&whole, "fixed").contains(&"no-owner DB_PASSWORD@production".to_owned()));
}

#[test]
fn two_reports_are_compared() {
    let folder = tree([]);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let save = |name: &str, as_of: &str| {
        let out = run(folder.path(), &["scan", "--as-of", as_of, "--format", "json", "--fail-on", "never"]);
        fs::write(folder.path().join(name), &out.stdout).unwrap();
    };
    write(folder.path(), &config(OWNER, ""), "first");
    scan(folder.path(), "2026-01-01", &[]);
    save("a.json", "2026-01-02");
    write(folder.path(), &config("", ""), "first");
    save("b.json", "2026-05-01");

    let diff = |args: &[&str]| run(folder.path(), &[&["diff"], args].concat());
    let worse = diff(&[&at("a.json"), &at("b.json")]);
    assert_eq!(worse.status, Some(1), "{worse:?}");
    assert!(worse.stdout.contains("overdue-rotation") && worse.stdout.contains("no-owner"), "{}", worse.stdout);
    assert_eq!(diff(&["a.json", "b.json", "--fail-on", "critical"]).status, Some(0));
    assert_eq!(diff(&["b.json", "a.json"]).status, Some(0), "what is fixed fails nothing");
    assert_eq!(diff(&["a.json", "a.json"]).status, Some(0));
    let same = diff(&["b.json", "b.json", "--format", "json"]).json();
    assert_eq!((&same["changes"]["new"], &same["changes"]["fixed"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    assert!(diff(&["a.json", "b.json", "--format", "markdown"]).stdout.starts_with("## Keytrail: "));

    let mut piped = Command::new(env!("CARGO_BIN_EXE_keytrail"));
    piped.args(["diff", "a.json", "-"]).current_dir(folder.path());
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(&fs::read(folder.path().join("b.json")).unwrap()).unwrap();
    assert_eq!(piped.wait_with_output().unwrap().stdout, worse.stdout.as_bytes());

    let sarif = run(folder.path(), &["scan", "--as-of", "2026-05-01", "--format", "sarif"]).stdout;
    fs::write(folder.path().join("c.sarif"), sarif).unwrap();
    for (args, message) in [
        (["a.json", "c.sarif"], "failed to read c.sarif: it is SARIF, no JSON report of Keytrail"),
        ([".env.production", "a.json"], "failed to read .env.production: it is not JSON from line 1, column"),
        (["a.json", "absent.json"], "cannot read absent.json: "),
        (["-", "-"], "both reports are standard input"),
    ] {
        let refused = diff(&args);
        assert_eq!((refused.status, refused.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
    }
}

/// What is kept of the scans, as text.
fn kept(database: &Path) -> String {
    const SELECTS: &str = "SELECT * FROM keytrail_scans ORDER BY as_of; SELECT * FROM keytrail_findings ORDER BY 2, 3; \
                           SELECT * FROM keytrail_items ORDER BY 2, 3; SELECT * FROM keytrail_sightings ORDER BY 1, 2, 3";
    let script = "import sqlite3, sys\nstate = sqlite3.connect(sys.argv[1])\n\
                  for select in sys.argv[2].split(';'):\n    print(*state.execute(select), sep='\\n')\n";
    let out = Command::new("python3").args(["-c", script]).arg(database).arg(SELECTS).output().expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn the_state_of_the_estate_is_what_its_script_makes() {
    let folder = tempfile::tempdir().unwrap();
    copy_tree(&repository().join("fixtures/estate"), folder.path());
    let before = kept(&folder.path().join("state/keytrail.db"));
    let mut build = Command::new("bash");
    build.arg(folder.path().join("state/build.sh")).arg(env!("CARGO_BIN_EXE_keytrail"));
    assert!(build.status().expect("bash runs").success());
    assert!(before.lines().count() > 20 && kept(&folder.path().join("state/keytrail.db")) == before);
}
