//! What trails call the items by.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::{BTreeSet, HashMap, HashSet};

use super::hashes::Keyed;
use crate::inventory::{Inventory, Item, ItemId};
use crate::model::{Environment, Event, Key, Place, Trail};

/// The names of the items, in every spelling that trails use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    items: Vec<Named>,
    /// By place, by whole path (every item with a key there), and by `item:ID`.
    exact: HashMap<String, Vec<u32>, Keyed>,
    /// Items whose copy is a whole path of which no key is known.
    whole: HashMap<String, Vec<u32>, Keyed>,
    /// By key and alias.
    keys: HashMap<Key, Vec<u32>, Keyed>,
    needles: BTreeSet<String>,
}

/// One item and what it is known by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    pub(super) id: ItemId,
    environment: Option<Environment>,
    /// Its key and aliases.
    pub(super) keys: Vec<Key>,
    /// The workloads that load it, sorted.
    pub(super) consumers: Vec<String>,
    /// The places that hold it, as copies or by declaration.
    pub(super) places: BTreeSet<Place>,
    /// What trails call it where that is no place of it.
    pub(super) known_as: BTreeSet<Place>,
}

impl Names {
    /// The names of the secrets of an inventory.
    pub fn new(inventory: &Inventory) -> Self {
        let mut names = Self::default();
        let mut holders: HashMap<&Place, BTreeSet<&ItemId>> = HashMap::new();
        for item in inventory.secrets() {
            for copy in &item.copies {
                holders.entry(&copy.place).or_default().insert(&item.id);
            }
        }
        for (at, item) in (0..).zip(inventory.secrets()) {
            // What is said of a key in every environment names the places of each: those of others do not count.
            let is_own = |place: &&Place| holders.get(place).is_none_or(|ids| ids.contains(&item.id));
            let declared = item.declarations.iter().flat_map(|one| &one.places).filter(is_own);
            let places: BTreeSet<Place> = item.copies.iter().map(|copy| &copy.place).chain(declared).cloned().collect();
            let known_as: BTreeSet<Place> =
                item.declarations.iter().flat_map(|one| &one.known_as).filter(is_own).cloned().collect();
            for place in places.iter().chain(&known_as) {
                names.add_place(at, place);
            }
            names.add_exact(format!("item:{}", item.id), at);
            for key in std::iter::once(&item.key).chain(&item.aliases) {
                add(names.keys.entry(key.clone()).or_default(), at);
            }
            names.add_needles(item);
            names.items.push(Named {
                id: item.id.clone(),
                environment: item.environment.clone(),
                keys: std::iter::once(&item.key).chain(&item.aliases).cloned().collect(),
                consumers: item.consumers().into_iter().map(str::to_owned).collect(),
                places,
                known_as,
            });
        }
        names.shorten_needles();
        names
    }

    fn add_place(&mut self, at: u32, place: &Place) {
        let path = place.whole_path();
        self.add_exact(place.as_str().to_owned(), at);
        self.add_exact(path.as_str().to_owned(), at);
        let canonical = canonical(place);
        if canonical != place.as_str() {
            self.add_exact(canonical.rsplit_once('#').map_or(canonical.as_str(), |(path, _)| path).to_owned(), at);
            self.add_exact(canonical, at);
        }
        if path == *place {
            add(self.whole.entry(place.as_str().to_owned()).or_default(), at);
        }
        let own_path = place.path();
        let last = without_arn_suffix(own_path.rsplit(['/', ':']).next().unwrap_or_default());
        self.needles.insert(plain_run(last).to_owned());
    }

    fn add_exact(&mut self, name: String, at: u32) {
        add(self.exact.entry(name).or_default(), at);
    }

    fn add_needles(&mut self, item: &Item) {
        let labels = item.declarations.iter().filter(|one| one.key == item.key).map(|one| one.label.clone());
        let mut spellings: BTreeSet<String> = labels.collect();
        spellings.extend(item.copies.iter().filter_map(|copy| copy.place.key()));
        for key in std::iter::once(&item.key).chain(&item.aliases) {
            let upper = key.as_str();
            let lower = upper.to_lowercase();
            spellings.extend([upper.replace('_', "-"), lower.replace('_', "-"), upper.to_owned(), lower]);
        }
        self.needles.extend(spellings.iter().map(|spelling| plain_run(spelling).to_owned()));
        self.needles.insert(plain_run(item.id.as_str()).to_owned());
    }

