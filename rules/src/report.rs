//! The report: what a scan found, in the shape of `keytrail/report/v1`.

mod exceptions;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::age::Age;
use crate::checks::{Context, Facet, RULES, Rule};
use crate::controls::{self, ControlReport};
use crate::correlate::{Correlation, Reading, Rotation, TrailReport};
use crate::history::{Changes, Measures, Trends};
use crate::inventory::{Inventory, Item, ItemId};
use crate::leaks::{self, LeakReport};
use crate::model::{
    Class, CopyKind, Environment, Finding, Gap, GapReason, Key, Location, Place, ScopeEntry, Searched, Severity,
    Snapshot, Time,
};
use crate::policy::{Exception, Policy};
use crate::value::Shape;
pub use exceptions::{ExceptionReport, ExceptionState};

/// Version of the report format. Readers refuse a newer one.
pub const SCHEMA: &str = "keytrail/report/v1";

/// Everything that a scan found. Lists are sorted, so that equal inputs give equal bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The instant that ages and due dates are counted to.
    pub as_of: Time,
    /// What made the report.
    pub tool: Tool,
    /// Every source that was read.
    pub scope: Vec<ScopeEntry>,
    /// Every secret, by id.
    pub items: Vec<ItemReport>,
    /// The changes that the trails show, by item and time.
    pub rotations: Vec<Rotation>,
    /// Who read which secret, by the trails.
    pub readings: Vec<Reading>,
    /// The trails that were read, in the order of the config.
    pub trails: Vec<TrailReport>,
    /// Secrets that lie where they should not, those in use first.
    pub leaks: Vec<LeakReport>,
    /// What was searched for leaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searched: Option<Searched>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What is let pass, that which ends first at the front.
    pub exceptions: Vec<ExceptionReport>,
    /// The controls that the rules give evidence for, by framework and control.
    pub controls: Vec<ControlReport>,
    /// What is different from the scan before, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Which way it goes, where earlier scans are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trends: Option<Trends>,
    /// The totals.
    pub summary: Summary,
}

/// What made a report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Tool {
    /// `keytrail`.
    pub name: &'static str,
    /// Semantic version, without a `v`.
    pub version: &'static str,
}

/// One secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ItemReport {
    /// Unique and stable.
    pub id: ItemId,
    /// The name.
    pub key: Key,
    /// Other names of the same value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Key>,
    /// Classification; `None` where no source states one.
    pub class: Option<Class>,
    /// Team or person in charge.
    pub owner: Option<String>,
    /// Deployment environment.
    pub environment: Option<Environment>,
    /// Cadence in words: `every 90 days`.
    pub cadence: Option<String>,
    /// The places that hold it.
    pub copies: Vec<CopyReport>,
    /// The workloads that load it.
    pub consumers: Vec<String>,
    /// The items that its value is made from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<ItemId>,
    /// The lines that declare it.
    pub declared_at: Vec<Location>,
    /// When the current value was set, where that is known to the instant.
    pub last_rotated_at: Option<Time>,
    /// What is known of when the current value was set.
    pub age: Option<AgeReport>,
    /// When it is due; `None` without a calendar cadence or a known age.
    pub due_at: Option<Time>,
    /// The judgement.
    pub status: ItemStatus,
}

/// One place that holds a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct CopyReport {
    /// Where.
    pub place: Place,
    /// What kind of place.
    pub kind: CopyKind,
    /// What the value looks like there.
    pub value: Shape,
    /// Newest version of the path, for a store that counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The line, for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// What is known of when the current value of a secret was set: an instant, if both bounds are equal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AgeReport {
    /// It was not set before this.
    pub not_before: Option<Time>,
    /// It was set by this.
    pub not_after: Option<Time>,
    /// Whether it is known to be the first value ever.
    pub first_value: bool,
    /// What proves it, in words.
    pub proof: String,
}

/// The judgement of an item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemStatus {
    /// Leaked: due at once.
    Compromised,
    /// Past its due date.
    Overdue,
    /// Past its due date, and never changed since it was made.
    NeverRotated,
    /// Something happened that it is to be changed on.
    EventDue,
    /// It is not known whether it is within its cadence.
    UnknownAge,
    /// Due within the policy's `due_soon`.
    DueSoon,
    /// An exception covers it.
    Exempt,
    /// Never rotated, on purpose.
    Static,
    /// Within its cadence, or without one.
    Ok,
}

