//! What a report is about.

use clap::Args;
use keytrail_reporters::AwsAccount;
use keytrail_rules::controls::{FRAMEWORKS, Framework};

/// Which frameworks a report is about, and whose it is.
#[derive(Debug, Args)]
pub struct NarrowArgs {
    /// Report only what has to do with this framework: soc2, pci, iso27001, nist-800-53, csf, cis, cis-aws or hipaa. May
    /// be given several times. What is left out is counted, and does not fail the scan.
    #[arg(long, value_name = "NAME", value_parser = parse_framework)]
    pub framework: Vec<&'static Framework>,
    /// With --format asff: the AWS account whose findings they are.
    #[arg(long, value_name = "ID", requires = "aws_region")]
    pub aws_account: Option<String>,
    /// With --format asff: the AWS region of its Security Hub.
    #[arg(long, value_name = "REGION", requires = "aws_account")]
    pub aws_region: Option<String>,
}

impl NarrowArgs {
    /// The account, where one is named. The error says what is wrong with it.
    pub fn aws(&self) -> Result<Option<AwsAccount>, String> {
        let (Some(account), Some(region)) = (&self.aws_account, &self.aws_region) else { return Ok(None) };
        let wrong = || format!("'{}' in '{}' is no AWS account", account.escape_debug(), region.escape_debug());
        AwsAccount::new(account, region).map(Some).ok_or_else(wrong)
    }
}

/// A framework by its short name or id.
pub(super) fn parse_framework(name: &str) -> Result<&'static Framework, String> {
    let known = || FRAMEWORKS.iter().map(|framework| framework.short).collect::<Vec<_>>().join(", ");
    Framework::find(name).ok_or_else(|| format!("one of {}", known()))
}
