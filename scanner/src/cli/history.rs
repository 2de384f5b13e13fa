//! The options of `diff` and `history`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use keytrail_rules::model::Time;

use super::report::parse_severity;
use super::{FailOn, ListFormat, parse_time};

/// Options of `diff`.
#[derive(Debug, Args)]
#[command(after_help = DIFF_HELP)]
pub struct DiffArgs {
    /// The earlier JSON report; `-` is standard input.
    #[arg(value_name = "BEFORE", value_hint = ValueHint::FilePath)]
    pub before: PathBuf,
    /// The later JSON report; `-` is standard input.
    #[arg(value_name = "AFTER", value_hint = ValueHint::FilePath)]
    pub after: PathBuf,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t = DiffFormat::Table, value_name = "FORMAT")]
    pub format: DiffFormat,
    /// Exit with status 1 where something is new from this severity on.
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity, default_value = "high")]
    pub fail_on: FailOn,
}

const DIFF_HELP: &str = "\
Examples:
  keytrail diff yesterday.json today.json
  keytrail diff main.json pull-request.json --format markdown
  keytrail scan --format json | keytrail diff main.json -

What an exception covers does not count. A finding is new where the earlier
report has it not, or had it covered by an exception that ran out. What the
later scan did not look at, or could not read, is unseen, and not fixed.

Exit status: 0 nothing new at or above --fail-on, 1 something is, 2 a report
cannot be read, 3 nothing is, but the later scan could not read everything.";

/// How to print what is different.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For a comment or an issue.
    Markdown,
}

/// Options of `history`.
#[derive(Debug, Args)]
#[command(after_help = HISTORY_HELP)]
pub struct HistoryArgs {
    /// The folder that is scanned.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// The config; by default keytrail.toml of the folder, if there is one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
    /// Show only scans of this time or later.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<Time>,
}

const HISTORY_HELP: &str = "\
`keytrail scan` records what it finds: when each finding began and ended, when
each secret was judged how, and the measures of each scan. A scan with --as-of
records nothing unless --record is given, and one that is not later than the
last adds nothing. What a scan did not look at (--only, a gap, a rule that is
off) is not gone. Nothing is dropped.";
