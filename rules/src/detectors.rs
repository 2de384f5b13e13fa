//! Detectors: what a secret that nobody inventoried looks like.

mod about;
pub mod generic;
pub mod programmed;

pub use crate::model::Severity;
pub use about::{About, Literal};
pub use programmed::Programmed;

/// How far around its literal a detector may look, in bytes, unless it is a long one.
pub const MARGIN: usize = 256;
