//! Controls of NIST SP 800-53, as the OSCAL catalog spells them, and the findings on them.

use std::collections::BTreeMap;

use keytrail_rules::controls::{self, Control, Framework, Relation};
use keytrail_rules::model::Finding as Found;

use super::model::{Finding, ObservationRef, Reviewed, RiskRef, Selected, Selection, Target, TargetStatus};
use super::observations::Seen;
use super::risks::Risks;
use super::{Scene, id};

/// The catalog that OSCAL's own tools know.
pub(super) const CATALOG: &str = "nist-800-53-r5";

/// `ia-5.7` of `IA-5(7)`, with the letter of the statement where there is one: `("ia-5", Some('f'))` of `IA-5f`.
fn parts(control: &str) -> (String, Option<char>) {
    let letter = control.chars().last().filter(char::is_ascii_lowercase);
    let whole = control.trim_end_matches(|c: char| c.is_ascii_lowercase());
    (whole.replace('(', ".").replace(')', "").to_ascii_lowercase(), letter)
}

/// `ia-5_smt.f` of `IA-5f`.
pub(super) fn statement(control: &str) -> String {
    match parts(control) {
        (control, Some(letter)) => format!("{control}_smt.{letter}"),
        (control, None) => format!("{control}_smt"),
    }
}

fn all() -> &'static [Control] {
    Framework::find(CATALOG).map(|framework| framework.controls).unwrap_or_default()
}

/// The controls that rules have to do with.
pub(super) fn reviewed() -> Reviewed {
    let mut by_control: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for control in all() {
        let (name, letter) = parts(control.id);
        let statements = by_control.entry(name).or_default();
        statements.extend(letter.map(|_| statement(control.id)));
    }
    let include_controls =
        by_control.into_iter().map(|(control_id, statement_ids)| Selected { control_id, statement_ids }).collect();
    Reviewed {
        description: "The controls that rules of Keytrail have to do with. What was assessed, the observations say.",
        control_selections: [Selection { include_controls }],
    }
}

/// One finding for each statement that a rule bears on directly and found something on.
pub(super) fn findings(scene: &Scene<'_>, seen: &Seen<'_>, risks: &Risks) -> Vec<Finding> {
    let mut by_control: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    for (at, found) in scene.report.findings.iter().enumerate() {
        for mapping in controls::of_rule(found.rule) {
            if mapping.framework.id == CATALOG && mapping.relation == Relation::Direct {
                by_control.entry(mapping.control.id).or_default().push(at);
            }
        }
    }
    all().iter().filter_map(|control| Some(finding(scene, seen, risks, control, by_control.get(control.id)?))).collect()
}

fn finding(scene: &Scene<'_>, seen: &Seen<'_>, risks: &Risks, control: &Control, found: &[usize]) -> Finding {
    let all = &scene.report.findings;
    let counting = found.iter().filter(|at| all[**at].counts()).count();
    let is_let_pass = |found: &Found| found.exception.is_some();
    let (reason, remarks) = match counting {
        0 if found.iter().all(|at| is_let_pass(&all[*at])) => ("other", "Exceptions cover all of it.".to_owned()),
        0 => ("other", "Exceptions or the baseline cover all of it.".to_owned()),
        counting => ("fail", format!("Findings that count: {counting}.")),
    };
    let mut rules: Vec<&str> = found.iter().map(|at| all[*at].rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let of_control = seen.of_control(control.id).into_iter();
    let observations = of_control.chain(found.iter().map(|at| seen.of_finding(*at)));
    let related_risks = risks.iter().filter(|(rule, _)| rules.contains(rule));
    Finding {
        uuid: id("finding", control.id),
        title: format!("{}: {}", control.id, control.title),
        description: format!("What these rules found: {}.", rules.join(", ")),
        target: Target {
            kind: "statement-id",
            target_id: statement(control.id),
            status: TargetStatus { state: "not-satisfied", reason, remarks },
        },
        related_observations: observations.map(|uuid| ObservationRef { observation_uuid: uuid.to_owned() }).collect(),
        related_risks: related_risks.map(|(_, risk)| RiskRef { risk_uuid: risk.uuid.clone() }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{parts, statement};

    #[test]
    fn controls_are_spelt_as_in_the_catalog() {
        for (control, expected) in [
            ("IA-5f", "ia-5_smt.f"),
            ("IA-5(7)", "ia-5.7_smt"),
            ("CM-8", "cm-8_smt"),
            ("AC-2(3)", "ac-2.3_smt"),
            ("AC-2b", "ac-2_smt.b"),
            ("AU-12(1)", "au-12.1_smt"),
        ] {
            assert_eq!(statement(control), expected);
        }
        assert_eq!(parts("IA-5(7)"), ("ia-5.7".to_owned(), None));
    }
}
