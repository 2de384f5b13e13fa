//! SARIF 2.1.0 (OASIS) as GitHub code scanning takes it.
//!
//! # Guarantees
//! * Every result has a physical location: GitHub refuses a whole file for one that has none. What is not said in a
//!   file points at [`Options::anchor`], with the property `partial`.
//! * What an exception or the baseline covers is left out: GitHub shows suppressed results as open alerts.
//! * A scan with gaps never looks complete: `executionSuccessful` is false, with a notification of level `error` for
//!   each gap, which SARIF 2.1.0 §3.58.6 defines as results that are "incorrect or incomplete". Such a file must not
//!   be uploaded: GitHub closes the alerts that it misses.
//! * No line of a file is quoted, since it may hold a value: snippets are the run's redaction token (§3.14.28).
//!
//! The limits are those of GitHub: <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>.

mod descriptors;
mod locations;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keytrail_rules::checks::{RULES, Rule};
use keytrail_rules::model::{Finding, Gap, Severity};
use keytrail_rules::report::Report;
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Message, Notification, PropertyBag, ReportingDescriptorReference, Result as Outcome,
    ResultLevel, Run, RunAutomationDetails, Sarif, ToolComponent, VersionControlDetails,
};

use self::locations::{Files, REDACTED, ROOT};
use super::Format;
use crate::{Error, Options, escape};

/// For code scanning services.
pub(super) static FORMAT: Format = Format {
    name: "sarif",
    summary: "SARIF 2.1.0, for GitHub code scanning",
    extension: "sarif",
    is_text: true,
    render,
};

/// GitHub shows so many results of a run, and does not say which.
const MAX_RESULTS: usize = 5_000;

/// GitHub's limit for descriptions, in characters.
const MAX_TEXT: usize = 1_024;

/// Where the rules are described.
const HOME: &str = "https://keytrail.dev";

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    let groups = groups(report);
    let (kept, left_out) = groups.split_at(groups.len().min(MAX_RESULTS));
    let files = Files { options };
    let results = kept.iter().map(|group| result(group, &files)).collect::<Result<Vec<_>, _>>()?;

    let builder = Run::builder()
        .tool(driver(report))
        .automation_details(RunAutomationDetails::builder().id(format!("keytrail/{}", category(options))).build())
        .original_uri_base_ids(BTreeMap::from([(ROOT.to_owned(), root())]))
        .invocations(vec![invocation(report, left_out.len(), &files)])
        .column_kind(json!("utf16CodeUnits"))
        .redaction_tokens(vec![REDACTED.to_owned()])
        .results(results);
    let run = match provenance(options) {
        Some(provenance) => builder.version_control_provenance(vec![provenance]).build(),
        None => builder.build(),
    };
    let log = Sarif::builder()
        .schema("https://json.schemastore.org/sarif-2.1.0.json".to_owned())
        .version(json!("2.1.0"))
        .runs(vec![run])
        .build();
    super::json::document(&log)
}

/// The findings that count, worst first; those that have one fingerprint together, since they are one alert.
fn groups(report: &Report) -> Vec<Vec<&Finding>> {
    let mut findings: Vec<&Finding> = report.counting().collect();
    findings.sort_by_key(|finding| Reverse(finding.severity));
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        match at.get(finding.fingerprint.as_str()) {
            Some(at) => groups[*at].push(finding),
            None => {
                at.insert(&finding.fingerprint, groups.len());
                groups.push(vec![finding]);
            }
        }
    }
    groups
}

fn driver(report: &Report) -> ToolComponent {
    ToolComponent::builder()
        .name("Keytrail")
        .full_name(format!("Keytrail {}", report.tool.version))
        .organization("Keytrail")
        .version(report.tool.version)
        .semantic_version(report.tool.version)
        .information_uri(HOME)
        .rules(RULES.iter().map(|rule| descriptors::descriptor(rule)).collect::<Vec<_>>())
        .build()
}

/// GitHub's category is what is before the last slash, so that there has to be one at the end.
fn category(options: &Options) -> String {
    let category = options.category.trim_matches('/');
    if category.is_empty() { String::new() } else { format!("{category}/") }
}

fn root() -> ArtifactLocation {
    ArtifactLocation::builder().description(Message::from("The root of the repository.")).build()
}

fn provenance(options: &Options) -> Option<VersionControlDetails> {
    let repository = options.repository.as_ref()?;
    let mut details = VersionControlDetails::builder()
        .repository_uri(repository.uri())
        .mapped_to(ArtifactLocation::builder().uri_base_id(ROOT).build())
        .build();
    details.revision_id.clone_from(&repository.revision);
    details.branch.clone_from(&repository.branch);
    Some(details)
}

