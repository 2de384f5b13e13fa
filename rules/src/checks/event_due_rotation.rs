use super::overdue_rotation::cadence;
use super::{Context, about, day};
use crate::cadence::Cadence;
use crate::inventory::{Derivation, Sync};
use crate::model::{Evidence, Finding};
use crate::report::ItemStatus;

rule! {
    /// Something happened that a secret is to be rotated on, and it was not rotated.
    ///
    /// A `DATABASE_URL` that is to change "on password change" is due once the password was changed after it. The
    /// source is what `derived_from` names; else the secret whose value is inside; else the only secret of the same
    /// path that the words of the cadence fit.
    ///
    /// # How to fix
    /// Build it anew from its source, and write it everywhere that it is copied to.
    "event-due-rotation", "KT2008", Cadence, High, fixable
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let due = cx
        .inventory
        .secrets()
        .filter(|item| item.status == ItemStatus::EventDue && matches!(item.cadence, Some(Cadence::On(_))));
    due.map(|item| {
        let stale: Vec<&Derivation> = item.derived_from.iter().filter(|one| one.sync.is_stale()).collect();
        let names = stale.iter().map(|one| format!("'{}'", one.source)).collect::<Vec<_>>().join(", ");
        about(
            &RULE,
            item,
            format!("Secret '{}' is to be rotated {}, and has not followed {names}.", item.id, cadence(item)),
        )
        .at(item.location_of(|declaration| declaration.cadence.is_some()))
        .evidence(stale.iter().flat_map(|one| proof(cx, one)))
        .next(format!("build {} anew from {names} and write it to all its places", item.id))
    })
    .collect()
}

/// What shows that a derived secret does not follow its source.
pub(super) fn proof(cx: &Context<'_>, derivation: &Derivation) -> Option<Evidence> {
    let source = cx.inventory.items.get(&derivation.source)?;
    let note = match (derivation.sync, &source.age) {
        (Sync::HoldsOldValue, _) => format!("the value inside it is not the current one of {}", source.id),
        (_, Some(age)) => format!("{} was changed by {}, after it", source.id, day(age.not_after)),
        (_, None) => format!("{} was changed after it", source.id),
    };
    Some(Evidence::new(note, source.location(), source.copies.first().map(|copy| copy.place.clone())))
}
