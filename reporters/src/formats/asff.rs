//! AWS Security Finding Format (2018-10-08): a JSON array of findings, for `aws securityhub batch-import-findings`.
//!
//! # Guarantees
//! * The findings belong to the default product of [`AwsAccount`](crate::AwsAccount), the only one that an account may
//!   import into by itself. A finding keeps its `Id` from scan to scan.
//! * What an exception or the baseline covers, and what is fixed, is `ARCHIVED`. What this scan did not look at is not there,
//!   so that Security Hub keeps it as it was.
//! * Every gap is a finding whose compliance is `NOT_AVAILABLE`.
//!
//! # Assumptions
//! Security Hub takes at most 100 findings and 6 MB in a call: whoever uploads the file sends it in pieces.
//!
//! The format: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>.

use std::collections::BTreeMap;

use keytrail_rules::checks::{Facet, Rule};
use keytrail_rules::history::FindingChange;
use keytrail_rules::model::{Finding, Gap, Severity};
use keytrail_rules::report::Report;
use serde_json::{Value, json};

use super::Format;
use crate::{AwsAccount, Error, Options, escape};

/// For AWS Security Hub.
pub(super) static FORMAT: Format = Format {
    name: "asff",
    summary: "AWS Security Finding Format, for Security Hub",
    extension: "json",
    is_text: true,
    render,
};

/// The format's limits, in characters or entries.
const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 1_024;
const MAX_ID: usize = 512;
const MAX_RECOMMENDATION: usize = 512;
const MAX_REQUIREMENTS: usize = 32;

/// Where the rules are described.
const HOME: &str = "https://keytrail.dev";

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    let account = options.aws.clone().unwrap_or_default();
    let time = report.as_of.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let hub = Hub { account: &account, time: &time };
    let mut text = String::from("[");
    let findings = report.findings.iter().map(|finding| hub.of_finding(finding));
    let fixed = report.changes.iter().flat_map(|changes| &changes.fixed).map(|change| hub.fixed(change));
    let gaps = report.gaps.iter().map(|gap| hub.of_gap(gap));
    for (at, finding) in findings.chain(fixed).chain(gaps).enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.push_str(&escape::json(&serde_json::to_string(&finding)?));
    }
    text.push_str(if text.len() > 1 { "\n]\n" } else { "]\n" });
    Ok(text.into_bytes())
}

struct Hub<'a> {
    account: &'a AwsAccount,
    time: &'a str,
}

/// What differs between findings.
struct Parts<'a> {
    id: &'a str,
    rule: &'a str,
    severity: Severity,
    title: &'a str,
    message: &'a str,
    item: Option<&'a str>,
    compliance: Value,
    is_active: bool,
}

