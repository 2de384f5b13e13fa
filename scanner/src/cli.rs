//! The command line.

mod evidence;
mod history;
mod narrow;
mod report;
mod rotate;
mod show;

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{ArgGroup, Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};
use keytrail_rules::checks::Facet;
use keytrail_rules::controls::Framework;
use keytrail_rules::model::Time;

pub use evidence::{ExportArgs, KeyArgs, KeyFolderArgs, KeyFormat, KeysCommand, VerifyArgs};
pub use history::{DiffArgs, DiffFormat, HistoryArgs};
pub use narrow::NarrowArgs;
pub use report::{FailOn, ReportArgs};
pub use rotate::RotateArgs;
pub use show::{Links, Profile, ShowArgs};

/// Checks every secret of a repository and its stores against the inventory and its rotation cadences.
///
/// Keytrail reads the inventory (.env.schema, runbooks, .env files, Kubernetes manifests, compose files, GitHub
/// workflows, Vault or OpenBao), merges it into one list of secrets, and says which are unknown, ownerless,
/// misclassified, exposed, overdue or never rotated, with the line that proves it.
///
/// It needs no config and no server: `keytrail scan` looks at what is in the current folder.
#[derive(Debug, Parser)]
#[command(name = "keytrail", version, propagate_version = true, after_help = EXAMPLES, color = ColorChoice::Auto)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colours; they never carry meaning.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN", display_order = 100)]
    pub color: Color,
    /// Show no progress.
    #[arg(long, short, global = true, display_order = 101)]
    pub quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  keytrail scan                            look at the current folder
  keytrail scan --format sarif=out.sarif   the same, for code scanning
  keytrail leaks                           search files and history for secrets
  keytrail trace DATABASE_PASSWORD         who changed it, with which traces
  keytrail scan --fix --dry-run            what would be rotated, and how
  keytrail init                            write a commented keytrail.toml
  keytrail rules explain no-owner          why a finding matters, how to fix it

Exit status:
  0  nothing at or above --fail-on
  1  findings at or above --fail-on
  2  could not run: wrong usage, config or state
  3  nothing worse, but some evidence could not be read";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Scan a folder and its stores, and report what is wrong.
    Scan(Box<ScanArgs>),
    /// Search files, logs and git histories for leaked secrets.
    Leaks(Box<LeaksArgs>),
    /// List every secret with its owner, age, due date and places.
    Inventory(InventoryArgs),
    /// Rotate secrets, or go on with rotations that are under way.
    Rotate(RotateArgs),
    /// Show the changes of one secret in its store, its applications and the ledger, side by side.
    Trace(TraceArgs),
    /// List the trails: what each holds, what proves that, and what is missing.
    Trails(TrailsArgs),
    /// Compare two JSON reports: what is new, fixed or back.
    Diff(DiffArgs),
    /// List the scans that were recorded, with what they measured.
    History(HistoryArgs),
    /// Write a signed folder of evidence for an auditor: every format, raw records, the ledger with proofs, a manifest.
    Export(ExportArgs),
    /// Verify a signed export: that no byte of it is another, and who signed it.
    Verify(VerifyArgs),
    /// Make, list, rotate or publish the keys that sign exports.
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// List or explain the rules.
    Rules {
        /// What to show.
        #[command(subcommand)]
        command: Option<RulesCommand>,
    },
    /// Write a commented keytrail.toml from what is in the folder.
    Init(InitArgs),
    /// Print a completion script, e.g. `keytrail completions bash > /etc/bash_completion.d/keytrail`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all commands into a folder.
    Man(ManArgs),
    /// Resume a database of PgBouncer if the rotation that paused it dies. Rotations start it by themselves.
    #[command(name = keytrail_rotation::workloads::PGBOUNCER_GUARD, hide = true)]
    PgbouncerGuard,
}

/// Which sources to read, and as of when.
#[derive(Clone, Debug, Args)]
pub struct SourceArgs {
    /// The folder to scan.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// The config; by default keytrail.toml of the folder, if there is one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Judge ages as of this time (2026-03-01 or 2026-03-01T12:00:00Z) and leave the state as it is, so that the report
    /// can be reproduced to the byte.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub as_of: Option<Time>,
    /// Record what is seen in the state even with --as-of: to build up ages from old checkouts.
    #[arg(long, requires = "as_of")]
    pub record: bool,
    /// Whether nothing is recorded, though the scan is about now.
    #[arg(skip)]
    pub forget: bool,
}

