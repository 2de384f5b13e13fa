//! What the organisation asks for: validated, with the lines kept for messages.

use chrono::TimeDelta;

use crate::cadence::{Cadence, Period};
use crate::inventory::{Item, ItemId};
use crate::model::{Environment, Key, Location, Time};

/// The policy of a scan. The default asks for what every organisation asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// How long before its due date a secret is `due-soon`.
    pub due_soon: Period,
    /// The cadence of a `rotation-required` secret that states none.
    pub default_cadence: Option<Cadence>,
    /// How far a change may be from the request for it.
    pub request_window: TimeDelta,
    /// How long after a change its consumers may take to load it.
    pub load_window: TimeDelta,
    /// What is let pass, for a reason and for a time.
    pub exceptions: Vec<Exception>,
    /// Leaks that are let pass.
    pub accepted: Vec<Accepted>,
    /// Rules that are switched off.
    pub disabled_rules: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "14 days are a period")]
        let due_soon = Period::days(14).expect("14 days are a period");
        Self {
            due_soon,
            default_cadence: None,
            request_window: TimeDelta::days(1),
            load_window: TimeDelta::days(1),
            exceptions: Vec::new(),
            accepted: Vec::new(),
            disabled_rules: Vec::new(),
        }
    }
}

/// A finding that is let pass, for a reason and until a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    /// The rule.
    pub rule: String,
    /// The secret, by its key or its item id; `None` for every secret.
    pub secret: Option<String>,
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// The first instant at which it no longer holds.
    pub expires: Time,
    /// The line of the config.
    pub location: Location,
}

/// A leaked value that is let pass, for a reason and perhaps for a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// The fingerprint of the leak (32 hexadecimal digits) or of the finding (64).
    pub fingerprint: String,
    /// Why.
    pub reason: String,
    /// The first instant at which it counts again; `None` for never.
    pub expires: Option<Time>,
}

impl Accepted {
    /// Whether it still holds.
    pub fn holds(&self, as_of: Time) -> bool {
        self.expires.is_none_or(|expires| as_of < expires)
    }
}

impl Exception {
    /// Whether it still holds.
    pub fn holds(&self, as_of: Time) -> bool {
        as_of < self.expires
    }

    /// Whether it speaks of that item, by its id, by its key, or as `KEY@environment` in any spelling.
    pub fn names(&self, item: &Item) -> bool {
        self.secret.as_deref().is_none_or(|secret| {
            let spelt = secret
                .rsplit_once('@')
                .map(|(key, environment)| ItemId::of_key(&Key::new(key), Some(&Environment::new(environment))));
            secret == item.id.as_str() || Key::new(secret) == item.key || spelt.is_some_and(|id| id == item.id)
        })
    }
}
