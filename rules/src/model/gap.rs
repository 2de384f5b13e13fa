use serde::Serialize;

use super::{Location, Place};

/// Evidence that could not be had. A scan with a gap is never clean: it ends with exit status 3.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Gap {
    /// The source that fell short: a file, or the name of a store.
    pub source: String,
    /// Why.
    pub reason: GapReason,
    /// What was lost, in one sentence without a full stop, and without any value.
    pub message: String,
    /// What the user can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line, for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The path in a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// The kinds of reason for a [`Gap`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The source is not there, or did not answer.
    Unreachable,
    /// The source refused.
    PermissionDenied,
    /// The login was refused, or ran out during the scan.
    Unauthenticated,
    /// A sealed or uninitialised Vault.
    Sealed,
    /// A standby that serves no requests, or a redirect that was not followed.
    Standby,
    /// No answer within the time limit.
    TimedOut,
    /// The source is not what it should be: broken syntax, a page in place of JSON, text that is not UTF-8.
    Malformed,
    /// The source is larger than the limit that keeps a scan bounded.
    TooLarge,
    /// The source is understood, but says something that this version does not read.
    Unsupported,
}

impl GapReason {
    /// The spelling of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::PermissionDenied => "permission-denied",
            Self::Unauthenticated => "unauthenticated",
            Self::Sealed => "sealed",
            Self::Standby => "standby",
            Self::TimedOut => "timed-out",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::Unsupported => "unsupported",
        }
    }
}

impl Gap {
    /// A gap in a source, with no line and no place.
    pub fn new(source: impl Into<String>, reason: GapReason, message: impl Into<String>) -> Self {
        Self { source: source.into(), reason, message: message.into(), hint: None, location: None, place: None }
    }

    /// A gap at a line of a file.
    pub fn at(location: Location, reason: GapReason, message: impl Into<String>) -> Self {
        let source = location.file.clone();
        Self { location: Some(location), ..Self::new(source, reason, message) }
    }

    /// Adds the place in a store.
    pub fn in_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds what the user can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