    /// Drops needles that hold another one.
    fn shorten_needles(&mut self) {
        let mut by_length: Vec<String> = std::mem::take(&mut self.needles).into_iter().collect();
        by_length.sort_by_key(String::len);
        let mut kept: HashSet<String> = HashSet::new();
        for needle in by_length {
            let holds_one = (0..needle.len()).any(|from| {
                (from + 1..needle.len()).any(|to| needle.get(from..to).is_some_and(|part| kept.contains(part)))
            });
            if !holds_one && !kept.contains("") {
                kept.insert(needle);
            }
        }
        self.needles = kept.into_iter().collect();
    }

    /// The places that items lie at or are known by. For readers that have to ask for each.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.items.iter().flat_map(|item| item.places.iter().chain(&item.known_as))
    }

    /// Texts of which a record about an item of the inventory holds at least one, byte for byte: the last part of a path,
    /// the name of a role, a key in the spellings `DB_PASSWORD`, `db_password`, `DB-PASSWORD` and `db-password`, and as
    /// its sources write it. For readers that look before they parse.
    ///
    /// Only the longest run of letters, digits, `_`, `-` and `.` of a name counts, since that is what no format escapes;
    /// a name without one gives the empty text, which every record holds. A short name makes a short needle: leaving it
    /// out would lose records.
    pub fn needles(&self) -> &BTreeSet<String> {
        &self.needles
    }

    /// Whether a trail's name for a credential may be that of an item. An ARN always may: what it is another name of, the
    /// trail itself has to say.
    pub fn may_be(&self, target: &Place) -> bool {
        let text = target.as_str();
        text.split_once(':').is_some_and(|(_, path)| path.starts_with("arn:")) || {
            let mut found = Vec::new();
            self.find(text, &mut found);
            !found.is_empty()
        }
    }

    /// How many items lie in a path.
    pub(super) fn sharing(&self, path: &Place) -> usize {
        self.exact.get(path.as_str()).map_or(0, Vec::len)
    }

    pub(super) fn items(&self) -> &[Named] {
        &self.items
    }

    /// Adds the items of a name to `found`.
    fn find(&self, text: &str, found: &mut Vec<u32>) {
        if let Some(items) = self.exact.get(text) {
            return extend(found, items);
        }
        if let Some((path, _)) = text.rsplit_once('#')
            && let Some(items) = self.whole.get(path)
        {
            return extend(found, items);
        }
        if let Some(key) = text.strip_prefix("env:") {
            if let Some(items) = self.keys.get(&Key::new(key)) {
                extend(found, items);
            }
            return;
        }
        if text.contains(":arn:") {
            let canonical = canonical(&Place::from_stored(text.to_owned()));
            if canonical != text {
                self.find(&canonical, found);
            }
        }
    }
}

fn add(list: &mut Vec<u32>, at: u32) {
    if list.last() != Some(&at) {
        list.push(at);
    }
}

fn extend(found: &mut Vec<u32>, items: &[u32]) {
    for item in items {
        if !found.contains(item) {
            found.push(*item);
        }
    }
}

/// The longest run of characters that no format escapes.
fn plain_run(text: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.split(|c| !plain(c)).max_by_key(|run| run.len()).unwrap_or_default()
}

/// `db` of `db-AbCdEf`: Secrets Manager adds a hyphen and six letters to the name in an ARN.
fn without_arn_suffix(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) => name,
        _ => name,
    }
}

/// A place with the name in the stead of an ARN, where the ARN holds the name: `aws-secrets-manager:prod/db` of
/// `aws-secrets-manager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf`, `aws-ssm:/prod/db` of
/// `aws-ssm:arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db`.
pub(super) fn canonical(place: &Place) -> String {
    let text = place.as_str();
    let Some((source, arn)) = text.split_once(":arn:") else {
        return text.to_owned();
    };
    let (arn, key) = arn.rsplit_once('#').map_or((arn, None), |(arn, key)| (arn, Some(key)));
    // `partition:service:region:account:resource`
    let resource = arn.splitn(5, ':').nth(4).unwrap_or_default();
    let name = match (resource.strip_prefix("secret:"), resource.strip_prefix("parameter/")) {
        (Some(name), _) => without_arn_suffix(name).to_owned(),
        (_, Some(path)) => format!("/{path}"),
        _ => return text.to_owned(),
    };
    let key = key.map_or(String::new(), |key| format!("#{key}"));
    format!("{source}:{name}{key}")
}

/// Names that trails gave, at most; more are left out.
const MAX_NAMES: usize = 1 << 18;
/// Bytes of a name, at most; a longer one is left out.
const MAX_NAME_BYTES: usize = 2048;
/// Bytes of all of them, at most.
const MAX_BYTES: usize = 32 << 20;

