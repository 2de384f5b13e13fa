//! OSCAL, OCSF and ASFF by their public validators, all files in one process.

use std::path::{Path, PathBuf};
use std::process::Command;

use keytrail_reporters::{AwsAccount, Format, Options};
use keytrail_rules::controls::{Mapping, of_rule};
use keytrail_rules::report::Report;

use crate::sarif::samples;
use crate::support::{Keytrail, Outcome, tree};

const CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/formats_controls/check.py");

fn python() -> PathBuf {
    let path =
        std::env::var_os("KEYTRAIL_TEST_VALIDATORS").expect("KEYTRAIL_TEST_VALIDATORS is not set: run tests/run");
    let path = PathBuf::from(path);
    assert!(path.is_file(), "{} is not there: run tests/run", path.display());
    path
}

/// What the validators find wrong with the files of a folder, and how many files they looked at.
fn complaints(folder: &Path) -> (Vec<String>, String) {
    let output = Command::new(python()).arg(CHECK).arg(folder).output().expect("Python starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout).lines().map(str::to_owned).collect(), text(&output.stderr))
}

/// As many findings as code scanning takes, of every rule, each on a secret.
fn many() -> Report {
    let mut report = samples::everything();
    let found = report.findings.clone();
    let finding = |at: usize| {
        let mut one = found[at % found.len()].clone();
        one.fingerprint = format!("{at:064x}");
        one.item = Some(report.items[at % report.items.len()].id.clone());
        one.controls = of_rule(one.rule).iter().map(Mapping::id).collect();
        one
    };
    report.findings = (0..25_000).map(finding).collect();
    report
}

fn write(folder: &Path, name: &str, report: &Report, formats: &[&str]) {
    let aws = AwsAccount::new("123456789012", "eu-central-1");
    let options = Options { aws, exit_code: 1, ..Options::default() };
    for format in formats {
        let bytes = (Format::find(format).expect("a format").render)(report, &options).expect("renders");
        std::fs::write(folder.join(name).with_extension(format), bytes).expect("written");
    }
}

#[test]
fn the_validators_have_no_complaint() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, report) in [
        ("empty", samples::empty()),
        ("company", samples::company()),
        ("everything", samples::everything()),
        ("gaps", samples::gaps_only()),
        ("hostile", samples::full_of(&samples::hostile_strings())),
        ("many", many()),
    ] {
        write(folder.path(), name, &report, &["oscal", "ocsf", "asff"]);
    }
    let (complaints, checked) = complaints(folder.path());
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(checked.trim(), "checked 18");
}

#[test]
fn the_validators_are_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "broken", &samples::company(), &["oscal", "ocsf", "asff"]);
    for (format, right, wrong) in [
        ("oscal", "\"not-satisfied\"", "\"maybe\""),
        ("ocsf", "\"category_uid\":2", "\"category_uid\":3"),
        ("asff", "\"RecordState\":\"ACTIVE\"", "\"RecordState\":7"),
    ] {
        let file = folder.path().join("broken").with_extension(format);
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(text.contains(right), "{format}");
        std::fs::write(&file, text.replace(right, wrong)).expect("written");
    }
    let (complaints, _) = complaints(folder.path());
    for format in ["oscal", "ocsf", "asff"] {
        assert!(
            complaints.iter().any(|one| one.starts_with(&format!("broken.{format}: "))),
            "{format}: {complaints:?}"
        );
    }
}

/// One finding of severity high, which no benchmark of AWS has to do with.
const MANIFEST: &str =
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  MAILER_TOKEN: whisper-lantern-42\n";

fn scan(files: &[(&str, &str)], args: &[&str]) -> Outcome {
    let folder = tree(files.iter().copied());
    Keytrail::new(folder.path()).args([&["scan"], args].concat()).run()
}

#[test]
fn a_framework_narrows_the_report_and_the_exit_status_and_says_so() {
    let dirty = [("secret.yaml", MANIFEST)];
    let pci = scan(&dirty, &["--framework", "pci", "--format", "json"]);
    assert_eq!(pci.status, Some(1), "{}", pci.stderr);
    let report = pci.json();
    assert_eq!(report["summary"]["frameworks"], serde_json::json!(["pci-dss-4.0.1"]));
    for finding in report["findings"].as_array().expect("findings") {
        let controls = finding["controls"].as_array().expect("controls");
        assert!(!controls.is_empty() && controls.iter().all(|one| one.as_str().expect("text").starts_with("pci-dss")));
    }
    let aws = scan(&dirty, &["--framework", "cis-aws"]);
    assert_eq!(aws.status, Some(0), "{}", aws.stdout);
    assert!(
        aws.stdout.contains("No findings on these frameworks.") && aws.stdout.contains("left out"),
        "{}",
        aws.stdout
    );
    let broken = [("secret.yaml", MANIFEST), (".env", "NO_EQUALS_SIGN\n")];
    assert_eq!(scan(&broken, &["--framework", "cis-aws"]).status, Some(3));
    let unknown = scan(&dirty, &["--framework", "sox"]);
    assert!(unknown.status == Some(2) && unknown.stderr.contains("iso27001"), "{}", unknown.stderr);
}

#[test]
fn security_hub_needs_an_account() {
    let dirty = [("secret.yaml", MANIFEST)];
    let account = ["--aws-account", "123456789012", "--aws-region", "eu-central-1"];
    for wrong in [vec![], vec!["--aws-account", "12", "--aws-region", "eu-central-1"]] {
        let out = scan(&dirty, &[&["--format", "asff"], wrong.as_slice()].concat());
        assert!(out.status == Some(2) && out.stderr.contains("--aws-account"), "{wrong:?}: {}", out.stderr);
    }
    let out = scan(&dirty, &[&["--format", "asff"], account.as_slice()].concat());
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    assert_eq!(out.json()[0]["AwsAccountId"], "123456789012");
}

#[test]
fn the_mapping_can_be_read() {
    let folder = tree([]);
    let shown = |args: &[&str]| Keytrail::new(folder.path()).args(args).run().stdout;
    assert!(shown(&["rules", "explain", "overdue-rotation"]).contains("PCI DSS 8.6.3"));
    assert!(shown(&["rules", "explain", "rotation-due-soon"]).contains("None: nothing is late yet"));
    let pci = shown(&["rules", "controls", "--framework", "pci"]);
    assert!(pci.contains("8.6.3") && pci.contains("overdue-rotation") && !pci.contains("IA-5f"), "{pci}");
    assert!(!pci.to_lowercase().contains("compliant"));
}