/// Options of `scan`.
#[derive(Debug, Args)]
#[command(after_help = SCAN_HELP, group = ArgGroup::new("change").args(["fix", "file_incidents"]).multiple(true))]
pub struct ScanArgs {
    /// Where from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Where to.
    #[command(flatten)]
    pub report: ReportArgs,
    /// Run only these parts.
    #[arg(long, value_name = "PART", value_delimiter = ',', value_enum)]
    pub only: Vec<Part>,
    /// Go on with rotations that are under way, then rotate what is due: compromised, overdue, never rotated, or made from
    /// what changed. The plan is shown first, and asked about.
    #[arg(long)]
    pub fix: bool,
    /// With --fix: carry the plan out without asking.
    #[arg(long, requires = "fix", conflicts_with = "dry_run")]
    pub yes: bool,
    /// With --fix: who approved it, where the config requires that.
    #[arg(long, requires = "fix", value_name = "NAME")]
    pub approved_by: Option<String>,
    /// File an incident for each finding with every `[[incident]]` of the config, once, and resolve it when the finding
    /// is gone.
    #[arg(long)]
    pub file_incidents: bool,
    /// With --fix: print the plan with every effect and what would be in the way, change nothing. With --file-incidents: say what would be filed, send nothing.
    #[arg(long, requires = "change")]
    pub dry_run: bool,
}

const SCAN_HELP: &str = "\
Without a keytrail.toml the folder is searched for .env.schema, runbooks
(Markdown tables with a frequency column), .env files, Kubernetes manifests,
compose files, GitHub workflows and key files, and with its git history for
leaked secrets. Stores are read only if the config names them; values are
compared by keyed fingerprint, in memory, and are never written anywhere.

What a scan sees is remembered in .keytrail/ (fingerprints, never values), so
that places without a history, such as a .env file, have ages from the second
scan on.";

/// Options of `leaks`.
#[derive(Debug, Args)]
#[command(after_help = LEAKS_HELP)]
pub struct LeaksArgs {
    /// Folders, files, logs, archives and git repositories; `-` is standard input.
    #[arg(default_value = ".", value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// The config; by default keytrail.toml of the first folder, if there is one.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Search only what is staged for the next commit: for a pre-commit hook.
    #[arg(long, conflicts_with_all = ["range", "new", "no_history"])]
    pub staged: bool,
    /// Search only what these commits bring in: A..B, or B for all that leads to it.
    #[arg(long, value_name = "A..B", conflicts_with_all = ["new", "no_history"])]
    pub range: Option<String>,
    /// Search only what came into the git history since the last search with --new; the first searches all of it.
    #[arg(long, conflicts_with = "no_history")]
    pub new: bool,
    /// Search the files of a git repository, and not its history.
    #[arg(long)]
    pub no_history: bool,
    /// Search files that .gitignore names as well.
    #[arg(long)]
    pub no_ignore: bool,
    /// Rule files beside the built-in detectors: of Keytrail, gitleaks or betterleaks. May be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rules: Vec<PathBuf>,
    /// Search for the value of this environment variable. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub value_env: Vec<String>,
    /// Search for the contents of this file as one value. May be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub value_file: Vec<PathBuf>,
    /// Search for every value of this .env file. May be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_file: Vec<PathBuf>,
    /// Search for known values only.
    #[arg(long)]
    pub no_detectors: bool,
    /// Let pass what this file has: .gitleaksignore, or a JSON report of gitleaks. May be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ignore_file: Vec<PathBuf>,
    /// Where to.
    #[command(flatten)]
    pub report: ReportArgs,
}

const LEAKS_HELP: &str = "\
Examples:
  keytrail leaks                             this folder and its history
  keytrail leaks --staged                    what is staged, before a commit
  keytrail leaks --range origin/main..HEAD   what a pull request brings in
  keytrail leaks /var/log/app app.log.gz     logs, compressed or not
  keytrail leaks --env-file .env             its values as well
  kubectl logs -f deploy/api | keytrail leaks -

