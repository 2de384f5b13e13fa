//! Rotations: what is to be rotated and how (the [`plan`]), the [`state`] machine that a rotation runs through with the
//! decision that follows an interruption, the [`executor`] that carries it out, and who takes part in it: the issuers that honour a credential, the stores
//! that keep it, the workloads that load it, and the probes that look.
//!
//! `plan` and `state` are pure: they read no clock, no file and no network.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(feature = "aws")]
pub mod aws;
pub mod bounded;
pub mod context;
pub mod credential;
pub mod executor;
pub mod failure;
pub mod http;
pub mod issuers;
pub mod job;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod notify;
pub mod plan;
mod postgres;
pub mod probes;
pub mod process;
pub mod random;
mod redis_node;
pub mod settings;
pub mod state;
pub mod store;
pub mod template;
mod vault;
pub mod workloads;

#[cfg(test)]
mod testing;
