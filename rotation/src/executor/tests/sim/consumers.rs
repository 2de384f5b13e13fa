//! Consumers, which load what the stores hold and log in with it after every instant; and a probe that asks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Inner, Sim, Trouble};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::probes::{Health, Moment, Probe};
use crate::workloads::{Mark, Progress, Values, Workload};

/// What an instance has, by path, key.
pub(crate) type Snapshot = BTreeMap<(String, String), String>;

/// What a consumer has loaded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Loaded {
    /// The instances that serve.
    pub(crate) serving: Snapshot,
    /// The instances that start, and in how many questions they will be ready.
    pub(crate) starting: Option<(Snapshot, u32)>,
    pub(crate) generation: u64,
}

impl Inner {
    /// What a consumer would load now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for write in &self.job.writes {
            for cell in &write.cells {
                let value = self.paths[&write.name()].values[&cell.key].clone();
                snapshot.insert((write.name(), cell.key.clone()), value);
            }
        }
        snapshot
    }

    /// What is wrong with the logins of all instances, and of those that would start now.
    pub(crate) fn trouble_of_logins(&self, which: impl Iterator<Item = Snapshot>) -> Option<String> {
        let all: Vec<Snapshot> = which.collect();
        let cells =
            || self.job.writes.iter().flat_map(|write| write.cells.iter().map(move |cell| (write.name(), cell)));
        for snapshot in &all {
            for (path, cell) in cells() {
                let text = &snapshot[&(path, cell.key.clone())];
                let value = password(text);
                let issuer = self.issuers.get(cell.item.strip_suffix("-url").unwrap_or(&cell.item));
                let is_other = cell.part != "value";
                if !is_other && issuer.is_some_and(|honours| !honours.is_empty() && !honours.contains_key(value)) {
                    return Some(format!("{text} is refused"));
                }
                // What one signs, every other one has to accept.
                let lists = cells().filter(|(_, other)| other.item == cell.item && other.part == "accepted");
                for (path, list) in lists.filter(|_| !is_other) {
                    for other in &all {
                        let accepted = &other[&(path.clone(), list.key.clone())];
                        if !accepted.split(',').any(|one| one == text) {
                            return Some(format!("{text} is not accepted by who has {accepted}"));
                        }
                    }
                }
            }
        }
        None
    }

    fn instances(&self) -> impl Iterator<Item = Snapshot> {
        let of =
            |loaded: &Loaded| [Some(loaded.serving.clone()), loaded.starting.clone().map(|(snapshot, _)| snapshot)];
        self.consumers.values().flat_map(of).flatten()
    }

    /// Every instance logs in, and one that restarts now.
    pub(crate) fn log_in(&mut self, name: &str) {
        let all = self.instances().chain([self.snapshot()]);
        if let Some(trouble) = self.trouble_of_logins(all).filter(|_| self.is_dual && self.human.is_none()) {
            self.violations.push(format!("after {name}: {trouble}"));
        }
    }
}

/// The password of a URL; any other value is one.
fn password(text: &str) -> &str {
    let of_url = || text.strip_prefix("pg://")?.split_once(':')?.1.strip_suffix("@db");
    of_url().unwrap_or(text)
}

/// Whether an instance uses new values, and does not just accept them.
fn is_new(snapshot: &Snapshot) -> bool {
    let uses = |value: &String| ["new", "made"].iter().any(|start| password(value).starts_with(start));
    snapshot.values().any(uses)
}

pub(crate) struct Simulated {
    pub(crate) sim: Arc<Sim>,
    pub(crate) name: String,
}

impl Workload for Simulated {
    fn preflight<'a>(&'a self, _: &'a Context) -> Act<'a, Vec<String>> {
        self.sim.call(format!("preflight {}", self.name), |_| Ok(vec![]))
    }

    fn load<'a>(&'a self, _: &'a Context, _: &'a Values<'a>, _: &'a Values<'a>) -> Act<'a, Mark> {
        self.sim.call(format!("load {}", self.name), |inner| {
            let snapshot = inner.snapshot();
            let has_new = is_new(&snapshot);
            if inner.trouble == Some(Trouble::Load) && has_new {
                return Err(Failure::not_done("no right"));
            }
            let loaded = inner.consumers.get_mut(&self.name).expect("a consumer");
            loaded.generation += 1;
            loaded.starting = Some((snapshot, 2));
            Ok(Mark(loaded.generation.to_string()))
        })
    }

    fn progress<'a>(&'a self, _: &'a Context, mark: &'a Mark, _: &'a Values<'a>) -> Act<'a, Progress> {
        self.sim.call(format!("progress {}", self.name), |inner| {
            let trouble = inner.trouble;
            let loaded = inner.consumers.get_mut(&self.name).expect("a consumer");
            assert!(mark.0.parse::<u64>().expect("a number") <= loaded.generation);
            let Some((snapshot, left)) = &mut loaded.starting else { return Ok(Progress::Done) };
            let has_new = is_new(snapshot);
            match trouble.filter(|_| has_new) {
                Some(Trouble::Progress) => return Ok(Progress::Failed("it does not start".to_owned())),
                Some(Trouble::Slow) => return Ok(Progress::Waiting("it starts".to_owned())),
                _ => {}
            }
            *left = left.saturating_sub(1);
            if *left > 0 {
                return Ok(Progress::Waiting("it starts".to_owned()));
            }
            loaded.serving = loaded.starting.take().expect("instances").0;
            Ok(Progress::Done)
        })
    }
}

/// Whether every instance can log in.
pub(crate) struct Logins {
    pub(crate) sim: Arc<Sim>,
}

impl Probe for Logins {
    fn check<'a>(&'a self, _: &'a Context, moment: &'a Moment, _: &'a Values<'a>) -> Act<'a, Health> {
        self.sim.call("probe".to_owned(), move |inner| {
            let is_soaking = inner.trouble == Some(Trouble::SoakProbe) && inner.made > 1000;
            let unhealthy = |why: &str| Ok(Health::Unhealthy(why.to_owned()));
            match moment {
                Moment::Before if inner.trouble == Some(Trouble::Sick) => unhealthy("errors before"),
                Moment::After { .. } if inner.trouble == Some(Trouble::Silent) => {
                    Ok(Health::Unknown("no data".to_owned()))
                }
                Moment::After { .. } if inner.trouble == Some(Trouble::Probe) || is_soaking => unhealthy("errors"),
                Moment::After { before, .. } if before != "3 logins" => unhealthy("it was not healthy before"),
                _ => {
                    let serving: Vec<_> = inner.consumers.values().map(|loaded| loaded.serving.clone()).collect();
                    Ok(match inner.trouble_of_logins(serving.into_iter()) {
                        None => Health::Healthy("3 logins".to_owned()),
                        Some(why) => Health::Unhealthy(why),
                    })
                }
            }
        })
    }
}
