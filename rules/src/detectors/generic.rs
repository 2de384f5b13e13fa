//! Generic assignments: a value that is known to be a secret by the name beside it and by looking random.
//!
//! A candidate is a name, what ties it to a value, and the value, read by plain code. Hard filters drop what is
//! certainly none; a small forest of trees judges the rest by what it measures. The numbers of the forest are made by
//! `rules/training`, whose README says from what, and how well it does.

mod candidate;
mod explain;
mod features;
mod filters;
mod letters;
mod link;
mod model;
mod names;
mod phrases;
mod shape;
mod value;

pub use candidate::Candidate;
pub use features::COUNT;
pub use link::Link;
pub use names::Kind;
pub use value::{Quote, Value};

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use super::{About, Literal, Programmed, Severity};
use features::Features;
use names::find;

/// How many bytes before a literal the verdict may depend on.
pub const BEFORE: usize = 128;
/// How many bytes from the start of a literal on the verdict may depend on.
pub const AFTER: usize = super::MARGIN;

/// What was found near a literal, and how it was judged.
pub struct Judged {
    /// What was read.
    pub candidate: Candidate,
    /// The filter that dropped it.
    pub dropped: Option<&'static str>,
    /// What the forest was told; none where a filter dropped it.
    pub features: Option<Features>,
    /// What the forest says, in thousandths of a logit.
    pub score: i32,
    /// The score from which on it is a secret.
    pub threshold: i32,
}

/// Whether a keyword of this detector starts at `at`.
pub fn is_keyword(text: &[u8], at: usize) -> bool {
    find(text, at).is_some()
}

/// Reads and judges what stands near the literal at `at`.
pub fn judge(window: &[u8], at: usize) -> Option<Judged> {
    with_line_end(window, at, judge_whole)
}

/// Calls `judge` with the window, or, where the text ends in it, with the window and a line end.
fn with_line_end<T>(window: &[u8], at: usize, judge: impl Fn(&[u8], usize) -> Option<T>) -> Option<T> {
    if window.len() - at >= AFTER {
        return judge(window, at);
    }
    // The text ends here: a line end in its place ends the last value.
    let mut whole = [b'\n'; BEFORE + AFTER + 1];
    let room = whole.get_mut(..window.len())?;
    room.copy_from_slice(window);
    judge(&whole[..window.len() + 1], at)
}

/// The secret near the literal at `at`: what [`judge`] finds to be one, without the reasons.
fn secret(window: &[u8], at: usize) -> Option<Range<usize>> {
    let candidate = candidate::find(window, at)?;
    let mut decoded = [0_u8; AFTER];
    let secret = filters::inner(window, &candidate, &mut decoded);
    if filters::drop(window, secret, &candidate).is_some() {
        return None;
    }
    let model = model::model();
    let features = features::collect(window, &candidate, secret, model);
    model.accepts(&features.values).then_some(candidate.value.range)
}

fn judge_whole(window: &[u8], at: usize) -> Option<Judged> {
    let candidate = candidate::find(window, at)?;
    let mut decoded = [0_u8; AFTER];
    let secret = filters::inner(window, &candidate, &mut decoded);
    let dropped = filters::drop(window, secret, &candidate);
    let model = model::model();
    let threshold = model.threshold();
    if dropped.is_some() {
        return Some(Judged { candidate, dropped, features: None, score: 0, threshold });
    }
    let features = features::collect(window, &candidate, secret, model);
    let score = model.score(&features.values);
    Some(Judged { candidate, dropped, features: Some(features), score, threshold })
}

impl Judged {
    /// Whether it is a secret.
    pub fn is_secret(&self) -> bool {
        self.features.is_some() && self.score >= self.threshold
    }
}

/// The detector of generic assignments.
pub struct Generic;

impl Programmed for Generic {
    fn about(&self) -> &About {
        static ABOUT: About = About {
            id: Cow::Borrowed("generic-assignment"),
            name: Cow::Borrowed("password, token or key beside its name"),
            provider: Cow::Borrowed("Generic"),
            docs: None,
            severity: Severity::High,
            public: false,
            remedy: Cow::Borrowed(
                "Find out what accepts it, replace it there, and read the new one from a secret store. If it is a stand-in, \
                 say so in its value or allow it.",
            ),
        };
        &ABOUT
    }

    fn literals(&self) -> &[Literal] {
        static LITERALS: OnceLock<Vec<Literal>> = OnceLock::new();
        LITERALS.get_or_init(names::literals)
    }

    fn before(&self) -> usize {
        BEFORE
    }

    fn after(&self) -> usize {
        AFTER
    }

    fn examine(&self, window: &[u8], at: usize, found: &mut dyn FnMut(Range<usize>)) {
        if let Some(value) = with_line_end(window, at, secret) {
            found(value);
        }
    }

    fn explain(&self, window: &[u8], at: usize, say: &mut dyn FnMut(String)) {
        match judge(window, at) {
            Some(judged) => explain::tell(&judged, say),
            None => say("no value stands beside this name".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
