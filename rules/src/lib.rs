//! What a secret is, what a policy asks of it, and what is wrong with it.
//!
//! This crate is pure: it reads no clock, no file and no network, and takes the time as an input
//! ([`model::Snapshot::as_of`]), so that a report can be reproduced to the byte. The `scanner` crate fills a
//! [`model::Snapshot`], [`evaluate`] judges it under a [`policy::Policy`], and `reporters` prints the
//! [`report::Report`] that comes out.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod age;
pub mod cadence;
pub mod checks;
pub mod controls;
pub mod correlate;
pub mod decode;
pub mod detectors;
pub mod history;
pub mod inventory;
pub mod known_values;
pub mod leaks;
pub mod model;
pub mod policy;
pub mod report;
pub mod search;
pub mod searcher;
pub mod simd;
pub mod text;
pub mod value;

pub use report::evaluate;
