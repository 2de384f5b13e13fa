//! `keytrail export`, `keytrail verify` and `keytrail keys`, with the real binary, openssl and ssh-keygen.

mod chain;
mod company;
mod keys;
mod tamper;
mod tsa;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Keytrail, copy_tree, repository};
use company::{Company, UNTIL};

/// Runs a script in a folder. Its output, if it succeeds.
pub(crate) fn sh(folder: &Path, script: &str) -> Result<String, String> {
    let script = format!("set -euo pipefail\n{script}");
    let out = Command::new("bash").args(["-c", &script]).current_dir(folder).stdin(Stdio::null()).output();
    let out = out.expect("bash runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stdout) + &text(&out.stderr)) }
}

/// The commands of `VERIFY.md`, a block each.
fn instructions(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("VERIFY.md")).expect("instructions");
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end").to_owned());
    blocks.collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn an_auditor_verifies_it_with_the_commands_in_it() {
    let company = Company::new();
    let out = company.export("evidence", &[]);
    let folder = out.path();
    assert_eq!(instructions(folder).len(), 2);
    for block in instructions(folder) {
        sh(folder, &block).unwrap_or_else(|error| panic!("{block}\n{error}"));
    }
    // With keys that came by another way, in every form that they are published in.
    for format in ["pem", "allowed-signers", "verifier"] {
        let keys = company.keytrail(&["keys", "publish", "--format", format]);
        assert_eq!(keys.status, Some(0), "{}", keys.stderr);
        company.write("auditor.keys", &keys.stdout);
        let verified = company.keytrail(&["verify", "evidence", "--key", "auditor.keys"]);
        assert_eq!(verified.status, Some(0), "{format}: {}{}", verified.stdout, verified.stderr);
        assert!(!verified.stdout.contains("only checked against the key in the export"), "{}", verified.stdout);
    }
    let verified = company.keytrail(&["verify", "evidence"]);
    assert!(verified.stdout.contains("only checked against the key in the export"), "{}", verified.stdout);
    assert_eq!(company.keytrail(&["verify", "evidence/evidence.dsse.json", "--key", "auditor.keys"]).status, Some(0));
    // Another signer's.
    sh(company.path(), "openssl genpkey -algorithm ed25519 | openssl pkey -pubout > other.pem").expect("a key");
    let refused = company.keytrail(&["verify", "evidence", "--key", "other.pem"]);
    assert_eq!(refused.status, Some(1), "{}", refused.stdout);
    assert!(
        refused.stdout.contains("FAILED evidence.dsse.json is not signed with a key that you trust"),
        "{}",
        refused.stdout
    );
    assert_eq!(company.keytrail(&["verify", "nothing"]).status, Some(2));
    // What openssl and ssh-keygen sign over is all that there is.
    fs::write(folder.join("manifest.json"), "{}").expect("a file");
    for block in instructions(folder) {
        assert!(sh(folder, &block).is_err(), "{block}");
    }
}

#[test]
fn it_holds_the_report_the_records_the_ledger_and_what_they_are_worth() {
    let company = Company::new();
    let out = company.export("evidence", &[]);
    let folder = out.path();
    let manifest = json(&folder.join("manifest.json"));
    let statement: Value =
        serde_json::from_str(&sh(folder, "jq -r .payload evidence.dsse.json | base64 -d").unwrap()).unwrap();
    assert_eq!(statement["predicate"], manifest);
    let names: Vec<&str> =
        statement["subject"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"reports/report.json") && names.contains(&"reports/report.sarif"));
    for format in keytrail_reporters::FORMATS {
        let is =
            |list: &str| manifest["formats"][list].as_array().unwrap().iter().any(|one| one["format"] == format.name);
        assert!(is("written") != is("skipped"), "{}", format.name);
    }

    // Every record of the report is there, byte for byte.
    let index = fs::read_to_string(folder.join("raw/index.jsonl")).unwrap();
    let index: Vec<Value> = index.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(index.len() >= 5, "{index:#?}");
    for one in index.iter().filter(|one| one["state"] == "included") {
        let number = |field: &str| usize::try_from(one[field].as_u64().unwrap()).unwrap();
        let shown = fs::read(folder.join(one["file"].as_str().unwrap())).unwrap();
        let shown = &shown[number("at")..number("at") + number("length")];
        if one["trail"] != "keytrail-ledger" {
            let source = fs::read(company.path().join(one["source"].as_str().unwrap())).unwrap();
            assert_eq!(shown, &source[number("offset")..number("offset") + number("length")]);
        }
        let sha256: String = Sha256::digest(shown).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(one["sha256"], sha256);
    }
    let withheld: Vec<&Value> = index.iter().filter(|one| one["state"] == "withheld").collect();
    assert_eq!(withheld.len(), 1, "the record that somebody wrote a value into: {index:#?}");
    assert_eq!(manifest["records"]["withheld"], 1);

    let ledger = &manifest["ledger"];
    assert_eq!((&ledger["rows"], &ledger["signed_rows"], &ledger["rows_in_window"]), (&2.into(), &2.into(), &2.into()));
    let proof = fs::read_to_string(folder.join("ledger/proofs/1.tlog-proof")).unwrap();
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\nindex 1\n"), "{proof}");
    let checkpoint = fs::read_to_string(folder.join("ledger/checkpoint")).unwrap();
    assert!(proof.ends_with(&format!("\n\n{checkpoint}")), "{proof}");
    assert_eq!(
        checkpoint.matches("\u{2014} keytrail/").count(),
        2,
        "the ledger's key and that of the export: {checkpoint}"
    );

    let run = &manifest["run"];
    assert_eq!(run["arguments"][0], "export");
    assert!(run["user"].is_string() && run["host"].is_string() && run["at"].is_string());
    assert_eq!(manifest["created"], manifest["query"]["until"]);
    let trails = manifest["trails"].as_array().unwrap();
    assert!(trails.iter().any(|trail| trail["name"] == "store" && trail["first"].is_string()), "{trails:#?}");
    let population = manifest["population"].as_array().unwrap();
    let files = population.iter().find(|one| one["store"] == "env-file").expect("the .env file");
    assert_eq!(
        (&files["in_report"], &files["plain"], &files["in_store"]),
        (&2.into(), &1.into(), &3.into()),
        "{files}"
    );
    assert!(manifest["leaks"]["searched"]["values"].as_u64() > Some(0));
    assert!(manifest["exceptions"].is_array() && manifest["gaps"].is_array());
}

