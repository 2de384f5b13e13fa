//! The contract of the command line: exit status, streams, formats, baseline, facets.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Keytrail, tree};

const SCHEMA: &str = "key: LOG_LEVEL\ndescription: How much is logged.\nrequired: false\ndefault: info\ntargets: local\nclassification: plain\n";

/// One finding of severity high: a populated manifest.
const MANIFEST: &str =
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  MAILER_TOKEN: whisper-lantern-42\n";

#[test]
fn the_exit_status_tells_findings_errors_and_gaps_apart() {
    let clean = tree([(".env.schema", SCHEMA)]);
    let dirty = tree([("secret.yaml", MANIFEST)]);
    let broken = tree([(".env", "NO_EQUALS_SIGN\n")]);
    let both = tree([("secret.yaml", MANIFEST), (".env", "NO_EQUALS_SIGN\n")]);
    for (folder, args, status) in [
        (&clean, vec!["scan"], 0),
        (&dirty, vec!["scan"], 1),
        (&dirty, vec!["scan", "--fail-on", "critical"], 0),
        (&dirty, vec!["scan", "--fail-on", "never"], 0),
        (&dirty, vec!["scan", "--fail-on", "medium"], 1),
        (&dirty, vec!["scan", "--only", "cadence"], 0),
        (&broken, vec!["scan"], 3),
        (&both, vec!["scan"], 1),
        (&both, vec!["scan", "--fail-on", "never"], 3),
        (&clean, vec!["scan", "--no-such-option"], 2),
        (&clean, vec!["scan", "nowhere"], 2),
        (&clean, vec!["scan", "--format", "yaml"], 2),
        (&clean, vec!["scan", "--as-of", "yesterday"], 2),
        (&clean, vec!["scan", "--fix", "--as-of", "2026-03-01"], 2),
        (&clean, vec!["scan", "--fix", "--yes", "--dry-run"], 2),
        (&clean, vec!["scan", "--yes"], 2),
        (&clean, vec!["rotate"], 2),
        (&clean, vec!["rotate", "NOWHERE"], 2),
        (&clean, vec!["rotate", "--rollback", "kt-20261121t183000z-0f3a9c21"], 2),
        (&clean, vec!["rotate", "--resume", "--emergency"], 2),
        (&clean, vec!["rotate", "--list"], 0),
        (&clean, vec!["scan", "--dry-run"], 2),
        (&clean, vec!["scan", "--config", "nowhere.toml"], 2),
        (&clean, vec!["rules", "explain", "overdue"], 2),
        (&clean, vec!["rules", "explain", "overdue-rotation"], 0),
        (&clean, vec!["inventory"], 0),
    ] {
        let out = Keytrail::new(folder.path()).args(&args).run();
        assert_eq!(out.status, Some(status), "{args:?}\n{}\n{}", out.stdout, out.stderr);
        if status == 2 {
            assert!(out.stdout.is_empty() && out.stderr.starts_with("error: "), "{args:?}\n{}", out.stderr);
        } else {
            assert!(out.stderr.is_empty() && !out.stdout.is_empty(), "{args:?}\n{}", out.stderr);
        }
    }
}

#[test]
fn mistakes_on_the_command_line_name_the_next_step() {
    let folder = tree([]);
    for (args, hint) in [
        (vec!["rules", "explain", "overdue-rotatoin"], "overdue-rotation"),
        (vec!["scan", "--format", "xml"], "table, json, sarif"),
        (vec!["scan", "--fix", "--as-of", "2026-03-01"], "--dry-run"),
        (vec!["rotate", "--rollback", "kt-20261121t183000z-0f3a9c21"], "--list"),
        (vec!["scan", "--format", "json", "--format", "sarif"], "--format sarif="),
        (vec!["scan", "nowhere"], "keytrail scan PATH"),
    ] {
        let out = Keytrail::new(folder.path()).args(&args).run();
        assert!(out.stderr.contains(hint), "{args:?}: {}", out.stderr);
    }
}

