use super::Context;
use super::changes::{about_change, by, changes, instant, shown, the_change, trails_of};
use crate::correlate::{Flag, Rotation, Silence, Verdict};
use crate::inventory::Item;
use crate::model::{Finding, Role, Severity};

rule! {
    /// A value changed, and nobody asked for it.
    ///
    /// The ledger is complete over the time of the change and has no request. It is critical where the change went past
    /// the store (who honours the credential was changed directly) and where no event shows it at all, only the state
    /// before and after; where a machine did that by itself, it is not. Every rotation leaves three traces; if you cannot see
    /// all three, file an incident.
    ///
    /// # How to fix
    /// Find out who did it and why: `keytrail trace ITEM` shows the records. Where it was meant, ask for the next one in the
    /// ledger first; where it was not, rotate the secret.
    "silent-rotation", "KT4001", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    changes(cx, |rotation| rotation.verdict == Verdict::Silent)
        .map(|(item, rotation)| {
            let (message, severity) = describe(cx, item, rotation);
            about_change(&RULE, item, rotation, message).severity(severity)
        })
        .collect()
}

fn describe(cx: &Context<'_>, item: &Item, rotation: &Rotation) -> (String, Severity) {
    let event = the_change(rotation);
    let (at, by) = (instant(rotation.at), by(event));
    let proof = event.map_or_else(String::new, |event| format!(", {}", shown(event)));
    let no_request = format!("no request for it is in {}", trails_of(cx, Role::Ledger));
    let automatic = rotation.flags.contains(&Flag::Automatic);
    let machine = if automatic { "; a machine did it by itself" } else { "" };
    let (how, severity) = match rotation.silent {
        Some(Silence::OutOfBand) => (
            format!(
                "was changed past its store at {at}{by}{proof}; no write is in {}, and",
                trails_of(cx, Role::Store)
            ),
            Severity::Critical,
        ),
        Some(Silence::StateOnly) => (
            format!("was changed by {at}, and no event shows it, only its state{proof};"),
            if automatic { Severity::High } else { Severity::Critical },
        ),
        Some(Silence::NoRequest) | None => (format!("was changed silently at {at}{by}{proof};"), Severity::High),
    };
    (format!("Secret '{}' {how} {no_request}{machine}.", item.id), severity)
}
