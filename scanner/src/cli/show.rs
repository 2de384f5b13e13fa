//! Options of how a report is shown.

use clap::{Args, ValueEnum};

/// How a report is shown.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Which service SARIF is written for.
    #[arg(long, value_enum, default_value_t = Profile::Github, value_name = "PROFILE")]
    pub sarif_profile: Profile,
    /// What the run is about, for code scanning: a run closes the alerts of earlier runs of its category only. By
    /// default `scan`, or the parts of --only, or `leaks`.
    #[arg(long, value_name = "NAME", value_parser = parse_category)]
    pub category: Option<String>,
    /// When a terminal gets links to lines and to the help of rules.
    #[arg(long, value_enum, default_value_t = Links::Auto, value_name = "WHEN")]
    pub links: Links,
}

/// Which service SARIF is written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Profile {
    /// GitHub code scanning: what counts, within its limits.
    Github,
    /// Any other reader: everything, also what is let pass.
    Full,
    /// GitHub Advanced Security for Azure DevOps, from a pipeline.
    Ado,
}

/// When a terminal gets links.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Links {
    /// On a terminal that is known to follow them.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// GitHub shows it, and finds a run by it.
fn parse_category(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let parts = || text.split('/').all(|part| !part.is_empty());
    if text.len() <= 100 && text.chars().all(is_plain) && parts() {
        Ok(text.to_owned())
    } else {
        Err("up to 100 letters, digits and -_. with / between parts, such as production/eu".to_owned())
    }
}
