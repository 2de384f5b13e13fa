//! Our tables by other people's readers: openpyxl, Python's csv, junitparser, the JUnit schema of Jenkins, promtool.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keytrail_reporters::{Format, Options};
use keytrail_rules::report::Report;
use serde_json::Value;

use crate::sarif::samples;

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/install/tables/read.py");

fn tool(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: run tests/run"));
    let path = PathBuf::from(path);
    assert!(path.exists(), "{} is not there: run tests/run", path.display());
    path
}

/// A report of 25,000 findings about 10,000 secrets.
fn large() -> Report {
    let mut report = samples::company();
    let (finding, item) = (report.findings[0].clone(), report.items[0].clone());
    report.items = (0..10_000)
        .map(|at| {
            let mut item = item.clone();
            item.id = samples::item(&format!("KEY_{at:05}"), Some("production")).id;
            item
        })
        .collect();
    report.findings = (0..25_000)
        .map(|at| {
            let mut finding = finding.clone();
            finding.item = Some(report.items[at % 10_000].id.clone());
            finding.fingerprint = format!("{at:064x}");
            finding
        })
        .collect();
    report.apply_baseline(&Default::default());
    report
}

fn reports() -> Vec<(&'static str, Report)> {
    vec![
        ("empty", samples::empty()),
        ("company", samples::company()),
        ("everything", samples::everything()),
        ("gaps", samples::gaps_only()),
        ("hostile", samples::full_of(&samples::hostile_strings())),
    ]
}

fn render(format: &str, report: &Report) -> Vec<u8> {
    (Format::find(format).expect("a format").render)(report, &Options::default()).expect("renders")
}

/// What a reader sees of a report.
fn read(format: &str, kind: &str, report: &Report) -> Value {
    let (tools, folder) = (tool("KEYTRAIL_TEST_TABLES"), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("report").with_extension(kind);
    std::fs::write(&file, render(format, report)).expect("written");
    let mut command = Command::new(tools.join("bin/python"));
    command.arg(READER).arg(kind).arg(&file);
    if kind == "junit" {
        command.arg(tools.join("junit-10.xsd"));
    }
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_spreadsheet_reads_the_workbook() {
    for (name, report) in reports() {
        let book = read("xlsx", "xlsx", &report);
        let mut expected = vec!["Summary", "Inventory", "Rotations", "Findings", "Exceptions", "Controls", "Scope"];
        expected.extend(report.changes.is_some().then_some("Changes"));
        assert_eq!(book["order"], serde_json::json!(expected), "{name}");
        assert_eq!(book["created"], "2026-11-21 09:00:00", "{name}");
        for sheet in expected {
            let seen = &book["sheets"][sheet];
            assert!(seen["kinds"]["f"].is_null() && seen["links"] == 0, "{name}, {sheet}: {}", seen["kinds"]);
            assert!(seen["filter"].as_str().is_some_and(|cells| cells.starts_with("A1:")), "{name}, {sheet}");
            assert!(seen["frozen"].as_str().is_some_and(|cell| cell.ends_with('2')), "{name}, {sheet}");
            assert_eq!(seen["wide"], true, "{name}, {sheet}");
        }
        let rows = |sheet: &str| book["sheets"][sheet]["count"].as_u64().expect("a number") as usize - 1;
        assert_eq!(rows("Inventory"), report.items.len(), "{name}");
        assert_eq!(rows("Findings"), report.findings.len(), "{name}");
        assert_eq!(rows("Rotations"), report.rotations.len(), "{name}");
        let evidence = &book["sheets"]["Summary"]["rows"][2];
        let word = if report.gaps.is_empty() { "Complete" } else { "INCOMPLETE" };
        assert!(evidence[1].as_str().is_some_and(|text| text.starts_with(word)), "{name}: {evidence}");
    }
}

#[test]
fn the_workbook_holds_texts_and_dates_as_such() {
    let company = read("xlsx", "xlsx", &samples::company());
    let rows = company["sheets"]["Inventory"]["rows"].as_array().expect("rows");
    let column =
        |name: &str| rows[0].as_array().expect("cells").iter().position(|cell| cell == name).expect("a column");
    assert_eq!(rows[1][column("Due (UTC)")], "2026-07-21 11:30:00");
    assert_eq!(rows[1][column("Secret")], "DATABASE_PASSWORD@production");
    let hostile = read("xlsx", "xlsx", &samples::full_of(&samples::hostile_strings()));
    let rows = hostile["sheets"]["Inventory"]["rows"].as_array().expect("rows");
    let owners: Vec<&str> = rows.iter().filter_map(|row| row[column("Owner")].as_str()).collect();
    for owner in
        ["=cmd|'/c calc'!A1", "<script>alert(1)</script>", r"a\nb\r\nc\td\u{0}", "https://user@example.com/x?y#z"]
    {
        assert!(owners.contains(&owner), "{owner}");
    }
}

#[test]
fn the_schema_of_jenkins_accepts_junit() {
    for (name, report) in reports().into_iter().chain([("large", large())]) {
        let seen = read("junit", "junit", &report);
        assert_eq!(seen["invalid"], serde_json::json!([]), "{name}");
        assert_eq!(seen["twice"], serde_json::json!([]), "{name}");
        let cases = seen["cases"].as_array().expect("cases");
        let count = |outcome: &str| cases.iter().filter(|case| case[3] == outcome).count();
        assert!(!cases.is_empty(), "{name}");
        assert_eq!(count("failure"), report.counting().count(), "{name}");
        assert_eq!(count("error"), report.gaps.len(), "{name}");
        let declared = |name: &str| seen["declared"][name].as_u64().expect("a number") as usize;
        assert_eq!(declared("tests"), cases.len(), "{name}");
        assert_eq!((declared("failures"), declared("errors")), (count("failure"), count("error")), "{name}");
    }
}

#[test]
fn python_reads_csv() {
    for (name, report) in reports().into_iter().chain([("large", large())]) {
        for (format, number) in [("csv", report.items.len()), ("csv-findings", report.findings.len())] {
            let rows = read(format, "csv", &report);
            let rows: Vec<&Vec<Value>> =
                rows.as_array().expect("rows").iter().map(|row| row.as_array().expect("cells")).collect();
            assert_eq!(rows.len(), 1 + number + report.gaps.len(), "{name}, {format}");
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}, {format}");
            let formula = |cell: &str| cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r']);
            let found = rows.iter().copied().flatten().filter_map(Value::as_str).find(|cell| formula(cell));
            assert_eq!(found, None, "{name}, {format}");
        }
    }
}

/// What promtool says of metrics: complaints, of its linter as well.
fn promtool(metrics: &[u8]) -> String {
    let promtool = tool("KEYTRAIL_TEST_PROMETHEUS").parent().unwrap_or(Path::new("")).join("promtool");
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = child.stdin.take().expect("a pipe");
    let metrics = metrics.to_owned();
    let writer = std::thread::spawn(move || input.write_all(&metrics));
    let output = child.wait_with_output().expect("promtool ends");
    writer.join().expect("ended").expect("written");
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(output.status.success(), said.is_empty(), "{}", String::from_utf8_lossy(&said));
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn promtool_has_no_complaint() {
    for (name, mut report) in reports().into_iter().chain([("large", large())]) {
        report.summary.measures.secrets = 7;
        report.summary.measures.oldest_seconds = Some(3);
        assert_eq!(promtool(&render("prometheus", &report)), "", "{name}");
    }
    let broken = b"# TYPE keytrail_x_total gauge\nkeytrail_x_total 1\nkeytrail_x_total 1\n";
    assert_ne!(promtool(broken), "");
}
