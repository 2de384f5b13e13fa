//! Why something could not be done, and what is known of whether it was.

use std::fmt;

/// What is known of an act that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was not done, and will not be: a refusal, a mistake in the config.
    NotDone,
    /// Somebody else changed what was to be changed: nothing was done, and nothing may be overwritten.
    Conflict,
    /// It may have been done: no reply, a reply that was cut off, a server error. Never to be taken for a refusal.
    Unknown,
}

/// Why something could not be done. Holds no value, and nothing that a server sent unless that is known to be harmless.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What is known of the act.
    pub outcome: Outcome,
    /// What went wrong: one line in lower case.
    pub what: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl Failure {
    /// It was not done.
    pub fn not_done(what: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotDone, what: what.into(), hint: None }
    }

    /// Somebody else changed it.
    pub fn conflict(what: impl Into<String>) -> Self {
        Self { outcome: Outcome::Conflict, ..Self::not_done(what) }
    }

    /// It may have been done.
    pub fn unknown(what: impl Into<String>) -> Self {
        Self { outcome: Outcome::Unknown, ..Self::not_done(what) }
    }

    /// The same with the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// What a table of the config is made into.
pub type Opened<T> = Result<Box<T>, Failure>;