#[test]
fn a_window_shows_what_is_in_it() {
    let company = Company::new();
    let out = company.export("evidence", &["--since", "2026-03-04"]);
    let raw = tamper::files(&out.path().join("raw")).into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap());
    let raw: String = raw.collect();
    assert!(raw.contains("2026-03-05T18:30:00Z") && !raw.contains("2026-03-01T12:00"), "{raw}");
    assert_eq!(company.keytrail(&["verify", "evidence"]).status, Some(0));
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let (company, elsewhere) = (Company::new(), tempfile::tempdir().expect("a folder"));
    let files = |name: &str, more: &[&str]| {
        // The next scan would read what lies in the scanned folder.
        let name = elsewhere.path().join(name);
        let name = name.to_str().expect("UTF-8");
        let args = [&["--until", "2026-06-01", "--no-identity"][..], more].concat();
        let out = company.export_with(name, &args);
        let mut files = tamper::files(out.path());
        files.iter_mut().for_each(|(path, _)| *path = path.strip_prefix(out.path()).unwrap().to_owned());
        files
    };
    let first = files("one/evidence", &[]);
    // What ends at the same instant does not follow it.
    assert_eq!(first, files("two/evidence", &[]));
    assert_ne!(first, files("three/evidence", &["--since", "2026-03-04"]));
}

#[test]
fn nothing_is_overwritten_and_nothing_half_is_left() {
    let company = Company::new();
    company.export("evidence", &[]);
    let again = company.try_export("evidence", &[]);
    assert_eq!(again.status, Some(2));
    assert!(again.stderr.contains("evidence is there already"), "{}", again.stderr);
    let refused = company.try_export("other", &["--timestamp", "http://127.0.0.1:9/"]);
    assert_eq!(refused.status, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("nothing was written"), "{}", refused.stderr);
    let left: Vec<_> = fs::read_dir(company.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("keytrail-export") || name == "other"), "{left:?}");
    let credentials = company.try_export("other", &["--timestamp", "https://user:hunter2@example.com/"]);
    assert!(credentials.status == Some(2) && !credentials.stderr.contains("hunter2"), "{}", credentials.stderr);
    assert_eq!(company.try_export("other", &["--since", UNTIL]).status, Some(2));
}

#[test]
fn the_estate_is_exported_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_tree(&repository().join("fixtures/estate"), folder.path());
    let run = |args: &[&str]| Keytrail::new(folder.path()).args(args).run();
    assert_eq!(run(&["keys", "new"]).status, Some(0));
    let out = run(&["export", "--until", "2026-11-01", "--out", "evidence"]);
    assert_eq!(out.status, Some(0), "{}{}", out.stdout, out.stderr);
    let manifest = json(&folder.path().join("evidence/manifest.json"));
    assert_eq!(manifest["records"]["withheld"], 0, "Vault shows keyed hashes in the place of values");
    assert_eq!(manifest["records"]["unavailable"], 0);
    assert!(manifest["records"]["included"].as_u64() > Some(5), "{}", manifest["records"]);
    let vault = &manifest["population"][0];
    assert_eq!((&vault["store"], &vault["gaps"]), (&"vault".into(), &0.into()), "{vault}");
    let verified = run(&["verify", "evidence"]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
    for block in instructions(&folder.path().join("evidence")) {
        sh(&folder.path().join("evidence"), &block).expect("it verifies");
    }
}
