//! What is said of a detector, whatever its kind. Shared with the build script, so it uses nothing of the crate but
//! [`Severity`].

use std::borrow::Cow;

use super::Severity;

/// What a detector finds, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// Kebab-case, unique, the provider first.
    pub id: Cow<'static, str>,
    /// What it is, for a sentence: `Grafana service account token`.
    pub name: Cow<'static, str>,
    /// Whose it is, as the vendor writes it.
    pub provider: Cow<'static, str>,
    /// Where the format is documented.
    pub docs: Option<Cow<'static, str>>,
    /// How bad a leak of it is.
    pub severity: Severity,
    /// Whether it is an identifier that is no secret by itself.
    pub public: bool,
    /// What to do, one or two sentences.
    pub remedy: Cow<'static, str>,
}

/// A text near which the detector looks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Literal {
    /// The text. Lower case where `any_case` is set.
    pub text: Cow<'static, str>,
    /// Whether ASCII letters of either case count.
    pub any_case: bool,
    /// Where its rarest group of bytes starts, where that was worked out before the program was built.
    pub(crate) anchor: Option<u8>,
}

impl Literal {
    /// A text, in lower case if it is met in any.
    pub(crate) fn new(text: String, any_case: bool) -> Self {
        Self { text: Cow::Owned(text), any_case, anchor: None }
    }

    /// A text, spelt just so.
    pub const fn exact(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), any_case: false, anchor: None }
    }

    /// A text in lower case that is met in any case.
    pub const fn any_case(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), any_case: true, anchor: None }
    }
}
