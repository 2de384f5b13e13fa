//! Which secrets change, which of them change together, and in which order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Environment, Time};
use keytrail_rules::report::{ItemReport, ItemStatus, Report};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use petgraph::unionfind::UnionFind;

use super::{Reason, Wanted};

/// Secrets that change together.
pub(super) struct Component<'a> {
    /// Sources before what is made from them.
    pub(super) members: Vec<Member<'a>>,
    /// Members that are made from one another.
    pub(super) cycles: Vec<Vec<ItemId>>,
    /// Members that are due and change only with a source, of which none changes.
    pub(super) stuck: Vec<ItemId>,
}

/// A secret that changes.
pub(super) struct Member<'a> {
    pub(super) item: &'a ItemReport,
    pub(super) reason: Reason,
    /// Number of secrets on the longest way to it from a source.
    depth: usize,
}

/// Worst status, oldest value (one of unknown age may be the oldest of all), id: the most urgent is the least.
type Urgency<'a> = (ItemStatus, Option<Time>, &'a ItemId);

impl Member<'_> {
    /// Whether it is due itself, rather than pulled in.
    fn is_due(&self) -> bool {
        matches!(self.reason, Reason::Due | Reason::Asked | Reason::Stale)
    }

    fn status(&self) -> ItemStatus {
        if self.reason == Reason::Stale { self.item.status.min(ItemStatus::EventDue) } else { self.item.status }
    }

    fn urgency(&self) -> Urgency<'_> {
        (self.status(), set_by(self.item), &self.item.id)
    }
}

impl Component<'_> {
    /// Compromised first, then by environment, then as the most urgent of those that are due.
    fn urgency(&self) -> (bool, u8, Option<Urgency<'_>>) {
        let due = || self.members.iter().filter(|member| member.is_due());
        let is_calm = due().all(|member| member.item.status != ItemStatus::Compromised);
        let environment = self.members.iter().map(|member| caution(member.item.environment.as_ref())).max();
        (is_calm, environment.unwrap_or_default(), due().map(Member::urgency).min())
    }
}

/// When the current value was set, at the latest.
pub(super) fn set_by(item: &ItemReport) -> Option<Time> {
    item.last_rotated_at.or(item.age.as_ref().and_then(|age| age.not_after))
}

/// What may be production comes after what is not, and before what is.
fn caution(environment: Option<&Environment>) -> u8 {
    match environment {
        Some(environment) if !environment.is_production() => 0,
        None => 1,
        Some(_) => 2,
    }
}

/// The secrets of a report by number, with who is made from whom.
struct Secrets<'a> {
    items: Vec<&'a ItemReport>,
    sources: Vec<BTreeSet<usize>>,
    derivatives: Vec<Vec<usize>>,
    /// Whether it is proven to hold an old value of a source, so that it changes though its source does not.
    stale: Vec<bool>,
}

impl<'a> Secrets<'a> {
    fn new(report: &'a Report) -> Self {
        let items: Vec<&ItemReport> = report.items.iter().collect();
        let numbers: BTreeMap<&ItemId, usize> = items.iter().enumerate().map(|(at, item)| (&item.id, at)).collect();
        let sources: Vec<BTreeSet<usize>> = items
            .iter()
            // What is no secret (the host of a database) is not in the report.
            .map(|item| item.derived_from.iter().filter_map(|id| numbers.get(id).copied()).collect())
            .collect();
        let mut derivatives = vec![Vec::new(); items.len()];
        for (at, sources) in sources.iter().enumerate() {
            for source in sources {
                derivatives[*source].push(at);
            }
        }
        let mut stale: Vec<bool> = items.iter().map(|item| item.status == ItemStatus::EventDue).collect();
        let found = report.findings.iter();
        for finding in found.filter(|one| one.rule == "stale-derived-secret" && one.exception.is_none()) {
            if let Some(at) = finding.item.as_ref().and_then(|id| numbers.get(id)) {
                stale[*at] = true;
            }
        }
        Self { items, sources, derivatives, stale }
    }

    fn due(&self, at: usize, wanted: Wanted<'_>) -> Option<Reason> {
        let due_soon = match wanted {
            Wanted::Items(items) => return items.contains(&self.items[at].id).then_some(Reason::Asked),
            Wanted::Due => false,
            Wanted::DueSoon => true,
        };
        match self.items[at].status {
            ItemStatus::Compromised | ItemStatus::Overdue | ItemStatus::NeverRotated | ItemStatus::EventDue => {
                Some(Reason::Due)
            }
            ItemStatus::DueSoon if due_soon => Some(Reason::Due),
            _ => self.stale[at].then_some(Reason::Stale),
        }
    }

    /// Whether building it anew would give the value that it has, unless a source changes.
    fn needs_source(&self, at: usize, reason: &Reason) -> bool {
        matches!(reason, Reason::Due | Reason::Asked | Reason::SourceOf(_)) && !self.stale[at]
    }

