//! Controls of frameworks that rules give evidence for. Evidence is not compliance: whether a control is met, an assessor
//! says.
//!
//! `controls.toml` has the mapping of rules to controls, with a reason for each. It is read when the program is built.

mod assess;
mod need;
#[cfg(test)]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the build uses it")]
mod spec;
mod table;

pub(crate) use assess::{assess, recount};
pub use need::Need;
use serde::Serialize;
pub use table::{Control, FRAMEWORKS, Framework, Mapping, VERSION, need_of, none_of, of_rule};

/// A control of a framework, and what the rules have to say on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ControlReport {
    /// The framework: `pci-dss-4.0.1`.
    pub framework: String,
    /// The control, as the framework calls it: `8.6.3`.
    pub control: String,
    /// What it asks for, in a few words of ours.
    pub title: String,
    /// What the scan says.
    pub status: ControlStatus,
    /// Findings that count, of all of its rules.
    pub findings: u64,
    /// The rules that give evidence for it.
    pub rules: Vec<RuleEvidence>,
}

/// What a scan says on a control: on its direct rules alone. Those that support it are counted, and change nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlStatus {
    /// One of them found something, whether it counts or is let pass.
    Findings,
    /// All of them looked, and found nothing.
    Evidence,
    /// Nothing was found, and one of them did not look or could not: it is off, what it needs was not there to see (see
    /// [`Need`]), or a source could not be read. Or no rule bears on the control directly.
    NotAssessed,
}

impl ControlStatus {
    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Evidence => "evidence",
            Self::NotAssessed => "not-assessed",
        }
    }
}

/// How a rule bears on a control.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct RuleEvidence {
    /// The rule.
    pub rule: String,
    /// How closely.
    pub relation: Relation,
    /// Why, in one line.
    pub rationale: String,
    /// How many findings of it count.
    pub findings: u64,
    /// Whether it ran, and what it needs was there to see.
    pub ran: bool,
}

/// How closely a rule bears on a control.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// What it finds is what the control asks not to be.
    Direct,
    /// What it finds makes it less likely that the control is met.
    Supporting,
}

impl Relation {
    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Supporting => "supporting",
        }
    }
}

#[cfg(test)]
mod tests;
