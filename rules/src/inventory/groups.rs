//! Which places, names and declarations belong to one item.
//!
//! Places that reference one another are one group (union-find). A group takes its name from the declarations that
//! name one of its places, else from a declared name among its own. Groups of one name and environment are one item.
//!
//! A name merges by itself only where it means one thing: environment variables do all over a repository; a key in
//! a store path does if it has two words or more (`database_url`, not `password`) and is declared, or if no other
//! path has it.
//!
//! An environment makes an item of its own (`KEY@staging`). Deployed copies that name no environment belong to
//! production, where the key has a production.

use std::collections::{BTreeMap, BTreeSet};

use super::{Item, ItemId};
use crate::model::{CopyKind, Declaration, Environment, Facts, Key, Origin, Place, SecretCopy, Use};

/// Disjoint sets of places.
#[derive(Default)]
struct Places {
    index: BTreeMap<Place, usize>,
    parent: Vec<usize>,
}

impl Places {
    fn add(&mut self, place: &Place) -> usize {
        if let Some(at) = self.index.get(place) {
            return *at;
        }
        let at = self.parent.len();
        self.index.insert(place.clone(), at);
        self.parent.push(at);
        at
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    fn root_of(&mut self, place: &Place) -> Option<usize> {
        let at = *self.index.get(place)?;
        Some(self.root(at))
    }

    fn union(&mut self, a: &Place, b: &Place) {
        let (a, b) = (self.add(a), self.add(b));
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}

/// The places that hold one value, with what is said of them.
#[derive(Default)]
struct Group {
    places: BTreeSet<Place>,
    copies: Vec<SecretCopy>,
    uses: BTreeSet<Use>,
    /// Keys of config and runbook declarations that name one of its places.
    referenced_as: BTreeSet<(Origin, Key)>,
}

impl Group {
    /// Names in it that mean something without their path.
    fn env_names(&self) -> BTreeSet<&Key> {
        let copies = self.copies.iter().filter(|copy| copy.kind.is_env_named()).filter_map(|copy| copy.key.as_ref());
        copies.chain(self.uses.iter().map(|one| &one.key)).collect()
    }

    /// Names in it that are keys of store paths; so are those of places that only a reference names.
    fn store_names(&self) -> BTreeSet<Key> {
        let env_named = |place: &Place| self.copies.iter().any(|copy| copy.place == *place && copy.kind.is_env_named());
        let places = self.places.iter().filter(|place| !env_named(place));
        places.filter_map(Place::key).map(|key| Key::new(&key)).collect()
    }

    /// Whether a copy of it lies where deployed workloads load it from, rather than in a developer's file.
    fn is_deployed(&self) -> bool {
        let of_developers = |kind| matches!(kind, CopyKind::EnvFile | CopyKind::ComposeEnv | CopyKind::ComposeSecret);
        self.copies.iter().any(|copy| !of_developers(copy.kind))
    }

    /// The environment that its places agree on; production, where they disagree and one is.
    fn environment(&self) -> Option<Environment> {
        let mut all: BTreeSet<Environment> = self.copies.iter().filter_map(|copy| copy.environment.clone()).collect();
        if self.copies.is_empty() {
            all.extend(self.places.iter().filter_map(|place| Environment::in_path(&place.path())));
        }
        all.iter().find(|environment| environment.is_production()).or_else(|| all.first()).cloned()
    }
}

/// What an item is known by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Key(Key),
    Place(Place),
}

/// Merges the facts into items, which [`Item::settle`] then completes.
pub(super) fn merge(facts: &Facts) -> BTreeMap<ItemId, Item> {
    let copies = with_keys_of_whole_paths(facts);
    let groups = group(facts, copies);
    let declared: BTreeSet<&Key> =
        facts.declarations.iter().filter(|one| one.origin != Origin::Store).map(|one| &one.key).collect();
    let paths_of_key = count_store_groups(&groups);
    let env_names: BTreeSet<Key> = groups.iter().flat_map(Group::env_names).cloned().collect();

    let named: Vec<(Group, Name, BTreeSet<Key>)> = groups
        .into_iter()
        .filter_map(|group| {
            let (name, aliases) = name(&group, &declared, &env_names, &paths_of_key)?;
            Some((group, name, aliases))
        })
        .collect();
    let in_production: BTreeSet<Name> = named
        .iter()
        .filter(|(group, _, _)| group.environment().is_some_and(|environment| environment.is_production()))
        .map(|(_, name, _)| name.clone())
        .collect();

    let mut items = BTreeMap::new();
    for (group, name, aliases) in named {
        let (id, key, environment) = match name {
            Name::Key(key) => {
                // What is deployed and names no environment is what production runs on, where there is a production.
                let unlabelled = group.is_deployed() && in_production.contains(&Name::Key(key.clone()));
                let environment = group.environment().or_else(|| unlabelled.then(|| Environment::new("production")));
                (ItemId::of_key(&key, environment.as_ref()), key, environment)
            }
            Name::Place(place) => {
                let key = Key::new(&place.key().unwrap_or_else(|| place.path()));
                (ItemId::of_place(&place), key, group.environment())
            }
        };
        let item = items.entry(id.clone()).or_insert_with(|| Item::new(id, key, environment));
        item.aliases.extend(aliases);
        item.copies.extend(group.copies);
        item.uses.extend(group.uses);
    }
    add_declared(facts, &mut items);
    attach_uses(facts, &mut items);
    attach_declarations(facts, &mut items);
    for item in items.values_mut() {
        item.uses.sort();
        item.uses.dedup();
        item.copies.sort_by(|a, b| (&a.place, a.kind, &a.location).cmp(&(&b.place, b.kind, &b.location)));
    }
    items
}

/// The copies, each once; and a copy for each declared place whose path is known, but not its keys.
fn with_keys_of_whole_paths(facts: &Facts) -> Vec<SecretCopy> {
    let mut copies: Vec<SecretCopy> = facts.copies.clone();
    copies.sort_by(|a, b| (&a.place, a.kind, &a.location).cmp(&(&b.place, b.kind, &b.location)));
    copies.dedup_by(|a, b| (&a.place, a.kind, &a.location) == (&b.place, b.kind, &b.location));
    let known: BTreeSet<Place> = copies.iter().map(|copy| copy.place.clone()).collect();
    let whole: BTreeMap<Place, SecretCopy> =
        copies.iter().filter(|copy| copy.key.is_none()).map(|copy| (copy.place.clone(), copy.clone())).collect();
    let declared: BTreeSet<&Place> = facts.declarations.iter().flat_map(|one| &one.places).collect();
    let mut covered = BTreeSet::new();
    for place in declared {
        let Some(key) = place.key().filter(|_| !known.contains(place)) else {
            continue;
        };
        let path = place.whole_path();
        if let Some(whole) = whole.get(&path) {
            let copy = SecretCopy { place: place.clone(), key: Some(Key::new(&key)), ..whole.clone() };
            copies.push(copy);
            covered.insert(path);
        }
    }
    copies.retain(|copy| !covered.contains(&copy.place));
    copies
}

fn group(facts: &Facts, copies: Vec<SecretCopy>) -> Vec<Group> {
    let mut places = Places::default();
    for place in copies.iter().map(|copy| &copy.place).collect::<BTreeSet<_>>() {
        places.add(place);
    }
    for link in facts.links.iter().collect::<BTreeSet<_>>() {
        places.union(&link.a, &link.b);
    }
    for declaration in &facts.declarations {
        // A store's metadata speaks of every key of a path, and a runbook's row of one key in one path or more.
        if declaration.origin == Origin::Config {
            for pair in declaration.places.windows(2) {
                places.union(&pair[0], &pair[1]);
            }
        }
        for place in declaration.places.iter().filter(|place| place.key().is_some()) {
            places.add(place);
        }
    }
    for one in &facts.uses {
        if let Some(place) = one.from.as_ref().filter(|place| place.key().is_some()) {
            places.add(place);
        }
    }

    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for (place, at) in places.index.clone() {
        groups.entry(places.root(at)).or_default().places.insert(place);
    }
    for copy in copies {
        if let Some(root) = places.root_of(&copy.place) {
            groups.entry(root).or_default().copies.push(copy);
        }
    }
    for one in &facts.uses {
        if let Some(root) = one.from.as_ref().and_then(|place| places.root_of(place)) {
            groups.entry(root).or_default().uses.insert(one.clone());
        }
    }
    for declaration in facts.declarations.iter().filter(|one| one.origin != Origin::Store) {
        for place in &declaration.places {
            if let Some(root) = places.root_of(place) {
                let name = (declaration.origin, declaration.key.clone());
                groups.entry(root).or_default().referenced_as.insert(name);
            }
        }
    }
    groups.into_values().collect()
}

/// How many groups hold each store key, in each environment.
fn count_store_groups(groups: &[Group]) -> BTreeMap<(Key, Option<Environment>), usize> {
    let mut counts = BTreeMap::new();
    for group in groups {
        for key in group.store_names() {
            *counts.entry((key.clone(), group.environment())).or_default() += 1;
        }
    }
    counts
}

/// The name of a group, with its other declared names; `None` for a group that nothing names and nothing is in.
fn name(
    group: &Group,
    declared: &BTreeSet<&Key>,
    env_names_anywhere: &BTreeSet<Key>,
    paths_of_key: &BTreeMap<(Key, Option<Environment>), usize>,
) -> Option<(Name, BTreeSet<Key>)> {
    let env_names = group.env_names();
    let store_names = group.store_names();
    let alone = |key: &Key| paths_of_key.get(&(key.clone(), group.environment())).is_none_or(|count| *count <= 1);
    let many_words = |key: &Key| key.words().count() > 1;

    // A runbook's row names the key of its own path: a one-word key stays bound to that path.
    let named = group.referenced_as.iter();
    let referenced =
        named.filter(|(origin, key)| *origin == Origin::Config || many_words(key) || alone(key)).map(|(_, key)| key);
    let of_env = env_names.iter().copied().filter(|key| declared.contains(*key));
    let of_store = store_names.iter().filter(|key| declared.contains(*key) && (many_words(key) || alone(key)));
    let names: Vec<&Key> = referenced.chain(of_env).chain(of_store).collect();
    if let Some(first) = names.first() {
        let aliases = names.iter().filter(|key| *key != first).map(|key| (*key).clone()).collect();
        return Some((Name::Key((*first).clone()), aliases));
    }
    if let Some(first) = env_names.first() {
        let aliases = env_names.iter().skip(1).map(|key| (*key).clone()).collect();
        return Some((Name::Key((*first).clone()), aliases));
    }
    let in_env = |key: &&Key| env_names_anywhere.contains(*key) && many_words(key) && alone(key);
    if let Some(key) = store_names.iter().find(in_env) {
        return Some((Name::Key(key.clone()), BTreeSet::new()));
    }
    let place = group.copies.iter().map(|copy| &copy.place).min().or_else(|| {
        // A path that only a runbook knows.
        group.places.iter().find(|_| !group.referenced_as.is_empty())
    })?;
    Some((Name::Place(place.clone()), BTreeSet::new()))
}

/// An item for every declared name that no place bears.
fn add_declared(facts: &Facts, items: &mut BTreeMap<ItemId, Item>) {
    let mut borne: BTreeSet<(Key, Option<Environment>)> = BTreeSet::new();
    for item in items.values() {
        for key in std::iter::once(&item.key).chain(&item.aliases) {
            borne.insert((key.clone(), item.environment.clone()));
            borne.insert((key.clone(), None));
        }
    }
    for declaration in facts.declarations.iter().filter(|one| one.origin != Origin::Store) {
        let environment = environment_of(declaration);
        if borne.contains(&(declaration.key.clone(), environment.clone())) {
            continue;
        }
        let id = ItemId::of_key(&declaration.key, environment.as_ref());
        items.entry(id.clone()).or_insert_with(|| Item::new(id, declaration.key.clone(), environment));
    }
}

/// Which items bear a key, lie in a place, or lie in a path.
#[derive(Default)]
struct Index {
    by_key: BTreeMap<Key, BTreeSet<ItemId>>,
    by_place: BTreeMap<Place, BTreeSet<ItemId>>,
    by_path: BTreeMap<Place, BTreeSet<ItemId>>,
}

impl Index {
    fn of(items: &BTreeMap<ItemId, Item>) -> Self {
        let mut index = Self::default();
        for item in items.values() {
            for key in std::iter::once(&item.key).chain(&item.aliases) {
                index.by_key.entry(key.clone()).or_default().insert(item.id.clone());
            }
            for copy in &item.copies {
                index.by_place.entry(copy.place.clone()).or_default().insert(item.id.clone());
                index.by_path.entry(copy.place.whole_path()).or_default().insert(item.id.clone());
            }
        }
        index
    }

