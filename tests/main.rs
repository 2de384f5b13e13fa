//! The tests of the whole: the binary, real servers, other people's validators. `tests/run` installs what they need.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod action;
mod checks;
mod cli;
mod estate;
mod export;
mod formats_controls;
mod formats_tables;
#[path = "fuzz/src/lib.rs"]
mod fuzz;
mod fuzz_seeds;
mod history;
mod hostile;
mod html;
mod incidents;
mod leaks;
mod planted;
mod release;
mod rotate;
mod rotation_cloud;
mod rotation_postgres;
mod rotation_probes;
mod rotation_redis;
mod rotation_stores;
mod rotation_vault;
mod rotation_workloads;
mod sarif;
mod state;
mod support;
mod tidy;
mod trace;
mod trail_servers;
mod trails;
mod trails_live;
mod vault;
mod workflows;