#[test]
fn several_formats_come_out_of_one_run() {
    let folder = tree([("secret.yaml", MANIFEST)]);
    let args = ["scan", "--format", "table", "--format", "json=report.json", "--format", "sarif=report.sarif"];
    let out = Keytrail::new(folder.path()).args(args).run();
    assert_eq!(out.status, Some(1));
    assert!(out.stdout.contains("populated-secret-manifest"), "{}", out.stdout);
    let parse = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(folder.path().join(name)).expect("a report")).expect("JSON")
    };
    assert_eq!(parse("report.json")["schema"], "keytrail/report/v1");
    assert_eq!(parse("report.sarif")["version"], "2.1.0");

    let out = Keytrail::new(folder.path()).args(["scan", "--format", "json", "--output", "other.json"]).run();
    assert!(out.stdout.is_empty());
    assert_eq!(parse("other.json")["schema"], "keytrail/report/v1");
}

#[test]
fn no_output_is_left_out_and_a_dash_is_standard_output() {
    let folder = tree([("secret.yaml", MANIFEST)]);
    let out = Keytrail::new(folder.path()).args(["scan", "-f", "json=a.json", "-o", "b.json"]).run();
    assert_eq!(out.status, Some(2));
    assert!(out.stderr.contains("--output"), "{}", out.stderr);
    assert!(!folder.path().join("a.json").exists());
    for args in [vec!["-f", "json=-"], vec!["-f", "json", "-o", "-"]] {
        let out = Keytrail::new(folder.path()).args([vec!["scan"], args.clone()].concat()).run();
        assert_eq!(out.json()["schema"], "keytrail/report/v1", "{args:?}");
    }
    assert!(!folder.path().join("-").exists());
}

#[test]
fn the_ending_of_the_file_names_the_format() {
    let folder = tree([("secret.yaml", MANIFEST)]);
    for (file, begin) in [
        ("report.json", "{"),
        ("report.CSV", "\"record\",\"secret\""),
        ("report.md", "## Keytrail"),
        ("report.xlsx", "PK"),
        ("report.out", "high "),
    ] {
        let out = Keytrail::new(folder.path()).args(["scan", "-o", file]).run();
        assert_eq!((out.status, out.stdout.as_str()), (Some(1), ""), "{file}: {}", out.stderr);
        let bytes = fs::read(folder.path().join(file)).expect("a report");
        assert!(bytes.starts_with(begin.as_bytes()), "{file}: {}", String::from_utf8_lossy(&bytes));
    }
    let out = Keytrail::new(folder.path()).args(["scan", "-o", "table.json", "-f", "csv"]).run();
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    assert!(fs::read(folder.path().join("table.json")).expect("a report").starts_with(b"\"record\""));
}

#[test]
fn the_help_lists_every_format() {
    let folder = tree([]);
    for option in ["-h", "--help"] {
        let help = Keytrail::new(folder.path()).args(["scan", option]).run().stdout;
        for format in keytrail_reporters::FORMATS {
            assert!(help.contains(format.name), "{option} lacks {}", format.name);
        }
    }
}

#[test]
fn the_summary_of_a_step_is_added_to() {
    let folder = tree([("secret.yaml", MANIFEST), ("step.md", "Built in 3 s.\n"), ("other.md", "Built in 3 s.\n")]);
    let step = folder.path().join("step.md");
    let scan = |file: &Path| {
        let format = format!("summary={}", file.display());
        let scan = Keytrail::new(folder.path()).args(["scan", "-f", &format]).env("GITHUB_STEP_SUMMARY", &step);
        assert_eq!(scan.run().status, Some(1));
        fs::read_to_string(file).expect("a summary")
    };
    assert!(scan(&step).starts_with("Built in 3 s.\n## Keytrail\n\n**Failed.**"));
    assert!(scan(&folder.path().join("other.md")).starts_with("## Keytrail"));
}

