//! How secrets are rotated, as the config says it.

use std::collections::BTreeMap;
use std::time::Duration;

use keytrail_rules::model::{Environment, Key, Place};

use super::PlannedItem;
use crate::settings::Settings;

/// How the secrets of an estate are rotated.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recipes {
    /// The `[[secret]]` tables by key. Of those that speak of an item the one that names its environment counts more,
    /// and the later one more.
    pub secrets: BTreeMap<Key, Vec<SecretRecipe>>,
    /// The `[[workload]]` tables, in the order in which they load.
    pub workloads: Vec<WorkloadRecipe>,
    /// The stores that take new values, by what places in them start with.
    pub stores: BTreeMap<String, Medium>,
}

/// What one `[[secret]]` says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SecretRecipe {
    /// The only environment that it speaks of.
    pub environment: Option<Environment>,
    /// Kind and table of its issuer.
    pub issuer: Option<(String, Settings)>,
    /// The tables of its probes.
    pub verify: Vec<Settings>,
    /// How long the old value stays valid after every consumer loaded the new one.
    pub grace: Option<Duration>,
    /// What it is made of, where it is derived.
    pub template: Option<String>,
    /// The places of the other parts of its credential.
    pub parts: Vec<(String, Place)>,
    /// The places that hold it, beside those that were scanned.
    pub copies: Vec<Place>,
    /// Whether it says that nobody loads it: `consumers = []`.
    pub has_no_consumers: bool,
    /// Whether somebody has to approve its rotation, whatever `[rotation]` says.
    pub approval: Option<bool>,
}

/// A `[[workload]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkloadRecipe {
    /// The consumer, as reports name it.
    pub consumer: String,
    /// One of [`crate::workloads::KINDS`].
    pub kind: String,
    /// The rest of the table.
    pub settings: Settings,
}

/// What a store is: files are written after servers, since whoever reads them may do so at any time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Medium {
    /// A server.
    Server,
    /// Files.
    Files,
}

/// What all tables together say of one item.
#[derive(Default)]
pub(super) struct Recipe<'a> {
    pub(super) issuer: Option<&'a (String, Settings)>,
    pub(super) verify: Vec<&'a Settings>,
    pub(super) grace: Option<Duration>,
    pub(super) template: Option<&'a String>,
    pub(super) parts: Vec<(&'a str, &'a Place)>,
    pub(super) copies: Vec<&'a Place>,
    pub(super) has_no_consumers: bool,
    pub(super) approval: Option<bool>,
}

impl Recipes {
    /// Whether the `[[secret]]` of an item says that somebody has to approve its rotation, or that nobody has.
    pub fn approval(&self, item: &PlannedItem) -> Option<bool> {
        self.of(item).approval
    }

    pub(super) fn of(&self, item: &PlannedItem) -> Recipe<'_> {
        let keys = std::iter::once(&item.key).chain(&item.aliases);
        let speaks = |table: &&SecretRecipe| table.environment.is_none() || table.environment == item.environment;
        let mut tables: Vec<&SecretRecipe> =
            keys.filter_map(|key| self.secrets.get(key)).flatten().filter(speaks).collect();
        tables.sort_by_key(|table| table.environment.is_some());
        let mut recipe = Recipe::default();
        for table in tables {
            recipe.issuer = table.issuer.as_ref().or(recipe.issuer);
            recipe.grace = table.grace.or(recipe.grace);
            recipe.template = table.template.as_ref().or(recipe.template);
            recipe.verify.extend(&table.verify);
            recipe.parts.extend(table.parts.iter().map(|(part, place)| (part.as_str(), place)));
            recipe.copies.extend(&table.copies);
            recipe.has_no_consumers |= table.has_no_consumers;
            recipe.approval = table.approval.or(recipe.approval);
        }
        recipe
    }
}
