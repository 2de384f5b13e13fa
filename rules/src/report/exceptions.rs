//! What is let pass, so that a report shows it beside what is wrong.

use serde::Serialize;

use crate::model::{Location, Time};
use crate::policy::{Exception, Policy};

/// An exception of the policy, and what it lets pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ExceptionReport {
    /// The rule.
    pub rule: String,
    /// The secret, as the config names it; none for every secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Why.
    pub reason: String,
    /// Who approved it, where the config says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The first instant at which it no longer holds.
    pub expires: Time,
    /// Whether it holds.
    pub state: ExceptionState,
    /// How many findings it covers.
    pub covers: u64,
    /// The line of the config.
    pub location: Location,
}

/// Whether an exception holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionState {
    /// It ran out.
    Expired,
    /// It holds, and ends within 30 days.
    Ending,
    /// It holds.
    Active,
}

impl ExceptionState {
    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Ending => "ending",
            Self::Active => "active",
        }
    }

    fn of(exception: &Exception, as_of: Time) -> Self {
        match exception.expires {
            end if end <= as_of => Self::Expired,
            end if end - as_of <= chrono::TimeDelta::days(30) => Self::Ending,
            _ => Self::Active,
        }
    }
}

/// The exceptions of a policy, those that end first at the front. `covers` says how many findings each covers, in the
/// order of the policy.
pub(super) fn exceptions(policy: &Policy, as_of: Time, covers: &[u64]) -> Vec<ExceptionReport> {
    let mut all: Vec<ExceptionReport> = policy
        .exceptions
        .iter()
        .zip(covers)
        .map(|(one, covers)| ExceptionReport {
            rule: one.rule.clone(),
            secret: one.secret.clone(),
            reason: one.reason.clone(),
            approved_by: one.approved_by.clone(),
            expires: one.expires,
            state: ExceptionState::of(one, as_of),
            covers: *covers,
            location: one.location.clone(),
        })
        .collect();
    all.sort_by(|a, b| (a.expires, &a.rule, &a.secret, &a.location).cmp(&(b.expires, &b.rule, &b.secret, &b.location)));
    all
}
