use std::collections::BTreeSet;

use chrono::{TimeZone, Utc};
use regex_automata::meta::Regex;

use super::spec::Spec;
use super::{ControlReport, ControlStatus, FRAMEWORKS, Framework, Relation, VERSION, none_of, of_rule};
use crate::checks::{Facet, RULES};
use crate::evaluate;
use crate::model::{
    Class, Declaration, Facts, Finding, Gap, GapReason, Location, Origin, ScopeEntry, Searched, Snapshot,
};
use crate::policy::Policy;
use crate::report::Report;

const FILE: &str = include_str!("../controls.toml");

/// How each framework spells its controls.
const SPELLINGS: [(&str, &str); 8] = [
    ("soc2-2017", r"CC[1-9]\.[1-9]"),
    ("pci-dss-4.0.1", r"([1-9]|1[0-2])\.[1-9]\.[1-9][0-9]?(\.[1-9][0-9]?)?"),
    ("iso-27001-2022", r"A\.(5\.([1-9]|[12][0-9]|3[0-7])|6\.[1-8]|7\.([1-9]|1[0-4])|8\.([1-9]|[12][0-9]|3[0-4]))"),
    ("nist-800-53-r5", r"[A-Z]{2}-[1-9][0-9]?(\([1-9][0-9]?\))?[a-z]?"),
    ("nist-csf-2.0", r"(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-(0[1-9]|1[0-9])"),
    ("cis-controls-8.1", r"([1-9]|1[0-8])\.[1-9][0-9]?"),
    ("cis-aws-7.0", r"[1-9]\.[1-9][0-9]?"),
    ("hipaa-45-cfr-164", r"164\.3(08|10|12|14|16)(\([a-z]\))(\([0-9]\))?(\([ivx]+\))?(\([A-Z]\))?"),
];

fn spec() -> Spec {
    Spec::parse(FILE).expect("a mapping")
}

#[test]
fn every_rule_has_controls_or_says_why_not() {
    let spec = spec();
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    for rule in RULES {
        assert!(of_rule(rule.id).is_empty() == none_of(rule.id).is_some(), "{}", rule.id);
    }
    let named = spec.rules().into_iter().chain(spec.none.keys().map(String::as_str));
    assert_eq!(named.collect::<BTreeSet<&str>>(), ids);
    assert_eq!(spec.needs.keys().map(String::as_str).collect::<BTreeSet<&str>>(), ids);
}

#[test]
fn every_control_is_spelt_as_its_framework_does() {
    assert_eq!(FRAMEWORKS.len(), SPELLINGS.len());
    for (id, pattern) in SPELLINGS {
        let pattern = Regex::new(&format!("^({pattern})$")).expect("a pattern");
        for control in Framework::find(id).expect("a framework").controls {
            assert!(pattern.is_match(control.id), "{id}: {}", control.id);
            assert!((8..=90).contains(&control.title.len()), "{id}: {}: {}", control.id, control.title);
        }
    }
}

#[test]
fn every_control_has_a_rule_and_every_link_a_reason_of_one_line() {
    let used: BTreeSet<String> = RULES.iter().flat_map(|rule| of_rule(rule.id)).map(super::Mapping::id).collect();
    for framework in FRAMEWORKS {
        for control in framework.controls {
            assert!(used.contains(&format!("{}:{}", framework.id, control.id)), "{} {}", framework.id, control.id);
        }
    }
    for mapping in RULES.iter().flat_map(|rule| of_rule(rule.id)) {
        assert!(mapping.rationale.ends_with('.') && mapping.rationale.len() < 120, "{}", mapping.rationale);
    }
    assert_eq!(VERSION, spec().version);
}

#[test]
fn password_rules_are_not_taken_for_rules_on_age() {
    let of = |rule: &str, relation| -> Vec<String> {
        of_rule(rule).iter().filter(|one| one.relation == relation).map(super::Mapping::id).collect()
    };
    let all: BTreeSet<String> = RULES.iter().flat_map(|rule| of_rule(rule.id)).map(super::Mapping::id).collect();
    assert!(!all.iter().any(|id| id.starts_with("nist-800-53-r5:IA-5(1)")));
    let direct = of("overdue-rotation", Relation::Direct);
    assert!(direct.contains(&"nist-800-53-r5:IA-5f".to_owned()) && direct.contains(&"pci-dss-4.0.1:8.6.3".to_owned()));
    assert!(of("overdue-rotation", Relation::Supporting).contains(&"pci-dss-4.0.1:8.3.9".to_owned()));
}

#[test]
fn controls_stand_in_the_order_of_their_numbers() {
    let pci: Vec<&str> = Framework::find("pci").expect("PCI").controls.iter().map(|control| control.id).collect();
    let at = |id: &str| pci.iter().position(|one| *one == id).expect("a control");
    assert!(at("2.2.1") < at("8.6.3") && at("8.6.3") < at("10.2.1") && at("10.2.1") < at("10.2.1.5"));
}

#[test]
fn frameworks_are_found_by_either_name() {
    for framework in FRAMEWORKS {
        assert_eq!(Framework::find(framework.short), Framework::find(framework.id));
    }
    assert_eq!(Framework::find("PCI"), None);
}

