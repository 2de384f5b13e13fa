//! The rules as `reportingDescriptor`s (SARIF 2.1.0 §3.49).
//!
//! GitHub reads how severe a result is from its rule (`security-severity`), and has no place for it on the result. So
//! that a finding which is milder or worse than its rule is shown as what it is, it belongs to a descriptor of its own,
//! which is the rule's but for its severity: `KT2004` is as severe as the rule, `KTL2004` is low. The id fits the form
//! that SARIF2009 of the Multitool asks for. A finding that becomes worse is another alert, and opens anew even if the
//! milder one was dismissed.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::checks::{Facet, RULES, Rule};
use keytrail_rules::controls::{self, Mapping, Relation};
use keytrail_rules::model::{Finding, Severity};
use serde_json::json;
use serde_sarif::sarif::{MultiformatMessageString, PropertyBag, ReportingConfiguration, ReportingDescriptor};

use super::results::level;
use super::{HOME, MAX_TEXT};
use crate::{Error, escape};

/// The id of the one message string of each rule, whose argument is what the finding is about.
pub(super) const MESSAGE: &str = "default";

/// GitHub keeps so many tags of a rule.
const MAX_TAGS: usize = 10;

/// Every rule, and those again of which there are findings of another severity.
pub(super) struct Descriptors {
    /// Places in the table of rules, with the severity.
    all: Vec<(usize, Severity)>,
    at: BTreeMap<(&'static str, Severity), usize>,
}

impl Descriptors {
    /// The descriptors that some findings need.
    pub(super) fn new<'a>(findings: impl Iterator<Item = &'a Finding>) -> Self {
        let place: BTreeMap<&str, usize> = RULES.iter().enumerate().map(|(at, rule)| (rule.id, at)).collect();
        let used: BTreeSet<(usize, Severity)> = findings
            .filter_map(|finding| Some((*place.get(finding.rule)?, finding.severity)))
            .filter(|(rule, severity)| RULES[*rule].severity != *severity)
            .collect();
        let own = RULES.iter().enumerate().map(|(at, rule)| (at, rule.severity));
        let all: Vec<(usize, Severity)> = own.chain(used).collect();
        let at = all.iter().enumerate().map(|(at, (rule, severity))| ((RULES[*rule].id, *severity), at)).collect();
        Self { all, at }
    }

    /// The place and the id of a finding's descriptor.
    pub(super) fn of(&self, finding: &Finding) -> Result<(usize, String), Error> {
        let at = self.at.get(&(finding.rule, finding.severity)).copied();
        let at = at.ok_or_else(|| Error::UnknownRule(finding.rule.to_owned()))?;
        let (rule, severity) = self.all[at];
        Ok((at, id(RULES[rule], severity)))
    }

    /// All of them, in their order.
    pub(super) fn all(&self) -> Vec<ReportingDescriptor> {
        self.all.iter().map(|(rule, severity)| descriptor(RULES[*rule], *severity)).collect()
    }
}

/// `KT2004`, or `KTL2004` where the severity is not the rule's.
fn id(rule: &Rule, severity: Severity) -> String {
    let letter = match severity {
        _ if severity == rule.severity => return rule.code.to_owned(),
        Severity::Critical => 'C',
        Severity::High => 'H',
        Severity::Medium => 'M',
        Severity::Low => 'L',
        Severity::Info => 'I',
    };
    let (tool, number) = rule.code.split_at(rule.code.find(|c: char| c.is_ascii_digit()).unwrap_or(0));
    format!("{tool}{letter}{number}")
}

