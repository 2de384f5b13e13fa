//! The mapping as statics.

use super::{Need, Relation};

/// A framework of controls, in one version of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Framework {
    /// Stable: `pci-dss-4.0.1`.
    pub id: &'static str,
    /// The spelling of `--framework`: `pci`.
    pub short: &'static str,
    /// `PCI DSS`.
    pub name: &'static str,
    /// `4.0.1`.
    pub version: &'static str,
    /// The controls that rules have to do with, in the order of their numbers.
    pub controls: &'static [Control],
}

/// A control.
#[derive(Debug, PartialEq, Eq)]
pub struct Control {
    /// As the framework spells it: `8.6.3`.
    pub id: &'static str,
    /// What it asks for, in a few words of ours.
    pub title: &'static str,
}

/// A control that a rule gives evidence for.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The framework.
    pub framework: &'static Framework,
    /// The control.
    pub control: &'static Control,
    /// How closely.
    pub relation: Relation,
    /// Why, in one line.
    pub rationale: &'static str,
}

/// The controls of a rule.
struct RuleControls {
    rule: &'static str,
    need: Need,
    none: Option<&'static str>,
    mappings: &'static [Mapping],
}

include!(concat!(env!("OUT_DIR"), "/controls.rs"));

impl Framework {
    /// The framework of that id or short name.
    pub fn find(name: &str) -> Option<&'static Framework> {
        let is_it = |framework: &&Framework| framework.short == name || framework.id == name;
        FRAMEWORKS.iter().copied().find(is_it)
    }
}

impl Mapping {
    /// As findings spell it: `pci-dss-4.0.1:8.6.3`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.framework.id, self.control.id)
    }
}

/// The controls of a rule, by framework and number; none for a rule that is not known.
pub fn of_rule(rule: &str) -> &'static [Mapping] {
    find(rule).map(|found| found.mappings).unwrap_or_default()
}

/// Why a rule has to do with no control, where it has not.
pub fn none_of(rule: &str) -> Option<&'static str> {
    find(rule).and_then(|found| found.none)
}

/// What a rule looks at.
pub fn need_of(rule: &str) -> Option<Need> {
    find(rule).map(|found| found.need)
}

fn find(rule: &str) -> Option<&'static RuleControls> {
    RULES.iter().find(|one| one.rule == rule)
}
