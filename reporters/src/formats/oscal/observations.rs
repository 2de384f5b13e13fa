//! What was seen: findings, gaps, and what is known of each control.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::controls::{ControlReport, ControlStatus};
use keytrail_rules::model::{Evidence as Noted, Finding, Gap, Location};
use keytrail_rules::report::ItemReport;

use super::controls::{CATALOG, statement};
use super::model::{Component, Definitions, Evidence, InventoryItem, Observation, Prop, State, Subject};
use super::{HOME, Scene, id, line, markup};
use crate::escape;

/// The observations of a report: those of its findings first, in their order.
pub(super) struct Seen<'a> {
    all: Vec<Observation<'a>>,
    findings: usize,
    by_control: BTreeMap<String, usize>,
}

impl<'a> Seen<'a> {
    /// The id of the observation of a finding, by its place.
    pub(super) fn of_finding(&self, at: usize) -> &str {
        debug_assert!(at < self.findings, "observations of findings come first");
        &self.all[at].uuid
    }

    /// The id of the observation of a control.
    pub(super) fn of_control(&self, control: &str) -> Option<&str> {
        self.by_control.get(control).map(|at| self.all[*at].uuid.as_str())
    }

    /// All of them.
    pub(super) fn into_all(self) -> Vec<Observation<'a>> {
        self.all
    }
}

/// The secrets as items of the inventory, and Keytrail as the tool.
pub(super) fn definitions(scene: &Scene<'_>) -> Definitions {
    let mut seen = BTreeSet::new();
    let inventory_items = scene.report.items.iter().filter(|item| seen.insert(item.id.as_str())).map(inventory_item);
    Definitions {
        components: [Component {
            uuid: id("component", "keytrail"),
            kind: "software",
            title: "Keytrail",
            description: "Checks secrets against their inventory, their cadences and their trails.",
            status: State { state: "operational" },
        }],
        inventory_items: inventory_items.collect(),
    }
}

fn item_id(item: &str) -> String {
    id("item", item)
}

fn inventory_item(item: &ItemReport) -> InventoryItem {
    let mut props = vec![prop("secret", item.id.as_str()), prop("status", item.status.as_str())];
    let words = [("owner", &item.owner), ("cadence", &item.cadence)];
    props.extend(words.into_iter().filter_map(|(name, value)| Some(prop(name, value.as_deref()?))));
    let times = [("last-rotated", item.last_rotated_at), ("due", item.due_at)];
    props.extend(times.into_iter().filter_map(|(name, time)| Some(prop(name, &time?.to_rfc3339()))));
    InventoryItem {
        uuid: item_id(item.id.as_str()),
        description: format!("The secret {}.", markup(item.id.as_str())),
        props,
    }
}

fn prop(name: &'static str, value: &str) -> Prop {
    Prop { name, ns: HOME, value: line(value) }
}

/// Every observation.
pub(super) fn observations<'a>(scene: &'a Scene<'_>) -> Seen<'a> {
    let report = scene.report;
    let items: BTreeSet<&str> = report.items.iter().map(|item| item.id.as_str()).collect();
    let mut names = Names::default();
    let mut all: Vec<Observation<'_>> =
        report.findings.iter().map(|finding| of_finding(scene, finding, &items, &mut names)).collect();
    let findings = all.len();
    all.extend(report.gaps.iter().map(|gap| of_gap(scene, gap, &mut names)));
    let mut by_control = BTreeMap::new();
    for control in report.controls.iter().filter(|control| control.framework == CATALOG) {
        by_control.insert(control.control.clone(), all.len());
        all.push(of_control(scene, control, &mut names));
    }
    Seen { all, findings, by_control }
}

/// Ids that are never given twice, whatever a report holds.
#[derive(Default)]
struct Names {
    taken: BTreeMap<String, u32>,
}

impl Names {
    fn id(&mut self, kind: &str, name: &str) -> String {
        let count = self.taken.entry(format!("{kind}\n{name}")).or_default();
        *count += 1;
        if *count == 1 { id(kind, name) } else { id(kind, &format!("{name}\n{count}")) }
    }
}

