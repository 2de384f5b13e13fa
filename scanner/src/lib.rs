//! The `keytrail` binary as a library: config, inventories, stores, state and commands. It collects; the judging
//! is `keytrail-rules`, the printing `keytrail-reporters`.

pub mod config;
pub mod inventory;
pub mod source;
pub mod stores;
