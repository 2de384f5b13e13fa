use super::{Context, about_key};
use crate::cadence::Cadence;
use crate::model::{Class, Finding, Severity};

rule! {
    /// A secret that is to be rotated has no cadence.
    ///
    /// `rotation-required` without a frequency is a wish. A runbook that says `No (use OIDC/WIF)` names what to do
    /// instead of rotating: until that is done, the old key is still alive.
    ///
    /// # How to fix
    /// State a frequency in the runbook's table, or `cadence` in the schema or `[[secret]]`; or set
    /// `[policy] default_cadence`.
    "no-cadence", "KT2001", Cadence, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.inventory
        .secrets()
        .filter_map(|item| match &item.cadence {
            None if item.class == Some(Class::RotationRequired) => Some(
                about_key(&RULE, item, format!("Secret '{}' is rotation-required, but has no cadence.", item.key))
                    .at(item.location_of(|declaration| declaration.class == Some(Class::RotationRequired)))
                    .next(format!("state a cadence for {}, such as 90 days", item.key)),
            ),
            Some(Cadence::Unrotated { advice }) => {
                let advice = advice.as_deref().unwrap_or("replace it");
                Some(
                    about_key(
                        &RULE,
                        item,
                        format!("Secret '{}' is not rotated; its runbook says: {advice}.", item.key),
                    )
                    .severity(Severity::Low)
                    .at(item.location_of(|declaration| declaration.cadence.is_some()))
                    .next(format!("do so ({advice}) and delete {}, or state a cadence", item.key)),
                )
            }
            _ => None,
        })
        .collect()
}
