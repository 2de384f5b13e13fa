//! The action of GitHub, step by step as its runner does it, with a release of this build that a mirror serves.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{repository, tree};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const ARCHIVE: &str = "keytrail-x86_64-unknown-linux-gnu.tar.gz";

/// A finding of severity high.
const MANIFEST: &str =
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  MAILER_TOKEN: whisper-lantern-42\n";
/// A line that cannot be read.
const BROKEN: &str = "NO_EQUALS_SIGN\n";

/// The folder that `tests/install/workflows.sh` filled.
pub(crate) fn tools() -> PathBuf {
    let tools = std::env::var_os("KEYTRAIL_TEST_WORKFLOWS").expect("KEYTRAIL_TEST_WORKFLOWS is not set: run tests/run");
    PathBuf::from(tools)
}

pub(crate) fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// Runs a script of the repository, which has to succeed; what it prints.
pub(crate) fn script(name: &str, args: &[&Path]) -> String {
    let out = Command::new(repository().join(name)).args(args).output().expect("it runs");
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// A program that runs this build's binary: it has hundreds of megabytes, which no archive of a test needs.
pub(crate) fn program(folder: &Path) -> PathBuf {
    let (path, binary) = (folder.join("keytrail"), env!("CARGO_BIN_EXE_keytrail"));
    executable(&path, &format!("#!/bin/bash\nexec '{binary}' \"$@\"\n"));
    path
}

/// The files of a release.
static RELEASE: OnceLock<[(&str, Vec<u8>); 2]> = OnceLock::new();

fn release() -> [(&'static str, Vec<u8>); 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let made = folder.path().join("made");
    script(".ci/package", &[&program(folder.path()), Path::new(TARGET), &made]);
    script(".ci/checksums", &[&made]);
    [ARCHIVE, "SHA256SUMS"].map(|name| (name, fs::read(made.join(name)).expect("a file")))
}

/// A runner of GitHub with a mirror of a release, and a repository that was checked out.
struct Runner {
    folder: tempfile::TempDir,
    workspace: tempfile::TempDir,
}

impl Runner {
    fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let runner = Self { folder: tempfile::tempdir().expect("a folder"), workspace: tree(files) };
        for name in ["release", "temp", "programs"] {
            fs::create_dir(runner.at(name)).expect("a folder");
        }
        for (name, bytes) in RELEASE.get_or_init(release) {
            fs::write(runner.at("release").join(name), bytes).expect("written");
        }
        runner
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the action with these inputs; what came of it.
    fn run(&self, inputs: &Value) -> Value {
        self.run_with(inputs, &json!({}))
    }

    /// The same, with these variables beside, or instead of, the usual ones.
    fn run_with(&self, inputs: &Value, env: &Value) -> Value {
        let mut all = json!({
            "PATH": format!("{}:{}", self.at("programs").display(), std::env::var("PATH").expect("a path")),
            "HOME": self.folder.path(),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "GITHUB_SERVER_URL": "https://github.com",
            "KEYTRAIL_RELEASE_URL": format!("file://{}", self.at("release").display()),
        });
        for (name, value) in env.as_object().expect("variables") {
            all[name] = value.clone();
        }
        let mut python = Command::new(tools().join("bin/python"))
            .arg(repository().join("tests/action/runner.py"))
            .args([&repository(), &self.at("temp"), self.workspace.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let given = json!({ "inputs": inputs, "github": { "repository": "example/keytrail" }, "env": all });
        python.stdin.take().expect("a pipe").write_all(given.to_string().as_bytes()).expect("it reads");
        let out = python.wait_with_output().expect("it ends");
        assert!(out.status.success(), "the runner failed");
        serde_json::from_slice(&out.stdout).expect("JSON")
    }
}

/// The status of the job, what the action tells, whether it uploaded.
fn told(ran: &Value) -> (i64, &str, &str, usize) {
    let output = |name: &str| ran["outputs"][name].as_str().expect("text");
    let status = ran["status"].as_i64().expect("a status");
    (status, output("exit-code"), output("complete"), ran["used"].as_array().expect("a list").len())
}

#[test]
fn results_are_uploaded_only_where_all_evidence_was_read() {
    for (files, inputs, expected) in [
        (vec![], json!({}), (0, "0", "true", 1)),
        (vec![("secret.yaml", MANIFEST)], json!({}), (1, "1", "true", 1)),
        (vec![("secret.yaml", MANIFEST)], json!({"upload": "false"}), (1, "1", "true", 0)),
        (vec![("secret.yaml", MANIFEST)], json!({"fail-on": "critical"}), (0, "0", "true", 1)),
        (vec![(".env", BROKEN)], json!({}), (3, "3", "false", 0)),
        // The findings hide in the exit status that something was not read; the report does not.
        (vec![("secret.yaml", MANIFEST), (".env", BROKEN)], json!({}), (1, "1", "false", 0)),
        (vec![], json!({"config": "nowhere.toml"}), (2, "2", "false", 0)),
        (vec![], json!({"args": "--no-such-option"}), (2, "2", "false", 0)),
    ] {
        let runner = Runner::new(files.clone());
        let ran = runner.run(&inputs);
        assert_eq!(told(&ran), expected, "{files:?} {inputs}\n{}", ran["log"].as_str().unwrap_or_default());
        let exists = |name: &str| ran["outputs"][name].as_str().is_some_and(|path| Path::new(path).is_file());
        let summary = ran["summary"].as_str().expect("text");
        if expected.0 == 2 {
            assert!(!exists("sarif") && !exists("json") && summary.contains("could not run"), "{summary}");
        } else {
            assert!(exists("sarif") && exists("json") && !summary.contains("could not run"), "{summary}");
            assert!(summary.ends_with('\n'), "{summary}");
        }
    }
}

#[test]
fn what_is_uploaded_is_this_report_under_its_category() {
    let runner = Runner::new([("secret.yaml", MANIFEST)]);
    let ran = runner.run(&json!({"sarif-category": "shop", "path": "."}));
    let upload = &ran["used"][0];
    assert!(upload["uses"].as_str().is_some_and(|uses| uses.starts_with("github/codeql-action/upload-sarif@")));
    assert_eq!(upload["with"]["category"], "shop");
    let file = upload["with"]["sarif_file"].as_str().expect("a path");
    let sarif: Value = serde_json::from_slice(&fs::read(file).expect("a report")).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(2));

    // A report that an earlier step left is not that of a scan that could not run.
    let failed = runner.run(&json!({"config": "nowhere.toml"}));
    assert_eq!((told(&failed), failed["outputs"]["sarif"].as_str()), ((2, "2", "false", 0), Some("")));
    assert!(!Path::new(file).exists());
}

#[test]
fn an_earlier_scan_that_was_complete_is_not_this_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (now, expected) in [(false, "complete=false"), (true, "complete=true")] {
        let report =
            json!({"summary": {"complete": now, "fixable": 0}, "trends": [{"complete": true}, {"complete": false}]});
        fs::write(at("report"), format!("{report:#}\n")).expect("written");
        executable(
            &at("program"),
            "#!/bin/sh\ncp report keytrail/keytrail.sarif\ncp report keytrail/keytrail.json\nexit 1\n",
        );
        let mut scan = Command::new(repository().join(".github/action/scan.sh"));
        scan.env("PROGRAM", at("program")).env("RUNNER_TEMP", folder.path()).current_dir(folder.path());
        let files = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"];
        let done = scan.envs(files.map(|name| (name, at(name)))).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let outputs = fs::read_to_string(at("GITHUB_OUTPUT")).expect("outputs");
        assert_eq!(outputs.lines().rfind(|line| line.starts_with("complete=")), Some(expected), "{outputs}");
    }
}

#[test]
fn nothing_runs_that_is_not_what_was_released() {
    let runner = Runner::new([]);
    let sums = fs::read_to_string(runner.at("release/SHA256SUMS")).expect("checksums");
    let refused = |why: &str| {
        let ran = runner.run(&json!({}));
        assert_eq!(told(&ran), (2, "", "", 0), "{why}");
        let log = ran["log"].as_str().expect("text");
        assert!(log.contains("::error title=Keytrail::") && log.contains(why), "{why}: {log}");
        assert!(!runner.at("temp/keytrail/bin/keytrail").exists(), "{why}");
    };
    fs::write(runner.at("release/SHA256SUMS"), sums.replace(ARCHIVE, "other.tar.gz")).expect("written");
    refused("does not have keytrail-x86_64");
    fs::write(runner.at("release/SHA256SUMS"), sums.repeat(2)).expect("written");
    refused("does not have keytrail-x86_64");
    fs::write(runner.at("release/SHA256SUMS"), &sums).expect("written");
    let archive = fs::read(runner.at("release").join(ARCHIVE)).expect("an archive");
    fs::write(runner.at("release").join(ARCHIVE), [&archive[..], b"!"].concat()).expect("written");
    refused("is not what was released");
    fs::remove_file(runner.at("release").join(ARCHIVE)).expect("removed");
    refused("cannot download");
    fs::write(runner.at("release").join(ARCHIVE), archive).expect("written");
    assert_eq!(told(&runner.run(&json!({}))).0, 0);
}

#[test]
fn a_release_has_to_be_attested_where_that_can_be_verified() {
    let runner = Runner::new([]);
    let gh = runner.at("programs/gh");
    executable(&gh, "#!/bin/sh\n[ \"$3\" = --help ] || { echo \"$@\" >>\"$HOME/asked\"; exit 1; }\n");
    let ran = runner.run(&json!({}));
    assert_eq!(told(&ran), (2, "", "", 0), "{}", ran["log"]);
    assert!(ran["log"].as_str().is_some_and(|log| log.contains("has no attestation")), "{}", ran["log"]);
    let asked = fs::read_to_string(runner.at("asked")).expect("gh was asked");
    assert!(asked.contains(&format!("{ARCHIVE} --repo example/keytrail")), "{asked}");
    assert!(asked.contains("--signer-workflow example/keytrail/.github/workflows/release.yml"), "{asked}");

    executable(&gh, "#!/bin/sh\nexit 0\n");
    assert_eq!(told(&runner.run(&json!({}))).0, 0);
    // A server that is not github.com has no attestations, and the log says what was checked instead.
    fs::remove_file(&gh).expect("removed");
    let ran = runner.run_with(&json!({}), &json!({"GITHUB_SERVER_URL": "https://github.example.com"}));
    assert!(ran["log"].as_str().is_some_and(|log| log.contains("SHA256SUMS alone")) && told(&ran).0 == 0);
}

#[test]
fn only_versions_and_runners_that_have_releases_are_asked_for() {
    let runner = Runner::new([]);
    for version in ["../../../evil", "1.2", "v1.2.3/../..", "$(touch pwned)", "1.2.3 4", "-h"] {
        let ran = runner.run_with(&json!({"version": version}), &json!({"KEYTRAIL_RELEASE_URL": ""}));
        assert_eq!(told(&ran), (2, "", "", 0), "{version}");
        assert!(ran["log"].as_str().is_some_and(|log| log.contains("is no version")), "{version}: {}", ran["log"]);
    }
    // A mirror that has one release has no other.
    let other = runner.run(&json!({"version": "9.9.9"}));
    assert_eq!(told(&other), (2, "", "", 0), "{}", other["log"]);
    assert!(other["log"].as_str().is_some_and(|log| log.contains("not version 9.9.9")), "{}", other["log"]);
    assert_eq!(told(&runner.run(&json!({"version": "latest"}))).0, 0);
    let windows = runner.run_with(&json!({}), &json!({"RUNNER_OS": "Windows"}));
    assert!(windows["log"].as_str().is_some_and(|log| log.contains("no release for Windows")) && told(&windows).0 == 2);
}

#[test]
fn inputs_are_arguments_and_never_scripts() {
    let runner = Runner::new([("in \"here\"/secret.yaml", MANIFEST)]);
    let ran = runner.run(&json!({"path": "in \"here\"", "args": "--only inventory\n  --quiet"}));
    assert_eq!(told(&ran), (1, "1", "true", 1), "{}", ran["log"]);
    for text in ["$(touch pwned)", "`touch pwned`", "; touch pwned;", "'; touch pwned; '", "\"; touch pwned; \"", "*"] {
        let mut inputs = json!({});
        for name in ["path", "config", "args", "fail-on", "framework", "sarif-category"] {
            inputs[name] = text.into();
        }
        assert_eq!(told(&runner.run(&inputs)).0, 2, "{text}");
        assert!(!runner.workspace.path().join("pwned").exists(), "{text}");
    }
}

#[test]
fn no_line_of_a_report_is_a_command_to_the_runner() {
    let runner = Runner::new([("::add-mask::x/secret.yaml", MANIFEST)]);
    let ran = runner.run(&json!({}));
    let log = ran["log"].as_str().expect("text");
    let (_, rest) = log.split_once("::stop-commands::").expect("commands are stopped");
    let (token, rest) = rest.split_once('\n').expect("a line");
    let (report, _) = rest.split_once(&format!("\n::{token}::\n")).expect("and go on");
    assert!(token.len() == 32 && report.contains("secret.yaml"), "{log}");
    assert_ne!(
        runner.run(&json!({}))["log"].as_str().map(|log| log.contains(token)),
        Some(true),
        "a token is used once"
    );
}
