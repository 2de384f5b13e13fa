//! Exports follow each other, and show when the ledger between them was written anew.

use std::fs;
use std::process::Command;

use super::company::Company;
use super::json;

/// Writes the ledger anew, as somebody with the database could: the first row says something else, all that follow are
/// chained to it, and no checkpoint is left that would tell.
const REWRITE: &str = r#"
import hashlib, json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
    db.execute(f'DROP TRIGGER "{name}"')
prev = "0" * 64
for number, entry in db.execute("SELECT number, entry FROM keytrail_ledger ORDER BY number").fetchall():
    row = json.loads(entry)
    row["prev"] = prev
    row["by"] = "nobody" if row["seq"] == 0 else row["by"]
    text = json.dumps(row, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    prev = hashlib.sha256(b"\0" + text.encode()).hexdigest()
    db.execute("UPDATE keytrail_ledger SET entry = ?, hash = ? WHERE number = ?", (text, prev, number))
db.execute("DELETE FROM keytrail_ledger_checkpoints")
if len(sys.argv) > 2:
    db.execute("DELETE FROM keytrail_ledger WHERE number >= ?", (int(sys.argv[2]),))
    db.execute("UPDATE keytrail_rotation_counters SET value = ? WHERE name = 'ledger'", (int(sys.argv[2]),))
db.commit()
"#;

fn rewrite(company: &Company, rows: &[&str]) {
    let database = company.path().join(".keytrail/state.db");
    let out = Command::new("python3").args(["-c", REWRITE]).arg(database).args(rows).output().expect("python runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn each_names_the_one_before_and_proves_that_its_ledger_begins_with_that_one_s() {
    let company = Company::new();
    let first = company.export("first", &[]);
    company.rotate();
    let second = company.export("second", &["--previous", "first"]);
    let previous = &json(&second.path().join("manifest.json"))["previous"];
    let checkpoint = fs::read_to_string(first.path().join("ledger/checkpoint")).expect("a checkpoint");
    assert_eq!(previous["checkpoint"], checkpoint);
    assert!(second.path().join("ledger/consistency").is_file());
    let verified = company.keytrail(&["verify", "second", "--previous", "first"]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
    assert!(verified.stdout.contains("the ledger begins with the 2 rows of the export before"), "{}", verified.stdout);
    assert!(verified.stdout.contains("it follows first"), "{}", verified.stdout);

    // The state knows it without being told; a checkpoint alone will do as well.
    let until = "2200-01-01";
    let third = company.export("third", &["--until", until]);
    let named = json(&third.path().join("manifest.json"))["previous"]["envelope_sha256"].clone();
    assert!(named.is_string());
    let fourth = company.export("fourth", &["--previous", "second/ledger/checkpoint", "--until", until]);
    assert!(json(&fourth.path().join("manifest.json"))["previous"]["envelope_sha256"].is_null());
    assert_eq!(company.keytrail(&["verify", "fourth", "--previous", "second"]).status, Some(0));
    let other = company.keytrail(&["verify", "fourth", "--previous", "first"]);
    assert_eq!(other.status, Some(1), "{}", other.stdout);
    assert!(other.stdout.contains("names another export before it than first"), "{}", other.stdout);
    // What is wrong with the one before is named too.
    fs::write(first.path().join("raw/index.jsonl"), "").expect("a file");
    let failed = company.keytrail(&["verify", "second", "--previous", "first"]);
    assert!(failed.stdout.contains("FAILED first/raw/index.jsonl was changed"), "{}", failed.stdout);
}

#[test]
fn a_ledger_that_was_written_anew_is_not_exported() {
    let company = Company::new();
    company.export("first", &[]);
    rewrite(&company, &[]);
    let refused = company.try_export("second", &[]);
    assert_eq!(refused.status, Some(2), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("the first 2 rows of the ledger are not those that an export"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("it was rewritten"), "{}", refused.stderr);
    assert!(!company.path().join("second").exists());
    // Even where the state forgot, who kept the checkpoint knows.
    fs::remove_file(company.path().join(".keytrail/exports.jsonl")).expect("gone");
    let refused = company.try_export("second", &["--previous", "first/ledger/checkpoint"]);
    assert!(refused.stderr.contains("it was rewritten"), "{}", refused.stderr);
    // And where the exporter does not tell, the verifier finds out.
    company.export("forged", &[]);
    let failed = company.keytrail(&["verify", "forged", "--previous", "first"]);
    assert_eq!(failed.status, Some(1), "{}", failed.stdout);
}

#[test]
fn rows_that_are_gone_are_named() {
    let company = Company::new();
    company.export("first", &[]);
    rewrite(&company, &["1"]);
    let refused = company.try_export("second", &[]);
    assert_eq!(refused.status, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("it has 1: rows are gone"), "{}", refused.stderr);
}
