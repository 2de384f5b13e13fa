//! Generic assignments: a value that is known to be a secret by the name beside it and by looking random.
//!
//! A candidate is a name, what ties it to a value, and the value, read by plain code. Hard filters drop what is
//! certainly none; a small forest of trees judges the rest by what it measures. The numbers of the forest are made by
//! `rules/training`, whose README says from what, and how well it does.

mod candidate;
mod features;
mod filters;
mod letters;
mod link;
mod model;
mod names;
mod shape;
mod value;

pub use candidate::Candidate;
pub use features::COUNT;
pub use link::Link;
pub use names::Kind;
pub use value::{Quote, Value};

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
    pub features: Option<features::Features>,
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
    if window.len() - at >= AFTER {
        return judge_whole(window, at);
    }
    // The text ends here: a line end in its place ends the last value.
    let mut whole = [b'\n'; BEFORE + AFTER + 1];
    let room = whole.get_mut(..window.len())?;
    room.copy_from_slice(window);
    judge_whole(&whole[..window.len() + 1], at)
}

fn judge_whole(window: &[u8], at: usize) -> Option<Judged> {
    let candidate = candidate::find(window, at)?;
    let mut decoded = [0_u8; AFTER];
    let secret = filters::inner(window, &candidate, &mut decoded);
    let dropped = filters::drop(secret, &candidate);
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
