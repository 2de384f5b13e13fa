//! What is to be rotated and how: the [`plan`] that comes out of a report, and the [`state`] machine that a rotation
//! runs through, with the decision that follows an interruption.
//!
//! This crate is pure: it reads no clock, no file and no network. This version carries out nothing; its plans are for
//! people.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod plan;
pub mod state;
