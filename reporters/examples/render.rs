//! Renders a large report once, to measure what a format costs: `tests/bench/formats.sh` does.
//!
//!   cargo run --release -p keytrail-reporters --example render -- FORMAT [FINDINGS] [FILE]
//!
//! Prints the CPU seconds of the rendering alone, the peak memory in MB with the report, and the bytes, which are kept in
//! the file. Without a format: the names of the formats.

#![allow(clippy::expect_used, clippy::print_stdout)]

use keytrail_reporters::{FORMATS, Format, Options, Repository};
use keytrail_rules::checks::RULES;
use keytrail_rules::model::Severity;
use keytrail_rules::report::Report;

#[path = "../src/samples.rs"]
mod samples;

/// So many findings, with a secret for each two and a half, and a change for each ten.
fn report(findings: usize) -> Report {
    let everything = samples::everything();
    let mut report = samples::everything();
    let secrets = (findings * 2 / 5).max(1);
    let id = |at: usize| samples::item(&format!("SERVICE_{:03}_KEY_{at:05}", at % 977), Some("production")).id;
    report.items = (0..secrets)
        .map(|at| {
            let mut item = everything.items[at % everything.items.len()].clone();
            item.copies.truncate(2);
            item.id = id(at);
            item
        })
        .collect();
    report.findings = (0..findings)
        .map(|at| {
            let mut finding = everything.findings[at % 7].clone();
            finding.rule = RULES[at % RULES.len()].id;
            finding.severity = Severity::ALL[at % 5];
            finding.item = Some(id(at % secrets));
            finding.fingerprint = format!("{at:064x}");
            finding.message = format!("Secret '{}' is 190 days old, and its cadence is 90 days.", id(at % secrets));
            finding.controls = vec!["pci-dss-4.0.1:8.6.3".to_owned(), "nist-800-53-r5:IA-5f".to_owned()];
            finding
        })
        .collect();
    report.rotations = (0..findings / 10)
        .map(|at| {
            let mut rotation = everything.rotations[at % 3].clone();
            (rotation.item, rotation.id) = (id(at % secrets), format!("{at:032x}"));
            rotation
        })
        .collect();
    report.apply_baseline(&Default::default());
    report
}

/// CPU seconds of this process, and its peak memory in MB (proc(5)).
fn cost() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().expect("a number")).sum();
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak: f64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    (ticks / 100.0, peak / 1_024.0)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(name) = args.first() else {
        FORMATS.iter().for_each(|format| println!("{}", format.name));
        return;
    };
    let findings = args.get(1).map_or(25_000, |number| number.parse().expect("a number of findings"));
    let format = Format::find(name).expect("a format");
    let repository = Repository::from_remote("https://github.com/example/shop");
    let options = Options { repository, exit_code: 1, ..Options::default() };
    let report = report(findings);
    let (before, _) = cost();
    let bytes = (format.render)(&report, &options).expect("renders");
    let (after, peak) = cost();
    if let Some(file) = args.get(2) {
        std::fs::write(file, &bytes).expect("written");
    }
    println!("{:.2} {peak:.0} {}", after - before, bytes.len());
}
