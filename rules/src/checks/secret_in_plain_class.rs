use super::{Context, about, copies};
use crate::inventory::Item;
use crate::model::{Class, Evidence, Finding, Severity};

rule! {
    /// A variable is declared plain, but its value or its name is that of a secret.
    ///
    /// Plain variables go to ConfigMaps, build logs and screenshots. The value decides first: a URL with a password
    /// in it, a private key or a long random token is a secret under any name, and so is such a default in the
    /// schema. A name alone (`…_PASSWORD`, `…_TOKEN`) gives a lower severity.
    ///
    /// # How to fix
    /// Classify it `secret` or `rotation-required`, move it to a secret store, and rotate it: it was in the open.
    "secret-in-plain-class", "KT1003", Inventory, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory.items.values().filter(|item| item.class == Some(Class::Plain)).filter_map(judge).collect()
}

fn judge(item: &Item) -> Option<Finding> {
    let plain = |declaration: &crate::model::Declaration| declaration.class == Some(Class::Plain);
    let default = item.declarations.iter().find_map(|declaration| {
        let reveals = item.reveal(declaration.default.as_ref()?)?;
        Some((
            reveals,
            Evidence::new(format!("its default is {}", reveals.describe()), declaration.location.clone(), None),
        ))
    });
    let copy = item.copies.iter().find_map(|copy| Some((item.reveal(&copy.value)?, copy)));
    let finding = |why: String| {
        about(&RULE, item, format!("'{}' is declared plain, but {why}.", item.id))
            .at(item.location_of(plain))
            .next(format!("classify {} as secret or rotation-required, move it to a store, and rotate it", item.key))
    };
    match (default, copy) {
        (Some((reveals, evidence)), _) => {
            Some(finding(format!("its default is {}", reveals.describe())).evidence([evidence]))
        }
        (None, Some((reveals, copy))) => {
            Some(finding(format!("its value in {} is {}", copy.place, reveals.describe())).evidence(copies([copy])))
        }
        (None, None) if item.has_secret_name() => Some(
            finding("its name is that of a secret".into()).severity(Severity::Medium).evidence(copies(&item.copies)),
        ),
        (None, None) => None,
    }
}
