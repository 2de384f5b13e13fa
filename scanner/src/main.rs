//! The `keytrail` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    keytrail::run()
}