#[test]
fn the_plan_stays_out_of_a_report_for_programs() {
    let folder = tree([("secret.yaml", MANIFEST)]);
    let scan = |args: &[&str]| {
        let fix = [
            "scan",
            "--only",
            "inventory,cadence",
            "--fix",
            "--dry-run",
            "--fail-on",
            "never",
            "--as-of",
            "2026-06-01",
        ];
        Keytrail::new(folder.path()).args([&fix, args].concat()).run()
    };
    let table = scan(&["-f", "table"]);
    assert!(table.stderr.is_empty(), "{}", table.stderr);
    for format in ["json", "sarif"] {
        let piped = scan(&["-f", format]);
        assert!(piped.json().is_object());
        assert!(!piped.stderr.is_empty() && table.stdout.ends_with(&piped.stderr), "{}", piped.stderr);
        let filed = scan(&["-f", "table", "-f", &format!("{format}=report")]);
        assert_eq!((filed.stdout, filed.stderr), (table.stdout.clone(), String::new()), "{format}");
    }
}

#[test]
fn what_the_baseline_has_does_not_count() {
    let folder = tree([("secret.yaml", MANIFEST)]);
    let scan = |args: &[&str]| Keytrail::new(folder.path()).args([&["scan", "--format", "json"], args].concat()).run();
    fs::write(folder.path().join("before.json"), scan(&[]).stdout).expect("a baseline");
    let out = scan(&["--baseline", "before.json"]);
    assert_eq!(out.status, Some(0), "{}", out.stdout);
    assert!(out.json()["findings"].as_array().expect("findings").iter().all(|finding| finding["baselined"] == true));

    fs::write(folder.path().join("other.yaml"), MANIFEST.replace("MAILER", "CHAT")).expect("a file");
    assert_eq!(scan(&["--baseline", "before.json"]).status, Some(1), "a new finding counts");

    fs::write(folder.path().join("newer.json"), r#"{"schema": "keytrail/report/v2", "findings": []}"#).expect("a file");
    for bad in ["newer.json", "secret.yaml", "nowhere.json"] {
        let out = scan(&["--baseline", bad]);
        assert_eq!(out.status, Some(2), "{bad}");
        assert!(out.stdout.is_empty(), "{bad}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let files: Vec<(String, String)> = (0..3_000)
        .map(|at| (format!("{at}/secret.yaml"), MANIFEST.replace("MAILER", &format!("MAILER_{at}"))))
        .collect();
    let folder = tree(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let mut child = Command::new(env!("CARGO_BIN_EXE_keytrail"))
        .args(["scan", "--format", "json", "--fail-on", "never"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("the binary ends");
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn help_teaches() {
    let folder = tree([]);
    for command in [vec!["--help"], vec!["scan", "--help"]] {
        let out = Keytrail::new(folder.path()).args(&command).env("COLUMNS", "100").run();
        assert_eq!(out.status, Some(0));
        insta::assert_snapshot!(command.join(" "), out.stdout);
    }
}

#[test]
fn every_shell_gets_completions() {
    let folder = tree([]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let out = Keytrail::new(folder.path()).args(["completions", shell]).run();
        assert!(out.status == Some(0) && out.stdout.contains("inventory"), "{shell}");
    }
}

#[test]
fn rules_are_listed_and_explained() {
    let folder = tree([]);
    let list = Keytrail::new(folder.path()).args(["rules", "list"]).run();
    for rule in keytrail_rules::checks::RULES {
        assert!(list.stdout.contains(rule.id) && list.stdout.contains(rule.code), "{}", rule.id);
        let by_code = Keytrail::new(folder.path()).args(["rules", "explain", &rule.code.to_lowercase()]).run();
        assert!(by_code.stdout.contains("# How to fix"), "{}", rule.id);
    }
}

#[test]
fn init_writes_a_config_that_scans_the_same() {
    let files = [
        (".env.schema", SCHEMA),
        ("deploy/quo\"te secret.yaml", MANIFEST),
        (".env.local", "LOG_LEVEL=debug\n"),
        ("docs/rotation.md", "| Secret | Frequency |\n|---|---|\n| MAILER_TOKEN | 90 days |\n"),
        ("notes.md", "No table here.\n"),
    ];
    let folder = tree(files);
    let args = ["scan", "--only", "inventory,cadence", "--format", "json", "--as-of", "2026-06-01"];
    let scan = || Keytrail::new(folder.path()).args(args).run().json();
    let before = scan();
    let out = Keytrail::new(folder.path()).args(["init"]).run();
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    assert_eq!(scan(), before);
    let text = fs::read_to_string(folder.path().join("keytrail.toml")).expect("a config");
    assert!(text.contains("\"docs/rotation.md\"") && !text.contains("notes.md"), "{text}");

    let again = Keytrail::new(folder.path()).args(["init"]).run();
    assert_eq!(again.status, Some(2), "it replaces nothing");
    assert!(again.stderr.contains("--force"));
    assert_eq!(Keytrail::new(folder.path()).args(["init", "--force"]).run().status, Some(0));
}

#[test]
fn a_scan_as_of_a_past_day_sees_what_was_there_then() {
    let version = |number: u32, at: &str| {
        format!("\"{number}\":{{\"created_time\":\"{at}T08:00:00Z\",\"deletion_time\":\"\",\"destroyed\":false}}")
    };
    let entry = |path: &str, versions: &[String]| {
        format!(
            "{{\"path\":\"secret/{path}\",\"keys\":[\"MAILER_TOKEN\"],\"metadata\":{{\"current_version\":{},\"versions\":{{{}}}}}}}\n",
            versions.len(),
            versions.join(",")
        )
    };
    let export = entry("old", &[version(1, "2025-01-01"), version(2, "2026-11-01")])
        + &entry("new", &[version(1, "2026-11-01")]);
    let config = "[[store]]\nname = \"vault\"\nkind = \"vault-export\"\npaths = [\"vault.jsonl\"]\n\n[[secret]]\nkey = \"MAILER_TOKEN\"\ncadence = \"90 days\"\n";
    let folder = tree([("vault.jsonl", export.as_str()), ("keytrail.toml", config)]);
    let item = |day: &str| {
        Keytrail::new(folder.path()).args(["inventory", "--format", "json", "--as-of", day]).run().json()[0].clone()
    };
    let then = item("2026-06-01");
    assert_eq!(
        (then["status"].as_str(), then["copies"].as_array().map(Vec::len)),
        (Some("never-rotated"), Some(1)),
        "{then:#}"
    );
    let now = item("2026-11-02");
    assert_eq!(now["copies"].as_array().map(Vec::len), Some(2), "{now:#}");
}

#[test]
fn a_folder_with_nothing_in_it_is_left_as_it_is() {
    let folder = tree([("notes.md", "No table here.\n")]);
    let out = Keytrail::new(folder.path()).args(["scan", "--only", "inventory,cadence"]).run();
    assert_eq!(out.status, Some(0), "{}", out.stderr);
    assert!(!folder.path().join(".keytrail").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_scanned_and_nothing_is_remembered() {
    let folder = tree([(".env.schema", SCHEMA)]);
    let out = Keytrail::new(folder.path()).args(["scan"]).run_by_nobody(folder.path()).run();
    assert!(matches!(out.status, Some(0 | 1)), "{}", out.stderr);
    assert!(out.stderr.starts_with("warning: nothing is remembered of this scan: "), "{}", out.stderr);
    assert!(out.stdout.contains("Secrets"), "{}", out.stdout);
}

#[test]
fn a_lost_fingerprint_key_is_an_error_and_not_a_new_beginning() {
    let folder = tree([(".env", "MAILER_TOKEN=planted-0f3a9c7d51\n")]);
    let scan = || Keytrail::new(folder.path()).args(["scan"]).run();
    assert_ne!(scan().status, Some(2));
    fs::remove_file(folder.path().join(".keytrail/fingerprint.key")).expect("the key");
    let out = scan();
    assert_eq!(out.status, Some(2));
    assert!(
        out.stderr.contains("another fingerprint key") && out.stderr.contains("put the key back"),
        "{}",
        out.stderr
    );
    // It is still an error the next time: the key that was made must not count as the right one.
    assert_eq!(scan().status, Some(2));
}