impl ItemStatus {
    /// Every status, worst first.
    pub const ALL: [Self; 9] = [
        Self::Compromised,
        Self::Overdue,
        Self::NeverRotated,
        Self::EventDue,
        Self::UnknownAge,
        Self::DueSoon,
        Self::Exempt,
        Self::Static,
        Self::Ok,
    ];

    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Overdue => "overdue",
            Self::NeverRotated => "never-rotated",
            Self::EventDue => "event-due",
            Self::UnknownAge => "unknown-age",
            Self::DueSoon => "due-soon",
            Self::Exempt => "exempt",
            Self::Static => "static",
            Self::Ok => "ok",
        }
    }
}

/// The totals of a report.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Summary {
    /// Secrets, by status; statuses that none has are left out.
    pub items: BTreeMap<ItemStatus, u64>,
    /// Findings that count, by severity.
    pub findings: BTreeMap<Severity, u64>,
    /// Findings that an exception covers.
    pub excepted: u64,
    /// Findings that the baseline knows.
    pub baselined: u64,
    /// Findings that `keytrail scan --fix` can mend.
    pub fixable: u64,
    /// Plain variables, which are no items.
    pub variables: u64,
    /// Whether everything could be read.
    pub complete: bool,
    /// What auditors ask for first.
    pub measures: Measures,
}

impl Report {
    /// Marks the findings that an earlier report already had, so that they do not count.
    pub fn apply_baseline(&mut self, known: &BTreeSet<String>) {
        for finding in &mut self.findings {
            finding.baselined = known.contains(&finding.fingerprint);
        }
        self.summarise();
    }

    /// The findings that count: neither excepted nor in the baseline.
    pub fn counting(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.counts())
    }

    /// Counts everything anew.
    pub(crate) fn summarise(&mut self) {
        let mut summary =
            Summary { variables: self.summary.variables, complete: self.gaps.is_empty(), ..Summary::default() };
        for item in &self.items {
            *summary.items.entry(item.status).or_default() += 1;
        }
        for finding in &self.findings {
            if finding.exception.is_some() {
                summary.excepted += 1;
            } else if finding.baselined {
                summary.baselined += 1;
            } else {
                *summary.findings.entry(finding.severity).or_default() += 1;
                summary.fixable += u64::from(finding.fixable);
            }
        }
        self.summary = summary;
        controls::recount(self);
    }
}

/// Judges a snapshot under a policy, with the rules of some facets.
pub fn evaluate(snapshot: &Snapshot, policy: &Policy, facets: &BTreeSet<Facet>) -> Report {
    let inventory = Inventory::new(snapshot, policy);
    let leaks =
        if facets.contains(&Facet::Leaks) { leaks::attribute(snapshot, &inventory, policy) } else { Vec::new() };
    let none = Correlation::default();
    let correlation = snapshot.facts.correlation.as_ref().unwrap_or(&none);
    let context = Context { snapshot, policy, inventory: &inventory, leaks: &leaks, correlation, facets, raised: &[] };
    let runs = |rule: &&&Rule| facets.contains(&rule.facet) && !policy.disabled_rules.iter().any(|id| id == rule.id);
    let (last, first): (Vec<&Rule>, Vec<&Rule>) =
        RULES.iter().filter(runs).partition(|rule| rule.id == STALE_EXCEPTION);
    let mut findings: Vec<Finding> = first.into_iter().flat_map(|rule| (rule.check)(&context)).collect();
    let context_of_last = Context { raised: &findings, ..context };
    let late: Vec<Finding> = last.into_iter().flat_map(|rule| (rule.check)(&context_of_last)).collect();
    let mut covers = vec![0; policy.exceptions.len()];
    for finding in &mut findings {
        let holds = |one: &Exception| one.holds(snapshot.as_of) && context.covers(one, finding);
        let exception = policy.exceptions.iter().position(holds);
        let accepted = policy.accepted.iter().find(|one| one.fingerprint == finding.fingerprint);
        let accepted = accepted.filter(|one| one.holds(snapshot.as_of));
        let reason = exception.map(|at| &policy.exceptions[at].reason).or(accepted.map(|one| &one.reason));
        if let Some(reason) = reason {
            finding.exception = Some(reason.clone());
        }
        if let Some(at) = exception {
            covers[at] += 1;
        }
    }
    findings.extend(late);
    for finding in &mut findings {
        finding.controls = controls::of_rule(finding.rule).iter().map(controls::Mapping::id).collect();
    }
    sort(&mut findings);

    let exempt: BTreeSet<&ItemId> = findings
        .iter()
        .filter(|one| one.exception.is_some() && is_about_age(one))
        .filter_map(|one| one.item.as_ref())
        .collect();
    let compromised: BTreeSet<&ItemId> = findings
        .iter()
        .filter(|one| one.rule == LEAKED && one.exception.is_none())
        .filter_map(|one| one.item.as_ref())
        .collect();
    let status = |item: &Item| match item {
        _ if compromised.contains(&item.id) => ItemStatus::Compromised,
        _ if exempt.contains(&item.id) => ItemStatus::Exempt,
        _ => item.status,
    };
    let items = inventory.secrets().map(|item| item_report(item, status(item), snapshot.as_of)).collect();
    let mut report = Report {
        schema: SCHEMA,
        as_of: snapshot.as_of,
        tool: Tool { name: "keytrail", version: env!("CARGO_PKG_VERSION") },
        scope: sorted(&snapshot.facts.scope),
        items,
        rotations: by_item_and_time(&correlation.rotations),
        readings: sorted(&correlation.readings),
        trails: correlation.trails.clone(),
        leaks,
        searched: snapshot.facts.searched.clone(),
        gaps: gaps(&snapshot.facts.gaps),
        findings,
        exceptions: exceptions::exceptions(policy, snapshot.as_of, &covers),
        controls: Vec::new(),
        changes: None,
        trends: None,
        summary: Summary {
            variables: inventory.items.values().filter(|item| !item.is_secret).count() as u64,
            ..Summary::default()
        },
    };
    report.controls = controls::assess(&report, |id| RULES.iter().filter(runs).any(|rule| rule.id == id));
    report.summarise();
    report
}

