/// What can go wrong between a report and its bytes. The text follows "failed to".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The serialiser refused.
    #[error("write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The writer of CSV refused.
    #[error("write the report as CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The writer of workbooks refused.
    #[error("write the report as a workbook: {0}")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    /// A finding names a rule that is not in the table.
    #[error("write the report: rule {0:?} is not in the table of rules")]
    UnknownRule(String),
    /// A baseline that is no JSON. The file may be anything, so that nothing of it is repeated.
    #[error("read the baseline: it is not JSON from line {line}, column {column} on")]
    BaselineNotJson {
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// A baseline that is JSON, but no report.
    #[error("read the baseline: it is JSON, but no Keytrail report (line {line}, column {column})")]
    BaselineNotReport {
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// A baseline in another format or in a version that is not known yet.
    #[error("read the baseline: its schema is `{found}`, and this version reads `{known}`")]
    BaselineVersion {
        /// What the baseline says, escaped and cut.
        found: String,
        /// What can be read.
        known: &'static str,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Json(_) | Self::Csv(_) | Self::Xlsx(_) | Self::UnknownRule(_) => None,
            Self::BaselineNotJson { .. } | Self::BaselineNotReport { .. } => {
                Some("write a baseline with `keytrail scan --format json --output FILE`")
            }
            Self::BaselineVersion { .. } => {
                Some("update Keytrail, or write the baseline anew with `keytrail scan --format json --output FILE`")
            }
        }
    }
}
