//! What is carried out for each group of a plan, or what Keytrail would have to be told first.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{CopyKind, Place};
use keytrail_rules::value::Shape;

use super::recipe::{Medium, Recipe, Recipes};
use super::{Action, Group, Lack, Loading, Missing, Plan, PlannedCopy, PlannedItem, Reason};
use crate::credential::VALUE;
use crate::issuers::IssuerKind;
use crate::job::{Cell, Consumer, Job, Member, Mode, Origin, Request, Write};
use crate::settings::Settings;
use crate::workloads::WorkloadKind;

/// A group, ready or not.
#[derive(Clone, PartialEq, Debug)]
pub enum Prepared {
    /// What is carried out, and what would be good to know beside.
    Ready(Box<Job>, Vec<Missing>),
    /// What is missing.
    Incomplete(Vec<Missing>),
}

impl Prepared {
    /// What is carried out.
    pub fn job(&self) -> Option<&Job> {
        match self {
            Self::Ready(job, _) => Some(job),
            Self::Incomplete(_) => None,
        }
    }
}

impl Plan {
    /// What is carried out for each group, in their order. `run` gives each job an id of its own.
    pub fn prepare(
        &self,
        recipes: &Recipes,
        mode: Mode,
        request: &dyn Fn(&Group) -> Request,
        run: &mut dyn FnMut() -> String,
    ) -> Vec<Prepared> {
        self.groups
            .iter()
            .map(|group| {
                let parts = Parts::of(group, recipes);
                let missing = parts.missing(group);
                if missing.iter().any(|missing| missing.lack.blocks()) {
                    return Prepared::Incomplete(missing);
                }
                let (grace, probes) = (parts.grace(mode), parts.probes());
                let job = Job {
                    run: run(),
                    mode,
                    members: parts.members,
                    writes: parts.writes,
                    consumers: parts.consumers,
                    probes,
                    grace,
                    request: request(group),
                };
                Prepared::Ready(Box::new(job), missing)
            })
            .collect()
    }
}

/// The parts of a job, and what was missed while they were put together.
struct Parts<'a> {
    recipes: Vec<Recipe<'a>>,
    members: Vec<Member>,
    writes: Vec<Write>,
    consumers: Vec<Consumer>,
    lacks: BTreeMap<Lack, Lacking>,
}

/// The items that lack something, and what it is about.
type Lacking = (BTreeSet<ItemId>, BTreeSet<String>);

/// A path that is written: files after stores.
type Path = (Medium, String, String);

/// The cells of a path by key, and the version that the scan saw.
type Cells = (BTreeMap<String, Cell>, Option<u64>);

impl<'a> Parts<'a> {
    fn of(group: &Group, recipes: &'a Recipes) -> Self {
        let mut parts = Self {
            recipes: group.items.iter().map(|item| recipes.of(item)).collect(),
            members: Vec::new(),
            writes: Vec::new(),
            consumers: Vec::new(),
            lacks: BTreeMap::new(),
        };
        parts.add_members(group);
        parts.add_writes(group, recipes);
        parts.add_consumers(group, recipes);
        parts
    }

    fn lack(&mut self, lack: Lack, item: &ItemId, what: Option<String>) {
        let (items, all) = self.lacks.entry(lack).or_default();
        items.insert(item.clone());
        all.extend(what);
    }

    fn add_members(&mut self, group: &Group) {
        let keys: BTreeMap<&ItemId, &str> = group.items.iter().map(|item| (&item.id, item.key.as_str())).collect();
        for (at, item) in group.items.iter().enumerate() {
            let origin = match self.recipes[at].issuer {
                Some((kind, settings)) => Origin::Issued { kind: kind.clone(), settings: settings.clone() },
                None if item.derived_from.is_empty() => {
                    self.lack(Lack::Issuer, &item.id, None);
                    continue;
                }
                None => {
                    let sources = item.derived_from.iter();
                    let from: Vec<_> =
                        sources.filter_map(|id| Some((keys.get(id)?.to_string(), id.to_string()))).collect();
                    let template = self.recipes[at].template.cloned();
                    self.check_derived(item, &from, template.as_deref());
                    Origin::Derived { from, template }
                }
            };
            self.members.push(Member { item: item.id.to_string(), origin });
        }
    }

