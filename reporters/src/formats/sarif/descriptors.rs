//! The rules as `reportingDescriptor`s (SARIF 2.1.0 §3.49).

use std::collections::BTreeMap;

use keytrail_rules::checks::Rule;
use keytrail_rules::model::Severity;
use serde_json::json;
use serde_sarif::sarif::{MultiformatMessageString, PropertyBag, ReportingConfiguration, ReportingDescriptor};

use super::{HOME, MAX_TEXT, level};
use crate::escape;

/// The id of the one message string of each rule, whose argument is what the finding is about.
pub(super) const MESSAGE: &str = "default";

/// What code scanning shows of a rule.
pub(super) fn descriptor(rule: &Rule) -> ReportingDescriptor {
    let markdown = rule.markdown();
    ReportingDescriptor::builder()
        .id(rule.code)
        .name(pascal_case(rule.id))
        .short_description(plain(rule.summary()))
        .full_description(plain(&escape::clip(&description(&markdown), MAX_TEXT)))
        .message_strings(BTreeMap::from([(MESSAGE.to_owned(), plain(&message(rule)))]))
        .help(MultiformatMessageString::builder().text(markdown.clone()).markdown(help(rule, &markdown)).build())
        .help_uri(format!("{HOME}/rules/{}", rule.code))
        .default_configuration(ReportingConfiguration::builder().level(json!(level(rule.severity))).build())
        .properties(properties(rule))
        .build()
}

fn plain(text: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text).build()
}

/// `OverdueRotation` of `overdue-rotation`.
fn pascal_case(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_ascii_uppercase(), rest.to_owned()]
        })
        .collect()
}

/// The summary as a message with one argument; braces of its own are doubled (§3.11.5).
fn message(rule: &Rule) -> String {
    let summary = rule.summary().trim_end_matches('.').replace('{', "{{").replace('}', "}}");
    format!("{summary}: '{{0}}'.")
}

/// The first paragraph after the summary; the summary where there is none.
fn description(markdown: &str) -> String {
    let mut paragraphs = markdown.split("\n\n").filter(|paragraph| !paragraph.trim_start().starts_with('#'));
    let summary = paragraphs.next().unwrap_or_default();
    paragraphs.next().unwrap_or(summary).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn help(rule: &Rule, markdown: &str) -> String {
    let fix = if rule.fixable { " `keytrail scan --fix` can mend it." } else { "" };
    format!("{markdown}\nRule `{}`, severity {}.{fix}\n", rule.id, rule.severity.as_str())
}

fn properties(rule: &Rule) -> PropertyBag {
    let (problem, security) = match rule.severity {
        Severity::Critical => ("error", "9.5"),
        Severity::High => ("error", "8.0"),
        Severity::Medium => ("warning", "5.5"),
        Severity::Low => ("recommendation", "2.0"),
        Severity::Info => ("recommendation", "0.5"),
    };
    let tags = ["security", "secrets", rule.facet.as_str()];
    PropertyBag::builder()
        .tags(tags.map(str::to_owned).to_vec())
        .additional_properties(BTreeMap::from([
            ("precision".to_owned(), json!("high")),
            ("problem.severity".to_owned(), json!(problem)),
            ("security-severity".to_owned(), json!(security)),
        ]))
        .build()
}

#[cfg(test)]
mod tests {
    use keytrail_rules::checks::RULES;

    use super::{description, message, pascal_case};

    #[test]
    fn names_are_pascal_case() {
        assert_eq!(pascal_case("hardcoded-credential-url"), "HardcodedCredentialUrl");
    }

    #[test]
    fn a_rule_is_described_by_the_paragraph_after_its_summary() {
        assert_eq!(description("Sum.\n\nOne\ntwo.\n\n# How to fix\nDo.\n"), "One two.");
        assert_eq!(description("Sum.\n\n# How to fix\nDo.\n"), "Sum.");
        assert_eq!(description("Sum.\n"), "Sum.");
        assert!(RULES.iter().all(|rule| !description(&rule.markdown()).is_empty()));
    }

    #[test]
    fn messages_name_what_they_are_about() {
        for rule in RULES {
            assert!(message(rule).ends_with(": '{0}'."), "{}", message(rule));
        }
    }
}
