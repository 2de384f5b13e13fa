use std::path::PathBuf;

use clap::{Args, ValueHint};
use keytrail_rules::model::Severity;

use super::{NarrowArgs, ShowArgs};

/// How a report is written, and when it fails.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The formats, each with its file. The help is made from the table of formats.
    #[arg(long, short, value_name = "FORMAT[=FILE]", help = format_help(), long_help = format_long_help())]
    pub format: Vec<String>,
    /// Write the report to this file; without --format, in the format that its ending names.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Exit with status 1 from this severity on.
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity, default_value = "high")]
    pub fail_on: FailOn,
    /// An earlier JSON report: what it has already does not count.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,
    /// Show everything: repeats unfolded, and each finding with its line, without any value that stands there.
    #[arg(long, short)]
    pub verbose: bool,
    /// On what.
    #[command(flatten)]
    pub narrow: NarrowArgs,
    /// How.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// The formats by name.
fn format_help() -> String {
    let names: Vec<&str> = keytrail_reporters::FORMATS.iter().map(|format| format.name).collect();
    format!(
        "Report format, or FORMAT=FILE; may be given several times [default: table] [formats: {}]",
        names.join(", ")
    )
}

/// The formats with what each is for.
fn format_long_help() -> String {
    let mut help = "Report format; FORMAT=FILE writes it to a file, whole or not at all. May be given several times.\n\n\
                    The file that $GITHUB_STEP_SUMMARY names is appended to. Without --format, the ending of --output says \
                    which one; else it is the table.\n\nFormats:"
        .to_owned();
    for format in keytrail_reporters::FORMATS {
        help.push_str(&format!("\n- {}: {}", format.name, format.summary));
    }
    help
}

/// From which severity on a scan fails; `None` for never.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailOn(pub Option<Severity>);

pub(super) fn parse_severity(text: &str) -> Result<FailOn, String> {
    if text == "never" {
        return Ok(FailOn(None));
    }
    let known = || Severity::ALL.map(Severity::as_str).join(", ");
    Severity::parse(text).map(|severity| FailOn(Some(severity))).ok_or_else(|| format!("one of {}, never", known()))
}