    fn check_derived(&mut self, item: &PlannedItem, from: &[(String, String)], template: Option<&str>) {
        if from.is_empty() {
            self.lack(Lack::Source, &item.id, None);
        } else if item.reason == Reason::Stale && template.is_none() {
            // It holds an older value of its source than the one that would be replaced in it.
            self.lack(Lack::Template, &item.id, None);
        }
        for name in template.into_iter().flat_map(names) {
            let of_part = name.rsplit_once('.').map(|(name, _)| name);
            if !from.iter().any(|(key, _)| *key == name || Some(key.as_str()) == of_part) {
                self.lack(Lack::Template, &item.id, Some(format!("{{{name}}}")));
            }
        }
    }

    fn add_writes(&mut self, group: &Group, recipes: &Recipes) {
        let mut paths: BTreeMap<Path, Cells> = BTreeMap::new();
        let mut kept: BTreeSet<ItemId> = BTreeSet::new();
        let mut elsewhere: BTreeSet<Place> = BTreeSet::new();
        let mut seen: Vec<&PlannedCopy> = Vec::new();
        for step in &group.steps {
            match &step.action {
                Action::Write(copies) => seen.extend(copies),
                Action::Move(copy) => {
                    elsewhere.insert(copy.place.clone());
                    self.lack(Lack::Plain, &copy.item, Some(copy.place.to_string()));
                }
                Action::Follow(copy) => {
                    elsewhere.insert(copy.place.clone());
                    if copy.value == Shape::Encrypted {
                        self.lack(Lack::Sealed, &copy.item, Some(copy.place.to_string()));
                    }
                }
                _ => {}
            }
        }
        for (at, item) in group.items.iter().enumerate() {
            let places = self.recipes[at].copies.clone();
            for place in places.iter().filter(|place| !elsewhere.contains(place)) {
                kept.insert(item.id.clone());
                self.add_cell(&mut paths, recipes, (&item.id, VALUE), place, None);
            }
            for (part, place) in self.recipes[at].parts.clone() {
                self.add_cell(&mut paths, recipes, (&item.id, part), place, None);
            }
        }
        for copy in seen {
            // What holds no value is a template, which others may read.
            if matches!(copy.value, Shape::Empty | Shape::Placeholder) {
                continue;
            }
            kept.insert(copy.item.clone());
            if copy.kind == CopyKind::KubernetesSecret && !copy.locations.is_empty() {
                self.lack(Lack::Plain, &copy.item, Some(copy.place.to_string()));
                continue;
            }
            self.add_cell(&mut paths, recipes, (&copy.item, VALUE), &copy.place, copy.version);
        }
        for item in group.items.iter().filter(|item| !kept.contains(&item.id)) {
            self.lack(Lack::Copy, &item.id, None);
        }
        self.writes = paths
            .into_iter()
            .map(|((_, store, path), (cells, seen))| Write { store, path, cells: cells.into_values().collect(), seen })
            .collect();
    }

    fn add_cell(
        &mut self,
        paths: &mut BTreeMap<Path, Cells>,
        recipes: &Recipes,
        (item, part): (&ItemId, &str),
        place: &Place,
        version: Option<u64>,
    ) {
        let Some(medium) = recipes.stores.get(place.source()) else {
            self.lack(Lack::Store, item, Some(place.to_string()));
            return;
        };
        let path = (*medium, place.source().to_owned(), place.path());
        let Some(key) = place.key() else {
            // Of a path whose keys the scan could not list, the config may name the one that counts.
            let names_one =
                paths.get(&path).is_some_and(|(cells, _)| cells.values().any(|cell| cell.item == item.as_str()));
            if !names_one {
                self.lack(Lack::Key, item, Some(place.to_string()));
            }
            return;
        };
        let (cells, seen) = paths.entry(path).or_default();
        *seen = version.max(*seen);
        let cell = Cell { key: key.clone(), item: item.to_string(), part: part.to_owned() };
        let other = cells.entry(key).or_insert_with(|| cell.clone());
        if *other != cell {
            self.lack(Lack::Clash, item, Some(place.to_string()));
        }
    }

