//! The table of rules. Each rule is one file of [`checks/`](self), whose doc comment is its documentation.

use std::collections::BTreeSet;

use crate::correlate::Correlation;
use crate::inventory::{Inventory, Item};
use crate::leaks::LeakReport;
use crate::model::{Declaration, Evidence, Finding, SecretCopy, Severity, Snapshot, Time};
use crate::policy::{Exception, Policy};

/// What a rule is and does.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case, and names the bad thing: `overdue-rotation`.
    pub id: &'static str,
    /// Opaque stable id for SARIF: `KT2001`. 1xxx is inventory, 2xxx cadence, 3xxx leaks, 4xxx trails, 5xxx rotation.
    pub code: &'static str,
    /// The severity of its findings, unless a finding says otherwise.
    pub severity: Severity,
    /// The part of a scan that it belongs to (`--only`).
    pub facet: Facet,
    /// Whether `keytrail scan --fix` can mend what it finds.
    pub fixable: bool,
    /// Its documentation as the compiler hands it over: every line begins with a space. See [`Rule::markdown`].
    docs: &'static str,
    /// Finds what is wrong.
    pub check: fn(&Context<'_>) -> Vec<Finding>,
}

impl Rule {
    /// The first line of the documentation: one sentence.
    pub fn summary(&self) -> &'static str {
        self.docs.lines().next().unwrap_or_default().trim()
    }

    /// The documentation: Markdown, whose first line is the summary.
    pub fn markdown(&self) -> String {
        self.docs
            .lines()
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n")
    }

    /// The rule of that id or code.
    pub fn find(name: &str) -> Option<&'static Rule> {
        RULES.iter().copied().find(|rule| rule.id == name || rule.code.eq_ignore_ascii_case(name))
    }
}

/// A part of a scan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facet {
    /// What there is, who owns it, and where it lies.
    Inventory,
    /// Whether it is rotated in time.
    Cadence,
    /// Whether it leaked.
    Leaks,
    /// Whether every change left its traces.
    Trails,
}

impl Facet {
    /// Every facet.
    pub const ALL: [Self; 4] = [Self::Inventory, Self::Cadence, Self::Leaks, Self::Trails];

    /// The spelling of `--only`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Cadence => "cadence",
            Self::Leaks => "leaks",
            Self::Trails => "trails",
        }
    }
}

/// Everything that a rule may look at.
#[derive(Debug)]
pub struct Context<'a> {
    /// What the scan saw.
    pub snapshot: &'a Snapshot,
    /// What the organisation asks for.
    pub policy: &'a Policy,
    /// The snapshot, merged into items with ages and due dates.
    pub inventory: &'a Inventory,
    /// The leaks, with the items that they belong to.
    pub leaks: &'a [LeakReport],
    /// What the trails say together; nothing where none was read.
    pub correlation: &'a Correlation,
    /// The parts of the scan that run.
    pub facets: &'a BTreeSet<Facet>,
    /// What the other rules found, for rules about exceptions; empty for all others.
    pub raised: &'a [Finding],
}

impl Context<'_> {
    /// Whether an exception speaks of a finding, whenever it holds: of its rule, and of its item or of one whose place
    /// it rests on.
    pub fn covers(&self, exception: &Exception, finding: &Finding) -> bool {
        let rests_on = |item: &Item| {
            let mut places = finding.evidence.iter().filter_map(|evidence| evidence.place.as_ref());
            places.any(|place| item.copies.iter().any(|copy| copy.place == *place))
        };
        let is_about = |item: &Item| finding.item.as_ref() == Some(&item.id) || rests_on(item);
        exception.rule == finding.rule
            && (exception.secret.is_none()
                || self.inventory.items.values().any(|item| exception.names(item) && is_about(item)))
    }
}

