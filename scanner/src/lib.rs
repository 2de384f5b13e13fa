//! The `keytrail` binary as a library: config, inventories, stores, state and commands. It collects; the judging
//! is `keytrail-rules`, the printing `keytrail-reporters`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod cli;
pub mod collect;
pub mod commands;
pub mod config;
pub mod discover;
pub mod dotenv;
pub mod error;
pub mod export;
pub mod incidents;
pub mod inventory;
pub mod leaks;
pub mod lines;
pub mod repository;
pub mod rotation;
pub mod signing;
pub mod source;
pub mod state;
pub mod stores;
pub mod trails;
pub mod yaml;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use keytrail_rules::text::visible;

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(&cli) {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            // Nobody is left to be told if standard error is gone.
            let _ = std::io::stderr().write_all(explain(&error).as_bytes());
            ExitCode::from(2)
        }
    }
}

/// An error with its next step, for standard error.
fn explain(error: &error::Error) -> String {
    match (error, error.hint()) {
        // Every mistake of a config comes with its line and its next step.
        (error::Error::Config(mistakes), _) => format!("{mistakes}\n"),
        (error, Some(hint)) => format!("error: {}\nhint: {}\n", visible(&error.to_string()), visible(&hint)),
        (error, None) => format!("error: {}\n", visible(&error.to_string())),
    }
}
