use std::collections::{BTreeMap, BTreeSet};

use super::changes::{instant, location, short, spot};
use super::{Context, count};
use crate::correlate::Reading;
use crate::inventory::{Item, ItemId};
use crate::model::{Evidence, Finding};

rule! {
    /// Somebody reads a secret who is not declared to.
    ///
    /// The secret says who may read it (`readers` of its `[[secret]]`), and a trail shows another principal, who is no
    /// consumer of it either. A secret that declares no readers is not judged.
    ///
    /// # How to fix
    /// Take the right to read away, and rotate the secret if that principal should never have had it; or add it to `readers`.
    "unexpected-reader", "KT4011", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut strangers: BTreeMap<(&ItemId, &str), Vec<&Reading>> = BTreeMap::new();
    for reading in &cx.correlation.readings {
        if cx.inventory.items.get(&reading.item).is_some_and(|item| is_stranger(item, &reading.actor)) {
            strangers.entry((&reading.item, &reading.actor)).or_default().push(reading);
        }
    }
    strangers.into_iter().map(|((item, actor), readings)| finding(item, actor, &readings)).collect()
}

fn is_stranger(item: &Item, actor: &str) -> bool {
    let readers: BTreeSet<&str> =
        item.declarations.iter().flat_map(|declaration| declaration.readers.iter().map(String::as_str)).collect();
    let declared = readers.iter().any(|pattern| matches(pattern, actor));
    !readers.is_empty() && !declared && !item.consumers().into_iter().any(|consumer| is_consumer(consumer, actor))
}

/// Whether a principal is a workload: by its own name, or by the Kubernetes service account of that name as the API
/// server and Vault's Kubernetes login call it.
fn is_consumer(consumer: &str, actor: &str) -> bool {
    let accounts = || {
        let (namespace, rest) = consumer.strip_prefix("kubernetes:")?.split_once('/')?;
        let (_, name) = rest.split_once('/')?;
        Some([format!("system:serviceaccount:{namespace}:{name}"), format!("kubernetes-{namespace}-{name}")])
    };
    consumer == actor || accounts().is_some_and(|accounts| accounts.iter().any(|account| account == actor))
}

/// Whether a name fits a pattern in which `*` stands for any letters. Takes the product of their lengths at most.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut next) = (0, 0);
    // Where the last `*` was, and how far it reaches.
    let mut star: Option<(usize, usize)> = None;
    while next < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, next));
            at += 1;
        } else if pattern.get(at) == Some(&name[next]) {
            at += 1;
            next += 1;
        } else if let Some((asterisk, reached)) = star {
            star = Some((asterisk, reached + 1));
            at = asterisk + 1;
            next = reached + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

fn finding(item: &ItemId, actor: &str, readings: &[&Reading]) -> Finding {
    let times = readings.iter().map(|reading| reading.count).fold(0, u64::saturating_add);
    let first = readings.iter().map(|reading| reading.first).min();
    let last = readings.iter().map(|reading| reading.last).max();
    let span = match (first, last) {
        (Some(first), Some(last)) if first < last => format!("between {} and {}", instant(first), instant(last)),
        (Some(first), _) => format!("at {}", instant(first)),
        (None, _) => String::new(),
    };
    let times = count(i64::try_from(times).unwrap_or(i64::MAX), "time");
    let actor_shown = short(actor);
    let message =
        format!("Secret '{item}' was read {times} {span} by {actor_shown}, who is none of its declared readers.");
    let evidence = readings.iter().map(|reading| {
        let note = format!(
            "{}: read by {actor_shown}, first at {}, in {}",
            reading.trail,
            instant(reading.first),
            spot(&reading.raw)
        );
        Evidence::new(note, location(&reading.raw), None)
    });
    Finding::new(&RULE, &format!("{item}\n{actor}"), message)
        .item(item.clone())
        .at(readings.iter().find_map(|reading| location(&reading.raw)))
        .evidence(evidence)
        .next(format!("take the right to read {item} away from {actor_shown}, or add it to its readers"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn an_asterisk_stands_for_any_letters() {
        for (pattern, name, fits) in [
            ("ci", "ci", true),
            ("ci", "ci2", false),
            ("ci-*", "ci-", true),
            ("ci-*", "xci-1", false),
            ("*:api", "system:serviceaccount:shop:api", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "x", false),
            ("", "", true),
            ("**", "", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_name_fits_itself_and_any_part_replaced(name in "[a-c]{0,12}", from in 0usize..12, to in 0usize..12) {
            prop_assert!(matches(&name, &name));
            let (from, to) = (from.min(to).min(name.len()), to.max(from).min(name.len()));
            let pattern = format!("{}*{}", &name[..from], &name[to..]);
            prop_assert!(matches(&pattern, &name));
        }
    }
}
