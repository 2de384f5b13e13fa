//! Bad input: a clear message or gap, no panic, and nothing else lost.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::{Keytrail, tree};

/// A manifest that is found beside everything bad.
const GOOD: (&str, &str) = (
    "good.yaml",
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  MAILER_TOKEN: whisper-lantern-42\n",
);

/// Scans, and checks that the good file was not lost. Gives the gaps.
fn gaps(folder: &Path) -> Vec<serde_json::Value> {
    let out = Keytrail::new(folder).args(["scan", "--format", "json", "--as-of", "2026-06-01"]).run();
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    let report = out.json();
    let found = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .any(|finding| finding["rule"] == "populated-secret-manifest");
    assert!(found, "the good file was lost: {report:#}");
    report["gaps"].as_array().expect("gaps").clone()
}

fn one_gap(folder: &Path, source: &str, reason: &str, message: &str) {
    let gaps = gaps(folder);
    assert_eq!(gaps.len(), 1, "{gaps:#?}");
    let gap = &gaps[0];
    assert_eq!((gap["source"].as_str(), gap["reason"].as_str()), (Some(source), Some(reason)), "{gap:#}");
    assert!(gap["message"].as_str().is_some_and(|text| text.contains(message)), "{gap:#}");
}

#[test]
fn a_file_name_that_is_not_utf_8() {
    let folder = tree([GOOD]);
    fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9.env")), "API_KEY=whisper-lantern-43\n").expect("a file");
    one_gap(folder.path(), "caf\u{fffd}.env", "unsupported", "not UTF-8");
}

#[test]
fn a_binary_schema() {
    let folder = tree([GOOD]);
    fs::write(folder.path().join(".env.schema"), b"key: A\0B\n").expect("a file");
    one_gap(folder.path(), ".env.schema", "malformed", "binary");
}

#[test]
fn a_schema_of_one_gigabyte() {
    let folder = tree([GOOD]);
    let mut file = File::create(folder.path().join(".env.schema")).expect("a file");
    file.write_all(b"key: A\n").expect("a line");
    file.seek(SeekFrom::Start(1 << 30)).expect("a sparse file");
    file.write_all(b"\n").expect("an end");
    one_gap(folder.path(), ".env.schema", "too-large", "1024 MiB");
}

#[test]
fn line_ends_byte_order_marks_and_broken_utf_8() {
    let folder = tree([GOOD]);
    fs::write(folder.path().join(".env"), b"\xef\xbb\xbfCHAT_TOKEN=plum-orchard-77\r\nMAIL_NAME=caf\xe9\r\n")
        .expect("a file");
    one_gap(folder.path(), ".env", "malformed", "UTF-8");
    let out = Keytrail::new(folder.path()).args(["inventory", "--format", "json"]).run();
    assert!(out.stdout.contains("\"CHAT_TOKEN\""), "{}", out.stdout);
}

#[test]
fn duplicate_keys_and_keys_without_a_value() {
    let schema = "key: CHAT_TOKEN\nclassification: secret\n\nkey: CHAT_TOKEN\nclassification: secret\n\nkey:\nclassification: plain\n";
    let folder = tree([GOOD, (".env.schema", schema)]);
    let gaps = gaps(folder.path());
    assert!(gaps.iter().any(|gap| gap["location"]["line"] == 7), "{gaps:#?}");
    let out = Keytrail::new(folder.path()).args(["scan", "--format", "json"]).run().json();
    let twice = out["findings"].as_array().expect("findings").iter().find(|finding| finding["rule"] == "schema-drift");
    assert!(
        twice.is_some_and(|finding| finding["message"]
            .as_str()
            .is_some_and(|text| text.contains("twice, first on line 1"))),
        "{out:#}"
    );
}

