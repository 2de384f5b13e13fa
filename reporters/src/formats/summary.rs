use keytrail_rules::report::Report;

use super::{Format, markdown};
use crate::{Error, Options};

/// For `$GITHUB_STEP_SUMMARY`: the head of what [`markdown`] holds.
pub(super) static FORMAT: Format = Format {
    name: "summary",
    summary: "the verdict and the worst findings, for the step summary of GitHub Actions",
    extension: "md",
    is_text: true,
    render,
};

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    Ok(markdown::summary(report, options))
}