/// What code scanning shows of a rule.
fn descriptor(rule: &Rule, severity: Severity) -> ReportingDescriptor {
    let markdown = rule.markdown();
    let mut name = pascal_case(rule.id);
    if severity != rule.severity {
        name += &pascal_case(severity.as_str());
    }
    ReportingDescriptor::builder()
        .id(id(rule, severity))
        .name(name)
        .short_description(plain(rule.summary()))
        .full_description(plain(&escape::clip(&description(&markdown), MAX_TEXT)))
        .message_strings(BTreeMap::from([(MESSAGE.to_owned(), plain(&message(rule)))]))
        .help(
            MultiformatMessageString::builder()
                .text(markdown.clone())
                .markdown(help(rule, severity, &markdown))
                .build(),
        )
        .help_uri(format!("{HOME}/rules/{}", rule.code))
        .default_configuration(ReportingConfiguration::builder().level(json!(level(severity))).build())
        .properties(properties(rule, severity))
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

/// Why it matters and how to fix it, what the finding rests on, which commands help, and which controls it is about.
fn help(rule: &Rule, severity: Severity, markdown: &str) -> String {
    let mut text = format!(
        "{markdown}\n# Evidence\n{}\n\n# Commands\n\n```sh\n{}\n```\n",
        evidence(rule.facet),
        commands(rule).join("\n")
    );
    let mappings = controls::of_rule(rule.id);
    if !mappings.is_empty() {
        text += "\n# Controls\nEvidence for an assessor, who alone says whether a control is met.\n\n";
        text += "| Framework | Control | Relation | Why |\n|---|---|---|---|\n";
        for one in mappings {
            let (framework, relation) = (one.framework, one.relation.as_str());
            let control = format!("{} ({})", one.control.id, one.control.title);
            text +=
                &format!("| {} {} | {control} | {relation} | {} |\n", framework.name, framework.version, one.rationale);
        }
    }
    let usual = if severity == rule.severity {
        String::new()
    } else {
        format!(" (`{}` where it is {})", rule.code, rule.severity.as_str())
    };
    text + &format!("\nRule `{}`, severity {}{usual}.\n", rule.id, severity.as_str())
}

fn evidence(facet: Facet) -> &'static str {
    match facet {
        Facet::Inventory => "The lines that declare the secret and the places that hold it are with the alert.",
        Facet::Cadence => {
            "The versions, earlier scans and records that bound the age of the value are with the alert, by line and place."
        }
        Facet::Leaks => {
            "The alert names the file, line and commit of each occurrence. The value is compared by a keyed fingerprint, \
             and is in no report."
        }
        Facet::Trails => {
            "The alert names the records of the store, the application and the ledger, by file, line and byte, or the \
             stretch of time that a trail does not cover."
        }
    }
}

fn commands(rule: &Rule) -> Vec<String> {
    let mut commands = vec![format!("keytrail rules explain {}", rule.id)];
    match rule.facet {
        Facet::Inventory => commands.push("keytrail inventory".to_owned()),
        Facet::Leaks => commands.push("keytrail leaks".to_owned()),
        Facet::Cadence | Facet::Trails => commands.push("keytrail trace SECRET".to_owned()),
    }
    if rule.fixable {
        commands.push("keytrail scan --fix --dry-run   # the plan".to_owned());
        commands.push("keytrail scan --fix             # mends it, after it has asked".to_owned());
    }
    commands
}

fn properties(rule: &Rule, severity: Severity) -> PropertyBag {
    let (problem, security) = match severity {
        Severity::Critical => ("error", "9.5"),
        Severity::High => ("error", "8.0"),
        Severity::Medium => ("warning", "5.5"),
        Severity::Low => ("recommendation", "2.0"),
        Severity::Info => ("recommendation", "0.5"),
    };
    let mut mappings: Vec<&Mapping> = controls::of_rule(rule.id).iter().collect();
    let ids: Vec<String> = mappings.iter().map(|one| one.id()).collect();
    let mut tags: Vec<String> = ["security", "secrets", rule.facet.as_str()].map(str::to_owned).to_vec();
    tags.extend(weakness(rule).map(|number| format!("external/cwe/cwe-{number}")));
    // Of the controls that there is no room for, those that are only supported.
    mappings.sort_by_key(|one| one.relation != Relation::Direct);
    tags.extend(mappings.iter().map(|one| one.id()));
    tags.truncate(MAX_TAGS);
    PropertyBag::builder()
        .tags(tags)
        .additional_properties(BTreeMap::from([
            ("controls".to_owned(), json!(ids)),
            ("precision".to_owned(), json!(precision(rule))),
            ("problem.severity".to_owned(), json!(problem)),
            ("security-severity".to_owned(), json!(security)),
        ]))
        .build()
}