#[test]
fn yaml_bombs_and_nests() {
    let mut bomb = String::from("apiVersion: v1\nkind: ConfigMap\na: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ('b'..='k').zip('a'..) {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(", ")));
    }
    let nest = format!("apiVersion: v1\nkind: ConfigMap\ndata: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    let deep: String = (0..10_000).map(|at| format!("{}a:\n", " ".repeat(at))).collect();
    let block = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n{}", deep.replace('\n', "\n "));
    for (name, text) in [("bomb.yaml", &bomb), ("nest.yaml", &nest), ("block.yaml", &block)] {
        let folder = tree([GOOD, (name, text)]);
        let gaps = gaps(folder.path());
        assert!(gaps.len() == 1 && gaps[0]["source"] == name, "{name}: {gaps:#?}");
    }
}

#[test]
fn a_config_with_a_wrong_type() {
    let folder = tree([GOOD, ("keytrail.toml", "[inventory]\nschema = 7\nrunbook = []\n")]);
    let out = Keytrail::new(folder.path()).args(["scan"]).run();
    assert_eq!(out.status, Some(2));
    for part in ["keytrail.toml:2:10", "keytrail.toml:3:1", "runbooks"] {
        assert!(out.stderr.contains(part), "{}", out.stderr);
    }
    assert!(out.stdout.is_empty());
}

#[test]
fn links_that_lead_nowhere_round_in_circles_or_out_of_the_tree() {
    let outside = tree([(".env", "CHAT_TOKEN=plum-orchard-77\n")]);
    let folder = tree([GOOD, ("inside.env", "LOG_LEVEL=info\n")]);
    let link = |target: &Path, name: &str| symlink(target, folder.path().join(name)).expect("a link");
    link(Path::new(".env.b"), ".env.a");
    link(Path::new(".env.a"), ".env.b");
    link(&outside.path().join(".env"), ".env");
    link(Path::new("."), "again");
    link(Path::new("inside.env"), ".env.local");
    let gaps = gaps(folder.path());
    let sources: Vec<&str> = gaps.iter().filter_map(|gap| gap["source"].as_str()).collect();
    assert_eq!(sources, [".env", ".env.a", ".env.b"], "{gaps:#?}");
    let out = Keytrail::new(folder.path()).args(["inventory", "--format", "json"]).run();
    assert!(!out.stdout.contains("CHAT_TOKEN"), "{}", out.stdout);
}

#[test]
fn names_with_control_characters_reach_no_terminal() {
    let folder = tree([GOOD, ("a\u{1b}[31m\u{202e}/secret.yaml", GOOD.1)]);
    let out = Keytrail::new(folder.path()).args(["scan", "--verbose"]).run();
    assert!(!out.stdout.contains(['\u{1b}', '\u{202e}']), "{}", out.stdout);
    assert!(out.stdout.contains("secret.yaml"));
}

#[test]
fn a_folder_and_a_file_that_may_not_be_read() {
    let folder = tree([GOOD, ("closed/.env", "CHAT_TOKEN=plum-orchard-77\n"), (".env", "LOG_LEVEL=info\n")]);
    let set_mode = |name: &str, mode| {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    set_mode("closed", 0o000);
    set_mode(".env", 0o000);
    let readable_anyway = fs::read(folder.path().join(".env")).is_ok();
    let command = Keytrail::new(folder.path()).args(["scan", "--format", "json", "--as-of", "2026-06-01"]);
    // Root may read everything: then the binary runs as nobody.
    let command = if readable_anyway { command.run_by_nobody(folder.path()) } else { command };
    let out = command.run();
    set_mode("closed", 0o755);
    let report = out.json();
    let sources: Vec<&str> =
        report["gaps"].as_array().expect("gaps").iter().filter_map(|gap| gap["source"].as_str()).collect();
    assert_eq!(sources, [".env", "closed"], "{report:#}");
    assert_eq!(out.status, Some(1), "the good file still counts");
}

#[test]
fn pipes_and_sockets_are_not_waited_for() {
    let folder = tree([GOOD]);
    for name in [".env", "a.yaml", ".env.schema"] {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(name)).status().expect("mkfifo");
        assert!(made.success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("b.env")).expect("a socket");
    let gaps = gaps(folder.path());
    let sources: Vec<&str> = gaps.iter().filter_map(|gap| gap["source"].as_str()).collect();
    assert_eq!(sources, [".env", ".env.schema", "a.yaml", "b.env"], "{gaps:#?}");
    for args in [vec!["scan", "--config", ".env"], vec!["scan", "--baseline", "a.yaml"]] {
        let out = Keytrail::new(folder.path()).args(&args).run();
        assert_eq!(out.status, Some(2), "{args:?}");
        assert!(out.stderr.contains("not a regular file"), "{}", out.stderr);
    }
}
