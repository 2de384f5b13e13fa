//! Secrets of GitHub Actions: of a repository, of an environment, of an organisation.
//!
//! The path of a place is `OWNER`, `OWNER/REPO` or `OWNER/REPO/ENVIRONMENT`, as the audit log has it; or `actions` and
//! `environment/NAME`, as workflows mean them: of the one repository that `mounts` names, or `GITHUB_REPOSITORY`. The key
//! is the name of the secret. `address` is that of an API other than `https://api.github.com` or `GITHUB_API_URL`, with
//! the `/api/v3` of GitHub Enterprise Server.
//!
//! # What is read
//! The names of the secrets of each of `mounts`. GitHub never gives a value back, nor anything made from it.
//!
//! # How it is written
//! The value is sealed with the public key that GitHub gives, so that nobody between can read it. Who sees a secret of
//! an organisation stays as it is.
//!
//! # Guarantees
//! * A secret that was written since its time was read is not written: GitHub tells the second of the last write.
//! * No redirect is followed, and no proxy of the environment is used. No message quotes what the server sent, nor the
//!   token. What comes back for too many requests is not taken for a refusal.
//!
//! # Assumptions
//! * GitHub has no check-and-set: two writers in one second may overwrite each other, and several secrets are written one
//!   after the other.

mod api;
mod inventory;
mod place;
mod writer;

use std::sync::Arc;

use futures::FutureExt;

pub use writer::GithubActions;

use super::StoreKind;

/// Secrets of GitHub Actions.
pub static KIND: StoreKind = StoreKind {
    name: "github-actions",
    requires: &[],
    read: |config, _| inventory::read(config).boxed(),
    open_for_writing: Some(|config| Ok(Arc::new(GithubActions::new(config)?))),
};