    fn with_key(&self, key: &Key) -> impl Iterator<Item = &ItemId> {
        self.by_key.get(key).into_iter().flatten()
    }

    fn in_path(&self, path: &Place) -> impl Iterator<Item = &ItemId> {
        self.by_path.get(path).into_iter().flatten()
    }

    fn in_place(&self, place: &Place) -> impl Iterator<Item = &ItemId> {
        self.by_place.get(place).into_iter().flatten()
    }
}

/// Uses that name no place belong to the items of that variable; those of a whole object to all that lie in it.
fn attach_uses(facts: &Facts, items: &mut BTreeMap<ItemId, Item>) {
    let index = Index::of(items);
    for one in &facts.uses {
        match &one.from {
            Some(place) if place.key().is_some() => {}
            Some(path) => {
                for id in index.in_path(path) {
                    if let Some(item) = items.get_mut(id) {
                        item.uses.push(Use { key: item.key.clone(), ..one.clone() });
                    }
                }
            }
            None => {
                let same = |item: &Item| {
                    one.environment.is_none() || item.environment.is_none() || item.environment == one.environment
                };
                let mut found = false;
                for id in index.with_key(&one.key) {
                    if let Some(item) = items.get_mut(id).filter(|item| same(item)) {
                        item.uses.push(one.clone());
                        found = true;
                    }
                }
                if !found {
                    let id = ItemId::of_key(&one.key, one.environment.as_ref());
                    let new = || Item::new(id.clone(), one.key.clone(), one.environment.clone());
                    items.entry(id.clone()).or_insert_with(new).uses.push(one.clone());
                }
            }
        }
    }
}

/// Every declaration goes to the items of its key and environment, or of its places.
fn attach_declarations(facts: &Facts, items: &mut BTreeMap<ItemId, Item>) {
    let index = Index::of(items);
    for declaration in &facts.declarations {
        let mut ids: BTreeSet<ItemId> =
            declaration.places.iter().flat_map(|place| index.in_place(place)).cloned().collect();
        if declaration.origin == Origin::Store {
            // Of a path whose keys the store did not tell, it speaks of those that others declare there.
            let paths = declaration.places.iter().filter(|place| place.key().is_none());
            ids.extend(paths.flat_map(|path| index.in_path(path)).cloned());
        }
        let placed = !ids.is_empty();
        if declaration.origin != Origin::Store && !(placed && declaration.key.words().count() == 1) {
            let environment = environment_of(declaration);
            for id in index.with_key(&declaration.key) {
                let matches =
                    items.get(id).is_some_and(|item| environment.is_none() || item.environment == environment);
                if matches {
                    ids.insert(id.clone());
                }
            }
        }
        for id in ids {
            if let Some(item) = items.get_mut(&id) {
                item.declarations.push(declaration.clone());
            }
        }
    }
    // What is said of a key in one environment, by its path, holds for an environment of which nothing is said.
    for item in items.values_mut().filter(|item| !item.is_declared()) {
        let same_key =
            |one: &&Declaration| one.key == item.key && one.environment.is_none() && one.key.words().count() > 1;
        let elsewhere = facts.declarations.iter().filter(same_key).filter(|one| one.origin != Origin::Store);
        let elsewhere: Vec<Declaration> = elsewhere.cloned().collect();
        item.declarations.extend(elsewhere);
    }
    for item in items.values_mut() {
        item.declarations.sort_by(|a, b| (a.origin, &a.location, a).cmp(&(b.origin, &b.location, b)));
        item.declarations.dedup();
    }
}

/// The environment that a declaration speaks of: its own, or that of the places that it names.
fn environment_of(declaration: &Declaration) -> Option<Environment> {
    let of_place = || declaration.places.first().and_then(|place| Environment::in_path(&place.path()));
    declaration.environment.clone().or_else(of_place)
}
