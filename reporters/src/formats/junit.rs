//! JUnit XML, as the test tabs of CI systems read it: what `junit-10.xsd` of Jenkins has, with `file` and `line` beside,
//! by which GitLab, CircleCI and annotating actions find the line.
//!
//! A suite is a part of the scan (inventory, cadence, leaks, trails), the class of a case its rule, its name the secret:
//! tabs fold by suite and class and list names, so that a rule is one fold and what is wrong is read in one line.
//! A finding that counts is a failure; one that an exception or the baseline covers is skipped, with the reason; a gap is
//! an error. What passes: every secret that is within its cadence and has no finding, and every rule that is known to have
//! run and found nothing.

mod xml;

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::checks::{Facet, RULES, Rule};
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Finding, Gap, Location};
use keytrail_rules::report::{ItemReport, ItemStatus, Report};

use super::Format;
use crate::sheets::instant;
use crate::{Error, Options, escape};
use xml::Xml;

/// One suite a part of the scan, one case a rule and a secret.
pub(super) static FORMAT: Format = Format {
    name: "junit",
    summary: "JUnit XML, for the test tabs of CI systems",
    extension: "xml",
    is_text: true,
    render,
};

/// A test tab shows a message in one line.
const MAX_MESSAGE: usize = 2_000;

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    let suites = suites(report, options);
    let all: Vec<&Case> = suites.iter().flat_map(|(_, cases)| cases).collect();
    let mut xml = Xml::new();
    xml.open("testsuites", &[("name", "keytrail"), ("time", "0")], &counts(all.iter().copied()));
    let (at, tool) = (instant(report.as_of), format!("{} {}", report.tool.name, report.tool.version));
    for (name, cases) in suites.iter().filter(|(_, cases)| !cases.is_empty()) {
        let skipped = cases.iter().filter(|case| matches!(case.outcome, Outcome::Skipped(_))).count();
        let mut numbers = counts(cases);
        numbers.push(("skipped", skipped.to_string()));
        xml.open("testsuite", &[("name", *name), ("time", "0"), ("timestamp", &at)], &numbers);
        xml.open("properties", &[], &[]);
        for (name, value) in [("tool", tool.as_str()), ("as-of", &at), ("complete", complete(report))] {
            xml.empty("property", &[("name", name), ("value", value)], &[]);
        }
        xml.close("properties");
        for case in cases {
            write(&mut xml, case);
        }
        xml.close("testsuite");
    }
    xml.close("testsuites");
    Ok(xml.finish())
}

fn complete(report: &Report) -> &'static str {
    if report.summary.complete && report.gaps.is_empty() { "yes" } else { "no" }
}

/// What came of a case.
enum Outcome {
    Passed,
    /// Why.
    Skipped(String),
    /// Type, message and text.
    Failed(String, String, String),
    /// Type, message and text.
    Error(String, String, String),
}

/// One line of a test tab, which tells cases apart by class and name.
struct Case {
    class: String,
    /// Safe to show.
    name: String,
    location: Option<(String, u32)>,
    outcome: Outcome,
}

