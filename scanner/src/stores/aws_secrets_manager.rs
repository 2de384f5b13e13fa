//! AWS Secrets Manager.
//!
//! A place is `NAME:SECRET` for a secret that is one value as a whole, and `NAME:SECRET#KEY` for a member of one that is a
//! JSON object; `SECRET` is its name, or its ARN where it is in another region than the AWS CLI would ask. `address` of the `[[store]]` is a server in place of AWS.
//!
//! # How it is written
//! A new value is a new version: under AWSPENDING while it is staged (or a label of the run, where it
//! was not), and then AWSCURRENT is moved to it from the version
//! that was read. AWS refuses the move where the label is no longer there, so that of two writers one wins. AWSPREVIOUS
//! goes to the version before, as with any change. The id of a version is made from the run, so that doing it again
//! makes no other. Members that are not written stay as they are, byte by byte.
//!
//! # Guarantees
//! * A secret that AWS rotates itself, or another service owns, is not written; nor a binary one, nor one with a key twice.
//! * AWSPENDING of somebody else is not taken away.
//!
//! # Assumptions
//! * Whether the principal may write is known only once it does: to be told before, one would have to be allowed to ask
//!   IAM.

mod writer;

use std::sync::Arc;

use futures::FutureExt;

pub use writer::SecretsManager;

use super::{StoreKind, aws};

/// AWS Secrets Manager.
pub static KIND: StoreKind = StoreKind {
    name: "aws-secrets-manager",
    requires: &[],
    read: |config, _| std::future::ready(aws::not_read(config)).boxed(),
    open_for_writing: Some(|config| Ok(Arc::new(SecretsManager::new(aws::access(config))))),
};
