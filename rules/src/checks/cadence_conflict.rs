use super::{Context, about_key, stated};
use crate::model::Finding;

rule! {
    /// Two sources state different cadences for one secret.
    ///
    /// The stricter stands: the shorter period; a period over an event; an event over "never".
    ///
    /// # How to fix
    /// Correct the line that is wrong.
    "cadence-conflict", "KT2003", Cadence, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        .filter_map(|item| {
            let (cadences, evidence) = stated(item, |declaration| {
                let cadence = declaration.cadence.as_ref()?;
                Some((cadence.meaning.clone()?, format!("cadence '{}'", cadence.text)))
            });
            (cadences.len() > 1).then(|| {
                let stands = item.cadence.as_ref().map(ToString::to_string).unwrap_or_default();
                about_key(
                    &RULE,
                    item,
                    format!("Secret '{}' has {} cadences; the stricter, {stands}, stands.", item.key, cadences.len()),
                )
                .at(item.location_of(|declaration| declaration.cadence.is_some()))
                .evidence(evidence)
                .next("make the lines agree")
            })
        })
        .collect()
}