/// What came of two names of one credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum United {
    /// They were that before, or are too many to be told.
    Before,
    /// They are one from now on.
    Now,
    /// Names that were nobody's are now those of an item.
    News,
}

/// Finds the items of names, with what trails say of names beside the inventory.
pub(super) struct Resolver<'a> {
    names: &'a Names,
    trails: &'a [Trail],
    nodes: HashMap<String, usize, Keyed>,
    texts: Vec<String>,
    parent: Vec<usize>,
    members: HashMap<usize, Vec<usize>>,
    /// The items of all names of a set, by its root.
    items: Vec<Vec<u32>>,
    bytes: usize,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(names: &'a Names, trails: &'a [Trail]) -> Self {
        let (nodes, texts, parent, members, items) = Default::default();
        Self { names, trails, nodes, texts, parent, members, items, bytes: 0 }
    }

    /// Takes two names of one credential.
    pub(super) fn unite(&mut self, a: &Place, b: &Place) -> United {
        let (Some(a), Some(b)) = (self.node(a.as_str()), self.node(b.as_str())) else {
            return United::Before;
        };
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return United::Before;
        }
        let news = self.items[a].is_empty() != self.items[b].is_empty();
        let size = |one: usize| self.members.get(&one).map_or(0, Vec::len);
        let (keep, drop) = if size(a) >= size(b) { (a, b) } else { (b, a) };
        self.parent[drop] = keep;
        let moved = self.members.remove(&drop).unwrap_or_default();
        self.members.entry(keep).or_default().extend(moved);
        let moved = std::mem::take(&mut self.items[drop]);
        extend(&mut self.items[keep], &moved);
        if news { United::News } else { United::Now }
    }

    fn node(&mut self, text: &str) -> Option<usize> {
        if let Some(at) = self.nodes.get(text) {
            return Some(*at);
        }
        if text.len() > MAX_NAME_BYTES || self.texts.len() >= MAX_NAMES || self.bytes + text.len() > MAX_BYTES {
            return None;
        }
        let at = self.texts.len();
        self.bytes += text.len();
        self.nodes.insert(text.to_owned(), at);
        self.texts.push(text.to_owned());
        self.parent.push(at);
        self.members.insert(at, vec![at]);
        let mut found = Vec::new();
        self.names.find(text, &mut found);
        self.items.push(found);
        Some(at)
    }

    fn root(&self, mut at: usize) -> usize {
        while self.parent[at] != at {
            at = self.parent[at];
        }
        at
    }

    /// The names that are known to be of one credential with this one.
    fn others(&self, text: &str) -> impl Iterator<Item = &str> {
        let root = self.nodes.get(text).map(|at| self.root(*at));
        let members = root.and_then(|root| self.members.get(&root));
        // A trail that says that a thousand names are one is not worth the time of them all.
        members.into_iter().flatten().take(16).map(|at| self.texts[*at].as_str()).filter(move |other| *other != text)
    }

    /// The items that an event is about, sorted.
    pub(super) fn find(&self, event: &Event, found: &mut Vec<u32>) {
        found.clear();
        let text = event.target.as_str();
        self.names.find(text, found);
        if !self.nodes.is_empty() {
            if let Some(at) = self.nodes.get(text) {
                extend(found, &self.items[self.root(*at)]);
            }
            if let Some((path, key)) = text.rsplit_once('#') {
                for other in self.others(path) {
                    self.names.find(&format!("{other}#{key}"), found);
                }
            }
        }
        if found.len() > 1 {
            if text.starts_with("env:") {
                self.narrow(event, found);
            }
            found.sort_unstable();
        }
    }

    /// Of the items of one key, those that the event's consumer loads, or that are of the environment that it or the trail
    /// names; all of them, where neither tells.
    fn narrow(&self, event: &Event, found: &mut Vec<u32>) {
        let trail = self.trails.get(event.trail);
        let consumer = event.consumer.as_deref().or_else(|| trail.and_then(|trail| trail.consumer.as_deref()));
        let item = |at: &u32| &self.names.items[*at as usize];
        let loaded: Vec<u32> = found
            .iter()
            .filter(|at| consumer.is_some_and(|consumer| item(at).consumers.iter().any(|one| one == consumer)))
            .copied()
            .collect();
        if !loaded.is_empty() {
            *found = loaded;
            return;
        }
        let named = consumer.and_then(Environment::in_path);
        let named = named.or_else(|| trail.and_then(|trail| Environment::in_path(&trail.name)));
        let of_it: Vec<u32> =
            found.iter().filter(|at| named.is_some() && item(at).environment == named).copied().collect();
        if !of_it.is_empty() {
            *found = of_it;
        }
    }
}

#[cfg(test)]
mod tests;