/// Declares a rule: the doc comment is its documentation; the first line is its summary.
macro_rules! rule {
    ($(#[doc = $line:literal])* $id:literal, $code:literal, $facet:ident, $severity:ident) => {
        rule!(@ $(#[doc = $line])* $id, $code, $facet, $severity, false);
    };
    ($(#[doc = $line:literal])* $id:literal, $code:literal, $facet:ident, $severity:ident, fixable) => {
        rule!(@ $(#[doc = $line])* $id, $code, $facet, $severity, true);
    };
    (@ $(#[doc = $line:literal])* $id:literal, $code:literal, $facet:ident, $severity:ident, $fixable:literal) => {
        $(#[doc = $line])*
        pub(super) static RULE: $crate::checks::Rule = $crate::checks::Rule {
            id: $id,
            code: $code,
            severity: $crate::model::Severity::$severity,
            facet: $crate::checks::Facet::$facet,
            fixable: $fixable,
            docs: concat!($($line, "\n"),*),
            check,
        };
    };
}

mod changes;

/// Declares the modules of the rules and lists them: one line a rule.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every rule, in the order in which a report groups them.
        pub static RULES: &[&Rule] = &[$(&$name::RULE),*];
    };
}

table![
    // Inventory
    undeclared_secret,
    declared_but_missing,
    secret_in_plain_class,
    secret_in_configmap,
    placeholder_in_production,
    shared_value,
    no_owner,
    owner_conflict,
    class_conflict,
    populated_secret_manifest,
    schema_drift,
    direct_environ_read,
    hardcoded_credential_url,
    weak_key_file_mode,
    // Cadence
    no_cadence,
    unreadable_cadence,
    cadence_conflict,
    overdue_rotation,
    never_rotated,
    rotation_due_soon,
    unknown_age,
    event_due_rotation,
    stale_derived_secret,
    // Leaks
    leaked_current_value,
    leaked_previous_value,
    leaked_unmanaged_secret,
    // Trails
    silent_rotation,
    requested_never_applied,
    applied_never_loaded,
    unproven_rotation,
    no_op_rotation,
    value_regression,
    partial_group_rotation,
    old_version_alive,
    trail_gap,
    trail_tampered,
    unexpected_reader,
    auto_rotation_off,
    auto_rotation_failing,
    deleted_out_of_band,
    // Rotation
    stuck_rotation,
    // Reads what the others found
    stale_exception,
];

/// A finding about an item: its line is the item's, its fingerprint hangs on the rule and the item alone.
fn about(rule: &Rule, item: &Item, message: impl Into<String>) -> Finding {
    Finding::new(rule, item.id.as_str(), message).item(item.id.clone()).at(item.location())
}

/// A finding about what is declared of a key: one for all its environments.
fn about_key(rule: &Rule, item: &Item, message: impl Into<String>) -> Finding {
    let fingerprint = Finding::new(rule, item.key.as_str(), "").fingerprint;
    Finding { fingerprint, ..about(rule, item, message) }
}

/// A finding about places that expose a secret: another place is another finding, which a baseline does not hide.
fn about_places(rule: &Rule, item: &Item, places: &[&SecretCopy], message: impl Into<String>) -> Finding {
    let mut subject = vec![item.id.as_str()];
    subject.extend(places.iter().map(|copy| copy.place.as_str()));
    let fingerprint = Finding::new(rule, &subject.join("\n"), "").fingerprint;
    Finding { fingerprint, ..about(rule, item, message) }
}

/// Evidence for every copy.
fn copies<'a>(copies: impl IntoIterator<Item = &'a SecretCopy>) -> Vec<Evidence> {
    let note = |copy: &SecretCopy| format!("{} in {}", copy.kind.as_str(), copy.place);
    copies.into_iter().map(|copy| Evidence::new(note(copy), copy.location.clone(), Some(copy.place.clone()))).collect()
}

/// What every declaration of an item says of one thing, as evidence; and each different thing that is said, once.
fn stated<'a, T: Ord>(
    item: &'a Item,
    say: impl Fn(&'a Declaration) -> Option<(T, String)>,
) -> (BTreeSet<T>, Vec<Evidence>) {
    let mut different = BTreeSet::new();
    let mut evidence = Vec::new();
    for declaration in &item.declarations {
        if let Some((thing, note)) = say(declaration) {
            different.insert(thing);
            evidence.push(Evidence::new(note, declaration.location.clone(), declaration.places.first().cloned()));
        }
    }
    (different, evidence)
}

/// `2026-03-01`.
fn day(time: Time) -> String {
    time.format("%Y-%m-%d").to_string()
}

/// Whole days from `from` to `to`; 0 where `from` is later.
fn days_between(from: Time, to: Time) -> i64 {
    (to - from).num_days().max(0)
}

/// `1 day`, `2 days`.
fn count(number: i64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests;
