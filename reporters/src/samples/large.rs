//! A company with many secrets, for looking at pages and for measuring.

use chrono::TimeDelta;
use keytrail_rules::checks::Rule;
use keytrail_rules::controls::{ControlReport, ControlStatus, Relation, RuleEvidence};
use keytrail_rules::history::{Measures, Point, Trends};
use keytrail_rules::model::{CopyKind, Evidence, Finding, Location, Place, Severity, Time};
use keytrail_rules::report::{AgeReport, CopyReport, ItemReport, ItemStatus, Report};
use keytrail_rules::value::Shape;

use super::{everything, item};

const SERVICES: [&str; 24] = [
    "AUTH", "BILLING", "CART", "CATALOG", "CRM", "EMAIL", "EXPORT", "FRAUD", "GATEWAY", "INVOICE", "LEDGER", "LOYALTY",
    "MOBILE", "NOTIFY", "ORDERS", "PAYMENTS", "PRICING", "REPORTS", "SEARCH", "SHIPPING", "STOCK", "TAX", "USERS",
    "WEB",
];
const KINDS: [&str; 6] =
    ["DB_PASSWORD", "API_KEY", "SIGNING_KEY", "WEBHOOK_SECRET", "OAUTH_CLIENT_SECRET", "QUEUE_PASSWORD"];
const ENVIRONMENTS: [&str; 3] = ["production", "staging", "development"];
const TEAMS: [&str; 12] = [
    "platform",
    "payments",
    "growth",
    "data",
    "identity",
    "mobile",
    "search",
    "logistics",
    "finance",
    "security",
    "web",
    "sre",
];
const CADENCES: [i64; 4] = [30, 90, 180, 365];

/// A report on so many secrets, of which about a third has findings.
pub(crate) fn large(secrets: usize) -> Report {
    let mut report = everything();
    let as_of = report.as_of;
    report.items = (0..secrets).map(|at| secret(at, as_of)).collect();
    report.items.sort_by(|a, b| a.id.cmp(&b.id));
    report.findings = report.items.iter().filter_map(|item| finding(item, as_of)).collect();
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    report.controls = controls();
    report.apply_baseline(&std::collections::BTreeSet::new());
    report.summary.measures = measures(secrets as u64, 39);
    let points = (0..40).map(|at: u64| Point {
        as_of: as_of - TimeDelta::days(7 * (39 - at.cast_signed())),
        complete: at % 9 != 4,
        findings: [(Severity::High, 90 - at), (Severity::Medium, 160 - at * at % 50)].into(),
        measures: measures(secrets as u64, at),
    });
    report.trends = Some(Trends { points: points.collect(), rotated: 212, mean_seconds_to_rotate: Some(86_400 * 6) });
    report
}

fn measures(secrets: u64, at: u64) -> Measures {
    Measures {
        secrets,
        with_cadence: secrets,
        in_cadence: secrets * (50 + at / 2) / 100,
        oldest_seconds: Some(86_400 * 690),
        rotations: 96,
        judged: 88,
        silent: 4 - at / 16,
        leaks: 6 - at / 10,
    }
}

/// A number that looks like chance, and is always the same.
fn mixed(at: usize, of: usize) -> usize {
    at.wrapping_mul(2_654_435_761).rotate_right(7) % of
}

