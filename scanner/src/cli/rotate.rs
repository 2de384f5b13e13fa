use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};

/// Options of `rotate`.
#[derive(Debug, Args)]
#[command(after_help = ROTATE_HELP, group = ArgGroup::new("what").args(["items", "resume", "rollback", "list"]).required(true))]
pub struct RotateArgs {
    /// The secrets: ids, keys, or places that hold them. What is made from them is rotated with them.
    #[arg(value_name = "ITEM")]
    pub items: Vec<String>,
    /// The folder to scan.
    #[arg(long, default_value = ".", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// The config; by default keytrail.toml of the folder, if there is one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Revoke the old values first: they are known to others. Consumers are refused until they load the new ones.
    #[arg(long, conflicts_with_all = ["resume", "rollback", "list"])]
    pub emergency: bool,
    /// Print every effect in order and what would be in the way, change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Carry it out without asking.
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Why, for the ledger.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["resume", "rollback", "list"])]
    pub reason: Option<String>,
    /// Who approved it, where the config requires that.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["resume", "rollback", "list"])]
    pub approved_by: Option<String>,
    /// Go on with this rotation, or with all that are under way.
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    pub resume: Option<Option<String>>,
    /// Take this rotation back: the old values become the current ones again. Not once they were revoked.
    #[arg(long, value_name = "RUN")]
    pub rollback: Option<String>,
    /// List the rotations that are under way.
    #[arg(long)]
    pub list: bool,
}

const ROTATE_HELP: &str = "\
Examples:
  keytrail rotate DATABASE_PASSWORD --dry-run   every effect in order
  keytrail rotate API_TOKEN@staging --yes       in one environment, unasked
  keytrail rotate API_TOKEN --emergency         revoke first: it leaked
  keytrail rotate --resume                      go on with what is under way
  keytrail rotate --rollback kt-20261121t183000z-0f3a9c21

Each step is written down before and after it is done, so that a rotation that
was killed at any instant goes on with --resume. While the old value still
works, it can be taken back.

Exit status: 0 all of it is rotated, or waits until the old value is revoked; 1
something was rolled back, is stuck or was not begun; 2 could not run.";
