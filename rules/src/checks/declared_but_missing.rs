use super::{Context, about_key};
use crate::inventory::Item;
use crate::model::{Class, Evidence, Finding, Gap, Location, Origin, Place, Snapshot};
use crate::value::{Shape, Value};

rule! {
    /// A declared secret is not where it is declared to be.
    ///
    /// A runbook or config names a place for it, the store was read, and the place is empty; or the schema says that
    /// it is required, and nothing in the tree or the stores holds or loads it. Either the inventory is out of date,
    /// or a deployment will fail for want of it. A place in a store that could not be read is a gap, and no finding.
    ///
    /// # How to fix
    /// Write the value to the place, or correct the declaration.
    "declared-but-missing", "KT1002", Inventory, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory.secrets().filter_map(|item| absent_places(cx, item).or_else(|| absent_everywhere(cx, item))).collect()
}

fn absent_places(cx: &Context<'_>, item: &Item) -> Option<Finding> {
    let mut absent: Vec<(&Place, Option<&Location>)> = item
        .declarations
        .iter()
        .filter(|declaration| declaration.origin != Origin::Store)
        .flat_map(|declaration| declaration.places.iter().map(|place| (place, declaration.location.as_ref())))
        .filter(|(place, _)| was_read(cx.snapshot, place) && !cx.inventory.places.contains(*place))
        .collect();
    absent.sort();
    absent.dedup();
    let (first, location) = absent.first()?;
    let more = if absent.len() > 1 { format!(" and {} more", absent.len() - 1) } else { String::new() };
    let evidence = absent.iter().map(|(place, location)| {
        Evidence::new(format!("nothing in {place}"), location.cloned(), Some((*place).clone()))
    });
    let message = format!("Secret '{}' is declared to be in {first}{more}, and is not there.", item.key);
    Some(
        about_key(&RULE, item, message)
            .at(location.cloned().or_else(|| item.location()))
            .evidence(evidence)
            .next(format!("write the value to {first}, or correct the declaration")),
    )
}

/// Whether the source of a place was read, and nothing of its path was refused.
fn was_read(snapshot: &Snapshot, place: &Place) -> bool {
    let hides = |gap: &Gap| {
        gap.source == place.source()
            && gap.place.as_ref().is_none_or(|refused| {
                let (refused, path) = (refused.path(), place.path());
                path == refused || path.starts_with(&format!("{}/", refused.trim_end_matches('/')))
            })
    };
    let in_scope = snapshot.facts.scope.iter().any(|scope| scope.source == place.source());
    in_scope && !snapshot.facts.gaps.iter().any(hides)
}

fn absent_everywhere(cx: &Context<'_>, item: &Item) -> Option<Finding> {
    let required = item.declarations.iter().find(|declaration| declaration.required == Some(true))?;
    let somewhere_else = item.declarations.iter().any(|declaration| !declaration.places.is_empty());
    let seen = !item.copies.is_empty() || !item.uses.is_empty();
    // A default that is a reference or a function (varlock's `exec(…)`) is where the value comes from.
    let has_default = |default: &Value| !matches!(default.shape, Shape::Empty | Shape::Placeholder);
    let resolved = item.declarations.iter().filter_map(|declaration| declaration.default.as_ref()).any(has_default);
    let looked = !cx.snapshot.facts.copies.is_empty();
    if seen || resolved || somewhere_else || !looked || item.class < Some(Class::Secret) {
        return None;
    }
    Some(
        about_key(
            &RULE,
            item,
            format!("Secret '{}' is required by the schema, but nothing holds or loads it.", item.key),
        )
        .at(required.location.clone())
        .next(format!("add {} to a store or a generated file, or mark it required: false", item.key)),
    )
}