/// How often the rule is right. What is compared with a known value or follows from two lines alone is exact; what a
/// name or the form of a text suggests is not.
fn precision(rule: &Rule) -> &'static str {
    match rule.id {
        "leaked-unmanaged-secret" | "undeclared-secret" | "unexpected-reader" => "medium",
        "leaked-current-value"
        | "leaked-previous-value"
        | "shared-value"
        | "no-owner"
        | "owner-conflict"
        | "class-conflict"
        | "no-cadence"
        | "cadence-conflict"
        | "unreadable-cadence"
        | "weak-key-file-mode"
        | "trail-tampered"
        | "stuck-rotation"
        | "stale-exception"
        | "value-regression"
        | "no-op-rotation" => "very-high",
        _ => "high",
    }
}

/// The weakness that it is, by number (<https://cwe.mitre.org>), where there is one that says it.
fn weakness(rule: &Rule) -> Option<&'static str> {
    Some(match rule.id {
        "hardcoded-credential-url"
        | "populated-secret-manifest"
        | "leaked-current-value"
        | "leaked-previous-value"
        | "leaked-unmanaged-secret" => "798",
        "secret-in-plain-class" | "secret-in-configmap" => "312",
        "placeholder-in-production" => "1392",
        "weak-key-file-mode" => "732",
        "no-cadence" => "262",
        "overdue-rotation" | "never-rotated" | "event-due-rotation" | "old-version-alive" => "324",
        "silent-rotation" | "trail-gap" | "unproven-rotation" => "778",
        "trail-tampered" => "117",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keytrail_rules::checks::{RULES, Rule};
    use keytrail_rules::model::Severity;

    use super::{description, help, id, message, pascal_case, precision, weakness};

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

    #[test]
    fn an_id_says_the_severity_where_it_is_not_the_rules() {
        let rule = Rule::find("overdue-rotation").expect("a rule");
        assert_eq!(id(rule, rule.severity), rule.code);
        let others = Severity::ALL.into_iter().filter(|severity| *severity != rule.severity);
        let ids: BTreeSet<String> = others.map(|severity| id(rule, severity)).collect();
        assert_eq!(ids.len(), 4);
        let (_, number) = rule.code.split_at(2);
        assert!(ids.contains(&format!("KTL{number}")), "{ids:?}");
        let all: BTreeSet<String> =
            RULES.iter().flat_map(|rule| Severity::ALL.map(|severity| id(rule, severity))).collect();
        assert_eq!(all.len(), RULES.len() * 5);
    }

    #[test]
    fn help_says_why_by_what_and_how() {
        for rule in RULES {
            let help = help(rule, rule.severity, &rule.markdown());
            for part in ["# How to fix\n", "# Evidence\n", "# Commands\n", "keytrail rules explain "] {
                assert!(help.contains(part), "{}: {help}", rule.id);
            }
        }
        let overdue = Rule::find("overdue-rotation").expect("a rule");
        assert!(help(overdue, Severity::Low, "").contains("| PCI DSS 4.0.1 | 8.6.3 ("));
    }

    #[test]
    fn every_rule_that_is_named_is_there() {
        let exact = RULES.iter().filter(|rule| precision(rule) == "very-high").count();
        let medium = RULES.iter().filter(|rule| precision(rule) == "medium").count();
        let weak = RULES.iter().filter(|rule| weakness(rule).is_some()).count();
        assert_eq!((exact, medium, weak), (15, 3, 18));
    }
}
