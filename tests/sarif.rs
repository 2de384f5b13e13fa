//! Our SARIF by the strictest validator there is: Microsoft's Multitool, with the rules of GitHub.

use std::path::{Path, PathBuf};
use std::process::Command;

use keytrail_reporters::{Format, Options, Pipeline, Repository, SarifProfile};
use keytrail_rules::report::Report;
use serde_json::Value;

#[path = "../reporters/src/samples.rs"]
pub(crate) mod samples;

/// Turns the one rule off that fetches URLs.
const OFFLINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/install/sarif/offline.xml");

fn multitool() -> PathBuf {
    let path = std::env::var_os("KEYTRAIL_TEST_SARIF").expect("KEYTRAIL_TEST_SARIF is not set: run tests/run");
    let path = PathBuf::from(path);
    assert!(path.is_file(), "{} is not there: run tests/run", path.display());
    path
}

/// What the Multitool finds wrong with a file by the rules of GitHub, as `level rule: …`.
fn complaints(multitool: &Path, file: &Path) -> Vec<String> {
    complaints_of(multitool, &[file.to_owned()], "Sarif;Ghas")
}

/// What the Multitool finds wrong with files: one process for all of them, since it is slow to start.
fn complaints_of(multitool: &Path, files: &[PathBuf], kinds: &str) -> Vec<String> {
    let log = files[0].with_extension("log.json");
    let output = Command::new(multitool)
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        // The files come first: after the options they are not seen.
        .arg("validate")
        .args(files)
        .args(["--rule-kind", kinds, "--level", "Error;Warning;Note", "--max-file-size-in-kb", "200000"])
        .args(["--log", "ForceOverwrite;PrettyPrint", "--config", OFFLINE, "--output"])
        .arg(&log)
        .output()
        .expect("the Multitool starts");
    // It ends with 0 whatever it finds: only the log tells.
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("{} files scanned", files.len())), "{said}");
    let log: Value = serde_json::from_slice(&std::fs::read(&log).expect("a log")).expect("JSON");
    let runs = log["runs"].as_array().expect("runs");
    assert!(!runs.is_empty(), "the Multitool checked nothing");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    runs.iter()
        .flat_map(|run| {
            let failures = list(&run["invocations"][0]["toolExecutionNotifications"]);
            let results = list(&run["results"]);
            failures.into_iter().chain(results)
        })
        .map(|result| {
            let file = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            format!("{file} {} {}: {}", result["level"], result["ruleId"], result["message"])
        })
        .collect()
}

fn write(folder: &Path, name: &str, report: &Report, options: &Options) -> PathBuf {
    let sarif = Format::find("sarif").expect("sarif");
    let file = folder.join(name).with_extension("sarif");
    std::fs::write(&file, (sarif.render)(report, options).expect("renders")).expect("written");
    file
}

fn options() -> Options {
    let mut repository = Repository::from_remote("https://github.com/example/shop.git").expect("a remote");
    repository.revision = Some("388cfb4342cd51c0602d4c6faf677ec901aedd1b".to_owned());
    repository.branch = Some("main".to_owned());
    Options { repository: Some(repository), exit_code: 1, ..Options::default() }
}

/// Every report of the samples, and one of 25,000 findings.
fn reports() -> Vec<(&'static str, Report)> {
    let mut large = samples::everything();
    let finding = large.findings[0].clone();
    large.findings = (0..25_000)
        .map(|at| {
            let mut one = finding.clone();
            one.fingerprint = format!("{at:064x}");
            one
        })
        .collect();
    vec![
        ("empty", samples::empty()),
        ("company", samples::company()),
        ("everything", samples::everything()),
        ("gaps", samples::gaps_only()),
        ("hostile", samples::full_of(&samples::hostile_strings())),
        ("large", large),
    ]
}

#[test]
fn the_multitool_has_no_complaint() {
    let (multitool, folder) = (multitool(), tempfile::tempdir().expect("a folder"));
    let mut files = Vec::new();
    for (profile, name) in [(SarifProfile::Github, "github"), (SarifProfile::Full, "full")] {
        let options = Options { sarif_profile: profile, ..options() };
        // The Multitool takes a minute for all of 25,000.
        let all = reports().into_iter().filter(|(name, _)| profile == SarifProfile::Github || *name != "large");
        for (report_name, report) in all {
            files.push(write(folder.path(), &format!("{name}-{report_name}"), &report, &options));
        }
    }
    assert_eq!(complaints_of(&multitool, &files, "Sarif;Ghas"), Vec::<String>::new());
}

#[test]
fn the_multitool_has_no_complaint_for_azure() {
    let (multitool, folder) = (multitool(), tempfile::tempdir().expect("a folder"));
    let pipeline = Pipeline::from_variables(&|name| {
        let value = match name {
            "SYSTEM_COLLECTIONURI" => "https://dev.azure.com/contoso/",
            "SYSTEM_PHASEID" => "96ac2280-8cb4-5df5-99de-dd2da759617d",
            _ => "42",
        };
        Some(value.to_owned())
    });
    let options = Options { sarif_profile: SarifProfile::Ado, pipeline: Some(pipeline.expect("a build")), ..options() };
    let mut all = reports();
    all.retain(|(name, _)| *name != "large");
    let files: Vec<PathBuf> = all.iter().map(|(name, report)| write(folder.path(), name, report, &options)).collect();
    assert_eq!(complaints_of(&multitool, &files, "Sarif;GHAzDO"), Vec::<String>::new());
}

#[test]
fn the_multitool_is_heard() {
    let (multitool, folder) = (multitool(), tempfile::tempdir().expect("a folder"));
    let file = write(folder.path(), "broken", &samples::company(), &options());
    let text = std::fs::read_to_string(&file).expect("a file").replace("\"endColumn\": 24", "\"endColumn\": 0");
    std::fs::write(&file, text).expect("written");
    assert!(
        complaints(&multitool, &file).iter().any(|complaint| complaint.contains("JSON") || complaint.contains("SARIF"))
    );
}

#[test]
fn without_a_repository_the_multitool_misses_that_alone() {
    let (multitool, folder) = (multitool(), tempfile::tempdir().expect("a folder"));
    let file = write(folder.path(), "loose", &samples::company(), &Options::default());
    let complaints = complaints(&multitool, &file);
    assert!(complaints.len() == 1 && complaints[0].contains("SARIF2003"), "{complaints:?}");
}
