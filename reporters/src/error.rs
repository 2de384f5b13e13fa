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
    /// An earlier report that is no JSON. The file may be anything, so that nothing of it is repeated.
    #[error("read {what}: it is not JSON from line {line}, column {column} on")]
    EarlierNotJson {
        /// Which: `the baseline`, or its name.
        what: String,
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// An earlier report that is JSON, but no report.
    #[error("read {what}: it is JSON, but no Keytrail report (line {line}, column {column})")]
    EarlierNotReport {
        /// Which.
        what: String,
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// An earlier report in another format.
    #[error("read {what}: it is SARIF, no JSON report of Keytrail")]
    EarlierIsSarif {
        /// Which.
        what: String,
    },
    /// An earlier report in a version that is not known yet.
    #[error("read {what}: its schema is `{found}`, and this version reads `{known}`")]
    EarlierVersion {
        /// Which.
        what: String,
        /// What it says, escaped and cut.
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
            Self::EarlierNotJson { .. } | Self::EarlierNotReport { .. } | Self::EarlierIsSarif { .. } => {
                Some("write one with `keytrail scan --format json --output FILE`")
            }
            Self::EarlierVersion { .. } => {
                Some("update Keytrail, or write it anew with `keytrail scan --format json --output FILE`")
            }
        }
    }
}