impl Hub<'_> {
    fn of_finding(&self, finding: &Finding) -> Value {
        let status = match finding.severity {
            _ if !finding.counts() => "WARNING",
            Severity::Info | Severity::Low => "WARNING",
            Severity::Medium | Severity::High | Severity::Critical => "FAILED",
        };
        let mut compliance = json!({ "Status": status });
        let controls: Vec<String> =
            finding.controls.iter().take(MAX_REQUIREMENTS).map(|control| visible(control, MAX_ID)).collect();
        if !controls.is_empty() {
            compliance["RelatedRequirements"] = json!(controls);
        }
        let mut value = self.finding(&Parts {
            id: &finding.fingerprint,
            rule: finding.rule,
            severity: finding.severity,
            title: Rule::find(finding.rule).map_or(finding.rule, Rule::summary),
            message: &finding.message,
            item: finding.item.as_ref().map(keytrail_rules::inventory::ItemId::as_str),
            compliance,
            is_active: finding.counts(),
        });
        if !finding.next.is_empty() {
            let url = Rule::find(finding.rule).map_or(HOME.to_owned(), |rule| format!("{HOME}/rules/{}", rule.code));
            let recommendation = json!({ "Text": visible(&finding.next, MAX_RECOMMENDATION), "Url": url });
            value["Remediation"] = json!({ "Recommendation": recommendation });
        }
        let mut fields = BTreeMap::from([("keytrail/rule", finding.rule.to_owned())]);
        fields.extend(finding.exception.as_ref().map(|why| ("keytrail/exception", visible(why, MAX_DESCRIPTION))));
        let line = finding.location.as_ref().map(|location| format!("{}:{}", location.file, location.line));
        fields.extend(line.map(|line| ("keytrail/line", visible(&line, MAX_DESCRIPTION))));
        value["ProductFields"] = json!(fields);
        value
    }

    fn fixed(&self, change: &FindingChange) -> Value {
        self.finding(&Parts {
            id: &change.fingerprint,
            rule: &change.rule,
            severity: change.severity,
            title: Rule::find(&change.rule).map_or(&change.rule, |rule| rule.summary()),
            message: &change.message,
            item: change.item.as_deref(),
            compliance: json!({ "Status": "PASSED" }),
            is_active: false,
        })
    }

    fn of_gap(&self, gap: &Gap) -> Value {
        let place = gap.place.as_ref().map(keytrail_rules::model::Place::as_str).unwrap_or_default();
        let line = gap.location.as_ref().map(|location| location.line.to_string()).unwrap_or_default();
        self.finding(&Parts {
            id: &format!("gap/{}/{}/{place}/{line}", gap.reason.as_str(), gap.source),
            rule: "coverage-gap",
            severity: Severity::Medium,
            title: "Evidence that could not be had",
            message: &format!("'{}' could not be read ({}): {}.", gap.source, gap.reason.as_str(), gap.message),
            item: None,
            compliance: json!({ "Status": "NOT_AVAILABLE" }),
            is_active: true,
        })
    }

    fn finding(&self, parts: &Parts<'_>) -> Value {
        let AwsAccount { id: account, region } = self.account;
        let partition = self.account.partition();
        let generator = Rule::find(parts.rule).map_or(parts.rule, |rule| rule.code);
        let types = [kind(parts.rule)];
        let resource = parts.item.map_or_else(|| "keytrail".to_owned(), |item| format!("keytrail:secret:{item}"));
        json!({
            "SchemaVersion": "2018-10-08",
            "Id": visible(&format!("keytrail/{region}/{account}/{}", parts.id), MAX_ID),
            "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
            "ProductName": "Keytrail",
            "CompanyName": "Keytrail",
            "GeneratorId": visible(&format!("keytrail/{generator}"), MAX_ID),
            "AwsAccountId": account,
            "Region": region,
            "Types": types,
            "CreatedAt": self.time,
            "UpdatedAt": self.time,
            "Severity": { "Label": label(parts.severity) },
            "FindingProviderFields": { "Severity": { "Label": label(parts.severity) }, "Types": types },
            "Title": visible(parts.title, MAX_TITLE),
            "Description": visible(parts.message, MAX_DESCRIPTION),
            "Resources": [{ "Type": "Other", "Id": visible(&resource, MAX_ID), "Partition": partition, "Region": region }],
            "Compliance": parts.compliance,
            "RecordState": if parts.is_active { "ACTIVE" } else { "ARCHIVED" },
        })
    }
}

/// The type of a rule's findings, of AWS's own taxonomy.
fn kind(rule: &str) -> &'static str {
    match (rule, Rule::find(rule).map(|rule| rule.facet)) {
        ("silent-rotation" | "trail-tampered" | "deleted-out-of-band" | "unexpected-reader", _) => {
            "Unusual Behaviors/User"
        }
        (_, Some(Facet::Leaks)) => "Sensitive Data Identifications/Passwords",
        _ => "Software and Configuration Checks/Industry and Regulatory Standards",
    }
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// Text that is safe to show, not too long, and never blank: Security Hub refuses that.
fn visible(text: &str, limit: usize) -> String {
    let text = escape::terminal(text);
    if text.trim().is_empty() { "-".to_owned() } else { escape::clip(&text, limit).into_owned() }
}

#[cfg(test)]
mod tests;
