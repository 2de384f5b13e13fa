//! AWS Systems Manager Parameter Store.
//!
//! A place is `NAME:PARAMETER` for a parameter that is one value as a whole, and `NAME:PARAMETER#KEY` for a member of one
//! that is a JSON object. `address` of the `[[store]]` is a server in place of AWS.
//!
//! # How it is written
//! A new value is a new version of the parameter, with the type, key, tier, policies, pattern and description that it has.
//! Labels of the version that it replaces go to it.
//!
//! # Guarantees
//! * A parameter that is no longer at the version that was read is not written.
//!
//! # Assumptions
//! * The API has no check-and-set: what somebody else writes between the check and the write is overwritten, which the
//!   number of the new version then tells. It stays in the history of the parameter.

mod writer;

use std::sync::Arc;

use futures::FutureExt;

pub use writer::ParameterStore;

use super::{StoreKind, aws};

/// AWS Systems Manager Parameter Store.
pub static KIND: StoreKind = StoreKind {
    name: "aws-ssm",
    requires: &[],
    read: |config, _| std::future::ready(aws::not_read(config)).boxed(),
    open_for_writing: Some(|config| Ok(Arc::new(ParameterStore::new(aws::access(config))))),
};