fn a_secret(owner: Option<&str>) -> Facts {
    let location = Location { file: ".env.schema".into(), line: 1, start_column: 1, end_column: 2 };
    let mut declaration = Declaration::new("API_KEY", Origin::Schema, Some(location));
    declaration.class = Some(Class::Secret);
    declaration.owner = owner.map(str::to_owned);
    let scope = vec![ScopeEntry { source: ".env.schema".into(), kind: "env-schema".into(), held: 1 }];
    Facts { declarations: vec![declaration], scope, ..Facts::default() }
}

fn report(facts: Facts, policy: &Policy, facets: &[Facet]) -> Report {
    let as_of = Utc.with_ymd_and_hms(2026, 6, 1, 0, 0, 0).unwrap();
    let snapshot = Snapshot { as_of, facts, sightings: Default::default() };
    evaluate(&snapshot, policy, &facets.iter().copied().collect())
}

fn control<'a>(report: &'a Report, framework: &str, id: &str) -> &'a ControlReport {
    let is_it = |one: &&ControlReport| one.framework == framework && one.control == id;
    report.controls.iter().find(is_it).expect("a control")
}

/// The control that `no-owner` alone bears on directly.
fn owned(report: &Report) -> ControlStatus {
    control(report, "nist-800-53-r5", "CM-8(4)").status
}

#[test]
fn a_rule_that_finds_something_is_a_control_with_findings() {
    let report = report(a_secret(None), &Policy::default(), &Facet::ALL);
    let control = control(&report, "nist-800-53-r5", "CM-8(4)");
    assert_eq!((control.status, control.findings), (ControlStatus::Findings, 1));
    let finding: &Finding = report.findings.iter().find(|one| one.rule == "no-owner").expect("a finding");
    assert!(finding.controls.contains(&"nist-800-53-r5:CM-8(4)".to_owned()));
}

#[test]
fn a_rule_that_looked_and_found_nothing_is_evidence() {
    assert_eq!(owned(&report(a_secret(Some("platform")), &Policy::default(), &Facet::ALL)), ControlStatus::Evidence);
}

#[test]
fn a_rule_that_is_off_or_had_nothing_to_see_is_no_evidence() {
    let policy = Policy { disabled_rules: vec!["no-owner".to_owned()], ..Policy::default() };
    assert_eq!(owned(&report(a_secret(Some("platform")), &policy, &Facet::ALL)), ControlStatus::NotAssessed);
    let off = report(a_secret(Some("platform")), &Policy::default(), &[Facet::Leaks]);
    assert_eq!(owned(&off), ControlStatus::NotAssessed);
    assert_eq!(owned(&report(Facts::default(), &Policy::default(), &Facet::ALL)), ControlStatus::NotAssessed);
}

#[test]
fn a_gap_takes_the_evidence_away_and_leaves_the_findings() {
    let with_gap = |facts: Facts| Facts { gaps: vec![Gap::new("vault", GapReason::Sealed, "it is sealed")], ..facts };
    let clean = report(with_gap(a_secret(Some("platform"))), &Policy::default(), &Facet::ALL);
    assert!(clean.controls.iter().all(|control| control.status != ControlStatus::Evidence));
    assert_eq!(owned(&report(with_gap(a_secret(None)), &Policy::default(), &Facet::ALL)), ControlStatus::Findings);
}

#[test]
fn nothing_is_said_on_trails_that_nobody_read_and_places_that_nobody_searched() {
    let logging = |report: &Report| control(report, "nist-800-53-r5", "AU-12").status;
    let leaking = |report: &Report| control(report, "iso-27001-2022", "A.8.12").status;
    let mut facts = a_secret(Some("platform"));
    let before = report(facts.clone(), &Policy::default(), &Facet::ALL);
    assert_eq!((logging(&before), leaking(&before)), (ControlStatus::NotAssessed, ControlStatus::NotAssessed));
    facts.searched = Some(Searched { values: 1, detectors: 400, files: 3, ..Searched::default() });
    facts.scope.push(ScopeEntry { source: "deploy.yaml".into(), kind: "kubernetes-manifest".into(), held: 0 });
    assert_eq!(leaking(&report(facts, &Policy::default(), &Facet::ALL)), ControlStatus::Evidence);
}

#[test]
fn a_control_that_is_only_supported_is_never_assessed() {
    for control in report(a_secret(Some("platform")), &Policy::default(), &Facet::ALL).controls {
        if control.rules.iter().all(|rule| rule.relation == Relation::Supporting) {
            assert_eq!(control.status, ControlStatus::NotAssessed, "{}", control.control);
        }
    }
}

#[test]
fn what_the_baseline_knows_is_a_finding_that_does_not_count() {
    let mut report = report(a_secret(None), &Policy::default(), &Facet::ALL);
    let known = report.findings.iter().map(|finding| finding.fingerprint.clone()).collect();
    report.apply_baseline(&known);
    let control = control(&report, "nist-800-53-r5", "CM-8(4)");
    assert_eq!((control.status, control.findings), (ControlStatus::Findings, 0));
}
