//! Whether the report is of everything that there is: what each store holds, against what the report says of it.

use std::collections::BTreeSet;

use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::Place;
use serde::{Deserialize, Serialize};

use super::Evidence;

/// The population of one store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Population {
    pub(super) store: String,
    pub(super) kind: String,
    /// Places with a value that were read of it.
    pub(super) in_store: u64,
    /// Those of them that the report lists as copies of secrets.
    pub(super) in_report: u64,
    /// Those of them that hold plain variables, which are no secrets.
    pub(super) plain: u64,
    /// What is in the one and not in the other, with no such reason.
    pub(super) differences: Vec<Difference>,
    /// What could not be read of it.
    pub(super) gaps: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Difference {
    pub(super) place: String,
    pub(super) what: String,
}

/// Every store of the config, and every other source that places of the report lie in.
pub(super) fn populations(evidence: &Evidence<'_>) -> Vec<Population> {
    let inventory = Inventory::new(evidence.snapshot, &evidence.config.policy);
    let items = || inventory.items.values();
    let held: BTreeSet<&Place> = evidence.snapshot.facts.copies.iter().map(|copy| &copy.place).collect();
    let reported: BTreeSet<&Place> =
        evidence.report.items.iter().flat_map(|item| &item.copies).map(|copy| &copy.place).collect();
    let plain: BTreeSet<&Place> =
        items().filter(|item| !item.is_secret).flat_map(|item| &item.copies).map(|copy| &copy.place).collect();
    let declared: BTreeSet<&Place> = items()
        .filter(|item| item.is_secret)
        .flat_map(|item| item.declarations.iter().flat_map(|one| &one.places))
        .collect();
    let stores = evidence.config.stores.iter().map(|store| (store.name.clone(), store.kind.clone()));
    let mut sources: Vec<(String, String)> = stores.collect();
    for source in held.union(&reported).map(|place| place.source()).collect::<BTreeSet<_>>() {
        if !sources.iter().any(|(name, _)| name == source) {
            sources.push((source.to_owned(), source.to_owned()));
        }
    }
    let of = |places: &BTreeSet<&Place>, store: &str| -> BTreeSet<String> {
        places.iter().filter(|place| place.source() == store).map(|place| place.as_str().to_owned()).collect()
    };
    let population = |(store, kind): (String, String)| {
        let (held, reported, plain) = (of(&held, &store), of(&reported, &store), of(&plain, &store));
        let difference = |place: &String, what: &str| Difference { place: place.clone(), what: what.to_owned() };
        let unreported = held.iter().filter(|place| !reported.contains(*place) && !plain.contains(*place));
        let unheld = reported.difference(&held);
        let is_part = |place: &String| {
            held.iter().any(|one| one.strip_prefix(place.as_str()).is_some_and(|rest| rest.starts_with('#')))
        };
        let declared = of(&declared, &store);
        let missing = declared.iter().filter(|place| !held.contains(*place) && !is_part(place));
        let differences = unreported.map(|place| difference(place, "it is in the store and not in the report"));
        let differences =
            differences.chain(unheld.map(|place| difference(place, "it is in the report and not in the store")));
        let differences =
            differences.chain(missing.map(|place| difference(place, "it is declared and not in the store")));
        Population {
            in_store: held.len() as u64,
            in_report: reported.intersection(&held).count() as u64,
            plain: plain.intersection(&held).filter(|place| !reported.contains(*place)).count() as u64,
            differences: differences.collect(),
            gaps: evidence.report.gaps.iter().filter(|gap| gap.source == store).count() as u64,
            store,
            kind,
        }
    };
    sources.into_iter().map(population).collect()
}
