//! `keytrail completions`.

use clap::CommandFactory;

use super::{Status, print};
use crate::cli::Cli;
use crate::error::Error;

pub(super) fn run(shell: clap_complete::Shell) -> Result<Status, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "keytrail", &mut script);
    print(&script)?;
    Ok(Status::Clean)
}
