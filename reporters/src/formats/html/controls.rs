//! Which controls of frameworks there is evidence for, and what is let pass.

use std::collections::BTreeMap;

use keytrail_rules::controls::{ControlReport, ControlStatus, RuleEvidence};
use keytrail_rules::report::{ExceptionReport, ExceptionState};

use super::Page;
use super::write::{count, day, distance, line, or, section, table, text};

const HEADER: [&str; 4] = ["Control", "Asks for", "The scan says", "By these rules"];

impl Page<'_> {
    pub(super) fn controls(&self) -> String {
        let mut frameworks: BTreeMap<&str, Vec<&ControlReport>> = BTreeMap::new();
        for control in &self.report.controls {
            frameworks.entry(&control.framework).or_default().push(control);
        }
        let body: String = frameworks.iter().map(|(name, controls)| self.framework(name, controls)).collect();
        let lead = "What the scan has to say on each control: findings, evidence that its rules found nothing, or nothing at all. \
                    Evidence is not compliance: whether a control is met, an assessor says.";
        section("controls", "Controls", lead, &body)
    }

    fn framework(&self, name: &str, controls: &[&ControlReport]) -> String {
        let number = |status| controls.iter().filter(|control| control.status == status).count();
        let (findings, evidence, open) =
            (number(ControlStatus::Findings), number(ControlStatus::Evidence), number(ControlStatus::NotAssessed));
        let rows = controls.iter().map(|control| {
            vec![
                format!("<b>{}</b>", text(&control.control)),
                text(&control.title),
                status(control),
                control.rules.iter().map(|rule| self.evidence(rule)).collect::<String>(),
            ]
        });
        let caption = format!("Controls of {} with what the scan says on each", text(name));
        format!(
            "<details class=framework open><summary><h3>{}</h3> <span class=number>{findings} with findings, {evidence} with \
             evidence, {open} not assessed</span></summary>\n{}</details>\n",
            text(name),
            table("controls", &caption, &HEADER, rows)
        )
    }

    fn evidence(&self, rule: &RuleEvidence) -> String {
        let id = text(&rule.rule);
        let is_here = self.report.findings.iter().any(|finding| finding.rule == rule.rule);
        let name = if is_here { format!("<a href=\"#rule-{id}\">{id}</a>") } else { id };
        let says = match (rule.ran, rule.findings) {
            (false, _) => "did not run".to_owned(),
            (true, 0) => "found nothing".to_owned(),
            (true, number) => count(usize::try_from(number).unwrap_or(usize::MAX), "finding"),
        };
        format!("<p>{name} <small>{}, {says}: {}</small>", rule.relation.as_str(), text(&rule.rationale))
    }

    pub(super) fn exceptions(&self) -> String {
        let all = &self.report.exceptions;
        if all.is_empty() {
            return Self::nothing("exceptions", "Exceptions", "Nothing is let pass: the config has no exceptions.");
        }
        let header = ["State", "Expires", "Rule", "Secret", "Reason", "Approved by", "Covers", "Written in"];
        let rows = all.iter().take(2_000).map(|one| self.exception(one));
        let mut body = table("exceptions", "Exceptions, those that end first at the front", &header, rows);
        if all.len() > 2_000 {
            body += &format!(
                "<p class=rest>and {}, which the JSON report has\n",
                count(all.len() - 2_000, "more exception")
            );
        }
        section("exceptions", "Exceptions", "", &body)
    }

    fn exception(&self, one: &ExceptionReport) -> Vec<String> {
        let (class, state) = match one.state {
            ExceptionState::Expired => ("high", "expired"),
            ExceptionState::Ending => ("medium", "ending"),
            ExceptionState::Active => ("info", "active"),
        };
        vec![
            format!("<b class=\"tag {class}\">{state}</b>"),
            format!("{} <small>{}</small>", day(one.expires), distance(one.expires, self.report.as_of)),
            format!("<code>{}</code>", text(&one.rule)),
            or(one.secret.as_ref(), "every secret"),
            text(&one.reason),
            or(one.approved_by.as_ref(), "nobody is named"),
            count(usize::try_from(one.covers).unwrap_or(usize::MAX), "finding"),
            line(&one.location),
        ]
    }
}

fn status(control: &ControlReport) -> String {
    match control.status {
        ControlStatus::Findings => format!(
            "<b class=\"tag high\">findings</b> <small>{}</small>",
            count(usize::try_from(control.findings).unwrap_or(usize::MAX), "finding")
        ),
        ControlStatus::Evidence => "<b class=\"tag fine\">evidence</b>".to_owned(),
        ControlStatus::NotAssessed => "<b class=\"tag unknown\">not assessed</b>".to_owned(),
    }
}