fn secret(at: usize, as_of: Time) -> ItemReport {
    let (service, kind) = (SERVICES[at % 24], KINDS[at / 24 % 6]);
    let environment = ENVIRONMENTS[at / 144 % 3];
    let name = if at < 432 { format!("{service}_{kind}") } else { format!("{service}_{kind}_{}", at / 432) };
    let mut item = item(&name, Some(environment));
    item.owner = (mixed(at, 17) != 3).then(|| TEAMS[mixed(at, 12)].to_owned());
    let days = CADENCES[mixed(at, 4)];
    item.cadence = Some(format!("every {days} days"));
    let path = format!("secret/{environment}/{}", service.to_lowercase());
    let key = name.to_lowercase();
    item.copies = vec![CopyReport {
        place: Place::new("vault", &path, &key),
        kind: CopyKind::VaultKv2,
        value: Shape::Literal,
        version: Some(3),
        location: None,
    }];
    item.consumers = vec![format!("kubernetes:{environment}/deployment/{}", service.to_lowercase())];
    item.declared_at = vec![line(&format!("services/{}/.env.schema", service.to_lowercase()), at)];
    let age = mixed(at * 31 + 7, usize::try_from(days * 135 / 100).unwrap_or(1)) as i64;
    let set = as_of - TimeDelta::days(age) - TimeDelta::hours(mixed(at, 24) as i64);
    let (not_before, not_after) = match mixed(at, 9) {
        0 => (None, Some(set)),
        1 => (Some(set - TimeDelta::days(20)), Some(set)),
        _ => (Some(set), Some(set)),
    };
    let proof = format!("values of vault:{path}#{key} compared: set in version 3");
    item.age = (mixed(at, 29) != 5).then_some(AgeReport { not_before, not_after, first_value: false, proof });
    item.last_rotated_at = not_before.filter(|_| not_before == not_after);
    item.due_at = item.age.as_ref().and(not_before.or(not_after)).map(|set| set + TimeDelta::days(days));
    item.status = match item.due_at {
        None => ItemStatus::UnknownAge,
        _ if mixed(at, 97) == 11 => ItemStatus::Compromised,
        Some(due) if due < as_of => ItemStatus::Overdue,
        Some(due) if due < as_of + TimeDelta::days(14) => ItemStatus::DueSoon,
        Some(_) => ItemStatus::Ok,
    };
    if item.status == ItemStatus::Compromised {
        item.due_at = Some(as_of);
    }
    item
}

fn line(file: &str, at: usize) -> Location {
    Location { file: file.to_owned(), line: (at % 90) as u32 + 1, start_column: 1, end_column: 24 }
}

fn finding(item: &ItemReport, as_of: Time) -> Option<Finding> {
    let rule = match item.status {
        ItemStatus::Compromised => "leaked-current-value",
        ItemStatus::Overdue => "overdue-rotation",
        ItemStatus::UnknownAge => "unknown-age",
        ItemStatus::DueSoon => "rotation-due-soon",
        _ if item.owner.is_none() => "no-owner",
        _ => return None,
    };
    let id = item.id.as_str();
    let age = item.age.as_ref().and_then(|age| age.not_after).map_or(0, |set| (as_of - set).num_days());
    let message =
        format!("Secret '{id}' is {age} days old, and is to be changed {}.", item.cadence.as_deref().unwrap_or("now"));
    let place = item.copies.first().map(|copy| copy.place.clone());
    let proof = item.age.as_ref().map_or("no source tells its age", |age| age.proof.as_str());
    Some(
        Finding::new(Rule::find(rule)?, id, message)
            .item(item.id.clone())
            .at(item.declared_at.first().cloned())
            .evidence([Evidence::new(proof, None, place)])
            .next(format!("rotate {id}")),
    )
}

fn controls() -> Vec<ControlReport> {
    let frameworks = [
        ("cis-8.1", ["3.11", "4.1", "5.5", "16.12"]),
        ("iso-27001-2022", ["5.17", "8.9", "8.15", "8.24"]),
        ("nist-800-53-r5", ["AU-12", "CM-3", "IA-5", "SC-12"]),
        ("pci-dss-4.0.1", ["10.2.1", "3.7.4", "8.3.9", "8.6.3"]),
        ("soc2", ["CC6.1", "CC7.2", "CC8.1", "CC9.1"]),
    ];
    let statuses = [ControlStatus::Findings, ControlStatus::Evidence, ControlStatus::NotAssessed];
    let rules = ["overdue-rotation", "silent-rotation", "no-owner"];
    frameworks
        .iter()
        .flat_map(|(framework, controls)| {
            controls.iter().enumerate().map(move |(at, control)| (framework, at, control))
        })
        .map(|(framework, at, control)| {
            let status = statuses[(at + framework.len()) % 3];
            let findings = if status == ControlStatus::Findings { 41 } else { 0 };
            let relation = if at % 2 == 0 { Relation::Direct } else { Relation::Supporting };
            let rule = RuleEvidence {
                rule: rules[at % 3].to_owned(),
                relation,
                rationale: "it finds values that are older than the cadence that was set for them".to_owned(),
                findings,
                ran: status != ControlStatus::NotAssessed,
            };
            ControlReport {
                framework: (*framework).to_owned(),
                control: (*control).to_owned(),
                title: "Passwords and keys of applications are changed in time".to_owned(),
                status,
                findings,
                rules: vec![rule],
            }
        })
        .collect()
}
