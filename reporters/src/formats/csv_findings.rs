use keytrail_rules::report::Report;

use super::{Format, csv};
use crate::sheets::findings;
use crate::{Error, Options};

/// One row for every finding, for who samples from them or tracks them in a spreadsheet. See [`csv`] for how.
pub(super) static FORMAT: Format = Format {
    name: "csv-findings",
    summary: "one row for every finding, with its evidence and its exception",
    extension: "csv",
    is_text: true,
    render,
};

fn render(report: &Report, _: &Options) -> Result<Vec<u8>, Error> {
    csv::write(report, &findings(report), "finding")
}