    fn add_consumers(&mut self, group: &Group, recipes: &Recipes) {
        let mut consumers: Vec<(usize, Consumer)> = Vec::new();
        let owners: Vec<ItemId> = group.items.iter().map(|item| item.id.clone()).collect();
        for step in &group.steps {
            let Action::Load { consumer: name, how } = &step.action else { continue };
            let table = recipes.workloads.iter().position(|table| table.consumer == *name);
            if table.is_none() && *how == Loading::NextRun {
                continue;
            }
            let (prefix, place) = name.split_once(':').unwrap_or((name, ""));
            let (kind, settings) = match table {
                Some(at) => (recipes.workloads[at].kind.as_str(), recipes.workloads[at].settings.clone()),
                None => (prefix, Settings::default()),
            };
            let opened = match WorkloadKind::find(kind) {
                Some(known) => (known.open)(place, &settings).err().map(|failure| format!("{name} ({failure})")),
                None => Some(name.clone()),
            };
            for item in owners.iter().filter(|_| opened.is_some()) {
                self.lack(Lack::Workload, item, opened.clone());
            }
            let (kind, place) = (kind.to_owned(), place.to_owned());
            consumers.push((table.unwrap_or(usize::MAX), Consumer { name: name.clone(), kind, place, settings }));
        }
        consumers.sort_by_key(|(table, _)| *table);
        self.consumers = consumers.into_iter().map(|(_, consumer)| consumer).collect();
    }

    /// What is missing: of what the plan misses, that which no recipe gives; and what was missed while the parts were put
    /// together.
    fn missing(&self, group: &Group) -> Vec<Missing> {
        let recipe = |id: &ItemId| group.items.iter().position(|item| item.id == *id).map(|at| &self.recipes[at]);
        let mut all = self.lacks.clone();
        for missing in &group.missing {
            let stays = |id: &&ItemId| match missing.lack {
                Lack::Order | Lack::Owner => true,
                Lack::Source => recipe(id).is_some_and(|recipe| recipe.issuer.is_none()),
                Lack::Consumer => recipe(id).is_some_and(|recipe| !recipe.has_no_consumers),
                _ => false,
            };
            let items: Vec<&ItemId> = missing.items.iter().filter(stays).collect();
            if !items.is_empty() {
                all.entry(missing.lack).or_default().0.extend(items.into_iter().cloned());
            }
        }
        let listed = |(lack, (items, what)): (Lack, Lacking)| Missing {
            lack,
            items: items.into_iter().collect(),
            what: what.into_iter().collect(),
        };
        all.into_iter().map(listed).collect()
    }

    /// The longest that any member or issuer asks for, in seconds; none in an emergency.
    fn grace(&self, mode: Mode) -> u64 {
        const DEFAULT: u64 = 24 * 60 * 60;
        match mode {
            Mode::Emergency => 0,
            Mode::Orderly => {
                let stated = self.recipes.iter().filter_map(|recipe| recipe.grace).max();
                let issuers = self.recipes.iter().filter_map(|recipe| recipe.issuer);
                let opened = issuers.filter_map(|(kind, settings)| (IssuerKind::find(kind)?.open)(settings).ok());
                let least = opened.map(|issuer| issuer.least_grace().as_secs()).max().unwrap_or_default();
                stated.map_or(DEFAULT, |grace| grace.as_secs()).max(least)
            }
        }
    }

    fn probes(&self) -> Vec<Settings> {
        let mut probes: Vec<Settings> = Vec::new();
        for probe in self.recipes.iter().flat_map(|recipe| &recipe.verify) {
            if !probes.contains(probe) {
                probes.push((*probe).clone());
            }
        }
        probes
    }
}

/// The names in a template: `DB_PASSWORD` of `{DB_PASSWORD|percent}`. Two braces are one of the text.
fn names(template: &str) -> Vec<String> {
    let plain = template.replace("{{", "").replace("}}", "");
    let fields = plain.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    fields.map(|field| field.split('|').next().unwrap_or(field).trim().to_owned()).collect()
}

#[cfg(test)]
mod tests;