/// One result for findings of one fingerprint, the first of which speaks for them.
fn result(group: &[&Finding], files: &Files<'_>) -> Result<Outcome, Error> {
    let finding = group[0];
    let (index, rule) = RULES
        .iter()
        .enumerate()
        .find(|(_, rule)| rule.id == finding.rule)
        .ok_or_else(|| Error::UnknownRule(finding.rule.to_owned()))?;
    let primary = files.primary(finding);
    let subject = finding.item.as_ref().map_or_else(|| files.subject(finding), |item| text(item.as_str()));
    let related = files.related(group);
    let builder = Outcome::builder()
        .rule_id(rule.code)
        .rule_index(index as i64)
        .level(level(finding.severity))
        .message(
            Message::builder()
                .id(descriptors::MESSAGE)
                .arguments(vec![subject])
                .text(sentence(&finding.message))
                .build(),
        )
        .locations(vec![primary])
        .partial_fingerprints(fingerprints(&finding.fingerprint))
        .properties(properties(finding, rule));
    Ok(if related.is_empty() { builder.build() } else { builder.related_locations(related).build() })
}

/// GitHub tells alerts apart by `primaryLocationLineHash` alone, and takes any hash there. That of a line would
/// change with the lines around it, and be the same for two secrets on one line; that of the finding does neither.
fn fingerprints(fingerprint: &str) -> BTreeMap<String, String> {
    let short: String = fingerprint.chars().take(16).collect();
    BTreeMap::from([
        ("keytrail/v1".to_owned(), fingerprint.to_owned()),
        ("primaryLocationLineHash".to_owned(), format!("{short}:1")),
    ])
}

fn properties(finding: &Finding, rule: &Rule) -> PropertyBag {
    let mut bag = BTreeMap::from([
        ("rule".to_owned(), json!(rule.id)),
        ("severity".to_owned(), json!(finding.severity.as_str())),
        ("fixable".to_owned(), json!(finding.fixable)),
    ]);
    if let Some(item) = &finding.item {
        bag.insert("secret".to_owned(), json!(text(item.as_str())));
    }
    if !finding.next.is_empty() {
        bag.insert("next".to_owned(), json!(text(&finding.next)));
    }
    if !finding.controls.is_empty() {
        bag.insert("controls".to_owned(), json!(finding.controls));
    }
    PropertyBag::builder().additional_properties(bag).build()
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium => ResultLevel::Warning,
        Severity::Low | Severity::Info => ResultLevel::Note,
    }
}

fn invocation(report: &Report, left_out: usize, files: &Files<'_>) -> Invocation {
    let mut notifications: Vec<Notification> = report.gaps.iter().map(|gap| notification(gap, files)).collect();
    if left_out > 0 {
        let message = format!(
            "{left_out} results were left out: code scanning shows {MAX_RESULTS} of a run, and these are the worst."
        );
        notifications.push(notice("results-left-out", "warning", &message));
    }
    Invocation::builder()
        .execution_successful(report.gaps.is_empty())
        .exit_code(i64::from(files.options.exit_code))
        // The instant that the report is about, so that it can be reproduced to the byte.
        .start_time_utc(report.as_of.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        .tool_execution_notifications(notifications)
        .build()
}

fn notification(gap: &Gap, files: &Files<'_>) -> Notification {
    let reason = gap.reason.as_str();
    let mut message = format!("'{}' could not be read ({reason}): {}.", gap.source, gap.message.trim_end_matches('.'));
    if let Some(hint) = &gap.hint {
        message += &format!(" Hint: {}.", hint.trim_end_matches('.'));
    }
    let mut notification = notice(&format!("gap/{reason}"), "error", &message);
    notification.locations = files.of_gap(gap).map(|location| vec![location]);
    notification
}

fn notice(id: &str, level: &str, message: &str) -> Notification {
    Notification::builder()
        .descriptor(ReportingDescriptorReference::builder().id(id).build())
        .level(json!(level))
        .message(Message::builder().text(sentence(message)).build())
        .build()
}

/// Text that is safe to show and not too long. `](` would begin a link in a SARIF message (§3.11.6).
fn text(text: &str) -> String {
    let text = escape::terminal(text).replace("](", "] (");
    escape::clip(&text, MAX_TEXT).into_owned()
}

/// [`text`] with a full stop.
fn sentence(message: &str) -> String {
    let message = text(message);
    match message.strip_suffix('.') {
        Some(_) => message,
        None => format!("{}.", escape::clip(&message, MAX_TEXT - 1)),
    }
}

#[cfg(test)]
mod tests;
