//! The `keytrail` binary as a library: config, inventories, stores, state and commands. It collects; the judging
//! is `keytrail-rules`, the printing `keytrail-reporters`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod config;
pub mod discover;
pub mod dotenv;
pub mod inventory;
pub mod source;
pub mod state;
pub mod stores;
pub mod yaml;