fn of_finding<'a>(
    scene: &'a Scene<'_>,
    finding: &Finding,
    items: &BTreeSet<&str>,
    names: &mut Names,
) -> Observation<'a> {
    let mut props = vec![
        prop("rule", finding.rule),
        prop("severity", finding.severity.as_str()),
        prop("fingerprint", &finding.fingerprint),
    ];
    if let Some(exception) = &finding.exception {
        props.push(prop("exception", exception));
    }
    if finding.baselined {
        props.push(prop("baselined", "true"));
    }
    if !finding.next.is_empty() {
        props.push(prop("next", &finding.next));
    }
    let subject = finding.item.as_ref().filter(|item| items.contains(item.as_str()));
    let subjects = subject.map(|item| Subject { subject_uuid: item_id(item.as_str()), kind: "inventory-item" });
    let own = finding.location.iter().map(|location| evidence(scene, &finding.message, Some(location)));
    let noted = |one: &Noted| evidence(scene, &one.note, one.location.as_ref());
    Observation {
        uuid: names.id("observation", &finding.fingerprint),
        title: finding.rule.to_owned(),
        description: markup(&finding.message),
        props,
        methods: ["TEST"],
        types: ["finding"],
        subjects: subjects.into_iter().collect(),
        relevant_evidence: own.chain(finding.evidence.iter().map(noted)).collect(),
        collected: &scene.as_of,
    }
}

fn evidence(scene: &Scene<'_>, note: &str, location: Option<&Location>) -> Evidence {
    let file = |location: &Location| {
        let uri = escape::uri_path(&scene.options.prefix, &location.file)?;
        Some(format!("{uri}#L{}", location.line.max(1)))
    };
    Evidence { href: location.and_then(file), description: markup(note) }
}

fn of_gap<'a>(scene: &'a Scene<'_>, gap: &Gap, names: &mut Names) -> Observation<'a> {
    let mut props = vec![prop("reason", gap.reason.as_str()), prop("source", &gap.source)];
    props.extend(gap.hint.as_ref().map(|hint| prop("hint", hint)));
    let place = gap.place.as_ref().map(keytrail_rules::model::Place::as_str).unwrap_or_default();
    let line = gap.location.as_ref().map(|location| location.line.to_string()).unwrap_or_default();
    let name = [&gap.source, gap.reason.as_str(), &gap.message, place, &line].join("\n");
    Observation {
        uuid: names.id("gap", &name),
        title: "Evidence that could not be had".to_owned(),
        description: format!("{} could not be read: {}.", markup(&gap.source), markup(&gap.message)),
        props,
        methods: ["TEST"],
        types: ["coverage-gap"],
        subjects: Vec::new(),
        relevant_evidence: gap.location.iter().map(|line| evidence(scene, &gap.message, Some(line))).collect(),
        collected: &scene.as_of,
    }
}

fn of_control<'a>(scene: &'a Scene<'_>, control: &ControlReport, names: &mut Names) -> Observation<'a> {
    let description = match control.status {
        ControlStatus::Findings => "A rule that bears on it directly found something.",
        ControlStatus::Evidence => "Every rule that bears on it directly looked, and found nothing.",
        ControlStatus::NotAssessed => {
            "Not assessed: a rule that bears on it directly did not look or could not, or there is none."
        }
    };
    let rules = |ran: bool| -> String {
        control.rules.iter().filter(|rule| rule.ran == ran).map(|rule| rule.rule.as_str()).collect::<Vec<_>>().join(" ")
    };
    let mut props = vec![prop("assessment", control.status.as_str()), prop("statement", &statement(&control.control))];
    for (name, rules) in [("looked", rules(true)), ("did-not-look", rules(false))] {
        props.extend(Some(rules).filter(|rules| !rules.is_empty()).map(|rules| prop(name, &rules)));
    }
    Observation {
        uuid: names.id("control", &control.control),
        title: format!("{}: {}", markup(&control.control), markup(&control.title)),
        description: description.to_owned(),
        props,
        methods: ["TEST"],
        types: ["control-objective"],
        subjects: Vec::new(),
        relevant_evidence: Vec::new(),
        collected: &scene.as_of,
    }
}
