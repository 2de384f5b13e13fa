//! Stores: `vault` compares and reads, `plain` reads, `blind` does neither, `staging` stages too.

use std::collections::BTreeMap;
use std::sync::Arc;

use keytrail_rules::model::Secret;

use super::{Sim, Trouble};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::store::{Abilities, Held, Store, Version};

/// A path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) version: u64,
    pub(crate) staged: Option<BTreeMap<String, String>>,
}

pub(crate) struct Simulated {
    pub(crate) sim: Arc<Sim>,
    pub(crate) name: String,
}

impl Simulated {
    fn call<'a, T: Send + 'a>(
        &'a self,
        act: &str,
        path: &'a str,
        mut effect: impl FnMut(&mut Path) -> Result<T, Failure> + Send + 'a,
    ) -> Act<'a, T> {
        let name = format!("{}:{path}", self.name);
        self.sim.call(format!("{act} {name}"), move |inner| effect(inner.paths.get_mut(&name).expect("a path")))
    }
}

fn plain(values: &BTreeMap<String, &Secret>) -> BTreeMap<String, String> {
    values.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())).collect()
}

impl Store for Simulated {
    fn abilities(&self) -> Abilities {
        let is = |names: &[&str]| names.contains(&self.name.as_str());
        Abilities { reads: !is(&["blind"]), compares: !is(&["blind", "plain"]), stages: is(&["staging"]) }
    }

    fn preflight<'a>(&'a self, _: &'a Context, path: &'a str, _: &'a [String]) -> Act<'a, Vec<String>> {
        self.call("preflight", path, |_| Ok(vec![]))
    }

    fn read<'a>(&'a self, _: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held> {
        let reads = self.abilities().reads;
        self.call("read", path, move |held| {
            let value = |key: &String| Some((key.clone(), Secret::from(held.values.get(key)?.as_str())));
            let values = if reads { keys.iter().filter_map(value).collect() } else { BTreeMap::new() };
            Ok(Held { version: Version(held.version.to_string()), values })
        })
    }

    fn write<'a>(
        &'a self,
        _: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
        expected: &'a Version,
    ) -> Act<'a, Version> {
        let compares = self.abilities().compares;
        let name = format!("{}:{path}", self.name);
        self.sim.call(format!("write {name}"), move |inner| {
            inner.writes += 1;
            let is_last = inner.job.writes.last().is_some_and(|write| write.name() == name);
            let held = inner.paths.get_mut(&name).expect("a path");
            if inner.trouble == Some(Trouble::Promote) && is_last && held.staged.is_none() {
                let is_new = values.values().any(|value| value.expose().contains("new"));
                if is_new {
                    return Err(Failure::not_done("no right"));
                }
            }
            if compares && held.version.to_string() != expected.0 {
                return Err(Failure::conflict("another version"));
            }
            held.values.extend(plain(values));
            held.version += 1;
            held.staged = None;
            Ok(Version(held.version.to_string()))
        })
    }

    fn stage<'a>(&'a self, _: &'a Context, path: &'a str, values: &'a BTreeMap<String, &'a Secret>) -> Act<'a, ()> {
        let name = format!("{}:{path}", self.name);
        self.sim.call(format!("stage {name}"), move |inner| {
            if inner.trouble == Some(Trouble::Stage) {
                return Err(Failure::not_done("no right"));
            }
            inner.paths.get_mut(&name).expect("a path").staged = Some(plain(values));
            Ok(())
        })
    }

    fn unstage<'a>(&'a self, _: &'a Context, path: &'a str) -> Act<'a, ()> {
        self.call("unstage", path, |held| {
            held.staged = None;
            Ok(())
        })
    }
}