    /// Why each secret changes. The set does not hang on the order of the report: what leaked takes along all that it is
    /// made from, then what is due its sources, then all of them what is made from them.
    fn reasons(&self, wanted: Wanted<'_>) -> Vec<Option<Reason>> {
        let mut reasons: Vec<Option<Reason>> = (0..self.items.len()).map(|at| self.due(at, wanted)).collect();
        let id = |at: usize| self.items[at].id.clone();

        let is_leaked = |at: usize| self.items[at].status == ItemStatus::Compromised && reasons[at].is_some();
        let mut leaked: Vec<bool> = (0..self.items.len()).map(is_leaked).collect();
        let mut queue: VecDeque<usize> = (0..leaked.len()).filter(|at| leaked[*at]).collect();
        while let Some(at) = queue.pop_front() {
            for source in self.sources[at].iter().copied().filter(|source| !leaked[*source]).collect::<Vec<_>>() {
                leaked[source] = true;
                reasons[source].get_or_insert_with(|| Reason::SourceOf(id(at)));
                queue.push_back(source);
            }
        }
        let may_stay = |at: usize| matches!(self.items[at].status, ItemStatus::Static | ItemStatus::Exempt);
        let takes_along = |at: usize, reason: &Reason| {
            let sources = self.sources[at].iter().copied();
            sources.filter(|source| self.needs_source(at, reason) && !may_stay(*source)).collect()
        };
        spread(&mut reasons, takes_along, |at| Reason::SourceOf(id(at)));
        spread(&mut reasons, |at, _| self.derivatives[at].clone(), |at| Reason::MadeFrom(id(at)));
        reasons
    }
}

/// Gives a reason to all that follows from what has one.
fn spread(
    reasons: &mut [Option<Reason>],
    follow: impl Fn(usize, &Reason) -> Vec<usize>,
    because_of: impl Fn(usize) -> Reason,
) {
    let mut queue: VecDeque<usize> = (0..reasons.len()).filter(|at| reasons[*at].is_some()).collect();
    while let Some(at) = queue.pop_front() {
        let followers = reasons[at].as_ref().map(|reason| follow(at, reason)).unwrap_or_default();
        for follower in followers {
            if reasons[follower].is_none() {
                reasons[follower] = Some(because_of(at));
                queue.push_back(follower);
            }
        }
    }
}

/// The secrets that change, grouped and in order.
pub(super) fn components<'a>(report: &'a Report, wanted: Wanted<'_>) -> Vec<Component<'a>> {
    let secrets = Secrets::new(report);
    let reasons = secrets.reasons(wanted);
    let planned_sources = |at: usize| secrets.sources[at].iter().copied().filter(|source| reasons[*source].is_some());
    let planned: Vec<usize> = (0..reasons.len()).filter(|at| reasons[*at].is_some()).collect();

    let mut together = UnionFind::<usize>::new(secrets.items.len());
    for at in &planned {
        for source in planned_sources(*at) {
            together.union(*at, source);
        }
    }
    let (depths, cycles) = order(&secrets, &planned, planned_sources);

    let mut components: BTreeMap<usize, Component<'_>> = BTreeMap::new();
    let new = || Component { members: Vec::new(), cycles: Vec::new(), stuck: Vec::new() };
    for (at, reason) in reasons.iter().enumerate() {
        let Some(reason) = reason else { continue };
        let (item, component) = (secrets.items[at], components.entry(together.find(at)).or_insert_with(new));
        let is_stuck =
            !item.derived_from.is_empty() && secrets.needs_source(at, reason) && planned_sources(at).next().is_none();
        if is_stuck {
            component.stuck.push(item.id.clone());
        }
        component.members.push(Member { item, reason: reason.clone(), depth: depths[at] });
    }
    for cycle in cycles {
        if let Some(component) = cycle.first().and_then(|at| components.get_mut(&together.find(*at))) {
            component.cycles.push(cycle.iter().map(|at| secrets.items[*at].id.clone()).collect());
        }
    }
    let mut components: Vec<Component<'_>> = components.into_values().collect();
    for component in &mut components {
        component.members.sort_by(|a, b| {
            (a.depth, caution(a.item.environment.as_ref()), a.urgency()).cmp(&(
                b.depth,
                caution(b.item.environment.as_ref()),
                b.urgency(),
            ))
        });
    }
    components.sort_by(|a, b| a.urgency().cmp(&b.urgency()));
    components
}

/// The depth of every secret below its sources, and the secrets that are made from one another, each list by number.
fn order<S: Iterator<Item = usize>>(
    secrets: &Secrets<'_>,
    planned: &[usize],
    sources: impl Fn(usize) -> S,
) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut graph = DiGraph::<usize, ()>::new();
    let mut nodes = vec![None; secrets.items.len()];
    for at in planned {
        nodes[*at] = Some(graph.add_node(*at));
    }
    for at in planned {
        for source in sources(*at) {
            if let (Some(node), Some(source)) = (nodes[*at], nodes[source]) {
                graph.add_edge(node, source, ());
            }
        }
    }
    let mut depths = vec![0; secrets.items.len()];
    let mut cycles = Vec::new();
    // Edges lead to the sources, and the order is a reversed topological one: sources come first.
    for nodes in kosaraju_scc(&graph) {
        let mut members: Vec<usize> = nodes.into_iter().map(|node| graph[node]).collect();
        members.sort_unstable();
        let inside: BTreeSet<usize> = members.iter().copied().collect();
        let outside = members.iter().flat_map(|at| sources(*at)).filter(|source| !inside.contains(source));
        let depth = outside.map(|source| depths[source] + 1).max().unwrap_or_default();
        for at in &members {
            depths[*at] = depth;
        }
        if members.len() > 1 || members.iter().any(|at| sources(*at).any(|source| source == *at)) {
            cycles.push(members);
        }
    }
    // By number, which is by id.
    cycles.sort();
    (depths, cycles)
}