fn by_item_and_time(rotations: &[Rotation]) -> Vec<Rotation> {
    let mut rotations = rotations.to_vec();
    rotations.sort_by(|a, b| (&a.item, a.at, &a.id).cmp(&(&b.item, b.at, &b.id)));
    rotations
}

/// The rule whose findings make an item [`ItemStatus::Compromised`].
const LEAKED: &str = "leaked-current-value";

/// The one rule that looks at what the others found.
const STALE_EXCEPTION: &str = "stale-exception";

/// Whether a finding is the status of its item in words, so that a report need not say it twice. An exception from
/// such a finding makes the item `exempt`.
pub fn is_about_age(finding: &Finding) -> bool {
    matches!(
        finding.rule,
        "overdue-rotation" | "never-rotated" | "event-due-rotation" | "unknown-age" | "rotation-due-soon"
    )
}

/// Worst first, then in the order of the rules, then by item and line; one for a rule and a subject.
fn sort(findings: &mut Vec<Finding>) {
    let rank: BTreeMap<&str, usize> = RULES.iter().enumerate().map(|(at, rule)| (rule.id, at)).collect();
    findings.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| rank.get(a.rule).cmp(&rank.get(b.rule)))
            .then_with(|| (&a.item, &a.location, &a.message).cmp(&(&b.item, &b.location, &b.message)))
    });
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.fingerprint.clone()));
}

/// Each gap once. What two readers both could not reach is one gap, in the words of the first.
fn gaps(all: &[Gap]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = sorted(all);
    gaps.dedup_by(|second, first| {
        let unread = matches!(first.reason, GapReason::Unreachable | GapReason::PermissionDenied);
        // The first line stands for the file as a whole.
        let line = |gap: &Gap| gap.location.clone().filter(|location| *location != Location::of_file(&gap.source));
        let same = |gap: &Gap| (gap.source.clone(), gap.reason, line(gap), gap.place.clone());
        unread && first.place.is_none() && same(first) == same(second)
    });
    gaps
}

fn sorted<'a, T: Ord + Clone + 'a>(list: impl IntoIterator<Item = &'a T>) -> Vec<T> {
    list.into_iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn item_report(item: &Item, status: ItemStatus, as_of: Time) -> ItemReport {
    let copies = item.copies.iter().map(|copy| CopyReport {
        place: copy.place.clone(),
        kind: copy.kind,
        value: copy.value.shape,
        version: copy.history.versions.last().map(|version| version.number),
        location: copy.location.clone(),
    });
    ItemReport {
        id: item.id.clone(),
        key: item.key.clone(),
        aliases: item.aliases.iter().cloned().collect(),
        class: item.class,
        owner: item.owner.clone(),
        environment: item.environment.clone(),
        cadence: item.cadence.as_ref().map(ToString::to_string),
        copies: copies.collect(),
        consumers: item.consumers().into_iter().map(str::to_owned).collect(),
        derived_from: item.derived_from.iter().map(|one| one.source.clone()).collect(),
        declared_at: sorted(item.declarations.iter().filter_map(|declaration| declaration.location.as_ref())),
        last_rotated_at: item.age.as_ref().and_then(Age::exact),
        age: item.age.as_ref().map(Age::to_report),
        // What leaked is due at once.
        due_at: if status == ItemStatus::Compromised { Some(as_of) } else { item.due_at },
        status,
    }
}
