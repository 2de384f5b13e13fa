use super::Context;
use crate::model::{Declaration, Finding, Origin};

rule! {
    /// A cadence is written in words that are not understood.
    ///
    /// Keytrail does not guess: a frequency that it misreads would be a secret that is never due. It reads `90 days`,
    /// `3 months`, `quarterly`, `365d`, ISO 8601 durations (`P90D`), `on password change`, `on compromise/expiry`,
    /// `never (static)`, `RDS: Yes`, `No (use OIDC/WIF)`.
    ///
    /// # How to fix
    /// Write it in one of these ways.
    "unreadable-cadence", "KT2002", Cadence, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for declaration in &cx.snapshot.facts.declarations {
        if let Some(cadence) = declaration.cadence.as_ref().filter(|cadence| cadence.meaning.is_none()) {
            findings.push(report(declaration, "cadence", &cadence.text));
        }
        if let Some(auto) = declaration.auto_rotation.as_ref().filter(|auto| auto.meaning.is_none()) {
            findings.push(report(declaration, "auto-rotation", &auto.text));
        }
    }
    findings
}

fn report(declaration: &Declaration, what: &str, text: &str) -> Finding {
    let place = declaration.places.first().map(ToString::to_string);
    let source = declaration.location.as_ref().map(|location| location.file.clone()).or(place).unwrap_or_default();
    let message = format!("The {what} '{text}' of '{}' is not understood.", declaration.label);
    // A store has no line: the finding then hangs on the place.
    let location = declaration.location.clone().filter(|_| declaration.origin != Origin::Store);
    Finding::new(&RULE, &format!("{source}\n{}\n{what}\n{text}", declaration.key), message)
        .at(location)
        .next("write a period (90 days, quarterly, P90D) or an event (on password change, on compromise/expiry)")
}
