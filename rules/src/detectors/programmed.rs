//! Detectors whose judgement is a function, not a regular expression: the generic assignments.

use std::ops::Range;

use super::{About, Literal};

/// A detector that is a function.
///
/// # Guarantees that an implementation gives
/// * [`Programmed::examine`] depends on its arguments alone: no state, no clock.
/// * It takes time linear in the window at worst. The engine calls it once for each occurrence of a literal, so that a
///   refusal should take tens of nanoseconds.
pub trait Programmed: Sync {
    /// What it finds, and what to do about it.
    fn about(&self) -> &About;

    /// What a secret has near it. The engine looks at no other place. Four bytes or more each, and as rare as can be.
    fn literals(&self) -> &[Literal];

    /// How many bytes before the start of a literal are shown to [`Programmed::examine`]: at most
    /// [`MARGIN`](super::MARGIN).
    fn before(&self) -> usize;

    /// How many bytes from the start of a literal on are shown to [`Programmed::examine`]: at most
    /// [`MARGIN`](super::MARGIN). Values must end before, with the byte after them.
    fn after(&self) -> usize;

    /// Reports every secret that is known by the literal at `at`, as ranges of `window`.
    ///
    /// The window is `text[at - before..at + after]`: where it is shorter than that, the text starts or ends there. So
    /// a byte that is not in the window counts as none, and what is reported depends on the window and on nothing else.
    fn examine(&self, window: &[u8], at: usize, found: &mut dyn FnMut(Range<usize>));

    /// Says why what [`Programmed::examine`] sees there is or is not a secret, one line each, for `rules explain`.
    /// The lines hold no part of the window.
    fn explain(&self, window: &[u8], at: usize, say: &mut dyn FnMut(String));
}
