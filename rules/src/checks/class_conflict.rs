use super::{Context, about_key, stated};
use crate::model::{Class, Finding};

rule! {
    /// Two sources classify one variable differently.
    ///
    /// The stricter class stands: `rotation-required` over `secret` over `plain`.
    ///
    /// # How to fix
    /// Correct the line that is wrong.
    "class-conflict", "KT1009", Inventory, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .items
        .values()
        .filter_map(|item| {
            let (classes, evidence) =
                stated(item, |declaration| declaration.class.map(|class| (class, format!("class {}", class.as_str()))));
            (classes.len() > 1).then(|| {
                let stands = item.class.map(Class::as_str).unwrap_or_default();
                about_key(
                    &RULE,
                    item,
                    format!("'{}' is classified in {} ways; '{stands}' stands.", item.key, classes.len()),
                )
                .at(item.location_of(|declaration| declaration.class.is_some()))
                .evidence(evidence)
                .next("make the lines agree")
            })
        })
        .collect()
}
