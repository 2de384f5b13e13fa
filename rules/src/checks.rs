//! The table of rules. Each rule is one file of [`checks/`](self), whose doc comment is its documentation.

use crate::inventory::Inventory;
use crate::model::{Finding, Severity, Snapshot};
use crate::policy::Policy;

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
    /// Its documentation: the doc comment of its file, Markdown. The first line is the summary.
    pub docs: &'static str,
    /// Finds what is wrong.
    pub check: fn(&Context<'_>) -> Vec<Finding>,
}

impl Rule {
    /// The first line of the documentation: one sentence.
    pub fn summary(&self) -> &'static str {
        self.docs.lines().next().unwrap_or_default().trim()
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
    /// What the other rules found, for rules about exceptions; empty for all others.
    pub raised: &'a [Finding],
}

/// Declares a rule: the doc comment is its documentation.
macro_rules! rule {
    ($(#[doc = $line:literal])* $id:literal, $code:literal, $facet:ident, $severity:ident $(, $fixable:ident)?) => {
        $(#[doc = $line])*
        pub static RULE: $crate::checks::Rule = $crate::checks::Rule {
            id: $id,
            code: $code,
            severity: $crate::model::Severity::$severity,
            facet: $crate::checks::Facet::$facet,
            fixable: false $(|| stringify!($fixable).len() == 7)?,
            docs: concat!($($line, "\n"),*),
            check,
        };
    };
}
use rule;

/// Declares the modules of the rules and lists them: one line a rule.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every rule, in the order in which a report groups them.
        pub static RULES: &[&Rule] = &[$(&$name::RULE),*];
    };
}

table![];
