//! Report to bytes: for a person at a terminal, for programs, and for code scanning services.
//!
//! Each format is one file of `formats/` and one line in the table of [`formats`]. A format collects nothing and
//! judges nothing: equal reports and options give equal bytes.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod escape;
pub mod formats;
pub mod lanes;
pub mod source;

pub mod diff;
pub mod sign;

mod baseline;
mod earlier;
mod error;
mod options;
mod profile;
#[cfg(test)]
mod samples;
mod sheets;
mod style;

pub use baseline::baseline;
pub use error::Error;
pub use formats::{FORMATS, Format};
pub use options::{AwsAccount, Options, Repository, Signed};
pub use profile::{Pipeline, SarifProfile};