type Suite = (&'static str, Vec<Case>);

fn suites(report: &Report, options: &Options) -> Vec<Suite> {
    let mut suites: Vec<Suite> = Facet::ALL.into_iter().map(|facet| (facet.as_str(), Vec::new())).collect();
    let mut seen = BTreeSet::new();
    for finding in &report.findings {
        let facet = Rule::find(finding.rule).map_or(Facet::Inventory, |rule| rule.facet).as_str();
        let mut case = of_finding(finding, facet, options);
        if !seen.insert((finding.rule, case.name.clone())) {
            case.name = format!("{} ({})", case.name, finding.fingerprint);
        }
        if let Some((_, cases)) = suites.iter_mut().find(|(name, _)| *name == facet) {
            cases.push(case);
        }
    }
    for (facet, rule) in silent_rules(report) {
        if let Some((_, cases)) = suites.iter_mut().find(|(name, _)| *name == facet) {
            cases.push(Case {
                class: format!("keytrail.{facet}.{rule}"),
                name: "found nothing".to_owned(),
                location: None,
                outcome: Outcome::Passed,
            });
        }
    }
    suites.push(("secrets", numbered(secrets(report, options))));
    suites.push(("evidence", numbered(evidence(report, options))));
    suites
}

/// The cases, with a number where one is named as another one before it: names are one when they are cut or spelt out.
fn numbered(mut cases: Vec<Case>) -> Vec<Case> {
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    for case in &mut cases {
        let number = seen.entry((case.class.clone(), case.name.clone())).or_default();
        *number += 1;
        if *number > 1 {
            case.name = format!("{} ({number})", case.name);
        }
    }
    cases
}

/// The rules that are known to have run, and that found nothing.
fn silent_rules(report: &Report) -> Vec<(&'static str, &'static str)> {
    let found: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    let evidence = report.controls.iter().flat_map(|control| &control.rules);
    let ran: BTreeMap<&str, bool> = evidence.map(|rule| (rule.rule.as_str(), rule.ran)).collect();
    let silent = |rule: &&&Rule| ran.get(rule.id) == Some(&true) && !found.contains(rule.id);
    RULES.iter().filter(silent).map(|rule| (rule.facet.as_str(), rule.id)).collect()
}

fn of_finding(finding: &Finding, facet: &str, options: &Options) -> Case {
    let evidence = || finding.evidence.iter();
    let line = finding.location.as_ref().or_else(|| evidence().find_map(|one| one.location.as_ref()));
    let place = || evidence().find_map(|one| one.place.as_ref()).map(ToString::to_string);
    let name = finding.item.as_ref().map(ToString::to_string).or_else(place).or_else(|| line.map(ToString::to_string));
    let outcome = match &finding.exception {
        Some(reason) => Outcome::Skipped(format!("excepted: {reason}")),
        None if finding.baselined => Outcome::Skipped("in the baseline".to_owned()),
        None => {
            let message = format!("[{}] {}", finding.severity.as_str(), finding.message);
            Outcome::Failed(finding.rule.to_owned(), message, details(finding, line))
        }
    };
    Case {
        class: format!("keytrail.{facet}.{}", finding.rule),
        name: shown(&name.unwrap_or_else(|| finding.message.clone())),
        location: line.and_then(|line| in_repository(line, options)),
        outcome,
    }
}

/// The file of a line as the repository names it; `None` where it lies outside.
fn in_repository(line: &Location, options: &Options) -> Option<(String, u32)> {
    escape::uri_path(&options.prefix, &line.file)?;
    let file = if options.prefix.is_empty() { line.file.clone() } else { format!("{}/{}", options.prefix, line.file) };
    Some((file, line.line))
}

/// Where a finding is, what it rests on, and what to do, a line each.
fn details(finding: &Finding, line: Option<&Location>) -> String {
    let mut lines = vec![shown(&finding.message)];
    lines.extend(line.map(|line| format!("at {}", shown(&line.to_string()))));
    lines.extend(finding.evidence.iter().map(|one| format!("evidence: {}", shown(&one.note))));
    if !finding.next.is_empty() {
        lines.push(format!("next: {}", shown(&finding.next)));
    }
    if !finding.controls.is_empty() {
        lines.push(format!("controls: {}", shown(&finding.controls.join(", "))));
    }
    lines.push(format!("fingerprint: {}", finding.fingerprint));
    lines.join("\n")
}

/// The secrets that no finding is about.
fn secrets(report: &Report, options: &Options) -> Vec<Case> {
    let found: BTreeSet<&str> =
        report.findings.iter().filter_map(|one| one.item.as_ref()).map(ItemId::as_str).collect();
    let silent = report.items.iter().filter(|item| !found.contains(item.id.as_str()));
    silent.map(|item| of_item(item, options)).collect()
}

fn of_item(item: &ItemReport, options: &Options) -> Case {
    let outcome = match item.status {
        ItemStatus::Ok | ItemStatus::DueSoon | ItemStatus::Static => Outcome::Passed,
        status => Outcome::Skipped(format!("it is {}, and no rule that ran says so", status.as_str())),
    };
    Case {
        class: "keytrail.secrets".to_owned(),
        name: shown(item.id.as_str()),
        location: item.declared_at.first().and_then(|line| in_repository(line, options)),
        outcome,
    }
}

/// The gaps, or one case that says that there are none: a file without any case is taken for a broken run.
fn evidence(report: &Report, options: &Options) -> Vec<Case> {
    if report.gaps.is_empty() {
        let outcome = match report.summary.complete {
            true if report.scope.is_empty() => Outcome::Skipped("nothing was scanned".to_owned()),
            true => Outcome::Passed,
            false => Outcome::Skipped("not everything could be read".to_owned()),
        };
        let (class, name) = ("keytrail.evidence".to_owned(), "everything in scope could be read".to_owned());
        return vec![Case { class, name, location: None, outcome }];
    }
    report.gaps.iter().map(|gap| of_gap(gap, options)).collect()
}

fn of_gap(gap: &Gap, options: &Options) -> Case {
    let name = gap.location.as_ref().map(ToString::to_string).or(gap.place.as_ref().map(ToString::to_string));
    let message = format!("'{}' could not be read: {}", gap.source, gap.message);
    let hint = gap.hint.as_ref().map(|hint| format!("\nnext: {}", shown(hint))).unwrap_or_default();
    let text = shown(&message) + &hint;
    Case {
        class: format!("keytrail.evidence.{}", gap.reason.as_str()),
        name: shown(&name.unwrap_or_else(|| gap.source.clone())),
        location: gap.location.as_ref().and_then(|line| in_repository(line, options)),
        outcome: Outcome::Error(gap.reason.as_str().to_owned(), message, text),
    }
}

/// Scanned text in one line.
fn shown(text: &str) -> String {
    escape::clip(&xml::text(text), MAX_MESSAGE).into_owned()
}

fn counts<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Vec<(&'static str, String)> {
    let (mut tests, mut failures, mut errors) = (0_u64, 0_u64, 0_u64);
    for case in cases {
        tests += 1;
        failures += u64::from(matches!(case.outcome, Outcome::Failed(..)));
        errors += u64::from(matches!(case.outcome, Outcome::Error(..)));
    }
    vec![("tests", tests.to_string()), ("failures", failures.to_string()), ("errors", errors.to_string())]
}

fn write(xml: &mut Xml, case: &Case) {
    let attributes = [("classname", case.class.as_str()), ("name", case.name.as_str()), ("time", "0")];
    let mut place = Vec::new();
    if let Some((file, line)) = &case.location {
        place = vec![("file", shown(file)), ("line", line.to_string())];
    }
    let (element, kind, message, text) = match &case.outcome {
        Outcome::Passed => return xml.empty("testcase", &attributes, &place),
        Outcome::Skipped(reason) => ("skipped", None, reason, None),
        Outcome::Failed(kind, message, text) => ("failure", Some(kind), message, Some(text)),
        Outcome::Error(kind, message, text) => ("error", Some(kind), message, Some(text)),
    };
    xml.open("testcase", &attributes, &place);
    let mut about = vec![("message", shown(message))];
    about.extend(kind.map(|kind| ("type", kind.clone())));
    match text {
        Some(text) => xml.text(element, &about, text),
        None => xml.empty(element, &[], &about),
    }
    xml.close("testcase");
}

#[cfg(test)]
mod tests;
