use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Location, Place, Severity, secret::hex};
use crate::checks::Rule;
use crate::inventory::ItemId;

/// Something wrong, with the line that says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// The rule, kebab-case.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The item that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// One sentence that names the thing, the age and the proof, with a full stop, and without any value.
    pub message: String,
    /// The line to go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// 64 hexadecimal digits that stay the same while the finding does, whatever moves around it.
    pub fingerprint: String,
    /// Whether `keytrail scan --fix` can mend it.
    pub fixable: bool,
    /// Control ids that the rule gives evidence for.
    pub controls: Vec<String>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// The next step: a command, or what to edit.
    pub next: String,
    /// The exception that covers it, with its reason; such a finding does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// Whether the baseline has it already; such a finding does not count.
    pub baselined: bool,
}

/// One thing that a [`Finding`] rests on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Evidence {
    /// What it shows, without any value.
    pub note: String,
    /// The line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The place in a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Evidence {
    /// Evidence at a line and in a place, either of which may be missing.
    pub fn new(note: impl Into<String>, location: Option<Location>, place: Option<Place>) -> Self {
        Self { note: note.into(), location, place }
    }
}

impl Finding {
    /// A finding of `rule` about `subject` (an item, a file, a name: what the fingerprint hangs on).
    ///
    /// The severity is the rule's; `item`, `location`, `evidence` and `next` are added by the methods below.
    pub fn new(rule: &Rule, subject: &str, message: impl Into<String>) -> Self {
        let mut digest = Sha256::new();
        for part in ["keytrail/v1", rule.id, subject] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        Self {
            rule: rule.id,
            severity: rule.severity,
            item: None,
            message: message.into(),
            location: None,
            fingerprint: hex(&digest.finalize()),
            fixable: rule.fixable,
            controls: Vec::new(),
            evidence: Vec::new(),
            next: String::new(),
            exception: None,
            baselined: false,
        }
    }

    /// Whether it counts: no exception covers it, and the baseline does not have it.
    pub fn counts(&self) -> bool {
        self.exception.is_none() && !self.baselined
    }

    /// Sets the severity where it is not the rule's own.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets the line to go to.
    pub fn at(mut self, location: Option<Location>) -> Self {
        self.location = location;
        self
    }

    /// Sets the item.
    pub fn item(mut self, item: ItemId) -> Self {
        self.item = Some(item);
        self
    }

    /// Adds evidence.
    pub fn evidence(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Sets the next step.
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}