Exit status: 0 nothing found, 1 found at or above --fail-on, 2 could not run, 3
some of it could not be read.

A finding can be let pass by `keytrail:allow REASON` on its line, or by its
fingerprint in [[leaks.accept]] of keytrail.toml. The report never holds a
value.";

/// Options of `inventory`.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    /// Where from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
}

/// Options of `trace`.
#[derive(Debug, Args)]
#[command(after_help = TRACE_HELP)]
pub struct TraceArgs {
    /// The secret: its id, its key, or a place that holds it.
    pub item: String,
    /// Where from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
    /// Show only what happened at this time or later.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<Time>,
}

const TRACE_HELP: &str = "\
Examples:
  keytrail trace DATABASE_PASSWORD                 in every environment
  keytrail trace DATABASE_PASSWORD@production      in one
  keytrail trace 'vault:secret/shop/db#password'   by a place that holds it

Time runs down. Each event stands in the lane of the record that it is a trace
in, with who did it and the line that says so; a lane is shaded where its
record has no data. Each change ends with its verdict and the next step.";

/// Options of `trails`.
#[derive(Debug, Args)]
pub struct TrailsArgs {
    /// Where from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
    /// Go on reading files as they grow: print each new event about a secret, and each verdict that changes.
    #[arg(long, conflicts_with = "as_of")]
    pub follow: bool,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// Write to standard output instead of keytrail.toml.
    #[arg(long)]
    pub stdout: bool,
    /// Replace an existing keytrail.toml.
    #[arg(long)]
    pub force: bool,
}

/// Options of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write one page a command into this folder: keytrail.1, keytrail-scan.1, ...
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// Commands about rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List every rule with its severity.
    List,
    /// List every detector of leaked secrets with its severity.
    Detectors,
    /// List the controls of frameworks, with the rules that give evidence for each and why.
    Controls {
        /// Only this framework: soc2, pci, iso27001, nist-800-53, csf, cis, cis-aws or hipaa. May be given several times.
        #[arg(long, value_name = "NAME", value_parser = narrow::parse_framework)]
        framework: Vec<&'static Framework>,
    },
    /// Say what a rule or a detector looks for, why it matters and how to fix it.
    Explain {
        /// The rule or detector: overdue-rotation, KT2004, github-personal-access-token; with --on, `all` as well.
        rule: String,
        /// Say what the detector makes of this file, place by place: why each was kept or dropped. `-` is standard input.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        on: Option<PathBuf>,
    },
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How to print a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// A part of a scan that this version has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// What there is, who owns it, where it lies.
    Inventory,
    /// Whether it is rotated in time.
    Cadence,
    /// Whether it lies open in files, logs or the git history.
    Leaks,
    /// Whether every change left its traces in the store, the applications and the ledger.
    Trails,
}

impl From<Part> for Facet {
    fn from(part: Part) -> Self {
        match part {
            Part::Inventory => Self::Inventory,
            Part::Cadence => Self::Cadence,
            Part::Leaks => Self::Leaks,
            Part::Trails => Self::Trails,
        }
    }
}

/// A date is its first instant in UTC.
fn parse_time(text: &str) -> Result<Time, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    date.map(|time| time.and_utc())
        .ok_or_else(|| "a date (2026-03-01) or an RFC 3339 time (2026-03-01T12:00:00Z)".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, parse_time};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_the_terminal() {
        let mut pages = vec![Cli::command()];
        while let Some(page) = pages.pop() {
            pages.extend(page.get_subcommands().cloned());
            let own = page.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(own.lines().all(|line| line.chars().count() < 80), "{}: {own}", page.get_name());
            for width in [80, 100] {
                for long in [false, true] {
                    let mut page = page.clone().term_width(width);
                    let help = if long { page.render_long_help() } else { page.render_help() };
                    let help = help.to_string();
                    let longest = help.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
                    assert!(longest.chars().count() <= width, "{} at {width}: {longest}", page.get_name());
                }
            }
        }
    }

    #[test]
    fn a_date_is_its_first_instant() {
        assert_eq!(parse_time("2026-03-01"), parse_time("2026-03-01T01:00:00+01:00"));
        assert!(parse_time("yesterday").is_err());
    }
}
